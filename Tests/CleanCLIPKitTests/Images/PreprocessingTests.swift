import CleanCLIPKit
import Testing

/// Preprocessing that lies beside models, in OpenCLIP's and Hugging Face's forms.
@Suite struct PreprocessingTests {
  let folder = TemporaryFolder()

  private static func read(_ text: String, imageSize: Int? = 32) throws -> ImagePreprocessing {
    try ImagePreprocessing.reading(
      try JSONValue.parse(text, name: "p.json"), imageSize: imageSize, name: "p.json")
  }

  private static var unusual: ImagePreprocessing {
    var value = ImagePreprocessing()
    value.mean = [0.5, 0.25, 0.125]
    value.standardDeviation = [1, 2, 0.5]
    value.resizeMode = .squash
    value.interpolation = .bilinear
    return value
  }

  @Test func openCLIPsFormIsRead() throws {
    let value = try Self.read(
      """
      {"size": [32, 32], "mode": "RGB", "mean": [0.5, 0.25, 0.125], "std": [1, 2, 0.5],
       "interpolation": "bilinear", "resize_mode": "squash", "fill_color": 0}
      """)
    #expect(value == Self.unusual)
    #expect(try Self.read("{\"preprocess_cfg\": \(value.json.serialized())}") == value)
    #expect(try Self.read(#"{"interpolation": "random"}"#) == ImagePreprocessing())
    let filled = try Self.read(#"{"resize_mode": "longest", "fill_color": 128}"#)
    #expect(filled.resizeMode == .longest && filled.fillColor == 128)
    #expect(try Self.read(filled.json.serialized()) == filled)
  }

  @Test func huggingFacesFormIsRead() throws {
    let value = try Self.read(
      """
      {"crop_size": {"height": 32, "width": 32}, "do_center_crop": true, "do_convert_rgb": true,
       "do_normalize": true, "do_rescale": true, "do_resize": true, "rescale_factor": 0.00392156862745098,
       "image_mean": [0.5, 0.25, 0.125], "image_processor_type": "CLIPImageProcessor",
       "image_std": [1, 2, 0.5], "resample": 2, "size": {"shortest_edge": 32}}
      """)
    var expected = Self.unusual
    expected.resizeMode = .shortest
    #expect(value == expected)
    #expect(try Self.read(#"{"do_resize": true, "size": 32, "crop_size": 32}"#) == .init())
    let squashed =
      #"{"do_center_crop": false, "do_resize": true, "size": {"height": 32, "width": 32}}"#
    #expect(try Self.read(squashed).resizeMode == .squash)
    let plain = try Self.read(#"{"do_resize": true, "do_normalize": false}"#)
    #expect(plain.mean == [0, 0, 0] && plain.standardDeviation == [1, 1, 1])
  }

  /// Whatever is not known is named, with the remedy.
  @Test(arguments: [
    (#"{"resize_mode": "stretch"}"#, "resize_mode"), (#"{"resize_mode": 3}"#, "resize_mode"),
    (#"{"interpolation": "lanczos"}"#, "interpolation"), (#"{"mean": "x"}"#, "mean"),
    (#"{"mean": [0.5, 0.5]}"#, "mean"), (#"{"std": [1, 0, 1]}"#, "std"),
    (#"{"mode": "L"}"#, "mode"), (#"{"fill_color": 300}"#, "fill_color"),
    (#"{"size": 224}"#, "size"), (#"{"size": [32, 64]}"#, "size"), (#"{"gamma": 2.2}"#, "gamma"),
    (#"{"do_resize": false}"#, "do_resize"), (#"{"do_resize": true, "resample": 1}"#, "resample"),
    (#"{"do_resize": true, "do_rescale": false}"#, "do_rescale"),
    (#"{"do_resize": true, "rescale_factor": 0.5}"#, "rescale_factor"),
    (#"{"do_resize": true, "size": {"longest_edge": 32}}"#, "size"),
    (#"{"do_resize": true, "size": {"shortest_edge": 256}}"#, "size"),
    (#"{"crop_size": 224}"#, "crop_size"), (#"{"do_resize": true, "do_pad": true}"#, "do_pad"),
    (#"{"do_resize": true, "do_center_crop": false, "size": 32}"#, "do_center_crop"),
    (#"{"preprocess_cfg": {"resize_mode": "stretch"}}"#, "preprocess_cfg.resize_mode"),
  ])
  func whatIsNotKnownIsRefusedByName(_ document: (text: String, member: String)) throws {
    let error = #expect(throws: CLIPError.self) { try Self.read(document.text) }
    #expect(error?.code == .unsupported || error?.code == .format)
    let start = "'p.json': \(document.member) cannot be used; expected"
    #expect(error?.message.hasPrefix(start) == true, "\(error?.message ?? "")")
    #expect(error?.message.contains("give the preprocessing in the options") == true)
  }

  @Test func everyModeMakesTheSquareThatItSays() {
    let wide = RGBImage(width: 40, height: 20, red: 10, green: 20, blue: 30)
    for mode in ResizeMode.allCases {
      var preprocessing = ImagePreprocessing().withoutNormalization
      preprocessing.resizeMode = mode
      preprocessing.fillColor = 200
      let square = ImagePreprocessor(imageSize: 8, preprocessing).resizedAndCropped(wide)
      #expect(square.width == 8 && square.height == 8)
      // 8 by 4 in the middle, two rows of the fill colour above and below.
      #expect(square.pixels[0] == (mode == .longest ? 200 : 10))
      #expect(square.pixels[(2 * 8) * 3] == 10 && square.pixels[(5 * 8 + 7) * 3] == 10)
      #expect(square.pixels[(6 * 8) * 3] == (mode == .longest ? 200 : 10))
    }
    let thin = RGBImage(width: 1, height: 60_000, red: 9)
    var longest = ImagePreprocessing().withoutNormalization
    longest.resizeMode = .longest
    let line = ImagePreprocessor(imageSize: 8, longest).resizedAndCropped(thin)
    #expect(line.pixels[3 * 3] == 9 && line.pixels[2 * 3] == 0)
  }

  // MARK: Checkpoints

  private func reloaded(_ loaded: LoadedModel, as name: String) throws -> ImagePreprocessing {
    try loaded.save(to: folder.file(name))
    return try LoadedModel.load(folder.file(name)).model.configuration.preprocessing
  }

  @Test(arguments: ["graph.onnx", "open.safetensors", "model.safetensors"])
  func everyFormKeepsThePreprocessing(_ name: String) throws {
    for source in ["vit.onnx", "vit-f16.onnx"] {
      let loaded = try LoadedModel.load(
        CheckpointFixture.path(source), preprocessing: Self.unusual.json.serialized())
      #expect(loaded.model.configuration.preprocessing == Self.unusual)
      #expect(try reloaded(loaded, as: name) == Self.unusual)
      // And from that form to a new graph, and back to CLIP's own in the graph's metadata.
      let again = try LoadedModel.load(folder.file(name))
      try again.export(to: folder.file("fresh.onnx"), names: .openCLIP)
      let fresh = try LoadedModel.load(folder.file("fresh.onnx"))
      #expect(fresh.model.configuration.preprocessing == Self.unusual)
      #expect(try fresh.description()["preprocessing_source"]?.string == "the graph's metadata")
      let plain = try LoadedModel.load(folder.file("fresh.onnx"), preprocessing: "{}")
      #expect(try reloaded(plain, as: "plain.onnx") == ImagePreprocessing())
    }
  }

  @Test func aFileBesideAGraphBelongsToIt() throws {
    let path = folder.file("model.onnx")
    try AtomicFile.write(try FileContents.read(CheckpointFixture.path("vit.onnx")), to: path)
    let size = try #require(LoadedModel.load(path).model.configuration.vision?.imageSize)
    try AtomicFile.write(
      """
      {"do_resize": true, "size": {"height": \(size), "width": \(size)}, "resample": 2,
       "do_center_crop": false, "image_mean": [0.5, 0.25, 0.125], "image_std": [1, 2, 0.5]}
      """, to: folder.file("preprocessor_config.json"))
    let loaded = try LoadedModel.load(path)
    #expect(loaded.model.configuration.preprocessing == Self.unusual)
    let description = try loaded.description()
    #expect(description["resize_mode"] == "squash" && description["interpolation"] == "bilinear")
    #expect(
      description["preprocessing_source"]?.string?.contains("preprocessor_config.json") == true)
    // It goes with the graph to a place without the file.
    let other = TemporaryFolder()
    try loaded.save(to: other.file("clean.onnx"))
    #expect(
      try LoadedModel.load(other.file("clean.onnx")).model.configuration.preprocessing
        == Self.unusual)
    // A file that cannot be read is named, and options leave it out.
    try AtomicFile.write(
      #"{"do_resize": true, "size": {"shortest_edge": 9999}}"#,
      to: folder.file("preprocessor_config.json"))
    let error = #expect(throws: CLIPError.self) { try LoadedModel.load(path) }
    #expect(error?.message.contains("preprocessor_config.json': size cannot be used") == true)
    #expect(
      try LoadedModel.load(path, preprocessing: "{}").model.configuration.preprocessing
        == ImagePreprocessing())
  }
}
