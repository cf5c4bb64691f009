import CleanCLIPKit

/// A model of a few thousand weights and random captioned images in memory.
enum TinyRun {
  static let imageSize = 8
  static let contextLength = 7

  static func configuration(resNet: Bool = false) -> CLIPConfiguration {
    let transformer = TransformerConfiguration(
      width: 12, layers: 2, heads: 3, mlpWidth: 20, activation: .quickGELU)
    return CLIPConfiguration(
      embedDim: 6,
      vision: resNet
        ? .resNet(
          ModifiedResNetConfiguration(
            imageSize: 32, width: 2, layers: [1, 1, 1, 1], heads: 2,
            batchNorm: .separate(epsilon: 1e-5)))
        : .transformer(
          VisionTransformerConfiguration(
            imageSize: imageSize, patchSize: 4, transformer: transformer)),
      text: TextConfiguration(
        contextLength: contextLength, vocabularySize: 32, transformer: transformer))
  }

  static func model(resNet: Bool = false) throws(CLIPError) -> CLIPModel {
    try CLIPModel(configuration(resNet: resNet), randomSeed: 7)
  }

  /// A model for captions of CLIP's own vocabulary.
  static func captionedModel() throws(CLIPError) -> CLIPModel {
    var configuration = configuration()
    configuration.text = TextConfiguration(
      contextLength: contextLength, vocabularySize: 49408,
      transformer: TransformerConfiguration(
        width: 12, layers: 1, heads: 3, mlpWidth: 20, activation: .quickGELU))
    return try CLIPModel(configuration, randomSeed: 7)
  }

  /// Pairs `indices` of the dataset, augmented by another image and another word.
  static func batch(
    _ indices: [Int], views: Int = 2, size: Int = imageSize, classes: Int = 3
  ) throws(CLIPError) -> TrainingBatch {
    let pixels = try Tensor([views * indices.count, 3, size, size])
    let perImage = 3 * size * size
    var captions: [[Int32]] = []
    for view in 0..<views {
      for (row, index) in indices.enumerated() {
        var random = RandomNumbers(seed: 11, UInt64(index))
        var noise = RandomNumbers(seed: 12, UInt64(index), UInt64(view))
        let start = (view * indices.count + row) * perImage
        for element in 0..<perImage {
          pixels.f32[start + element] = random.normal() + 0.2 * Float(view) * noise.normal()
        }
        let words = (0..<index % (contextLength - 1)).map { _ in
          Int32(random.integer(below: 30))
        }
        captions.append([30] + words + [31])
      }
    }
    return TrainingBatch(
      pixels: pixels, tokens: TokenBatch(captions), views: views,
      labels: indices.map { Int32($0 % classes) }, keys: indices.map { "pair \($0)" },
      contents: indices.map { RowContent(row: $0, key: "pair \($0)", fingerprint: UInt64($0 + 1)) })
  }

  /// A dataset of `pairs` random pairs in an order that depends on seed and epoch.
  static func source(
    pairs: Int = 14, batchSize: Int = 4, views: Int = 2, size: Int = imageSize, seed: UInt64 = 5,
    shard: Shard = .whole
  ) -> BatchSource {
    BatchSource(pairs: pairs, batchesPerEpoch: pairs / batchSize, identity: "tiny \(pairs)") {
      (epoch, first) throws(CLIPError) in
      var random = RandomNumbers(seed: seed, UInt64(epoch))
      let order = random.permutation(pairs)
      var next = first
      return BatchStream { () throws(CLIPError) in
        guard (next + 1) * batchSize <= pairs else { return nil }
        defer { next += 1 }
        let rows = Array(order[next * batchSize..<(next + 1) * batchSize])
        return try batch(Array(rows[shard.part(of: batchSize)]), views: views, size: size)
      }
    }
  }

  static func options(epochs: Int = 3) -> TrainingOptions {
    var options = TrainingOptions()
    options.epochs = epochs
    options.batchSize = 4
    options.learningRate = 1e-3
    options.warmupSteps = 2
    return options
  }

  static let loss = CleanCLIPLoss(clipWeight: 1, inmodalWeight: 1)
}

extension CLIPModel {
  /// The tensors of the state dict in memory of their own.
  func copiedState() throws(CLIPError) -> [String: Tensor] {
    var tensors: [String: Tensor] = [:]
    for (name, tensor) in stateDict() { tensors[name] = try tensor.copy() }
    return tensors
  }

  /// All weights and statistics as bit patterns.
  var bits: [UInt32] { stateDict().flatMap { $0.tensor.floats().map(\.bitPattern) } }
}
