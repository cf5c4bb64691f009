extension CLIPConfiguration {
  /// Image towers by OpenCLIP's name; each may end in `-quickgelu`.
  private static let visions: [(name: String, embedDim: Int, vision: VisionSizes)] = [
    ("RN50", 1024, .resNet(layers: [3, 4, 6, 3], width: 64, imageSize: 224)),
    ("RN101", 512, .resNet(layers: [3, 4, 23, 3], width: 64, imageSize: 224)),
    ("RN50x4", 640, .resNet(layers: [4, 6, 10, 6], width: 80, imageSize: 288)),
    ("RN50x16", 768, .resNet(layers: [6, 8, 18, 8], width: 96, imageSize: 384)),
    ("RN50x64", 1024, .resNet(layers: [3, 15, 36, 10], width: 128, imageSize: 448)),
    ("ViT-S-32", 384, .transformer(layers: 12, width: 384, patchSize: 32)),
    ("ViT-S-16", 384, .transformer(layers: 12, width: 384, patchSize: 16)),
    ("ViT-B-32", 512, .transformer(layers: 12, width: 768, patchSize: 32)),
    ("ViT-B-32-256", 512, .transformer(layers: 12, width: 768, patchSize: 32, imageSize: 256)),
    ("ViT-B-16", 512, .transformer(layers: 12, width: 768, patchSize: 16)),
    ("ViT-L-14", 768, .transformer(layers: 24, width: 1024, patchSize: 14)),
    ("ViT-L-14-336", 768, .transformer(layers: 24, width: 1024, patchSize: 14, imageSize: 336)),
    ("ViT-H-14", 1024, .transformer(layers: 32, width: 1280, patchSize: 14, headWidth: 80)),
  ]

  private enum VisionSizes {
    case resNet(layers: [Int], width: Int, imageSize: Int)
    case transformer(
      layers: Int, width: Int, patchSize: Int, imageSize: Int = 224, headWidth: Int = 64)
  }

  /// Names of the known architectures, for messages.
  package static var architectureNames: [String] { visions.map(\.name) }

  /// Returns the architecture of OpenCLIP's name: `ViT-B-32`, `RN50`, `RN50-quickgelu` …
  ///
  /// - Throws: `notFound` for other names.
  package static func named(_ name: String) throws(CLIPError) -> CLIPConfiguration {
    let suffix = "-quickgelu"
    let isQuick = name.hasSuffix(suffix)
    let plain = isQuick ? String(name.dropLast(suffix.count)) : name
    guard let entry = visions.first(where: { $0.name == plain }) else {
      throw CLIPError(
        .notFound,
        "architecture: not a known name; expected one of "
          + "\(architectureNames.joined(separator: ", ")), or a JSON configuration, got '\(name)'")
    }
    let activation: Activation = isQuick ? .quickGELU : .gelu
    let vision: VisionConfiguration
    switch entry.vision {
    case .resNet(let layers, let width, let imageSize):
      vision = .resNet(
        ModifiedResNetConfiguration(
          imageSize: imageSize, width: width, layers: layers, heads: width * 32 / 64,
          batchNorm: .separate(epsilon: 1e-5)))
    case .transformer(let layers, let width, let patchSize, let imageSize, let headWidth):
      vision = .transformer(
        VisionTransformerConfiguration(
          imageSize: imageSize, patchSize: patchSize,
          transformer: TransformerConfiguration(
            width: width, layers: layers, heads: width / headWidth, mlpWidth: width * 4,
            activation: activation)))
    }
    // The text tower is as wide as the joint space, except beside RN50.
    let textWidth = plain == "RN50" ? 512 : entry.embedDim
    let textLayers = plain == "ViT-H-14" ? 24 : 12
    let textHeads = textWidth / 64
    return CLIPConfiguration(
      embedDim: entry.embedDim, vision: vision,
      text: TextConfiguration(
        contextLength: 77, vocabularySize: 49408,
        transformer: TransformerConfiguration(
          width: textWidth, layers: textLayers, heads: textHeads, mlpWidth: textWidth * 4,
          activation: activation)))
  }
}
