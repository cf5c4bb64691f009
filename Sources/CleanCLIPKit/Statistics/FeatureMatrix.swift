internal import Glibc

/// Checks of feature matrices that come from a caller or a file.
package enum FeatureMatrix {
  /// The largest magnitude whose squared distances stay well inside single precision.
  static let largestValue: Float = 1e15

  /// Checks that `features` is `[N, E]`, single precision, with finite values.
  ///
  /// - Parameters:
  ///   - name: what the matrix is, for messages.
  ///   - remedy: what to do about a row.
  /// - Throws: `shape`; `invalidArgument` naming the first row that holds NaN, infinity or a
  ///   magnitude beyond 1e15.
  package static func validate(
    _ features: Tensor, name: String, remedy: String
  ) throws(CLIPError) {
    guard features.shape.rank == 2, features.dtype == .f32, features.shape[1] > 0 else {
      throw CLIPError(
        .shape,
        "\(name): has the wrong shape; expected single precision [count, width], "
          + "got \(features.shape)")
    }
    if let (row, value) = firstUnusable(features) {
      throw unusable("\(name): row \(row)", value, remedy)
    }
  }

  /// The first row of `[N, E]` that cannot be computed with, and the value that is why; `nil` without.
  static func firstUnusable(_ features: Tensor) -> (row: Int, value: Float)? {
    let values = features.f32
    return (0..<features.count).first { !(abs(values[$0]) <= largestValue) }
      .map { ($0 / features.shape[1], values[$0]) }
  }

  static func unusable(
    _ row: String, _ value: Float, _ remedy: String, code: CLIPError.Code = .invalidArgument
  ) -> CLIPError {
    CLIPError(
      code, "\(row) is not usable; expected finite numbers up to 1e15, got \(value); \(remedy)")
  }

  /// What to do about a row of a dataset's features.
  static let removePair = "remove the pair"

  /// Whether all rows are equal, so that no statistic of their distances means anything.
  package static func isConstant(_ features: Tensor) -> Bool {
    let width = features.shape[1]
    return (1..<max(1, features.shape[0])).allSatisfy { row in
      memcmp(features.f32, features.f32 + row * width, width * 4) == 0
    }
  }

  /// Whether all rows are of length 1, but for rounding: what a model gives has other lengths.
  static func isNormalized(_ features: Tensor) -> Bool {
    (0..<features.shape[0]).allSatisfy { abs(length(features, $0) - 1) < 1e-3 }
  }

  /// The lengths of the rows.
  static func lengths(_ features: Tensor) -> [Float] {
    (0..<features.shape[0]).map { length(features, $0) }
  }

  private static func length(_ features: Tensor, _ row: Int) -> Float {
    let width = features.shape[1]
    let values = UnsafeBufferPointer(start: features.f32 + row * width, count: width)
    return values.reduce(0) { $0 + $1 * $1 }.squareRoot()
  }

  /// The mean cosine of two different rows, all of them L2-normalized.
  static func meanPairwiseCosine(_ features: Tensor) -> Float {
    let count = Float(features.shape[0])
    let squared = mean(features).reduce(0) { $0 + $1 * $1 } * count * count
    return (squared - count) / max(1, count * (count - 1))
  }

  /// Copies the rows at `indices`.
  package static func gather(_ features: Tensor, _ indices: [Int]) throws(CLIPError) -> Tensor {
    let width = features.shape[1]
    let result = try Tensor([indices.count, width])
    for (row, index) in indices.enumerated() {
      memcpy(result.f32 + row * width, features.f32 + index * width, width * 4)
    }
    return result
  }

  /// Cosines of rows; 0 where a row is all zeros.
  ///
  /// - Parameters:
  ///   - a: `[N, E]`.
  ///   - b: `[N, E]`.
  ///   - name: whose features they are, for messages.
  /// - Throws: see `validate`; `shape` when the shapes differ.
  package static func cosines(
    _ a: Tensor, _ b: Tensor, name: String
  ) throws(CLIPError) -> [Float] {
    try validate(a, name: name + " image features", remedy: removePair)
    try validate(b, name: name + " text features", remedy: removePair)
    guard a.shape == b.shape else {
      throw CLIPError(
        .shape,
        "\(name) features of images and captions disagree; expected \(a.shape) for both, "
          + "got \(b.shape) for captions")
    }
    let width = a.shape[1]
    return (0..<a.shape[0]).map { row in
      var product = 0.0
      var squares = (0.0, 0.0)
      for i in row * width..<(row + 1) * width {
        let (x, y) = (Double(a.f32[i]), Double(b.f32[i]))
        product += x * y
        squares.0 += x * x
        squares.1 += y * y
      }
      return Float(product / max(1e-30, (squares.0 * squares.1).squareRoot()))
    }
  }

  /// The mean row `[E]`; zeros without rows.
  static func mean(_ features: Tensor) -> [Float] {
    let width = features.shape[1]
    var sum = [Float](repeating: 0, count: width)
    for row in 0..<features.shape[0] {
      for column in 0..<width { sum[column] += features.f32[row * width + column] }
    }
    return sum.map { $0 / Float(max(1, features.shape[0])) }
  }

  /// Writes the L2-normalized sum of the rows, `[E]`.
  static func writeUnitMean(of features: Tensor, to target: UnsafeMutablePointer<Float>) {
    let width = features.shape[1]
    var sum = [Float](repeating: 0, count: width)
    for row in 0..<features.shape[0] {
      for column in 0..<width { sum[column] += features.f32[row * width + column] }
    }
    let length = max(1e-12, sum.reduce(0) { $0 + $1 * $1 }.squareRoot())
    for column in 0..<width { target[column] = sum[column] / length }
  }
}
