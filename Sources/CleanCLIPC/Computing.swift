public import CCleanCLIP
internal import CleanCLIPKit

@c @implementation
public func cleanclip_set_num_threads(_ count: Int32) -> cleanclip_status {
  guarded("cleanclip_set_num_threads") { (arguments) throws(CLIPError) in
    let initial = initialThreads
    let count = try arguments.number(Int64(count), in: 0...Int64(Threads.range.upperBound), "count")
    Threads.set(count == 0 ? initial : count)
  }
}

/// What the process started with: read before the first change.
private let initialThreads = Threads.count

@c @implementation
public func cleanclip_num_threads() -> Int32 {
  Int32(Threads.count)
}

extension Arguments {
  /// Returns the element type that a `cleanclip_precision` stands for on this processor.
  func precision(_ value: Int32, _ name: StaticString) throws(CLIPError) -> DType {
    switch UInt32(bitPattern: value) {
    case CLEANCLIP_PRECISION_AUTO.rawValue: return CPUFeatures.supportsBF16 ? .bf16 : .f32
    case CLEANCLIP_PRECISION_F32.rawValue: return .f32
    case CLEANCLIP_PRECISION_BF16.rawValue:
      guard CPUFeatures.computesBF16 else {
        throw invalid(
          "\(name) cannot be computed here; expected a processor with AVX-512 for bf16, got none; "
            + "use f32", code: .unsupported)
      }
      return .bf16
    default:
      throw invalid("\(name) is not a precision; expected 0 to 2, got \(value)")
    }
  }
}
