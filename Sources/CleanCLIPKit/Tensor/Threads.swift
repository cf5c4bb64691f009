internal import CKernels

/// The threads of the engine: one OpenMP pool that oneDNN and the engine's kernels share.
/// OpenBLAS's threads follow it, see `LinearAlgebra`.
package enum Threads {
  /// Sets the number of computing threads of the process; at least 1.
  package static func set(_ count: Int) {
    ck_set_threads(Int32(clamping: max(1, count)))
  }

  /// The number of computing threads; by default, the processors that are online.
  package static var count: Int { Int(ck_threads()) }
}

/// What the processor can do.
package enum CPUFeatures {
  /// Whether the processor multiplies bf16 numbers itself (AVX512-BF16 or AMX), which makes `bf16`
  /// the faster precision.
  package static let supportsBF16 = ck_has_fast_bf16() != 0
  /// Whether operations accept `bf16` at all (AVX-512).
  package static let computesBF16 = ck_can_compute_bf16() != 0
}
