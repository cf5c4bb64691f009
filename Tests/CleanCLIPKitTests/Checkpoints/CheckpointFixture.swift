import CleanCLIPKit
import Testing

/// Tiny checkpoints and what PyTorch makes of them; written by `Fixtures/checkpoints.py`.
enum CheckpointFixture {
  static func path(_ name: String) -> String {
    #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
      .joined(separator: "/") + "/Fixtures/checkpoints/" + name
  }

  /// PyTorch's parameters under OpenCLIP's names.
  static func state() throws -> [String: Tensor] {
    let file = try SafeTensors.read(path("vit-golden.safetensors"))
    var result: [String: Tensor] = [:]
    for entry in file.entries where entry.name.hasPrefix("state.") {
      result[String(entry.name.dropFirst(6))] = try file.tensor(entry.name)
    }
    return result
  }
}

/// The largest difference relative to the largest value.
func relativeDifference(_ actual: Tensor, _ expected: Tensor) -> Double {
  guard actual.count == expected.count else { return .infinity }
  let (a, b) = (actual.floats(), expected.floats())
  let scale = b.reduce(Float.leastNormalMagnitude) { max($0, abs($1)) }
  let difference = zip(a, b).reduce(Float(0)) { $1.0.isNaN ? .infinity : max($0, abs($1.0 - $1.1)) }
  return Double(difference) / Double(scale)
}

extension CLIPModel {
  /// Changes every parameter a little, each element differently.
  func perturb(seed: UInt64) {
    var random = RandomNumbers(seed: seed)
    for parameter in parameters {
      for index in 0..<parameter.value.count {
        parameter.value.f32[index] +=
          0.05 * parameter.value.f32[index] * random.normal() + 0.01 * random.normal()
      }
      parameter.valueDidChange()
    }
  }

  var tensorsByName: [String: Tensor] {
    Dictionary(stateDict().map { ($0.name, $0.tensor) }, uniquingKeysWith: { first, _ in first })
  }
}
