internal import Glibc

/// What a scene is about: the classes of the image set.
enum ShapeKind: String, CaseIterable {
  case circle, oval, ring, crescent, semicircle, triangle, square, diamond, pentagon, hexagon, star,
    cross, arrow, heart
}

/// The region of a shape of radius 1 around the origin, as a signed distance.
///
/// Distances are negative inside, in units of the radius; y points down.
struct ShapeOutline {
  private enum Form {
    case circle, oval, ring, crescent, semicircle
    case polygon([SIMD2<Float>])
  }

  private let form: Form

  /// Makes the outline of a kind; all kinds cover areas of similar size.
  init(_ kind: ShapeKind) {
    form =
      switch kind {
      case .circle: .circle
      case .oval: .oval
      case .ring: .ring
      case .crescent: .crescent
      case .semicircle: .semicircle
      case .triangle: .polygon(Self.regular(3, radius: 1.1, turn: 0))
      case .square: .polygon(Self.regular(4, radius: 1.15, turn: 0.125))
      case .diamond: .polygon([[0, -1.15], [0.72, 0], [0, 1.15], [-0.72, 0]])
      case .pentagon: .polygon(Self.regular(5, radius: 1.05, turn: 0))
      case .hexagon: .polygon(Self.regular(6, radius: 1.05, turn: 0))
      case .star: .polygon(Self.star)
      case .cross: .polygon(Self.cross)
      case .arrow: .polygon(Self.arrow)
      case .heart: .polygon(Self.heart)
      }
  }

  /// Returns the signed distance of a point to the outline.
  func distance(_ p: SIMD2<Float>) -> Float {
    switch form {
    case .circle: return Self.length(p) - 0.95
    case .oval:
      // The first-order distance of the implicit ellipse: exact on the outline, where it matters.
      let radii = SIMD2<Float>(1.15, 0.66)
      let k = Self.length(p / radii)
      return k * (k - 1) / max(Self.length(p / (radii * radii)), 1e-6)
    case .ring: return abs(Self.length(p) - 0.76) - 0.24
    case .crescent: return max(Self.length(p) - 1, 0.78 - Self.length(p - [0.45, -0.1]))
    case .semicircle: return max(Self.length(p - [0, 0.4]) - 1.05, p.y - 0.4)
    case .polygon(let corners): return Self.distance(p, toPolygon: corners)
    }
  }

  private static func length(_ p: SIMD2<Float>) -> Float { (p * p).sum().squareRoot() }

  /// The distance to the nearest edge, negative where a ray from the point crosses an odd number
  /// of edges.
  private static func distance(_ p: SIMD2<Float>, toPolygon corners: [SIMD2<Float>]) -> Float {
    var nearest = Float.greatestFiniteMagnitude
    var isInside = false
    var previous = corners[corners.count - 1]
    for corner in corners {
      let edge = corner - previous
      let offset = p - previous
      let along = min(1, max(0, (offset * edge).sum() / (edge * edge).sum()))
      let gap = offset - along * edge
      nearest = min(nearest, (gap * gap).sum())
      if (corner.y > p.y) != (previous.y > p.y),
        p.x < previous.x + (p.y - previous.y) / edge.y * edge.x
      {
        isInside.toggle()
      }
      previous = corner
    }
    return isInside ? -nearest.squareRoot() : nearest.squareRoot()
  }

  /// Corners of a regular polygon, the first one at the top, turned by a fraction of a full turn.
  private static func regular(_ count: Int, radius: Float, turn: Float) -> [SIMD2<Float>] {
    (0..<count).map { index in
      let angle = 2 * Float.pi * (Float(index) / Float(count) + turn)
      return [radius * sinf(angle), -radius * cosf(angle)]
    }
  }

  private static let star = (0..<10).map { index -> SIMD2<Float> in
    let angle = 2 * Float.pi * Float(index) / 10
    let radius: Float = index.isMultiple(of: 2) ? 1.2 : 0.5
    return [radius * sinf(angle), -radius * cosf(angle)]
  }

  private static let cross: [SIMD2<Float>] = [
    [-0.33, -1], [0.33, -1], [0.33, -0.33], [1, -0.33], [1, 0.33], [0.33, 0.33], [0.33, 1],
    [-0.33, 1], [-0.33, 0.33], [-1, 0.33], [-1, -0.33], [-0.33, -0.33],
  ]

  private static let arrow: [SIMD2<Float>] = [
    [-1.1, -0.28], [0.15, -0.28], [0.15, -0.8], [1.15, 0], [0.15, 0.8], [0.15, 0.28],
    [-1.1, 0.28],
  ]

  /// The curve x = sin³t, y from four cosines, at 32 points.
  private static let heart = (0..<32).map { index -> SIMD2<Float> in
    let t = 2 * Float.pi * Float(index) / 32
    let s = sinf(t)
    let y = 13 * cosf(t) - 5 * cosf(2 * t) - 2 * cosf(3 * t) - cosf(4 * t)
    return [1.1 * s * s * s, -1.1 * (y + 2.5) / 16]
  }
}
