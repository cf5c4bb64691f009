/// A table of comma- or tab-separated values (RFC 4180): a header row, then rows of fields.
///
/// Quoted fields may hold delimiters, line ends and doubled quotes; lines end with LF, CRLF or CR; a
/// byte-order mark and blank lines are skipped. A file that ends in `.tsv` has no quotes, as its media
/// type is registered. Only the place of each row is kept, so that millions of rows cost eight bytes each;
/// the file stays open and rows are read where they are.
struct DelimitedText: Sendable {
  private let file: InputFile
  private let delimiter: UInt8
  private let hasQuotes: Bool
  /// The names in the header row.
  let columns: [String]
  /// Where each row begins.
  private let rows: [Int]

  /// Bytes that one row may have.
  private static let rowLimit = 16 << 20

  /// Opens a file and finds its rows.
  ///
  /// - Throws: `notFound`, `io`; `format` when there is no header, the text is UTF-16 or a quote is
  ///   not closed.
  init(path: String) throws(CLIPError) {
    let file = try InputFile(path)
    self.file = file
    let bytes = try file.read(0..<file.count)
    if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
      throw CLIPError(
        .format, "'\(path)': text is UTF-16; expected UTF-8; save it as CSV UTF-8")
    }
    let start = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    let delimiter = Self.delimiter(of: bytes, from: start, path: path)
    let hasQuotes = !path.lowercased().hasSuffix(".tsv")
    self.delimiter = delimiter
    self.hasQuotes = hasQuotes
    (columns, rows) = try bytes.withUnsafeBufferPointer { (bytes) throws(CLIPError) in
      try Self.scan(
        RowScanner(
          bytes: UnsafeRawBufferPointer(bytes), delimiter: delimiter, hasQuotes: hasQuotes,
          position: start), path: path)
    }
    try file.checkUnchanged()
  }

  private static func scan(
    _ start: RowScanner, path: String
  ) throws(CLIPError) -> (columns: [String], rows: [Int]) {
    var scanner = start
    let header = lengthOfFirstRow(scanner)
    guard header <= rowLimit else {
      throw CLIPError(
        .format,
        "'\(path)': header is too long; expected at most \(rowLimit) bytes, got \(header)")
    }
    let columns = scanner.nextRow().map { RawText.text($0) }
    var rows: [Int] = []
    while let row = scanner.skipRow() { rows.append(row) }
    guard !columns.isEmpty else {
      throw CLIPError(.format, "'\(path)': table is empty; expected a header row, got no text")
    }
    if let open = scanner.openQuote {
      throw CLIPError(
        .format,
        "'\(path)': a quote is not closed; expected a second one after byte \(open), got the end")
    }
    return (columns, rows)
  }

  var path: String { file.path }
  /// The number of rows below the header.
  var count: Int { rows.count }
  var byteCount: Int { file.count }

  /// The columns of a name: those that are spelled so, else those that differ in white space around them or in
  /// capitals.
  private func places(of name: String) -> [Int] {
    let exact = columns.indices.filter { columns[$0] == name }
    guard exact.isEmpty else { return exact }
    return columns.indices.filter { columns[$0].trimmed.lowercased() == name.lowercased() }
  }

  /// Whether there is a column.
  func has(_ name: String) -> Bool { !places(of: name).isEmpty }

  /// Returns the position of a column.
  ///
  /// - Throws: `notFound`, listing the columns, when there is none; `format` when there are two.
  func column(_ name: String) throws(CLIPError) -> Int {
    let places = places(of: name)
    guard let first = places.first else {
      throw CLIPError(
        .notFound,
        "'\(path)': no column '\(name)'; expected it in the header, got "
          + columns.prefix(20).map { "'\($0)'" }.joined(separator: ", ")
          + "; name the column in the options")
    }
    guard places.count == 1 else {
      throw CLIPError(.format, "'\(path)': column '\(name)' occurs twice; expected it once")
    }
    return first
  }

  /// Returns the fields of a row, as many as there are columns.
  ///
  /// - Throws: `format` when it has fewer or more, is too long, or is quoted wrongly; `io`; `state` when
  ///   the file has changed since it was opened.
  func fields(_ row: Int) throws(CLIPError) -> [[UInt8]] {
    let end = row + 1 < rows.count ? rows[row + 1] : file.count
    guard end - rows[row] <= Self.rowLimit else {
      throw CLIPError(
        .format,
        "'\(path)': row \(row + 1) is too long; expected at most \(Self.rowLimit) bytes, "
          + "got \(end - rows[row])")
    }
    let bytes = try file.read(rows[row]..<end)
    try file.checkUnchanged()
    let (fields, hasTextBehindQuote) = bytes.withUnsafeBytes { bytes in
      var scanner = RowScanner(
        bytes: bytes, delimiter: delimiter, hasQuotes: hasQuotes, position: 0)
      return (scanner.nextRow(), scanner.hasTextBehindQuote)
    }
    guard !hasTextBehindQuote else {
      throw CLIPError(
        .format,
        "'\(path)': row \(row + 1) has text behind a closing quote; expected quotes around whole "
          + "fields and doubled ones inside; name a file without quoting .tsv")
    }
    guard fields.count == columns.count else {
      throw CLIPError(
        .format,
        "'\(path)': row \(row + 1) has too \(fields.count < columns.count ? "few" : "many") fields; "
          + "expected \(columns.count), got \(fields.count)")
    }
    guard hasQuotes || !fields.contains(where: Self.isQuoted) else {
      throw CLIPError(
        .format,
        "'\(path)': row \(row + 1) is quoted; expected a .tsv without quotes, got doubled ones; "
          + "name the file .csv")
    }
    return fields
  }

  /// Whether a field is in quotes and has doubled ones inside.
  private static func isQuoted(_ field: [UInt8]) -> Bool {
    let quote = UInt8(ascii: "\"")
    guard field.count > 3, field.first == quote, field.last == quote else { return false }
    let inside = field.dropFirst().dropLast()
    return zip(inside, inside.dropFirst()).contains { $0 == quote && $1 == quote }
  }

  private static func lengthOfFirstRow(_ scanner: RowScanner) -> Int {
    var scanner = scanner
    return scanner.skipRow().map { scanner.position - $0 } ?? 0
  }

  /// By the extension of the file, else the most frequent candidate in the first line.
  private static func delimiter(
    of bytes: [UInt8], from start: Int, path: String
  ) -> UInt8 {
    let tab = UInt8(ascii: "\t")
    let comma = UInt8(ascii: ",")
    if path.lowercased().hasSuffix(".tsv") { return tab }
    let line = bytes[start...].prefix(1 << 16).prefix { $0 != 0x0A && $0 != 0x0D }
    let counts = [comma, tab, UInt8(ascii: ";")].map { candidate in
      (candidate, line.count { $0 == candidate })
    }
    // A comma wins ties, and names a table of one column.
    return counts.reduce((comma, 0)) { $1.1 > $0.1 ? $1 : $0 }.0
  }
}

