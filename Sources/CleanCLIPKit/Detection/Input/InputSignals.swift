internal import Glibc

/// What is measured of an image's feature, in standard units of the clean bank where it says so.
package struct InputSignals: Equatable, Sendable {
  /// ln SLOF against the bank, mean over the scales, in standard units.
  package let density: Float
  /// ln of the feature's length, in standard units.
  package let length: Float
  /// Minus the product with BDetCLIP's direction, in standard units; 0 without class texts.
  package let contrast: Float
  /// Length of the unit feature's part outside the span of the class texts, in standard units; 0
  /// without class texts.
  package let residual: Float

  /// The fused score; higher is more suspicious.
  ///
  /// Density and length vote with their full weight: a learned trigger is a feature that is both
  /// lonely and strong. Text signals vote only far from the bank, either way, since triggers move
  /// them up in one model and down in another.
  package var score: Float {
    density + max(0, length) + max(0, abs(contrast) - 2) + max(0, abs(residual) - 2)
  }
}

/// Turns features into signals by a clean bank.
struct InputScorer {
  private let bank: CleanBank
  private let index: NeighbourIndex
  /// Of the bank's images among themselves, at each scale.
  private let densities: [ReferenceDensity]
  private let span: TextSpan?
  private var centres = [Float](repeating: 0, count: 4)
  private var deviations = [Float](repeating: 1, count: 4)
  /// Signals of the bank's own images, each judged by the others.
  private(set) var bankSignals: [InputSignals] = []

  static let neighbours = [5, 16]
  private static let widest = 16

  init(_ bank: CleanBank) throws(CLIPError) {
    self.bank = bank
    let features = bank.imageFeatures
    index = try NeighbourIndex(features)
    let found = try index.nearest(
      Self.widest, to: features, selves: (0..<features.shape[0]).map { Int32($0) })
    densities = Self.neighbours.map { ReferenceDensity(found.nearest($0)) }
    span = try bank.texts.map { (texts) throws(CLIPError) in try TextSpan(texts.features) }
    let own = try self.raw(features, found)
    for signal in 0..<4 {
      let values = own.map { $0[signal] }
      centres[signal] = Ranking.median(values)
      deviations[signal] = max(1e-6, Ranking.deviation(values))
    }
    bankSignals = own.map(standardized)
  }

  /// Measures further images' features `[m, E]`.
  func signals(_ features: Tensor) throws(CLIPError) -> [InputSignals] {
    try raw(features, try index.nearest(Self.widest, to: features)).map(standardized)
  }

  private func raw(
    _ features: Tensor, _ found: NearestNeighbours
  ) throws(CLIPError) -> [[Float]] {
    let slofs = zip(Self.neighbours, densities).map { k, references in
      LocalDensity(queries: found.nearest(k), references: references).slof
    }
    let residuals = try span?.residuals(features)
    let width = features.shape[1]
    return (0..<features.shape[0]).map { row in
      let feature = UnsafeBufferPointer(start: features.f32 + row * width, count: width)
      let length = max(1e-12, feature.reduce(0) { $0 + $1 * $1 }.squareRoot())
      let density = slofs.reduce(0) { $0 + logf($1[row]) } / Float(slofs.count)
      var contrast: Float = 0
      var residual: Float = 0
      if let texts = bank.texts, let residuals {
        contrast = -zip(feature, texts.contrast).reduce(0) { $0 + $1.0 * $1.1 } / length
        residual = residuals[row] / length
      }
      return [density, logf(length), contrast, residual]
    }
  }

  private func standardized(_ raw: [Float]) -> InputSignals {
    func value(_ signal: Int) -> Float { (raw[signal] - centres[signal]) / deviations[signal] }
    let hasTexts = bank.texts != nil
    return InputSignals(
      density: value(0), length: value(1), contrast: hasTexts ? value(2) : 0,
      residual: hasTexts ? value(3) : 0)
  }
}

/// An orthonormal basis of the class texts.
struct TextSpan {
  /// `[B, E]`.
  private let basis: Tensor

  /// Gram–Schmidt, twice for accuracy; texts that the others span are left out.
  init(_ features: Tensor) throws(CLIPError) {
    let width = features.shape[1]
    var basis: [[Float]] = []
    for row in 0..<features.shape[0] where basis.count < width {
      var vector = Array(UnsafeBufferPointer(start: features.f32 + row * width, count: width))
      for _ in 0..<2 {
        for other in basis {
          let product = zip(vector, other).reduce(0) { $0 + $1.0 * $1.1 }
          for i in 0..<width { vector[i] -= product * other[i] }
        }
      }
      let length = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
      guard length > 1e-3 else { continue }
      basis.append(vector.map { $0 / length })
    }
    self.basis = try Tensor(Array(basis.joined()), [basis.count, width])
  }

  /// The lengths of the rows' parts outside the span.
  func residuals(_ features: Tensor) throws(CLIPError) -> [Float] {
    let width = features.shape[1]
    let count = basis.shape[0]
    let products = try Tensor([features.shape[0], count])
    try LinearAlgebra.multiply(features, basis, transposeB: true, into: products)
    return (0..<features.shape[0]).map { row in
      func squares(_ values: UnsafePointer<Float>, _ count: Int) -> Float {
        UnsafeBufferPointer(start: values, count: count).reduce(0) { $0 + $1 * $1 }
      }
      let inside = squares(products.f32 + row * count, count)
      return max(0, squares(features.f32 + row * width, width) - inside).squareRoot()
    }
  }
}
