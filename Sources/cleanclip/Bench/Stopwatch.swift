internal import CleanCLIPKit

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
      let start = monotonicSeconds()
      try body(input)
      times.append(monotonicSeconds() - start)
    }
    return Self.median(times)
  }

  /// The median; of none, 0.
  static func median(_ times: some Collection<Double>) -> Double {
    guard !times.isEmpty else { return 0 }
    let sorted = times.sorted()
    let middle = sorted.count / 2
    guard sorted.count % 2 == 0, middle > 0 else { return sorted[middle] }
    return (sorted[middle - 1] + sorted[middle]) / 2
  }
}
