internal import Glibc

/// A number with three significant digits, at most six of them behind the point.
package func significant(_ value: Double) -> String {
  guard value.isFinite, value != 0 else { return decimal(value, 0) }
  return decimal(value, min(6, max(0, 2 - Int(floor(log10(abs(value)))))))
}

/// The frame of a check's report: one HTML page without scripts or outside resources.
struct DetectionPage {
  var title: String
  var subtitle = ""
  var verdict: Verdict
  var explanation: String
  /// What the verdict is called, instead of its usual name.
  var headline: String?
  /// Cards below the verdict, as HTML.
  var cards: [String] = []

  static let style = """
    :root{--ink:#1c2430;--soft:#5b6675;--line:#dfe3e8;--good:#1f8a5b;--fair:#b7791f;--bad:#c8472f}
    *{box-sizing:border-box}body{margin:0;background:#f4f5f7;color:var(--ink);
    font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
    main{max-width:1180px;margin:0 auto;padding:32px 24px 48px}
    h1{font-size:26px;margin:0 0 4px}h2{font-size:16px;margin:0 0 6px}p{margin:0 0 6px}
    .soft{color:var(--soft)}.card{background:#fff;border:1px solid var(--line);border-radius:10px;
    padding:18px 20px;margin-bottom:18px}.verdict{border-left:6px solid var(--soft)}
    .verdict h2{font-size:21px}.clean{border-left-color:var(--good)}.clean h2{color:var(--good)}
    .suspicious{border-left-color:var(--fair)}.suspicious h2{color:var(--fair)}
    .backdoored{border-left-color:var(--bad)}.backdoored h2{color:var(--bad)}
    .images{display:flex;flex-wrap:wrap;gap:12px;margin-top:10px}figure{margin:0;width:112px}
    figure img{width:112px;height:112px;object-fit:contain;image-rendering:pixelated;
    background:#eef0f3;border-radius:4px;display:block}
    figcaption{font-size:12px;color:var(--soft);overflow-wrap:anywhere;margin-top:3px}
    table{border-collapse:collapse;width:100%;font-size:14px;margin-top:8px}
    td,th{text-align:left;padding:5px 12px 5px 0;border-top:1px solid var(--line);
    vertical-align:top;overflow-wrap:anywhere}thead th{border-top:0;color:var(--soft)}
    tbody th{font-weight:400;color:var(--soft);width:38%}
    """

  private var verdictName: String {
    switch verdict {
    case .clean: "No backdoor found"
    case .suspicious: "Suspicious"
    case .backdoored: "Backdoored"
    case .cannotTell: "Cannot tell"
    }
  }

  var html: String {
    htmlPage(
      title: title, style: Self.style,
      body: """
        <header><h1>\(escaped(title))</h1><p class="soft">\(escaped(subtitle))</p></header>
        <section class="card verdict \(verdict.rawValue)"><h2>\(escaped(headline ?? verdictName))</h2>\
        <p>\(escaped(explanation))</p></section>
        \(cards.joined(separator: "\n"))
        """)
  }

  /// A card of names and values.
  static func table(_ title: String, _ rows: [(String, String)]) -> String {
    let body = rows.map { "<tr><th>\(escaped($0.0))</th><td>\(escaped($0.1))</td></tr>" }
    return "<section class=\"card\"><h2>\(escaped(title))</h2><table><tbody>\(body.joined())"
      + "</tbody></table></section>"
  }

  /// A card of images with captions.
  ///
  /// - Throws: `internal`, `outOfMemory` when an image cannot be encoded.
  static func images(
    _ title: String, _ note: String, _ images: [(image: RGBImage, caption: String)]
  ) throws(CLIPError) -> String {
    var figures = ""
    for image in images {
      let data = base64(try ImageEncoder.png(image.image))
      figures +=
        "<figure><img alt=\"\" src=\"data:image/png;base64,\(data)\">"
        + "<figcaption>\(escaped(image.caption))</figcaption></figure>"
    }
    return
      "<section class=\"card\"><h2>\(escaped(title))</h2><p class=\"soft\">\(escaped(note))</p>"
      + "<div class=\"images\">\(figures)</div></section>"
  }
}
