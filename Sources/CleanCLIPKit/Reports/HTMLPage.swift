/// A report of any kind: one page that loads nothing and runs nothing, which its policy also forbids.
///
/// - Parameters:
///   - title: plain text.
///   - style: CSS.
///   - body: HTML; what came from outside is escaped in it.
func htmlPage(title: String, style: String, body: String) -> String {
  """
  <!DOCTYPE html>
  <html lang="en"><head><meta charset="utf-8">
  <meta name="viewport" content="width=device-width,initial-scale=1">
  <meta http-equiv="Content-Security-Policy" \
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
  <title>\(escaped(title))</title><style>
  \(style)
  </style></head><body><main>
  \(body)
  </main></body></html>

  """
}
