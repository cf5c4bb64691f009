internal import CJSON
internal import Glibc

/// What a reader of JSON text accepts.
package struct JSONLimits: Sendable {
  /// Bytes of text.
  package var byteCount: Int
  /// Arrays and objects inside each other.
  package var depth: Int
  /// Marks that separate values. A number takes two bytes of text and a hundred of memory;
  /// vocabularies have 200,000 structural tokens.
  package var structuralTokens: Int

  package init(byteCount: Int = 256 << 20, depth: Int = 64, structuralTokens: Int = 1 << 22) {
    self.byteCount = byteCount
    self.depth = depth
    self.structuralTokens = structuralTokens
  }
}

extension JSONValue {
  /// Reads one JSON document.
  ///
  /// - Parameters:
  ///   - bytes: UTF-8 text.
  ///   - name: what error messages call the document.
  /// - Throws: `format` for text that is not JSON, is larger or deeper than the limits allow, names a
  ///   member of an object twice, or has a string that is not UTF-8 or holds NUL.
  package static func parse(
    _ bytes: UnsafeRawBufferPointer, name: String, limits: JSONLimits = JSONLimits()
  ) throws(CLIPError) -> JSONValue {
    guard bytes.count <= limits.byteCount else {
      throw CLIPError(
        .format,
        "'\(name)': JSON text is too long; expected at most \(limits.byteCount) bytes, "
          + "got \(bytes.count)")
    }
    try refuseNUL(bytes, name: name)
    let structuralTokens = bytes.count { byte in
      byte == UInt8(ascii: ",") || byte == UInt8(ascii: ":") || byte == UInt8(ascii: "[")
        || byte == UInt8(ascii: "{")
    }
    guard structuralTokens <= limits.structuralTokens else {
      throw CLIPError(
        .format,
        "'\(name)': JSON text has too many values; expected at most \(limits.structuralTokens) "
          + "structural tokens, got \(structuralTokens)")
    }
    guard let base = bytes.baseAddress, bytes.count > 0 else {
      throw CLIPError(.format, "'\(name)': JSON text is empty; expected a value, got 0 bytes")
    }
    var end: UnsafePointer<CChar>?
    let text = base.assumingMemoryBound(to: CChar.self)
    let root = cJSON_ParseWithLengthOpts(text, bytes.count, &end, 0)
    defer { cJSON_Delete(root) }
    guard let root, let end else {
      let offset = end.map { text.distance(to: $0) } ?? 0
      throw CLIPError(
        .format,
        "'\(name)': text is not JSON; expected a value, got byte offset \(offset) where it ends")
    }
    let rest = text.distance(to: end)
    for index in rest..<max(rest, bytes.count) {
      guard [0x20, 0x09, 0x0A, 0x0D].contains(bytes[index]) else {
        throw CLIPError(
          .format,
          "'\(name)': JSON text continues after its value; expected the end, got more at byte \(index)"
        )
      }
    }
    return try convert(root, depth: limits.depth, name: name)
  }

  /// Reads one JSON document from a string.
  ///
  /// - Throws: as the form that takes bytes.
  package static func parse(_ text: String, name: String) throws(CLIPError) -> JSONValue {
    let bytes = Array(text.utf8)
    do {
      return try bytes.withUnsafeBytes { bytes in try parse(bytes, name: name) }
    } catch let error as CLIPError {
      throw error
    } catch {
      throw CLIPError(.internal, "'\(name)': unexpected failure")
    }
  }

  /// Escaped NUL characters would silently cut cJSON's strings; raw ones are not JSON.
  private static func refuseNUL(
    _ bytes: UnsafeRawBufferPointer, name: String
  ) throws(CLIPError) {
    var backslashes = 0
    for index in bytes.indices {
      let byte = bytes[index]
      if byte == 0x5C {
        backslashes += 1
        continue
      }
      let isEscape = byte == 0x75 && backslashes % 2 == 1  // \u
      backslashes = 0
      let isZero =
        isEscape && index + 4 < bytes.count
        && (1...4).allSatisfy { bytes[index + $0] == 0x30 }
      if byte == 0 || isZero {
        throw CLIPError(
          .format, "'\(name)': JSON text has a NUL character; expected none, got one at \(index)")
      }
    }
  }

