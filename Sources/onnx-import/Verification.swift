internal import CleanCLIPKit
internal import Glibc

/// Inputs and the features that a reference made of them.
struct Verification {
  private let file: SafeTensorsFile

  /// - Parameter golden: a safetensors file with `pixels` in 0…1 (or `image`, `pixel_values`, already
  ///   normalised) and `input_ids` (or `text`), and `image_features`, `text_features` (or
  ///   `image_embeds`, `text_embeds`), `logit_scale`; names may have `input.`, `output.` or `ref.`
  ///   in front of them.
  init(golden: String) throws(CLIPError) { file = try SafeTensors.read(golden) }

  /// Compares L2-normalized features, and the temperature's relative difference.
  ///
  /// - Parameter hasTemperature: whether the checkpoint has a temperature of its own.
  func compare(
    _ model: CLIPModel, hasTemperature: Bool
  ) throws(CLIPError) -> [(name: String, difference: Double)] {
    var lines: [(name: String, difference: Double)] = []
    if model.configuration.vision != nil, let pixels = try pixels(model.configuration),
      let expected = try find(["image_features", "image_embeds"], from: ["ref.", "", "output."])
    {
      let features = try model.encodeImages(pixels, normalize: true, precision: .f32)
      lines.append(("image features", try difference(features, expected)))
    }
    if let text = model.configuration.text,
      let ids = try find(["input_ids", "text"], from: ["", "input."]), ids.dtype == .i32,
      ids.shape.rank == 2, ids.shape[1] > 0,
      let expected = try find(["text_features", "text_embeds"], from: ["ref.", "", "output."])
    {
      let tokens = TokenBatch(
        padded: Array(UnsafeBufferPointer(start: ids.i32, count: ids.count)),
        columns: ids.shape[1], endOfText: text.endOfText)
      let features = try model.encodeTexts(tokens, normalize: true, precision: .f32)
      lines.append(("text features", try difference(features, expected)))
    }
    if hasTemperature,
      let scale = try find(["logit_scale"], from: ["", "output.", "ref."]), scale.count == 1
    {
      let expected = Double(scale.floats()[0])
      let actual = exp(Double(model.logitScale.value.f32[0]))
      lines.append(("logit scale", abs(actual - expected) / abs(expected)))
    }
    guard !lines.isEmpty else {
      throw CLIPError(
        .format,
        "'\(file.path)': has nothing to compare; expected inputs (pixels, input_ids) and features "
          + "(image_features, text_features), got \(file.entries.map(\.name))")
    }
    return lines
  }

  private func find(
    _ names: [String], from prefixes: [String]
  ) throws(CLIPError) -> Tensor? {
    for prefix in prefixes {
      for name in names where file[prefix + name] != nil { return try file.tensor(prefix + name) }
    }
    return nil
  }

  private func pixels(_ configuration: CLIPConfiguration) throws(CLIPError) -> Tensor? {
    if let ready = try find(["image", "pixel_values", "input"], from: ["", "input."]) {
      return ready
    }
    guard let raw = try find(["pixels"], from: ["", "input."]), raw.shape.rank == 4,
      raw.shape[1] == 3
    else { return nil }
    let result = try Tensor(raw.shape)
    let plane = raw.shape[2] * raw.shape[3]
    for index in 0..<raw.count {
      let channel = index / plane % 3
      result.f32[index] =
        (raw.f32[index] - configuration.imageMean[channel])
        / configuration.imageStandardDeviation[channel]
    }
    return result
  }

  /// The largest difference of elements after both rows were L2-normalized.
  private func difference(_ actual: Tensor, _ expected: Tensor) throws(CLIPError) -> Double {
    guard actual.shape == expected.shape else {
      throw CLIPError(
        .shape,
        "'\(file.path)': features have another shape; expected \(actual.shape), got "
          + "\(expected.shape)")
    }
    guard actual.shape[0] > 0 else {
      throw CLIPError(
        .format,
        "'\(file.path)': has nothing to compare; expected at least one row of features, got none")
    }
    let (a, b) = (actual.floats(), expected.floats())
    var largest = 0.0
    let width = actual.shape[1]
    for start in stride(from: 0, to: a.count, by: max(1, width)) {
      let range = start..<start + width
      let lengthA = a[range].reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
      let lengthB = b[range].reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
      for index in range {
        let distance = abs(Double(a[index]) / lengthA - Double(b[index]) / lengthB)
        largest = distance.isNaN ? .infinity : max(largest, distance)
      }
    }
    return largest
  }
}
