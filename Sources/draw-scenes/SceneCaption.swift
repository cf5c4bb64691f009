internal import CleanCLIPKit

extension Scene {
  /// Openings of captions; the object's description follows.
  private static let openings = [
    "", "", "a picture of ", "a drawing of ", "an image of ", "a photo of ", "there is ",
    "this is ", "we see ", "my drawing of ",
  ]

  /// Describes the scene in a sentence: always its main object, the rest by chance, as people do.
  func caption(using random: inout RandomNumbers) -> String {
    var words: [String] = []
    if random.uniform() < 0.2, let size = object.sizeWord { words.append(size) }
    if random.uniform() < 0.5 { words.append(object.color.name) }
    if object.texture != .plain, random.uniform() < 0.5 { words.append(object.texture.rawValue) }
    words.append(object.kind.rawValue)
    var text = Self.openings[random.integer(below: Self.openings.count)]
    text += Self.withArticle(words.joined(separator: " "))
    if let companion, random.uniform() < 0.5 {
      text += " and " + Self.withArticle("small \(companion.color.name) \(companion.kind.rawValue)")
    }
    if random.uniform() < 0.15 { text += " " + object.positionWords }
    if random.uniform() < 0.15 {
      text += " on " + Self.withArticle("\(background.name) background")
    }
    return text
  }

  private static func withArticle(_ noun: String) -> String {
    ("aeio".contains(noun.first ?? " ") ? "an " : "a ") + noun
  }
}

extension SceneObject {
  fileprivate var sizeWord: String? {
    if radius < 0.27 { return "small" }
    return radius > 0.34 ? "large" : nil
  }

  fileprivate var positionWords: String {
    let column = center.x < 0.38 ? 0 : center.x > 0.62 ? 2 : 1
    let row = center.y < 0.38 ? 0 : center.y > 0.62 ? 2 : 1
    switch (row, column) {
    case (0, 0): return "in the top left corner"
    case (0, 1): return "at the top"
    case (0, _): return "in the top right corner"
    case (1, 0): return "on the left"
    case (1, 1): return "in the middle"
    case (1, _): return "on the right"
    case (_, 0): return "in the bottom left corner"
    case (_, 1): return "at the bottom"
    default: return "in the bottom right corner"
    }
  }
}
