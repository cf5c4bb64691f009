internal import CleanCLIPKit

/// How an object's area is filled.
enum Texture: String, CaseIterable {
  case plain, striped, dotted, checkered
}

/// How the background is filled.
enum Backdrop: CaseIterable {
  case plain, gradient, cloudy, striped
}

/// An object of a scene; lengths are fractions of the image's side.
struct SceneObject {
  var kind: ShapeKind
  var color: NamedColor
  var secondColor: NamedColor
  var texture: Texture
  var center: SIMD2<Float>
  var radius: Float
  /// Clockwise, in radians.
  var angle: Float
}

/// Everything that is random about an image but its pixel noise.
struct Scene {
  var object: SceneObject
  /// A smaller second object in about a fifth of the scenes.
  var companion: SceneObject?
  var background: NamedColor
  var backdrop: Backdrop
  /// Thin lines and specks behind the objects.
  var clutter: Int
  /// Standard deviation of the pixel noise, 0…1.
  var noise: Float
  /// Exposure of the image, about 1.
  var exposure: Float
  /// Cast of each channel, about 1.
  var tint: SIMD3<Float>

  /// Draws a scene about `kind`.
  init(about kind: ShapeKind, using random: inout RandomNumbers) {
    background = NamedColor.backgrounds[random.integer(below: NamedColor.backgrounds.count)]
    backdrop = Backdrop.allCases[random.integer(below: Backdrop.allCases.count)]
    clutter = random.integer(below: 5)
    noise = 0.01 + 0.06 * random.uniform() * random.uniform()
    exposure = 0.75 + 0.45 * random.uniform()
    tint = SIMD3(
      0.92 + 0.16 * random.uniform(), 0.92 + 0.16 * random.uniform(),
      0.92 + 0.16 * random.uniform())
    object = SceneObject(
      kind, radius: 0.22 + 0.18 * random.uniform(), on: background, using: &random)
    guard random.uniform() < 0.12 else { return }
    let other = ShapeKind.allCases[random.integer(below: ShapeKind.allCases.count)]
    var small = SceneObject(
      other, radius: 0.07 + 0.03 * random.uniform(), on: background, using: &random)
    small.texture = .plain
    // The far side of the image, so that neither object hides the other.
    small.center = SIMD2(
      object.center.x < 0.5 ? 0.86 : 0.14, 0.15 + 0.7 * random.uniform())
    companion = small
  }
}

extension SceneObject {
  /// Draws an object whose colour stands out from the background and whose centre keeps it in the
  /// image but for a sliver.
  fileprivate init(
    _ kind: ShapeKind, radius: Float, on background: NamedColor, using random: inout RandomNumbers
  ) {
    let candidates = NamedColor.objects.filter { color in
      let difference = color.rgb - background.rgb
      return (difference * difference).sum() > 0.12
    }
    let color = candidates[random.integer(below: candidates.count)]
    let seconds = NamedColor.objects.filter { other in
      let difference = color.rgb - other.rgb
      return (difference * difference).sum() > 0.2
    }
    let reach = 0.9 * radius
    self.init(
      kind: kind, color: color, secondColor: seconds[random.integer(below: seconds.count)],
      texture: random.uniform() < 0.6
        ? .plain : Texture.allCases[1 + random.integer(below: Texture.allCases.count - 1)],
      center: SIMD2(
        reach + (1 - 2 * reach) * random.uniform(), reach + (1 - 2 * reach) * random.uniform()),
      radius: radius, angle: (random.uniform() - 0.5) * 0.5)
  }
}
