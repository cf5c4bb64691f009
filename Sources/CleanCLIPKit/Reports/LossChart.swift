internal import Glibc

/// Curves of the losses over the steps, as SVG.
struct LossChart {
  fileprivate struct Curve {
    let name: String
    let style: String
    let points: [(step: Double, value: Double)]
  }

  private let curves: [Curve]
  private let lastStep: Double
  private let top: Double

  private static let width = 560.0
  private static let height = 220.0
  private static let left = 44.0
  private static let bottom = 196.0

  /// Makes the chart of a training; `nil` without a finite point.
  init?(_ points: [RunReport.LossPoint]) {
    let finite = points.filter { $0.losses.loss.isFinite }
    guard !finite.isEmpty else { return nil }
    var curves = [Curve("total", style: "total", finite) { $0.loss }]
    // With one part only, the total says it all.
    if finite.contains(where: { $0.losses.inmodalLoss != 0 }),
      finite.contains(where: { $0.losses.crossmodalLoss != 0 })
    {
      curves.append(
        Curve("between the modalities", style: "crossmodal", finite) { $0.crossmodalLoss })
      curves.append(Curve("inside the modalities", style: "inmodal", finite) { $0.inmodalLoss })
    }
    self.curves = curves
    lastStep = Double(max(1, finite.map(\.step).max() ?? 1))
    top = Self.niceCeiling(curves.flatMap(\.points).map(\.value).max() ?? 1)
  }

  /// The chart as an `<svg>` element.
  var svg: String {
    var text =
      "<svg viewBox=\"0 0 \(decimal(Self.width, 0)) \(decimal(Self.height, 0))\" role=\"img\" "
      + "aria-label=\"losses over the steps\">"
    for tick in 0...4 {
      let value = top * Double(tick) / 4
      let y = decimal(self.y(value), 1)
      text +=
        "<line class=\"grid\" x1=\"\(decimal(Self.left, 0))\" x2=\"\(decimal(Self.width - 8, 0))\" "
        + "y1=\"\(y)\" y2=\"\(y)\"/><text class=\"tick\" x=\"\(decimal(Self.left - 8, 0))\" "
        + "y=\"\(decimal(self.y(value) + 4, 1))\" text-anchor=\"end\">"
        + "\(decimal(value, top < 2 ? 2 : 1))</text>"
    }
    // Of few steps, fewer than five are different.
    for step in Set((0...4).map { (lastStep * Double($0) / 4).rounded() }).sorted() {
      text +=
        "<text class=\"tick\" x=\"\(decimal(x(step), 1))\" y=\"\(decimal(Self.height - 6, 0))\" "
        + "text-anchor=\"\(step == lastStep ? "end" : "middle")\">\(decimal(step, 0))</text>"
    }
    return text + curves.map(drawn).joined() + "</svg>" + legend
  }

  /// A curve; a dot for a single step, of which there is no line.
  private func drawn(_ curve: Curve) -> String {
    let places = curve.points.map { (decimal(x($0.step), 1), decimal(y($0.value), 1)) }
    if places.count == 1 {
      return "<circle class=\"curve \(curve.style)\" cx=\"\(places[0].0)\" cy=\"\(places[0].1)\" "
        + "r=\"2\"/>"
    }
    let path = places.map { "\($0.0) \($0.1)" }.joined(separator: "L")
    return "<path class=\"curve \(curve.style)\" d=\"M\(path)\"/>"
  }

  private var legend: String {
    let items = curves.map { "<span class=\"\($0.style)\">\(escaped($0.name))</span>" }
    return "<p class=\"legend\">" + items.joined() + "</p>"
  }

  private func x(_ step: Double) -> Double {
    Self.left + step / lastStep * (Self.width - 8 - Self.left)
  }

  private func y(_ value: Double) -> Double {
    Self.bottom - min(1, max(0, value / top)) * (Self.bottom - 10)
  }

  /// The least of 1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8 times a power of ten that is not below `value`.
  private static func niceCeiling(_ value: Double) -> Double {
    guard value > 0 else { return 1 }
    let power = pow(10, floor(log10(value)))
    let steps = [1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10]
    return power * (steps.first { $0 * power >= value } ?? 10)
  }
}

extension LossChart.Curve {
  /// Averages the points into as many groups as the chart can show.
  fileprivate init(
    _ name: String, style: String, _ points: [RunReport.LossPoint],
    _ value: (StepLosses) -> Double
  ) {
    // More points than pixels add nothing.
    let group = max(1, (points.count + 239) / 240)
    self.name = name
    self.style = style
    self.points = stride(from: 0, to: points.count, by: group).map { start in
      let part = points[start..<min(points.count, start + group)]
      let sums = part.reduce((0.0, 0.0)) { ($0.0 + Double($1.step), $0.1 + value($1.losses)) }
      return (sums.0 / Double(part.count), sums.1 / Double(part.count))
    }
  }
}
