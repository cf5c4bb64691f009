internal import CKernels

extension DType {
  /// The kernels' name of an activation's element type.
  var kernel: ck_dtype {
    precondition(self != .i32, "activations are f32 or bf16")
    return self == .f32 ? CK_F32 : CK_BF16
  }
}

/// Throws what a kernel reported.
func check(_ status: ck_status, _ operation: String) throws(CLIPError) {
  guard status != CK_OK else { return }
  let reason = String(cString: ck_last_error())
  switch status {
  case CK_OUT_OF_MEMORY:
    throw CLIPError(
      .outOfMemory,
      "\(operation): out of memory; expected workspace and threads, got '\(reason)'; "
        + "use a smaller batch or fewer threads")
  case CK_UNSUPPORTED:
    throw CLIPError(
      .unsupported,
      "\(operation): this processor cannot compute it; expected AVX-512 for bf16, got '\(reason)'; "
        + "use f32")
  default:
    throw CLIPError(.internal, "\(operation): the kernel failed: \(reason)")
  }
}

extension Tensor {
  /// Returns the values in another floating-point element type, rounded to nearest even; the same
  /// tensor when it has that type already.
  package func converted(to dtype: DType) throws(CLIPError) -> Tensor {
    guard dtype != self.dtype else { return self }
    let result = try Tensor(shape, dtype)
    switch (self.dtype, dtype) {
    case (.f32, .bf16): ck_f32_to_bf16(f32, result.bf16, Int64(count))
    case (.bf16, .f32): ck_bf16_to_f32(bf16, result.f32, Int64(count))
    default: preconditionFailure("indices are not converted")
    }
    return result
  }
}
