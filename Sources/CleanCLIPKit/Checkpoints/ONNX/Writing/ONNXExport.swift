/// The names of a graph's inputs and outputs.
package enum GraphNames: String, Sendable {
  /// `image`, `text` → `image_features`, `text_features`, `logit_scale`.
  case openCLIP = "openclip"
  /// `pixel_values`, `input_ids` → `logits_per_image`, `logits_per_text`, `text_embeds`,
  /// `image_embeds`.
  case huggingFace = "huggingface"

  var image: String { self == .openCLIP ? "image" : "pixel_values" }
  var text: String { self == .openCLIP ? "text" : "input_ids" }
  var imageFeatures: String { self == .openCLIP ? "image_features" : "image_embeds" }
  var textFeatures: String { self == .openCLIP ? "text_features" : "text_embeds" }
}

/// Writing of new ONNX graphs for models that did not come from one.
package enum ONNXExport {
  /// Writes a model as a graph of operator set 17 with free batch sizes and unit-length features.
  ///
  /// - Parameters:
  ///   - tensors: all weights under OpenCLIP's names, single precision.
  ///   - names: what inputs and outputs are called.
  /// - Throws: `io`, and `internal` when a weight is missing.
  package static func write(
    _ configuration: CLIPConfiguration, _ tensors: [String: Tensor], to path: String,
    names: GraphNames = .openCLIP
  ) throws(CLIPError) {
    try graph(configuration, tensors, names: names).write(
      to: path, metadata: [("producer", "cleanclip")])
  }

  static func graph(
    _ configuration: CLIPConfiguration, _ tensors: [String: Tensor], names: GraphNames
  ) throws(CLIPError) -> ONNXGraphBuilder {
    var graph = ONNXGraphBuilder(tensors)
    let features = ONNXGraphBuilder.Dimension.fixed(configuration.embedDim)
    if let vision = configuration.vision {
      let size = ONNXGraphBuilder.Dimension.fixed(vision.imageSize)
      graph.input(names.image, .f32, [.named("image_batch"), .fixed(3), size, size])
      let raw: String
      switch vision {
      case .transformer(let vision): raw = try graph.visionTransformer(vision, names.image)
      case .resNet(let vision): raw = try graph.modifiedResNet(vision, names.image)
      }
      _ = try graph.normalized(raw, "visual/normalize", output: names.imageFeatures)
    }
    if let text = configuration.text {
      graph.input(names.text, .i64, [.named("text_batch"), .fixed(text.contextLength)])
      let raw = try graph.textTransformer(text, names.text)
      _ = try graph.normalized(raw, "textual/normalize", output: names.textFeatures)
    }
    let isWhole = configuration.vision != nil && configuration.text != nil
    if isWhole, names == .huggingFace {
      let scale = graph.node("Exp", [try graph.weight("logit_scale")], "logit_scale/exp")
      let turned = graph.node(
        "Transpose", [names.imageFeatures], "logits/transpose", [("perm", .integers([1, 0]))])
      let product = graph.node("MatMul", [names.textFeatures, turned], "logits/product")
      let perText = graph.node("Mul", [product, scale], "logits/scale", output: "logits_per_text")
      _ = graph.node(
        "Transpose", [perText], "logits/per_image", [("perm", .integers([1, 0]))],
        output: "logits_per_image")
      graph.output("logits_per_image", .f32, [.named("image_batch"), .named("text_batch")])
      graph.output("logits_per_text", .f32, [.named("text_batch"), .named("image_batch")])
      graph.output(names.textFeatures, .f32, [.named("text_batch"), features])
      graph.output(names.imageFeatures, .f32, [.named("image_batch"), features])
      return graph
    }
    if configuration.vision != nil {
      graph.output(names.imageFeatures, .f32, [.named("image_batch"), features])
    }
    if configuration.text != nil {
      graph.output(names.textFeatures, .f32, [.named("text_batch"), features])
    }
    if isWhole {
      // The parameter keeps its name, so the output needs another node of its own.
      let tensor = try graph.tensor("logit_scale")
      let stored = graph.add("logit_scale.log", [], .tensor(tensor.reshaped([])))
      _ = graph.node("Exp", [stored], "logit_scale/exp", output: "logit_scale")
      graph.output("logit_scale", .f32, [])
    }
    return graph
  }
}
