internal import CKernels
internal import Glibc

/// Points among which neighbours are found, prepared once.
package struct NeighbourIndex {
  /// `[R, E]`.
  package let references: Tensor
  private let centre: [Float]
  /// The references minus their mean.
  private let centred: Tensor
  /// Their squared lengths.
  private let squares: [Float]

  /// Rows of queries whose products with the references are in memory at once.
  static let queryChunk = 256
  /// References of one product.
  static let referenceChunk = 8192

  /// - Parameter references: `[R, E]` single precision, finite.
  package init(_ references: Tensor) throws(CLIPError) {
    precondition(references.shape.rank == 2)
    self.references = references
    centre = Self.mean(of: references)
    centred = try Self.subtracting(centre, from: references, rows: 0..<references.shape[0])
    squares = Self.squaredNorms(centred)
  }

  /// Finds neighbours through matrix products in chunks, so that memory does not grow with the
  /// number of queries beyond the result.
  ///
  /// Candidates are ranked by `|r|² - 2 q·r` of centred features; the distances of those kept are
  /// then computed again from differences, so that a duplicate is at distance 0 exactly. Of
  /// candidates that agree to the last digits of a product, either may be kept.
  ///
  /// - Parameters:
  ///   - k: neighbours of each query.
  ///   - queries: `[N, E]` single precision, finite.
  ///   - selves: for each query its own row among the references, which is no neighbour; `nil` when
  ///     no query is a reference. -1 stands for none.
  /// - Throws: `invalidArgument` when a query has fewer than `k` references to choose from;
  ///   `outOfMemory`.
  /// - Complexity: 2·N·R·E operations.
  package func nearest(
    _ k: Int, to queries: Tensor, selves: [Int32]? = nil
  ) throws(CLIPError) -> NearestNeighbours {
    precondition(queries.shape[1] == references.shape[1], "features have the same width")
    let count = queries.shape[0]
    let referenceCount = references.shape[0]
    let available = referenceCount - (selves == nil ? 0 : 1)
    guard k > 0, available >= k else {
      throw CLIPError(
        .invalidArgument,
        "nearest neighbours: there are fewer points than neighbours; expected at least \(k) other "
          + "references, got \(max(0, available)); use more features or a smaller k")
    }
    var distances = [Float](repeating: .infinity, count: count * k)
    var indices = [Int32](repeating: -1, count: count * k)
    let excluded = selves ?? [Int32](repeating: -1, count: count)
    precondition(excluded.count == count, "one entry for each query")

    let products = try Tensor([
      min(count, Self.queryChunk) * min(referenceCount, Self.referenceChunk)
    ])
    for start in stride(from: 0, to: count, by: Self.queryChunk) {
      let rows = start..<min(count, start + Self.queryChunk)
      let chunk = try Self.subtracting(centre, from: queries, rows: rows)
      for first in stride(from: 0, to: referenceCount, by: Self.referenceChunk) {
        let columns = first..<min(referenceCount, first + Self.referenceChunk)
        let product = products.slice(0..<rows.count * columns.count)
          .reshaped([rows.count, columns.count])
        try LinearAlgebra.multiply(
          chunk, centred.slice(columns), transposeB: true, into: product)
        distances.withUnsafeMutableBufferPointer { d in
          indices.withUnsafeMutableBufferPointer { i in
            excluded.withUnsafeBufferPointer { e in
              squares.withUnsafeBufferPointer { s in
                guard let d = d.baseAddress, let i = i.baseAddress, let e = e.baseAddress,
                  let s = s.baseAddress
                else { return }
                ck_select_nearest(
                  product.f32, s + first, e + start, Int64(rows.count), Int64(columns.count),
                  Int64(first), Int64(k), d + start * k, i + start * k)
              }
            }
          }
        }
      }
    }
    distances.withUnsafeMutableBufferPointer { d in
      indices.withUnsafeMutableBufferPointer { i in
        guard let d = d.baseAddress, let i = i.baseAddress else { return }
        ck_measure_nearest(
          queries.f32, references.f32, Int64(count), Int64(queries.shape[1]), Int64(k), d, i)
      }
    }
    return NearestNeighbours(k: k, indices: indices, distances: distances)
  }

  private static func mean(of features: Tensor) -> [Float] {
    let width = features.shape[1]
    var sums = [Double](repeating: 0, count: width)
    let values = features.f32
    for row in 0..<features.shape[0] {
      for column in 0..<width { sums[column] += Double(values[row * width + column]) }
    }
    return sums.map { Float($0 / Double(max(1, features.shape[0]))) }
  }

  private static func subtracting(
    _ centre: [Float], from features: Tensor, rows: Range<Int>
  ) throws(CLIPError) -> Tensor {
    let width = centre.count
    let result = try Tensor([rows.count, width])
    let source = features.f32 + rows.lowerBound * width
    let target = result.f32
    centre.withUnsafeBufferPointer { centre in
      for row in 0..<rows.count {
        for column in 0..<width {
          target[row * width + column] = source[row * width + column] - centre[column]
        }
      }
    }
    return result
  }

  private static func squaredNorms(_ features: Tensor) -> [Float] {
    let width = features.shape[1]
    let values = features.f32
    return (0..<features.shape[0]).map { row in
      var sum = 0.0
      for column in 0..<width {
        let value = Double(values[row * width + column])
        sum += value * value
      }
      return Float(sum)
    }
  }
}
