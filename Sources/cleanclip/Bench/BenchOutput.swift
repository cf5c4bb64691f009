internal import ArgumentParser
internal import CleanCLIPKit
internal import Glibc
internal import ToolSupport

/// What the benchmarks' commands check and print alike.
enum BenchOutput {
  typealias Check = (name: String, value: Int, range: ClosedRange<Int>)

  static func requireRanges(_ checks: [Check]) throws {
    for (name, value, range) in checks where !range.contains(value) {
      throw ValidationError(
        "\(name) is out of range; expected \(range.lowerBound) to \(range.upperBound), got \(value)"
      )
    }
  }

  static func print(_ result: JSONObject, asJSON: Bool) throws(CLIPError) {
    try printResult(
      asJSON
        ? JSONValue.object(result).serialized()
        : result.map { "\($0.key): \($0.value.string ?? $0.value.serialized())" }
          .joined(separator: "\n"))
  }

  /// The most memory that the process had, in 10⁹ bytes.
  static var peakGigabytes: Double {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return Double(usage.ru_maxrss) * 1024 / 1e9
  }
}