  private static func convert(
    _ node: UnsafeMutablePointer<cJSON>, depth: Int, name: String
  ) throws(CLIPError) -> JSONValue {
    let isNested = cJSON_IsArray(node) != 0 || cJSON_IsObject(node) != 0
    guard depth > 0 || !isNested else {
      throw CLIPError(
        .format, "'\(name)': JSON is nested too deeply; expected fewer levels, got more")
    }
    if cJSON_IsBool(node) != 0 { return .bool(cJSON_IsTrue(node) != 0) }
    if cJSON_IsNumber(node) != 0 { return .number(node.pointee.valuedouble) }
    if cJSON_IsString(node) != 0 { return .string(try string(node.pointee.valuestring, name)) }
    guard isNested else { return .null }
    let isArray = cJSON_IsArray(node) != 0
    var elements: [JSONValue] = []
    var members = JSONObject()
    var child = node.pointee.child
    while let current = child {
      let value = try convert(current, depth: depth - 1, name: name)
      if isArray {
        elements.append(value)
      } else {
        let key = try string(current.pointee.string, name)
        guard members[key] == nil else {
          throw CLIPError(
            .format,
            "'\(name)': JSON object has a member twice; expected '\(key)' once, got it twice")
        }
        members[key] = value
      }
      child = current.pointee.next
    }
    return isArray ? .array(elements) : .object(members)
  }

  private static func string(
    _ characters: UnsafeMutablePointer<CChar>?, _ name: String
  ) throws(CLIPError) -> String {
    guard let characters, let string = String(validatingCString: characters) else {
      throw CLIPError(
        .format, "'\(name)': JSON string is not text; expected UTF-8, got other bytes")
    }
    return string
  }

  /// Returns the document as text; members keep their order, NaN and infinities become `null`.
  ///
  /// - Parameter pretty: whether to break lines and indent.
  package func serialized(pretty: Bool = false) -> String {
    var text = ""
    write(to: &text, indent: pretty ? 0 : nil)
    return text
  }

  private func write(to text: inout String, indent: Int?) {
    switch self {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .number(let value): text += Self.text(of: value)
    case .string(let value): Self.quote(value, into: &text)
    case .array(let elements):
      // Arrays of scalars stay on one line also in pretty text.
      let isFlat = elements.allSatisfy { $0.array == nil && $0.object == nil }
      let inner = isFlat ? nil : indent
      Self.enclose(elements, "[", "]", indent: inner, isSpaced: indent != nil, into: &text) {
        $0.write(to: &$1, indent: inner.map { $0 + 2 })
      }
    case .object(let members):
      Self.enclose(Array(members), "{", "}", indent: indent, isSpaced: false, into: &text) {
        Self.quote($0.key, into: &$1)
        $1 += indent == nil ? ":" : ": "
        $0.value.write(to: &$1, indent: indent.map { $0 + 2 })
      }
    }
  }

  private static func enclose<Element>(
    _ elements: [Element], _ open: String, _ close: String, indent: Int?, isSpaced: Bool,
    into text: inout String, _ body: (Element, inout String) -> Void
  ) {
    text += open
    for (index, element) in elements.enumerated() {
      if index > 0 { text += isSpaced && indent == nil ? ", " : "," }
      if let indent { text += "\n" + String(repeating: " ", count: indent + 2) }
      body(element, &text)
    }
    if let indent, !elements.isEmpty { text += "\n" + String(repeating: " ", count: indent) }
    text += close
  }

  private static func text(of number: Double) -> String {
    guard number.isFinite else { return "null" }
    if let integer = JSONValue.number(number).integer { return "\(integer)" }
    // Swift prints the shortest digits that read back as the same number.
    return "\(number)"
  }

  private static func quote(_ string: String, into text: inout String) {
    let hex = Array("0123456789abcdef")
    text += "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case "\u{0}"..."\u{1F}", "\u{7F}":
        text += "\\u00" + String(hex[Int(scalar.value) >> 4]) + String(hex[Int(scalar.value) & 15])
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}
