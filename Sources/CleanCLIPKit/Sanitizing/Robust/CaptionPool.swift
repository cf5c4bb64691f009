internal import Glibc

/// The newest features of captions, first in, first out.
package final class CaptionPool {
  /// `[P, E]`, of which `count` rows are filled.
  private let features: Tensor
  /// The row that is written next, and `count`.
  private let place: Tensor

  /// - Parameters:
  ///   - capacity: P, at least 1.
  ///   - width: E.
  package init(capacity: Int, width: Int) throws(CLIPError) {
    features = try Tensor.zeros([capacity, width], .f32)
    place = try Tensor([0, 0] as [Int32], [2])
  }

  /// Rows that are filled, at most P.
  package var count: Int { Int(place.i32[1]) }

  /// For a saved state.
  package var state: [(name: String, tensor: Tensor)] {
    [("pool.features", features), ("pool.place", place)]
  }

  /// Takes features in, and drops as many of the oldest as there is no room for.
  ///
  /// - Parameter new: `[n, E]`, L2-normalized.
  package func add(_ new: Tensor) {
    let capacity = features.shape[0]
    for row in max(0, new.shape[0] - capacity)..<new.shape[0] {
      let next = Int(place.i32[0])
      memcpy(
        features.slice(next..<next + 1).bytes, new.slice(row..<row + 1).bytes,
        new.slice(row..<row + 1).byteCount)
      place.i32[0] = Int32((next + 1) % capacity)
      place.i32[1] = min(Int32(capacity), place.i32[1] + 1)
    }
  }

  /// Returns the rows that are nearest to images, by cosine; of equal ones the first.
  ///
  /// - Parameter images: `[n, E]`, L2-normalized.
  /// - Returns: `[n, E]`; `nil` while the pool is empty.
  package func nearest(to images: Tensor) throws(CLIPError) -> Tensor? {
    guard count > 0 else { return nil }
    let known = features.slice(0..<count)
    let cosines = try Tensor([images.shape[0], count])
    try LinearAlgebra.multiply(images, known, transposeB: true, into: cosines)
    return try FeatureMatrix.gather(
      known, (0..<images.shape[0]).map { TextVocabulary.nearest(cosines, $0) })
  }
}
