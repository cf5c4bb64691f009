internal import Glibc

extension Communicator {
  /// Replaces single-precision tensors by their means over the ranks.
  func average(_ tensors: [Tensor], for purpose: Purpose) throws(CLIPError) {
    try sum(together: tensors, for: purpose)
    let count = Float(size)
    for tensor in tensors {
      for index in 0..<tensor.count { tensor.f32[index] /= count }
    }
  }

  /// Replaces single-precision tensors by their sums over the ranks, in one call.
  ///
  /// - Parameter tensors: of the same shapes on every rank.
  func sum(together tensors: [Tensor], for purpose: Purpose) throws(CLIPError) {
    guard tensors.count != 1 else { return try sum(tensors[0], for: purpose) }
    let count = tensors.reduce(0) { $0 + $1.count }
    guard count > 0, !isSingle else { return }
    let flat = try Tensor([count])
    var start = 0
    for tensor in tensors {
      memcpy(flat.f32 + start, tensor.bytes, tensor.byteCount)
      start += tensor.count
    }
    try sum(flat, for: purpose)
    start = 0
    for tensor in tensors {
      memcpy(tensor.bytes, flat.f32 + start, tensor.byteCount)
      start += tensor.count
    }
  }

  /// Returns the rows of all ranks, which have as many, those of rank 0 first.
  func gatherRows(_ rows: Tensor, for purpose: Purpose) throws(CLIPError) -> Tensor {
    guard !isSingle else { return rows }
    let all = try gather(rows, for: purpose)
    return all.reshaped(Shape([size * rows.shape[0]] + rows.shape.dimensions.dropFirst()))
  }

  /// Returns this rank's rows of what `gatherRows` returned.
  func ownRows(of all: Tensor) -> Tensor {
    all.slice(ownRows(of: all.shape[0]))
  }

  /// The rows of `count` that are this rank's.
  func ownRows(of count: Int) -> Range<Int> {
    rank * (count / size)..<(rank + 1) * (count / size)
  }
}