/// Reads a delimited text from left to right.
private struct RowScanner {
  let bytes: UnsafeRawBufferPointer
  let delimiter: UInt8
  let hasQuotes: Bool
  var position: Int
  /// Where a quoted field began that does not end.
  private(set) var openQuote: Int?
  /// Whether a quoted field went on behind its closing quote.
  private(set) var hasTextBehindQuote = false

  init(bytes: UnsafeRawBufferPointer, delimiter: UInt8, hasQuotes: Bool, position: Int) {
    self.bytes = bytes
    self.delimiter = delimiter
    self.hasQuotes = hasQuotes
    self.position = position
  }

  /// Returns the fields of the next row that is not blank; none at the end.
  mutating func nextRow() -> [[UInt8]] {
    skipBlankLines()
    var fields: [[UInt8]] = []
    guard position < bytes.count else { return fields }
    var field: [UInt8] = []
    var ends = false
    while !ends {
      field.removeAll(keepingCapacity: true)
      ends = scanField { field.append($0) }
      fields.append(field)
    }
    return fields
  }

  /// Goes over the next row that is not blank and returns where it begins; `nil` at the end.
  mutating func skipRow() -> Int? {
    skipBlankLines()
    guard position < bytes.count else { return nil }
    let start = position
    while !scanField({ _ in }) {}
    return start
  }

  private mutating func skipBlankLines() {
    while position < bytes.count, bytes[position] == 0x0A || bytes[position] == 0x0D {
      position += 1
    }
  }

  /// Reads one field and what ends it; returns whether the row ends with it.
  private mutating func scanField(_ append: (UInt8) -> Void) -> Bool {
    let quote = UInt8(ascii: "\"")
    var isQuoted = false
    if hasQuotes, position < bytes.count, bytes[position] == quote {
      isQuoted = true
      let start = position
      position += 1
      while true {
        guard position < bytes.count else {
          openQuote = openQuote ?? start
          return true
        }
        let byte = bytes[position]
        position += 1
        if byte == quote {
          guard position < bytes.count, bytes[position] == quote else { break }
          position += 1
        }
        append(byte)
      }
    }
    while position < bytes.count {
      let byte = bytes[position]
      position += 1
      switch byte {
      case delimiter: return false
      case 0x0A: return true
      case 0x0D:
        if position < bytes.count, bytes[position] == 0x0A { position += 1 }
        return true
      default:
        hasTextBehindQuote = hasTextBehindQuote || isQuoted
        append(byte)
      }
    }
    return true
  }
}
