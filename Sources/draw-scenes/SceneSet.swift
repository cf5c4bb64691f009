internal import CleanCLIPKit

/// A scene's image with what is said about it.
struct SyntheticImage {
  let kind: ShapeKind
  let caption: String
  /// PNG.
  let bytes: [UInt8]
}

/// Draws the scenes of a set; scene `i` depends on the seed, the set's number and `i` alone.
struct SceneSet {
  /// Sets of one seed that share no scene.
  enum Part: UInt64 {
    case train = 1
    case finetune
    case test
  }

  let seed: UInt64
  let part: Part
  let size: Int

  func image(_ index: Int) throws(CLIPError) -> SyntheticImage {
    var random = RandomNumbers(seed: seed, part.rawValue, UInt64(index))
    let kind = ShapeKind.allCases[random.integer(below: ShapeKind.allCases.count)]
    let scene = Scene(about: kind, using: &random)
    let caption = scene.caption(using: &random)
    var painter = ScenePainter(size: size)
    let image = painter.paint(scene, using: &random)
    return SyntheticImage(kind: kind, caption: caption, bytes: try ImageEncoder.png(image))
  }

  /// The name of an image's files: seven digits.
  static func key(_ index: Int) -> String {
    let digits = String(index)
    return String(repeating: "0", count: max(0, 7 - digits.count)) + digits
  }
}
