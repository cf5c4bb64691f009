import CleanCLIPKit
import Testing

/// A form of `onnx-zoo/manifest.json`.
struct ZooForm: CustomTestStringConvertible, Sendable {
  let name: String
  let file: String
  let expectation: String
  let state: String?
  let tensors: String?
  let isFolded: Bool
  /// The largest relative difference of parameters and features that the element type allows.
  let tolerance: Double

  var testDescription: String { name }

  /// All forms; empty when the zoo is absent.
  static let all: [ZooForm] = {
    guard let path = Shared.url("onnx-zoo/manifest.json"),
      let bytes = try? FileContents(path),
      let manifest = try? JSONValue.parse(bytes.bytes, name: path)
    else { return [] }
    return (manifest["models"]?.array ?? []).compactMap { entry in
      guard let name = entry["name"]?.string, let file = entry["file"]?.string,
        let expectation = entry["expect"]?.string
      else { return nil }
      return ZooForm(
        name: name, file: file, expectation: expectation, state: entry["state"]?.string,
        tensors: entry["tensors"]?.string, isFolded: entry["bn_folded"]?.bool == true,
        tolerance: name.contains("bf16") ? 1e-2 : name.contains("fp16") ? 4e-3 : 1e-5)
    }
  }()

  func url(_ name: String) throws -> String {
    try #require(Shared.url("onnx-zoo/" + name), "the zoo lacks \(name)")
  }

  /// The original parameters under OpenCLIP's names, batch norm folded where the form folds it.
  func originals(_ configuration: CLIPConfiguration) throws -> [String: Tensor] {
    let file = try SafeTensors.read(try url(try #require(state)))
    var tensors: [String: Tensor] = [:]
    for entry in file.entries where entry.type.isFloat {
      tensors[entry.name] = try file.tensor(entry.name)
    }
    if HuggingFaceNames.areUsed(in: tensors.keys) {
      tensors = try HuggingFaceNames.translated(tensors, configuration)
    }
    return isFolded ? try folded(tensors) : tensors
  }

  private func folded(_ tensors: [String: Tensor]) throws -> [String: Tensor] {
    var result = tensors
    for (name, weight) in tensors where name.hasPrefix("visual.") && weight.shape.rank == 4 {
      let base = String(name.dropLast(".weight".count))
      let norm =
        base.hasSuffix("downsample.0")
        ? String(base.dropLast()) + "1" : base.replacing("conv", with: "bn")
      guard let gain = tensors[norm + ".weight"], let bias = tensors[norm + ".bias"],
        let mean = tensors[norm + ".running_mean"], let variance = tensors[norm + ".running_var"]
      else { continue }
      let channels = weight.shape[0]
      let row = weight.count / channels
      let scaled = try weight.copy()
      let shift = try Tensor(Shape([channels]))
      for channel in 0..<channels {
        let factor = gain.f32[channel] / (variance.f32[channel] + 1e-5).squareRoot()
        for index in 0..<row { scaled.f32[channel * row + index] *= factor }
        shift.f32[channel] = bias.f32[channel] - mean.f32[channel] * factor
      }
      result[name] = scaled
      result[base + ".bias"] = shift
    }
    return result
  }
}
