import CleanCLIPKit

/// A tiny model with what PyTorch and OpenCLIP compute for it; written by `Fixtures/parity.py`.
struct ParityFixture {
  static let names = ["vit-quickgelu", "vit-gelu", "resnet"]
  static let pairs = 5
  static let steps = 10

  let name: String
  let configuration: CLIPConfiguration
  private let tensors: [String: Tensor]

  init(_ name: String) throws {
    self.name = name
    var tensors: [String: Tensor] = [:]
    for shard in 0..<(name == "resnet" ? 3 : 1) {
      let path = "\(Self.folder)/\(name)-\(shard).safetensors"
      tensors.merge(try SafeTensors.read(path).tensors()) { first, _ in first }
    }
    self.tensors = tensors
    configuration = Self.configuration(name)
  }

  private static var folder: String {
    let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
    return parts.dropLast(3).joined(separator: "/") + "/Fixtures/parity"
  }

  private static func configuration(_ name: String) -> CLIPConfiguration {
    let activation: Activation = name == "vit-gelu" ? .gelu : .quickGELU
    let text = TextConfiguration(
      contextLength: 9, vocabularySize: 64,
      transformer: TransformerConfiguration(
        width: 12, layers: 2, heads: 3, mlpWidth: 18, activation: activation))
    let vision: VisionConfiguration
    if name == "resnet" {
      vision = .resNet(
        ModifiedResNetConfiguration(
          imageSize: 64, width: 2, layers: [1, 2, 1, 1], heads: 4,
          batchNorm: .separate(epsilon: 1e-5)))
    } else {
      vision = .transformer(
        VisionTransformerConfiguration(
          imageSize: 12, patchSize: 4,
          transformer: TransformerConfiguration(
            width: 16, layers: 2, heads: 4, mlpWidth: 24, activation: activation)))
    }
    return CLIPConfiguration(embedDim: 10, vision: vision, text: text)
  }

  /// The tensors whose names start with `prefix`, without it.
  func tensors(_ prefix: String) -> [String: Tensor] {
    var result: [String: Tensor] = [:]
    for (name, tensor) in tensors where name.hasPrefix(prefix) {
      result[String(name.dropFirst(prefix.count))] = tensor
    }
    return result
  }

  func values(_ name: String) throws -> [Float] {
    guard let tensor = tensors[name] else {
      throw CLIPError(.notFound, "fixture: '\(name)' is missing; run Tests/Fixtures/parity.py")
    }
    return tensor.floats()
  }

  func model() throws -> CLIPModel {
    try CLIPModel(configuration, tensors: tensors("model."))
  }

  /// The originals and augmentations of step `step`.
  func batch(_ step: Int) throws -> TrainingBatch {
    let ids = try values("tokens").map { Int32($0) }
    let perStep = 2 * Self.pairs * 9
    let tokens = TokenBatch(
      padded: Array(ids[step * perStep..<(step + 1) * perStep]), columns: 9,
      endOfText: .highestID)
    let size = configuration.vision?.imageSize ?? 0
    return TrainingBatch(
      pixels: try Self.pixels(step, count: 2 * Self.pairs, size: size), tokens: tokens, views: 2,
      labels: nil, keys: (0..<Self.pairs).map { "pair \($0)" })
  }

  /// The pixels of `parity.py`: four by four areas, and noise on them.
  static func pixels(_ step: Int, count: Int, size: Int) throws -> Tensor {
    let pixels = try Tensor([count, 3, size, size])
    let cell = size / 4
    for plane in 0..<3 * count {
      for y in 0..<size {
        for x in 0..<size {
          let index = (plane * size + y) * size + x
          let area = (plane * 4 + y / cell) * 4 + x / cell
          pixels.f32[index] = 0.75 * noise(area, step + 1000) + 0.25 * noise(index, step)
        }
      }
    }
    return pixels
  }

  private static func noise(_ index: Int, _ step: Int) -> Float {
    var x = UInt32(index) &+ UInt32(truncatingIfNeeded: step &* 0x9E37_79B9)
    x = (x ^ (x >> 16)) &* 0x7FEB_352D
    x = (x ^ (x >> 15)) &* 0x846C_A68B
    x ^= x >> 16
    return Float(x >> 8) * 0x1p-24 * 4 - 2
  }
}

/// ‖actual - expected‖ / ‖expected‖, where `floor` is added to the denominator.
func relativeError(_ actual: [Float], _ expected: [Float], floor: Double = 0) -> Double {
  guard actual.count == expected.count else { return .infinity }
  var difference = 0.0
  var norm = 0.0
  for (a, e) in zip(actual, expected) {
    difference += (Double(a) - Double(e)) * (Double(a) - Double(e))
    norm += Double(e) * Double(e)
  }
  return difference.squareRoot() / (norm.squareRoot() + floor)
}
