/// Writes a CLIP model as a new ONNX graph: opset 17, dynamic batch, weights under OpenCLIP's names.
package enum FreshGraph {
  /// The names of inputs and outputs.
  package enum Convention: String, Sendable {
    /// `image`, `text` to `image_features`, `text_features`, `logit_scale`; L2-normalized features.
    case openCLIP = "open_clip"
    /// `pixel_values`, `input_ids` to `logits_per_image`, `logits_per_text`, `text_embeds`,
    /// `image_embeds`.
    case huggingFace = "hugging_face"
  }

  /// Weights beyond this go to `<name>.data` beside the file: protobuf ends at 2 GiB.
  static let largestInside = 1_900_000_000

  /// Writes the graph of a model.
  ///
  /// - Parameters:
  ///   - tensors: the state dictionary, by OpenCLIP name.
  ///   - destination: a file, whose weights of 1.9 GB and more go to its path + `.data`, written first; or
  ///     memory.
  /// - Throws: `format` when a tensor is missing; `io`; `outOfMemory`; `unsupported` for weights of 1.9 GB
  ///   and more that are to go to memory.
  package static func write(
    _ configuration: CLIPConfiguration, tensors: [String: Tensor], to destination: FileDestination,
    convention: Convention = .openCLIP, largestInside: Int = largestInside
  ) throws(CLIPError) {
    let bytes = configuration.tensorSpecifications.reduce(0) { sum, specification in
      sum + (tensors[specification.name]?.byteCount ?? 0)
    }
    guard bytes <= largestInside || destination.path != nil else {
      throw CLIPError.weightsBeside(destination.name)
    }
    let dataPath = bytes > largestInside ? destination.path.map { $0 + ".data" } : nil
    let location = dataPath.map { path in
      path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
    }
    let builder = try GraphBuilder(externalLocation: location)
    let weights = Weights(builder, tensors)
    try describe(configuration, builder, weights, convention)
    if configuration.vision != nil {
      builder.metadata(
        CheckpointPreprocessing.metadataKey, configuration.preprocessing.json.serialized())
    }
    if let dataPath {
      try AtomicFile.write(dataPath) { (file) throws(CLIPError) in
        for tensor in builder.externalPayloads {
          try file.pad(to: GraphBuilder.externalAlignment)
          try file.append(UnsafeRawBufferPointer(start: tensor.bytes, count: tensor.byteCount))
        }
      }
    }
    try AtomicFile.write(to: destination) { (file) throws(CLIPError) in
      try builder.write(into: &file)
    }
  }

  private static func describe(
    _ configuration: CLIPConfiguration, _ builder: GraphBuilder, _ weights: Weights,
    _ convention: Convention
  ) throws(CLIPError) {
    let isHuggingFace = convention == .huggingFace
    let embedDim = String(configuration.embedDim)
    var images: String?
    var texts: String?
    if let vision = configuration.vision {
      let pixels = isHuggingFace ? "pixel_values" : "image"
      let size = String(vision.imageSize)
      builder.input(pixels, .float, ["batch", "3", size, size])
      let features =
        switch vision {
        case .transformer(let vision):
          try VisionTransformerGraph(vision, builder, weights).features(pixels)
        case .resNet(let vision): try ModifiedResNetGraph(vision, builder, weights).features(pixels)
        }
      images = normalized(
        builder, features, named: isHuggingFace ? "image_embeds" : "image_features")
    }
    if let text = configuration.text {
      let ids = isHuggingFace ? "input_ids" : "text"
      builder.input(ids, .int64, ["texts", String(text.contextLength)])
      let features = try TextTransformerGraph(text, builder, weights).features(ids)
      texts = normalized(
        builder, features, named: isHuggingFace ? "text_embeds" : "text_features")
    }
    let scale = try weights["logit_scale"]
    if isHuggingFace {
      if let images, let texts {
        let exponential = builder.node("Exp", [scale])
        let columns = builder.node("Transpose", [images], ints: ["perm": [1, 0]])
        let products = builder.node("MatMul", [texts, columns])
        let perText = builder.node("Mul", [products, exponential], named: "logits_per_text")
        _ = builder.node(
          "Transpose", [perText], ints: ["perm": [1, 0]], named: "logits_per_image")
        builder.output("logits_per_image", .float, ["batch", "texts"])
        builder.output("logits_per_text", .float, ["texts", "batch"])
      }
      if let texts { builder.output(texts, .float, ["texts", embedDim]) }
      if let images { builder.output(images, .float, ["batch", embedDim]) }
    } else {
      if let images { builder.output(images, .float, ["batch", embedDim]) }
      if let texts { builder.output(texts, .float, ["texts", embedDim]) }
      _ = builder.node("Exp", [scale], named: "logit_scale")
      builder.output("logit_scale", .float, [])
    }
  }

  /// x / max(|x|, 1e-12) along the last axis.
  private static func normalized(
    _ builder: GraphBuilder, _ x: String, named name: String
  ) -> String {
    let norm = builder.node("ReduceL2", [x], ints: ["axes": [-1]], integers: ["keepdims": 1])
    let bounded = builder.node("Clip", [norm, builder.number(1e-12)])
    return builder.node("Div", [x, bounded], named: name)
  }
}

/// The state dictionary as initializers, each added when it is first asked for.
final class Weights {
  private let builder: GraphBuilder
  private let tensors: [String: Tensor]
  private var added: [String: String] = [:]

  init(_ builder: GraphBuilder, _ tensors: [String: Tensor]) {
    self.builder = builder
    self.tensors = tensors
  }

  /// Returns the initializer of a tensor.
  subscript(name: String) -> String {
    get throws(CLIPError) {
      if let existing = added[name] { return existing }
      guard let tensor = tensors[name] else {
        throw CLIPError(
          .format, "onnx export: tensor '\(name)' is missing; expected a whole state dictionary")
      }
      // The graph's output has the plain name, as OpenCLIP users expect: exp(logit_scale).
      let initializer = builder.weight(name == "logit_scale" ? "logit_scale.log" : name, tensor)
      added[name] = initializer
      return initializer
    }
  }
}
