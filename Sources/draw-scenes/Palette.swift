/// A colour with a name that captions use; components 0…1.
struct NamedColor {
  let name: String
  let rgb: SIMD3<Float>

  private init(_ name: String, _ red: Float, _ green: Float, _ blue: Float) {
    self.name = name
    self.rgb = [red, green, blue]
  }

  /// Colours of objects.
  static let objects = [
    NamedColor("red", 0.86, 0.14, 0.14), NamedColor("green", 0.16, 0.65, 0.24),
    NamedColor("blue", 0.16, 0.32, 0.86), NamedColor("yellow", 0.94, 0.86, 0.18),
    NamedColor("orange", 0.95, 0.55, 0.12), NamedColor("purple", 0.55, 0.20, 0.70),
    NamedColor("pink", 0.95, 0.55, 0.72), NamedColor("cyan", 0.22, 0.80, 0.85),
    NamedColor("brown", 0.48, 0.30, 0.15), NamedColor("white", 0.95, 0.95, 0.95),
    NamedColor("black", 0.07, 0.07, 0.07),
  ]

  /// Colours of backgrounds, quieter.
  static let backgrounds = [
    NamedColor("grey", 0.55, 0.55, 0.56), NamedColor("white", 0.92, 0.92, 0.90),
    NamedColor("dark", 0.16, 0.16, 0.19), NamedColor("beige", 0.84, 0.77, 0.62),
    NamedColor("pale blue", 0.62, 0.74, 0.88), NamedColor("pale green", 0.66, 0.82, 0.66),
    NamedColor("sandy", 0.76, 0.62, 0.42), NamedColor("rosy", 0.86, 0.68, 0.70),
  ]
}
