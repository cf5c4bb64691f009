/// One tensor of a safetensors file.
package struct SafeTensorsEntry: Sendable {
  package let name: String
  package let type: ElementType
  package let shape: Shape
  /// Bytes from the start of the file's data section.
  package let range: Range<Int>
}

/// A safetensors file that was validated completely and is read lazily.
///
/// Format: eight bytes of header length, a JSON header with type, shape and offsets of every tensor,
/// then the data without gaps (github.com/huggingface/safetensors).
package final class SafeTensorsFile: Sendable {
  package let path: String
  package let entries: [SafeTensorsEntry]
  /// Free text members of `__metadata__`.
  package let metadata: [String: String]
  let file: InputFile
  let dataOffset: Int
  private let positions: [String: Int]

  /// The longest header that is read, as in the reference implementation.
  static let maximumHeaderLength = 100_000_000

  init(
    file: InputFile, dataOffset: Int, entries: [SafeTensorsEntry], metadata: [String: String]
  ) {
    self.path = file.path
    self.file = file
    self.dataOffset = dataOffset
    self.entries = entries
    self.metadata = metadata
    var positions: [String: Int] = [:]
    for (index, entry) in entries.enumerated() { positions[entry.name] = index }
    self.positions = positions
  }

  /// The description of a tensor; `nil` when there is none of this name.
  package subscript(name: String) -> SafeTensorsEntry? { positions[name].map { entries[$0] } }

  /// Returns a copy of a tensor: floating-point types as f32, integers as i32.
  ///
  /// - Throws: `notFound` for an unknown name; as `StoredArray.tensor`.
  package func tensor(_ name: String) throws(CLIPError) -> Tensor { try array(name).tensor() }

  /// Returns a tensor that is read where it is.
  ///
  /// - Throws: `notFound` for an unknown name.
  package func array(_ name: String) throws(CLIPError) -> StoredArray {
    guard let entry = self[name] else {
      throw CLIPError(
        .notFound, "'\(path)': has no tensor '\(name)'; expected it, got \(entries.count) others")
    }
    return StoredArray(
      name: "\(path)': '\(name)", file: file, offset: dataOffset + entry.range.lowerBound,
      type: entry.type, shape: entry.shape)
  }

  /// Returns copies of all tensors, converted as `tensor(_:)` does.
  package func tensors() throws(CLIPError) -> [String: Tensor] {
    var result: [String: Tensor] = [:]
    for entry in entries { result[entry.name] = try tensor(entry.name) }
    return result
  }
}

