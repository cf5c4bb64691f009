internal import CKernels

/// Products of plain single-precision matrices, outside the tape.
package enum LinearAlgebra {
  /// Computes `c = alpha · op(a) · op(b) + beta · c`, row-major.
  ///
  /// - Parameters:
  ///   - a: `[M, K]`, or `[K, M]` when `transposeA`.
  ///   - b: `[K, N]`, or `[N, K]` when `transposeB`.
  ///   - c: `[M, N]`; not read when `beta` is zero; does not alias `a` or `b`.
  /// - Throws: `outOfMemory`.
  package static func multiply(
    _ a: Tensor, transposeA: Bool = false, _ b: Tensor, transposeB: Bool = false,
    into c: Tensor, alpha: Float = 1, beta: Float = 0
  ) throws(CLIPError) {
    precondition(a.shape.rank == 2 && b.shape.rank == 2 && c.shape.rank == 2)
    let (m, k) = transposeA ? (a.shape[1], a.shape[0]) : (a.shape[0], a.shape[1])
    let (depth, n) = transposeB ? (b.shape[1], b.shape[0]) : (b.shape[0], b.shape[1])
    precondition(k == depth && c.shape == [m, n], "the shapes of a product agree")
    guard m > 0, n > 0 else { return }
    try check(
      ck_sgemm(
        transposeA ? 1 : 0, transposeB ? 1 : 0, Int64(m), Int64(n), Int64(k), alpha, a.f32, b.f32,
        beta, c.f32), "product")
  }
}
