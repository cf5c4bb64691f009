import CleanCLIPKit
import Testing

@Suite struct ForeignFileTests {
  let folder = TemporaryFolder()

  @Test(arguments: [
    ("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "git lfs pull"),
    ("PK\u{3}\u{4}\u{14}\u{0}archive/data.pkl", "torch.onnx.export"),
    ("<!DOCTYPE html><html><body>Not found</body></html>", "web page"),
    ("\u{1C}\u{0}\u{0}\u{0}TFL3 and more", "TensorFlow Lite"),
    ("GGUF\u{3}\u{0}\u{0}\u{0}and more", "a GGUF model"),
    ("{\"architectures\": [\"CLIPModel\"], \"hidden_size\": 512}", "is JSON"),
    ("image,caption\na.png,a red box\n", "data goes to --data or --images"),
    ("RIFF\u{10}\u{0}\u{0}\u{0}WEBPVP8 ", "a WebP image"),
  ])
  func whatAFileIsIsNamed(_ file: (text: String, word: String)) throws {
    for name in ["model.onnx", "model.safetensors"] {
      try AtomicFile.write(file.text, to: folder.file(name))
      let error = #expect(throws: CLIPError.self) { try LoadedModel.load(folder.file(name)) }
      #expect(error?.code == .unsupported)
      #expect(error?.message.contains(file.word) == true, "\(error?.message ?? "")")
    }
  }

  @Test func aImageIsNamed() throws {
    try AtomicFile.write([0x89] + Array("PNG\r\n\u{1A}\n".utf8), to: folder.file("model.onnx"))
    let error = #expect(throws: CLIPError.self) { try LoadedModel.load(folder.file("model.onnx")) }
    #expect(error?.message.contains("is a PNG image") == true)
  }

  @Test func safetensorsAreReadUnderAnyName() throws {
    let model = try LoadedModel.load(CheckpointFixture.path("vit.onnx"))
    try model.save(to: folder.file("a.safetensors"))
    try AtomicFile.write(
      try FileContents.read(folder.file("a.safetensors")), to: folder.file("weights"))
    let again = try LoadedModel.load(folder.file("weights"))
    #expect(again.facts?.format.contains("safetensors") == true)
  }
}
