/// A report of any kind: one page that loads nothing and runs nothing, which its policy also forbids.
struct HTMLPage {
  /// Plain text, like all texts but `parts` and `footer`.
  let title: String
  var subtitle = ""
  /// The first card; `nil` leaves it out.
  var conclusion: Conclusion?
  /// Cards, and grids of them, as HTML.
  var parts: [String] = []
  /// The end of the page, as HTML.
  var footer = ""

  /// What a report concludes.
  struct Conclusion {
    /// The colour of the card.
    let mark: PageMark
    let headline: String
    let sentences: [String]

    fileprivate var html: String {
      "<section class=\"card verdict \(mark.rawValue)\"><h2>\(escaped(headline))</h2>"
        + sentences.map { "<p>\(escaped($0))</p>" }.joined() + "</section>\n"
    }
  }

  /// The page as it is written to a file.
  var html: String {
    """
    <!DOCTYPE html>
    <html lang="en"><head><meta charset="utf-8">
    <meta name="viewport" content="width=device-width,initial-scale=1">
    <meta http-equiv="Content-Security-Policy" \
    content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
    <title>\(escaped(title))</title><style>
    \(PageStyle.css)
    </style></head><body><main>
    \(header)\(conclusion?.html ?? "")\(parts.joined())\(footer)
    </main></body></html>

    """
  }

  private var header: String {
    "<header><h1>\(escaped(title))</h1>"
      + (subtitle.isEmpty ? "" : "<p class=\"soft\">\(escaped(subtitle))</p>") + "</header>"
  }

  /// Cards side by side where the window is wide enough; nothing without cards.
  static func grid(_ cards: [String]) -> String {
    cards.isEmpty ? "" : "<div class=\"grid2\">" + cards.joined() + "</div>\n"
  }

  /// A card with a heading.
  ///
  /// - Parameters:
  ///   - note: below the heading, plain text; empty for none.
  ///   - content: HTML.
  static func card(_ title: String, note: String = "", _ content: String) -> String {
    "<section class=\"card\"><h2>\(escaped(title))</h2>"
      + (note.isEmpty ? "" : "<p class=\"soft small\">\(escaped(note))</p>") + content
      + "</section>\n"
  }

  /// A card of names and values.
  static func table(_ title: String, _ rows: [(name: String, value: String)]) -> String {
    let body = rows.map { "<tr><th>\(escaped($0.name))</th><td>\(escaped($0.value))</td></tr>" }
    return card(title, "<table><tbody>\(body.joined())</tbody></table>")
  }

  /// A card of images, each with a caption.
  ///
  /// - Throws: `internal`, `outOfMemory` when an image cannot be encoded.
  static func images(
    _ title: String, _ note: String, _ images: [(image: RGBImage, caption: String)]
  ) throws(CLIPError) -> String {
    var figures = ""
    for image in images {
      figures +=
        "<figure>\(try element(image.image, ""))"
        + "<figcaption>\(escaped(image.caption))</figcaption></figure>"
    }
    return card(title, note: note, "<div class=\"images\">\(figures)</div>")
  }

  /// An image within the page.
  ///
  /// - Throws: `internal`, `outOfMemory` when it cannot be encoded.
  static func element(_ image: RGBImage, _ name: String) throws(CLIPError) -> String {
    element(try EmbeddedImage(image), name)
  }

  /// An image within the page.
  static func element(_ image: EmbeddedImage, _ name: String) -> String {
    "<img alt=\"\(escaped(name))\" src=\"data:image/png;base64,\(image.base64)\">"
  }
}

/// The colour of a conclusion.
package enum PageMark: String, Sendable {
  case good, fair, bad, neutral
}
