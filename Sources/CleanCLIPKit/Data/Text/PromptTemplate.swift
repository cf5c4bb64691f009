/// A prompt with `{}` in the place of a name: "a photo of a {}".
package struct PromptTemplate: Hashable, Sendable, ExpressibleByStringLiteral {
  /// The template with its places.
  package let text: String

  /// The prompt of zero-shot classification where none is given.
  package static let standard: [PromptTemplate] = ["a photo of a {}"]

  /// Returns the templates that are given, the standard ones for none.
  package static func given(_ templates: [PromptTemplate]) -> [PromptTemplate] {
    templates.isEmpty ? standard : templates
  }

  /// Takes a text; `nil` unless it has a `{}`.
  package init?(exactly text: String) {
    guard Self.hasPlace(text) else { return nil }
    self.text = text
  }

  /// Takes a template of the program's own, which has a place.
  package init(stringLiteral text: String) {
    precondition(Self.hasPlace(text), "a template has a place for the name")
    self.text = text
  }

  /// Takes templates that come from outside.
  ///
  /// - Throws: `invalidArgument` for one without `{}`.
  package static func list(_ texts: [String]) throws(CLIPError) -> [PromptTemplate] {
    try texts.map { (text) throws(CLIPError) in
      guard let template = PromptTemplate(exactly: text) else {
        throw CLIPError(
          .invalidArgument,
          "templates: no place for the class name; expected '{}' in each, got '\(text)'")
      }
      return template
    }
  }

  /// Returns the prompt with a name in every place.
  package func filled(with name: String) -> String { Self.fill(text, with: name) }

  /// Returns the template followed by more text.
  package func appending(_ more: String) -> PromptTemplate {
    PromptTemplate(unchecked: text + more)
  }

  private init(unchecked text: String) { self.text = text }

  private static func hasPlace(_ text: String) -> Bool {
    fill(text, with: "").utf8.count != text.utf8.count
  }

  private static func fill(_ template: String, with name: String) -> String {
    var result = ""
    var rest = template[...]
    while let open = rest.firstIndex(of: "{") {
      let next = rest.index(after: open)
      if next < rest.endIndex, rest[next] == "}" {
        result += rest[..<open] + name
        rest = rest[rest.index(after: next)...]
      } else {
        result += rest[...open]
        rest = rest[next...]
      }
    }
    return result + rest
  }
}
