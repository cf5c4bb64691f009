internal import Glibc

/// Rows of values on one logarithmic axis, as SVG: a dot for what a row is about, strokes for what it is
/// compared with.
struct StripPlot {
  struct Row: Equatable, Sendable {
    let name: String
    /// Above 0, like the references.
    let value: Double
    let references: [Double]
    /// The colour of the dot.
    let mark: PageMark

    /// A value and references over the median of the references; `nil` without any that are above 0.
    init?(_ name: String, _ value: Double, references: [Double], mark: PageMark) {
      let sorted = references.filter { $0 > 0 && $0.isFinite }.sorted()
      guard !sorted.isEmpty, value > 0, value.isFinite else { return nil }
      let middle = sorted.count / 2
      let median =
        sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
      self.name = name
      self.value = value / median
      self.references = sorted.map { $0 / median }
      self.mark = mark
    }
  }

  let title: String
  let rows: [Row]

  private static let width = 560.0
  private static let rowHeight = 44.0
  private static let margin = 14.0

  /// The plot as an `<svg>` element.
  var svg: String {
    let range = range
    let height = Double(rows.count) * Self.rowHeight + 26
    func x(_ value: Double) -> Double {
      let fraction =
        (log(value) - log(range.lowerBound)) / (log(range.upperBound) - log(range.lowerBound))
      return Self.margin + fraction * (Self.width - 2 * Self.margin)
    }
    var text =
      "<svg viewBox=\"0 0 \(decimal(Self.width, 0)) \(decimal(height, 0))\" role=\"img\" "
      + "aria-label=\"\(escaped(title))\">"
    for tick in Self.ticks(range) {
      let place = decimal(x(tick), 1)
      text +=
        "<line class=\"grid\" x1=\"\(place)\" x2=\"\(place)\" y1=\"0\" y2=\"\(decimal(height - 20, 1))\"/>"
        + "<text class=\"tick\" x=\"\(place)\" y=\"\(decimal(height - 4, 1))\" text-anchor=\"middle\">"
        + "\(Self.label(tick))</text>"
    }
    for (index, row) in rows.enumerated() {
      let top = Double(index) * Self.rowHeight
      let middle = decimal(top + 32, 1)
      text +=
        "<text class=\"name\" x=\"0\" y=\"\(decimal(top + 16, 1))\">\(escaped(row.name))</text>"
      for reference in row.references {
        text +=
          "<path class=\"reference\" d=\"M\(decimal(x(reference), 1)) \(decimal(top + 24, 1))v16\"/>"
      }
      text +=
        "<circle class=\"\(row.mark.rawValue)\" cx=\"\(decimal(x(row.value), 1))\" cy=\"\(middle)\" "
        + "r=\"6\"/>"
    }
    return text + "</svg>"
  }

  /// All values, and at least a factor of two around 1.
  private var range: ClosedRange<Double> {
    let values = rows.flatMap { $0.references + [$0.value] } + [0.7, 1.4]
    return (values.min() ?? 0.7) / 1.1...(values.max() ?? 1.4) * 1.1
  }

  /// 1, 2 and 5 times powers of ten within the range, or powers alone in wide ones.
  private static func ticks(_ range: ClosedRange<Double>) -> [Double] {
    let steps = range.upperBound / range.lowerBound > 200 ? [1.0] : [1.0, 2, 5]
    let first = Int(floor(log10(range.lowerBound)))
    let last = Int(ceil(log10(range.upperBound)))
    return (first...last).flatMap { power in steps.map { $0 * pow(10, Double(power)) } }
      .filter(range.contains)
  }

  private static func label(_ tick: Double) -> String {
    decimal(tick, tick >= 1 ? 0 : min(6, Int(ceil(-log10(tick) - 1e-9))))
  }
}
