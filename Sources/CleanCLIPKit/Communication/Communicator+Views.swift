internal import Glibc

extension Communicator {
  /// Returns the rows of all ranks, `[V B, E]`: the originals of rank 0, of rank 1, and so on, then the
  /// augmentations.
  ///
  /// - Parameter rows: `[V b, E]` of this rank, originals first.
  func gatherViews(_ rows: Tensor, _ views: Int) throws(CLIPError) -> Tensor {
    guard !isSingle else { return rows }
    let pairs = rows.shape[0] / views
    let parts = try gather(rows, for: .features)
    let all = try Tensor([size * rows.shape[0], rows.shape[1]], .f32)
    for rank in 0..<size {
      let part = parts.slice(rank..<rank + 1).reshaped(rows.shape)
      for view in 0..<views {
        let source = part.slice(view * pairs..<(view + 1) * pairs)
        let start = (view * size + rank) * pairs
        memcpy(all.slice(start..<start + pairs).bytes, source.bytes, source.byteCount)
      }
    }
    return all
  }

  /// Returns this rank's rows of what `gatherViews` arranged.
  func ownViews(of all: Tensor, _ views: Int) throws(CLIPError) -> Tensor {
    guard !isSingle else { return all }
    let pairs = all.shape[0] / (views * size)
    let part = try Tensor([views * pairs, all.shape[1]], .f32)
    for view in 0..<views {
      let start = (view * size + rank) * pairs
      let source = all.slice(start..<start + pairs)
      memcpy(
        part.slice(view * pairs..<(view + 1) * pairs).bytes, source.bytes, source.byteCount)
    }
    return part
  }
}
