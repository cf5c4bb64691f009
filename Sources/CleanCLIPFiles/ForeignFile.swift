/// Files that people take for a checkpoint, told by their first bytes.
package enum ForeignFile {
  private struct Kind {
    var offset = 0
    let start: [UInt8]
    let name: String
    let remedy: String

    init(_ start: [UInt8], at offset: Int = 0, _ name: String, _ remedy: String) {
      self.offset = offset
      self.start = start
      self.name = name
      self.remedy = remedy
    }

    init(_ start: String, at offset: Int = 0, _ name: String, _ remedy: String) {
      self.init(Array(start.utf8), at: offset, name, remedy)
    }
  }

  private static let pickle =
    "export it with torch.onnx.export, or save its state_dict with safetensors.torch.save_file"
  private static let image = "name the model's file"
  private static let page = "download the file itself"
  private static let data =
    "name the model's file; data goes to --data or --images"

  /// Bytes that tell.
  package static let headLength = 512

  private static let kinds = [
    Kind("version https://git-lfs", "a pointer of Git LFS", "fetch the file with 'git lfs pull'"),
    Kind("PK\u{3}\u{4}", "a zip archive, as PyTorch writes", pickle),
    Kind([0x80, 0x02], "a Python pickle", pickle),
    Kind([0x80, 0x04], "a Python pickle", pickle),
    Kind([0x89] + Array("PNG".utf8), "a PNG image", image),
    Kind([0xFF, 0xD8, 0xFF], "a JPEG image", image),
    Kind([0x89] + Array("HDF".utf8), "an HDF5 file", "convert it with tf2onnx"),
    Kind("TFL3", at: 4, "a TensorFlow Lite model", "convert it with tf2onnx"),
    Kind("ORTM", at: 4, "a model in ONNX Runtime's own format", "pass the .onnx file it came from"),
    Kind([0x1F, 0x8B], "compressed with gzip", "decompress it first"),
    Kind("GGUF", "a GGUF model", "pass the checkpoint that it was converted from"),
    Kind([0x93] + Array("NUMPY".utf8), "a NumPy array", image),
    Kind("ustar", at: 257, "a tar file", data),
    Kind("RIFF", "a WebP image", image),
    Kind("<!DOCTYPE", "a web page", page),
    Kind("<html", "a web page", page),
  ]

  /// The error that names what a file is; `nil` when that is unknown.
  ///
  /// - Parameter bytes: its first `headLength` bytes.
  package static func refusal(_ bytes: [UInt8], path: String) -> CLIPError? {
    let kind = kinds.first { bytes.dropFirst($0.offset).starts(with: $0.start) } ?? text(bytes)
    return kind.map {
      CLIPError(
        .unsupported,
        "'\(path)': is \($0.name); expected an ONNX model or a safetensors file; \($0.remedy)")
    }
  }

  /// Text, which no model is: JSON by its first character, else a table or a list.
  private static func text(_ bytes: [UInt8]) -> Kind? {
    let characters = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...]
    guard characters.count >= 4,
      characters.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || [0x09, 0x0A, 0x0D].contains($0) }),
      let first = characters.first(where: { $0 > 0x20 })
    else { return nil }
    if first == UInt8(ascii: "{") || first == UInt8(ascii: "[") {
      return Kind(
        [], "JSON", "name the file of the weights, such as model.safetensors, or their folder")
    }
    return Kind([], "text, such as a table", data)
  }
}