/// Reading and writing of safetensors files.
package enum SafeTensors {
  /// Whether a file is one by its name or, where the name says nothing, by its first bytes: a header
  /// that begins with "{" and is no longer than the file.
  ///
  /// - Throws: `notFound`, `io`.
  static func isUsed(in path: String) throws(CLIPError) -> Bool {
    if path.hasSuffix(".safetensors") { return true }
    return try isUsed(in: try InputFile(path))
  }

  /// Whether a file is one by its first bytes.
  ///
  /// - Throws: `io`.
  static func isUsed(in file: InputFile) throws(CLIPError) -> Bool {
    let head = try file.head(9)
    guard head.count > 8, head[8] == UInt8(ascii: "{") else { return false }
    return length(head) <= UInt64(file.count - 8)
  }

  /// The length of the header, from the first eight bytes.
  private static func length(_ head: [UInt8]) -> UInt64 {
    head.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
  }

  /// Opens a file and validates its header, types, shapes and offsets.
  ///
  /// - Throws: `notFound`, `io`, and `format` for a file that contradicts itself.
  package static func read(_ path: String) throws(CLIPError) -> SafeTensorsFile {
    try read(try InputFile(path))
  }

  /// Validates header, types, shapes and offsets of an open file.
  ///
  /// - Throws: `io`; `format` for a file that contradicts itself.
  static func read(_ file: InputFile) throws(CLIPError) -> SafeTensorsFile {
    let path = file.path
    guard file.count >= 8 else {
      throw CLIPError(
        .format,
        "'\(path)': is not a safetensors file; expected at least 8 bytes, got \(file.count)")
    }
    let declared = length(try file.head(8))
    let limit = min(file.count - 8, SafeTensorsFile.maximumHeaderLength)
    guard declared <= UInt64(limit) else {
      throw ForeignFile.refusal(try file.head(ForeignFile.headLength), path: path)
        ?? CLIPError(
          .format,
          "'\(path)': safetensors header length is wrong; expected at most \(limit), got \(declared)"
            + "; check that the file is whole")
    }
    let length = Int(declared)
    let text = try file.read(8..<8 + length)
    let header = try text.withUnsafeBufferPointer { (bytes) throws(CLIPError) in
      try JSONValue.parse(
        UnsafeRawBufferPointer(bytes), name: path, limits: JSONLimits(byteCount: limit, depth: 8))
    }
    guard let members = header.object else {
      throw CLIPError(.format, "'\(path)': safetensors header is not an object; expected '{'")
    }
    var entries: [SafeTensorsEntry] = []
    var metadata: [String: String] = [:]
    for (name, value) in members {
      if name == "__metadata__" {
        metadata = try Self.metadata(value, path: path)
      } else {
        entries.append(try entry(name, value, path: path))
      }
    }
    entries.sort {
      ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound)
    }
    try checkCoverage(entries, dataLength: file.count - 8 - length, path: path)
    return SafeTensorsFile(
      file: file, dataOffset: 8 + length, entries: entries, metadata: metadata)
  }

  private static func metadata(
    _ value: JSONValue, path: String
  ) throws(CLIPError) -> [String: String] {
    guard let members = value.object else {
      throw CLIPError(.format, "'\(path)': __metadata__ is not an object; expected text members")
    }
    var result: [String: String] = [:]
    for (key, value) in members {
      guard let text = value.string else {
        throw CLIPError(.format, "'\(path)': metadata '\(key)' is not text; expected a string")
      }
      result[key] = text
    }
    return result
  }

  private static func entry(
    _ name: String, _ value: JSONValue, path: String
  ) throws(CLIPError) -> SafeTensorsEntry {
    guard let typeName = value["dtype"]?.string, let type = ElementType(rawValue: typeName) else {
      throw CLIPError(
        .format,
        "'\(path)': tensor '\(name)' has an unknown type; expected F32, F16, BF16 or an integer "
          + "type, got '\(value["dtype"]?.string ?? "none")'")
    }
    guard let list = value["shape"]?.array, list.count <= 32,
      let offsets = value["data_offsets"]?.array, offsets.count == 2,
      let start = offsets[0].integer, let end = offsets[1].integer, start >= 0, end >= start
    else {
      throw CLIPError(
        .format, "'\(path)': tensor '\(name)' is not described; expected shape and data_offsets")
    }
    var dimensions: [Int] = []
    for element in list { dimensions.append(element.integer ?? -1) }
    guard let count = ElementType.elementCount(dimensions),
      let byteCount = type.byteCount(of: count), byteCount == end - start
    else {
      throw CLIPError(
        .format,
        "'\(path)': tensor '\(name)' has the wrong length; expected shape \(dimensions) of "
          + "\(typeName), got \(end - start) bytes")
    }
    return SafeTensorsEntry(name: name, type: type, shape: Shape(dimensions), range: start..<end)
  }

  /// Data must be covered without gaps and overlaps, as the reference implementation demands.
  private static func checkCoverage(
    _ entries: [SafeTensorsEntry], dataLength: Int, path: String
  ) throws(CLIPError) {
    var position = 0
    for entry in entries {
      guard entry.range.lowerBound == position else {
        let problem = entry.range.lowerBound < position ? "overlaps another" : "leaves a gap"
        throw CLIPError(
          .format,
          "'\(path)': tensor '\(entry.name)' \(problem); expected offset \(position), "
            + "got \(entry.range.lowerBound)")
      }
      position = entry.range.upperBound
    }
    guard position == dataLength else {
      throw CLIPError(
        .format,
        "'\(path)': tensors do not fill the file; expected \(position) bytes of data, got \(dataLength)"
      )
    }
  }
}
