internal import CleanCLIPKit
internal import Glibc

/// Times repetitions of work.
struct Stopwatch {
  /// Repetitions that are timed, after one that is not.
  let repetitions: Int

  /// Returns the median seconds of `body`.
  func median(_ body: () throws(CLIPError) -> Void) throws(CLIPError) -> Double {
    try median(
      preparing: { () throws(CLIPError) in }, { (_: Void) throws(CLIPError) in try body() })
  }

  /// Returns the median seconds of `body`, without those of `prepare` before each.
  func median<Input>(
    preparing prepare: () throws(CLIPError) -> Input,
    _ body: (Input) throws(CLIPError) -> Void
  ) throws(CLIPError) -> Double {
    try body(prepare())
    var times: [Double] = []
    for _ in 0..<repetitions {
      let input = try prepare()
      let start = Self.now
      try body(input)
      times.append(Self.now - start)
    }
    return Self.median(times)
  }

  static func median(_ times: [Double]) -> Double {
    let sorted = times.sorted()
    let middle = sorted.count / 2
    guard sorted.count % 2 == 0, middle > 0 else { return sorted[middle] }
    return (sorted[middle - 1] + sorted[middle]) / 2
  }

  static var now: Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}
