/// Returns text as HTML shows it literally, in an element or in a quoted attribute.
func escaped(_ text: String) -> String {
  var result = ""
  result.reserveCapacity(text.utf8.count)
  for scalar in text.unicodeScalars {
    switch scalar {
    case "&": result += "&amp;"
    case "<": result += "&lt;"
    case ">": result += "&gt;"
    case "\"": result += "&quot;"
    case "'": result += "&#39;"
    case "\n", "\t": result.unicodeScalars.append(scalar)
    case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}": result += "\u{FFFD}"
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result
}

/// Returns a number with a fixed count of decimals, 0 to 6.
func decimal(_ value: Double, _ digits: Int) -> String {
  guard value.isFinite, abs(value) < 1e12 else { return value.isNaN ? "n/a" : "∞" }
  let power = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000][digits]
  let scaled = Int((abs(value) * Double(power)).rounded())
  let sign = value < 0 && scaled > 0 ? "−" : ""
  guard digits > 0 else { return sign + String(scaled) }
  let fraction = String(scaled % power)
  return sign + String(scaled / power) + "."
    + String(repeating: "0", count: digits - fraction.count) + fraction
}

/// Returns a share as a percentage with one decimal.
func percent(_ share: Double) -> String { decimal(100 * share, 1) + " %" }

/// Returns bytes in base64 (RFC 4648), padded.
func base64(_ bytes: [UInt8]) -> String {
  let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  var text: [UInt8] = []
  text.reserveCapacity((bytes.count + 2) / 3 * 4)
  for start in stride(from: 0, to: bytes.count, by: 3) {
    let group = bytes[start..<min(bytes.count, start + 3)]
    var bits = 0
    for index in 0..<3 {
      bits = bits << 8 | (index < group.count ? Int(group[start + index]) : 0)
    }
    for index in 0..<4 {
      let isPadding = index > group.count
      text.append(isPadding ? UInt8(ascii: "=") : alphabet[bits >> (18 - 6 * index) & 63])
    }
  }
  return String(decoding: text, as: UTF8.self)
}
