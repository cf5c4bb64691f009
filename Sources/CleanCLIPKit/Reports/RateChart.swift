/// Bars of rates with their 95 % intervals, as SVG.
struct RateChart {
  struct Bar {
    let name: String
    let rate: Proportion
    let role: RunReport.Role
  }

  let title: String
  let bars: [Bar]

  private static let width = 560.0
  private static let left = 10.0
  /// For the values behind the bars.
  private static let right = 100.0
  private static let rowHeight = 52.0

  /// The chart as an `<svg>` element.
  var svg: String {
    let plot = Self.width - Self.right - Self.left
    let height = Double(bars.count) * Self.rowHeight + 24
    func x(_ rate: Double) -> Double { Self.left + rate * plot }
    var text =
      "<svg viewBox=\"0 0 \(decimal(Self.width, 0)) \(decimal(height, 0))\" role=\"img\" "
      + "aria-label=\"\(escaped(title))\">"
    for tick in stride(from: 0.0, through: 1, by: 0.25) {
      text +=
        "<line class=\"grid\" x1=\"\(decimal(x(tick), 1))\" x2=\"\(decimal(x(tick), 1))\" y1=\"0\" "
        + "y2=\"\(decimal(height - 18, 1))\"/><text class=\"tick\" x=\"\(decimal(x(tick), 1))\" "
        + "y=\"\(decimal(height - 3, 1))\" text-anchor=\"middle\">\(decimal(100 * tick, 0))</text>"
    }
    for (index, bar) in bars.enumerated() {
      text += row(bar, top: Double(index) * Self.rowHeight, x: x)
    }
    return text + "</svg>"
  }

  private func row(_ bar: Bar, top: Double, x: (Double) -> Double) -> String {
    let middle = top + 34
    let interval = bar.rate.interval
    let ends = (x(interval.lowerBound), x(interval.upperBound))
    return
      "<text class=\"name\" x=\"\(decimal(Self.left, 1))\" y=\"\(decimal(top + 18, 1))\">"
      + "\(escaped(bar.name))</text>"
      + "<rect class=\"track\" x=\"\(decimal(x(0), 1))\" y=\"\(decimal(middle - 9, 1))\" "
      + "width=\"\(decimal(x(1) - x(0), 1))\" height=\"18\" rx=\"3\"/>"
      + "<rect class=\"\(bar.role.rawValue)\" x=\"\(decimal(x(0), 1))\" "
      + "y=\"\(decimal(middle - 9, 1))\" width=\"\(decimal(max(1.5, x(bar.rate.value) - x(0)), 1))\" "
      + "height=\"18\" rx=\"3\"/>"
      + "<path class=\"whisker\" d=\"M\(decimal(ends.0, 1)) \(decimal(middle, 1))"
      + "H\(decimal(ends.1, 1))M\(decimal(ends.0, 1)) \(decimal(middle - 5, 1))v10"
      + "M\(decimal(ends.1, 1)) \(decimal(middle - 5, 1))v10\"/>"
      + "<text class=\"value\" x=\"\(decimal(x(1) + 12, 1))\" y=\"\(decimal(middle + 5, 1))\">"
      + "\(percent(bar.rate.value))</text>"
  }
}
