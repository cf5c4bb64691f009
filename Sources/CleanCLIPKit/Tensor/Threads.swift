internal import CKernels

/// The threads of the engine: one pool a process that oneDNN and the engine's kernels share.
/// OpenBLAS's threads follow its size, see `LinearAlgebra`.
package enum Threads {
  /// The numbers of threads that a program or a user may ask for.
  package static let range = 1...1024

  /// Sets the number of computing threads of the process; at least 1.
  package static func set(_ count: Int) {
    ck_set_threads(Int32(clamping: max(1, count)))
  }

  /// Keeps the number of threads as it is for what the current thread computes, until `endCall`.
  ///
  /// Operations size their workspaces by the number, which another thread may set meanwhile. Calls
  /// may be nested.
  package static func beginCall() { ck_begin_call() }

  /// Ends what `beginCall` began, on the same thread.
  package static func endCall() { ck_end_call() }

  /// The number of computing threads; by default the physical cores that the process may use,
  /// OMP_NUM_THREADS, or the quota of its control group, whichever is least.
  package static var count: Int { Int(ck_threads()) }

  /// The processors that the process may use: those of its affinity mask, or the quota of its control
  /// group, whichever is less. More threads than that wait for one another.
  package static var processors: Int { Int(ck_processors()) }
}

/// What the processor can do.
package enum CPUFeatures {
  /// Whether the processor multiplies bf16 numbers itself (AVX512-BF16 or AMX), which makes `bf16`
  /// the faster precision.
  package static let supportsBF16 = ck_has_fast_bf16() != 0
  /// Whether operations accept `bf16` at all (AVX-512).
  package static let computesBF16 = ck_can_compute_bf16() != 0
}
