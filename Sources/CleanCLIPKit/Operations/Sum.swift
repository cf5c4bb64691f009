extension Tape {
  /// Returns `a + b` of equal shapes and element types, outside the tape.
  func sum(_ a: Tensor, _ b: Tensor) throws(CLIPError) -> Tensor {
    precondition(a.shape == b.shape && a.dtype == b.dtype)
    let result = try Tensor(a.shape, a.dtype)
    for i in 0..<a.count { result.f32[i] = a.f32[i] + b.f32[i] }
    return result
  }
}
