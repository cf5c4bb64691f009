/// Spherical k-means (Dhillon and Modha 2001, doi:10.1023/A:1007612920971) of features from which
/// their mean is taken.
package struct SphericalMeans {
  /// `[k, E]`, L2-normalized: one for each group with members, of the centred features.
  package let centres: Tensor
  /// Members of each group.
  package let sizes: [Int]

  private static let rounds = 30

  /// - Parameters:
  ///   - features: `[n, E]`, n at least 1.
  ///   - count: groups at most.
  package init(_ features: Tensor, count: Int, seed: UInt64) throws(CLIPError) {
    let rows = features.shape[0]
    let width = features.shape[1]
    let mean = FeatureMatrix.mean(features)
    let centred = try Tensor(features.shape)
    for row in 0..<rows {
      for k in 0..<width {
        centred.f32[row * width + k] = features.f32[row * width + k] - mean[k]
      }
    }
    Self.normalize(centred)
    let data = centred
    var random = RandomNumbers(seed: seed, 0x6772_6F75)
    var centres = try FeatureMatrix.gather(
      data, Self.spread(data, count: min(count, rows), using: &random))
    var members: [Int] = []
    for _ in 0..<Self.rounds {
      let nearest = try Self.nearest(data, centres)
      if nearest == members { break }
      members = nearest
      let sums = try Tensor.zeros(centres.shape)
      for (row, group) in members.enumerated() {
        for k in 0..<width { sums.f32[group * width + k] += data.f32[row * width + k] }
      }
      Self.normalize(sums)
      centres = sums
    }
    let sizes = (0..<centres.shape[0]).map { group in members.count { $0 == group } }
    let used = sizes.indices.filter { sizes[$0] > 0 }
    self.centres = try FeatureMatrix.gather(centres, used)
    self.sizes = used.map { sizes[$0] }
  }

  /// Gives each row the length 1, in place; rows of zeros stay.
  private static func normalize(_ matrix: Tensor) {
    let width = matrix.shape[1]
    for row in 0..<matrix.shape[0] {
      let values = matrix.f32 + row * width
      var squares: Float = 0
      for k in 0..<width { squares += values[k] * values[k] }
      let factor = 1 / max(1e-12, squares.squareRoot())
      for k in 0..<width { values[k] *= factor }
    }
  }

  /// A random row, then always the one that is least like those before.
  private static func spread(
    _ data: Tensor, count: Int, using random: inout RandomNumbers
  ) -> [Int] {
    let width = data.shape[1]
    var chosen = [random.integer(below: data.shape[0])]
    var closest = [Float](repeating: -2, count: data.shape[0])
    while chosen.count < count, let last = chosen.last {
      for row in closest.indices {
        var cosine: Float = 0
        for k in 0..<width { cosine += data.f32[row * width + k] * data.f32[last * width + k] }
        closest[row] = max(closest[row], cosine)
      }
      chosen.append(closest.indices.min { closest[$0] < closest[$1] } ?? 0)
    }
    return chosen
  }

  private static func nearest(_ data: Tensor, _ centres: Tensor) throws(CLIPError) -> [Int] {
    let similarities = try Tensor([data.shape[0], centres.shape[0]])
    try LinearAlgebra.multiply(data, centres, transposeB: true, into: similarities)
    let groups = centres.shape[0]
    return (0..<data.shape[0]).map { row in
      let values = similarities.f32 + row * groups
      return (0..<groups).max { values[$0] < values[$1] } ?? 0
    }
  }
}
