internal import CleanCLIPKit

/// What the machine reaches at best, measured: the yardstick for everything else.
struct MachineRates {
  /// Floating-point operations each second of a product of 2048×2048 matrices by oneDNN, with the
  /// weight in oneDNN's own layout.
  let matmul: Double
  /// Bytes each second that the sum of two arrays much larger than the caches reads and writes.
  let bandwidth: Double

  static func measure(_ precision: DType, _ watch: Stopwatch) throws(CLIPError) -> MachineRates {
    let side = 2048
    let weight = Parameter("weight", try .random([side, side], seed: 3))
    let x = Variable(try .random([side, side], precision, seed: 4))
    let product = try watch.median { () throws(CLIPError) in
      _ = try Tape(precision: precision, isRecording: false).linear(x, weight: weight, bias: nil)
    }
    let count = 1 << 26
    let a = Variable(try Tensor.zeros([count]))
    let b = Variable(try Tensor.zeros([count]))
    let sum = try watch.median { () throws(CLIPError) in
      _ = try Tape(precision: .f32, isRecording: false).add(a, b)
    }
    let cube = Double(side) * Double(side) * Double(side)
    return MachineRates(matmul: 2 * cube / product, bandwidth: 12 * Double(count) / sum)
  }
}
