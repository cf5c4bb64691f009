internal import Glibc

extension Communicator {
  /// Elements that are summed in one call: 16 MiB, where the time of a call no longer counts.
  private static let bucketCount = 4 << 20

  /// Replaces single-precision tensors by their sums over the ranks, small ones together.
  ///
  /// - Parameter tensors: of the same shapes on every rank.
  func sum(_ tensors: [Tensor], for purpose: Purpose) throws(CLIPError) {
    guard !isSingle else { return }
    var bucket: [Tensor] = []
    var count = 0
    for tensor in tensors {
      if count + tensor.count > Self.bucketCount {
        try sum(bucket: bucket, count, for: purpose)
        (bucket, count) = ([], 0)
      }
      bucket.append(tensor)
      count += tensor.count
    }
    try sum(bucket: bucket, count, for: purpose)
  }

  /// Replaces single-precision tensors by their means over the ranks.
  func average(_ tensors: [Tensor], for purpose: Purpose) throws(CLIPError) {
    try sum(tensors, for: purpose)
    let count = Float(size)
    for tensor in tensors {
      for index in 0..<tensor.count { tensor.f32[index] /= count }
    }
  }

  private func sum(
    bucket: [Tensor], _ count: Int, for purpose: Purpose
  ) throws(CLIPError) {
    guard bucket.count != 1 else { return try sum(bucket[0], for: purpose) }
    guard count > 0 else { return }
    let flat = try Tensor([count])
    var start = 0
    for tensor in bucket {
      memcpy(flat.f32 + start, tensor.bytes, tensor.byteCount)
      start += tensor.count
    }
    try sum(flat, for: purpose)
    start = 0
    for tensor in bucket {
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
    let count = all.shape[0] / size
    return all.slice(rank * count..<(rank + 1) * count)
  }
}
