internal import CleanCLIPKit

/// What was imported, in a few lines.
enum Summary {
  static func text(_ loaded: LoadedModel) -> String {
    let configuration = loaded.model.configuration
    var lines: [String] = []
    if let facts = loaded.facts {
      let opset = facts.opset.map { ", operator set \($0)" } ?? ""
      let types = facts.elementTypes.joined(separator: " and ")
      lines.append(
        ("read \(facts.files.map(\.path).joined(separator: ", ")): \(facts.format) by "
          + "\(facts.producer.isEmpty ? "an unknown exporter" : facts.producer)\(opset), "
          + "weights in \(types)").printable())
    }
    switch configuration.vision {
    case .transformer(let vision):
      lines.append(
        "image tower: Vision Transformer, \(vision.imageSize) pixels in patches of "
          + "\(vision.patchSize), \(text(vision.transformer))")
    case .resNet(let vision):
      let norm =
        vision.batchNorm == .folded
        ? "batch normalisation folded into the convolutions" : "batch normalisation in layers"
      lines.append(
        "image tower: ModifiedResNet, \(vision.imageSize) pixels, blocks "
          + "\(vision.layers), width \(vision.width), \(vision.heads) heads, \(norm)")
    case nil: lines.append("image tower: none")
    }
    if let tower = configuration.text {
      lines.append(
        "text tower: \(tower.contextLength) tokens of \(tower.vocabularySize), "
          + text(tower.transformer))
    } else {
      lines.append("text tower: none")
    }
    lines.append("\(loaded.model.parameterCount) parameters, features of \(configuration.embedDim)")
    lines += (loaded.facts?.notes ?? []).map { "note: \($0)" }
    return lines.joined(separator: "\n")
  }

  private static func text(_ transformer: TransformerConfiguration) -> String {
    "\(transformer.layers) blocks of width \(transformer.width), \(transformer.heads) heads, "
      + transformer.activation.rawValue
  }
}
