internal import Glibc

/// Returns a number with a fixed count of decimals, 0 to 6.
package func decimal(_ value: Double, _ digits: Int) -> String {
  guard value.isFinite, abs(value) < 1e12 else { return value.isNaN ? "n/a" : "∞" }
  let power = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000][digits]
  let scaled = Int((abs(value) * Double(power)).rounded())
  let sign = value < 0 && scaled > 0 ? "-" : ""
  guard digits > 0 else { return sign + String(scaled) }
  let fraction = String(scaled % power)
  return sign + String(scaled / power) + "."
    + String(repeating: "0", count: digits - fraction.count) + fraction
}

/// Returns a fraction as a percentage, with one decimal unless another count is given.
package func percent(_ fraction: Double, _ digits: Int = 1) -> String {
  decimal(100 * fraction, digits) + " %"
}

/// Returns a size, which is 0 or more, with one decimal below 10 and none above.
func roundedSize(_ value: Float) -> String { decimal(Double(value), value < 10 ? 1 : 0) }

/// Returns a number with three significant digits, at most six of them behind the point.
package func significant(_ value: Double) -> String {
  guard value.isFinite, value != 0 else { return decimal(value, 0) }
  return decimal(value, min(6, max(0, 2 - Int(floor(log10(abs(value)))))))
}

/// Returns a p-value with at most four decimals.
func probability(_ value: Double) -> String {
  value < 0.0001 ? "less than 0.0001" : String((value * 10000).rounded() / 10000)
}
