internal import COpenBLAS

/// Products of plain single-precision matrices, outside the tape: OpenBLAS.
///
/// OpenBLAS has threads of its own, which wait actively for a while after each product. Small
/// products, those of the losses among them, therefore run on the calling thread, so that the next
/// operation finds the processors free.
package enum LinearAlgebra {
  /// Multiplications from which on a product is worth OpenBLAS's threads: some milliseconds.
  private static let parallelWork = 1 << 28

  /// Computes `c = alpha · op(a) · op(b) + beta · c`, row-major.
  ///
  /// - Parameters:
  ///   - a: `[M, K]`, or `[K, M]` when `transposeA`.
  ///   - b: `[K, N]`, or `[N, K]` when `transposeB`.
  ///   - c: `[M, N]`; not read when `beta` is zero; does not alias `a` or `b`.
  /// - Throws: `unsupported` for dimensions beyond 2³¹ - 1.
  package static func multiply(
    _ a: Tensor, transposeA: Bool = false, _ b: Tensor, transposeB: Bool = false,
    into c: Tensor, alpha: Float = 1, beta: Float = 0
  ) throws(CLIPError) {
    precondition(a.shape.rank == 2 && b.shape.rank == 2 && c.shape.rank == 2)
    let (m, k) = transposeA ? (a.shape[1], a.shape[0]) : (a.shape[0], a.shape[1])
    let (depth, n) = transposeB ? (b.shape[1], b.shape[0]) : (b.shape[0], b.shape[1])
    precondition(k == depth && c.shape == [m, n], "the shapes of a product agree")
    guard m > 0, n > 0 else { return }
    guard let rows = Int32(exactly: m), let columns = Int32(exactly: n),
      let depth = Int32(exactly: k)
    else {
      throw CLIPError(
        .unsupported,
        "product: the matrices are too large; expected dimensions below 2147483648, "
          + "got [\(m), \(k)] times [\(k), \(n)]; use smaller parts")
    }
    let isParallel = Double(m) * Double(n) * Double(k) >= Double(parallelWork)
    OpenBLASThreads.shared.with(isParallel ? Int32(clamping: Threads.count) : 1) {
      cblas_sgemm(
        CblasRowMajor, transposeA ? CblasTrans : CblasNoTrans,
        transposeB ? CblasTrans : CblasNoTrans, rows, columns, depth, alpha, a.f32,
        Int32(max(1, a.shape[1])), b.f32, Int32(max(1, b.shape[1])), beta, c.f32,
        Int32(max(1, c.shape[1])))
    }
  }
}
