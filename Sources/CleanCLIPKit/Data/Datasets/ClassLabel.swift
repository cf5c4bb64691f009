/// The class of an image as its dataset tells it.
package enum ClassLabel: Equatable, Sendable, ExpressibleByIntegerLiteral {
  /// The index of the class, from 0.
  case index(Int32)
  /// What a table says: the name of the class, or its index.
  case text(String)
  /// The class folder that the image is in.
  case folder(String)

  package init(integerLiteral value: Int32) { self = .index(value) }

  /// The index, where the label is one.
  var number: Int32? {
    switch self {
    case .index(let index): index
    case .text(let text): Int32(text).flatMap { $0 >= 0 ? $0 : nil }
    case .folder: nil
    }
  }
}

extension ClassLabel {
  /// The label for messages, shortened.
  var shown: String {
    switch self {
    case .index(let index): "\(index)"
    case .text(let text): String(text.prefix(40))
    case .folder(let name): String(name.prefix(80))
    }
  }
}

extension ClassLabel {
  /// What a `.cls` file says: an index, else a name.
  ///
  /// - Throws: `format` when it is empty.
  init(file text: String, name: String) throws(CLIPError) {
    let text = text.trimmed
    guard !text.isEmpty else {
      throw CLIPError(
        .format, "'\(name).cls': is empty; expected the index of a class, got none")
    }
    self = Int32(text).map { .index($0) } ?? .text(text)
  }
}
