internal import CCleanCLIP
internal import CleanCLIPKit

extension FuzzTarget {
  /// ONNX: read, described, run, written back, and read again.
  static let onnx = FuzzTarget(name: "onnx") { bytes in
    _ = externalData
    useModel(Scratch.write(bytes, to: "model.onnx"), copy: Scratch.path("copy.onnx"))
  }

  /// safetensors with the configuration in its metadata, or that of a tiny model beside it.
  static let safetensors = FuzzTarget(name: "safetensors") { bytes in
    _ = Scratch.write(tinyArchitecture.utf8, to: "open_clip_config.json")
    useModel(
      Scratch.write(bytes, to: "model.safetensors"), copy: Scratch.path("copy.safetensors"))
  }

  /// Configurations of OpenCLIP and Hugging Face beside weights of either kind of names.
  static let configuration = FuzzTarget(name: "configuration") { bytes in
    _ = tinyCheckpoints
    _ = Scratch.write(bytes, to: "config.json")
    _ = Scratch.write(bytes, to: "open_clip_config.json")
    for name in ["openclip.safetensors", "huggingface.safetensors"] {
      useModel(Scratch.path(name), copy: Scratch.path("copy.onnx"))
    }
  }

  private static let externalData = Scratch.write(
    (0..<65_536).map { UInt8(truncatingIfNeeded: $0 &* 7 & 0x3F) }, to: "weights.bin")

  private static let tinyArchitecture = """
    {"embed_dim": 4, "quick_gelu": true,
     "vision_cfg": {"image_size": 4, "layers": 1, "width": 4, "head_width": 2, "patch_size": 2},
     "text_cfg": {"context_length": 4, "vocab_size": 8, "width": 4, "heads": 2, "layers": 1}}
    """

  /// Weights of the tiny architecture under both kinds of names, without a configuration inside.
  private static let tinyCheckpoints: Void = {
    do throws(CLIPError) {
      let configuration = try CLIPConfiguration.architecture(tinyArchitecture)
      let model = LoadedModel(try CLIPModel(configuration, randomSeed: 1))
      for names in [TensorNames.openCLIP, .huggingFace] {
        let path = Scratch.path(names.rawValue + ".safetensors")
        try model.export(to: path, names: names)
        let tensors = try SafeTensors.read(path).tensors()
        try SafeTensors.write(tensors.map { ($0, $1) }, to: path)
      }
    } catch {
      stop(error.message)
    }
  }()
}

/// Loads a model and does with it what a host does first.
private func useModel(_ path: String, copy: String) {
  guard let model = loaded(path) else { return }
  defer { cleanclip_model_free(model) }
  var length = 0
  if succeeded(cleanclip_model_describe(model, nil, 0, &length)) && length == 0 {
    stop("description is empty")
  }
  encode(with: model)
  guard succeeded(cleanclip_model_save(model, copy)) else { return }
  guard let again = loaded(copy) else { stop("what was saved is refused") }
  cleanclip_model_free(again)
}

private func loaded(_ path: String) -> OpaquePointer? {
  var model: OpaquePointer?
  return succeeded(cleanclip_model_load(path, &model)) ? model : nil
}

/// Computes one feature of each tower, where that is quick.
private func encode(with model: OpaquePointer) {
  let width = Int(cleanclip_model_embed_dim(model))
  let size = Int(cleanclip_model_image_size(model))
  let length = Int(cleanclip_model_context_length(model))
  var features = [Float](repeating: 0, count: width)
  if (1...64).contains(size) {
    let pixels = [Float](repeating: 0.5, count: 3 * size * size)
    _ = succeeded(
      cleanclip_model_encode_image_inputs(model, pixels, 1, nil, &features, features.count))
  }
  if (1...128).contains(length) {
    var ids = [Int32](repeating: 0, count: length)
    ids[length - 1] = Int32(cleanclip_model_vocab_size(model) - 1)
    _ = succeeded(
      cleanclip_model_encode_tokens(
        model, ids, 1, Int64(length), nil, &features, features.count))
  }
}
