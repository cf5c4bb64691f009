internal import ONNXGraphs

/// Replacements of bytes in a copy of an ONNX file; the lengths of enclosing messages follow.
struct FileEdits {
  private struct Edit {
    /// Bytes of the original that are left out.
    let range: Range<Int>
    /// Index of the message around them.
    let parent: Int
    /// Bytes that take their place.
    let count: Int
    let write: (inout AtomicFile) throws(CLIPError) -> Void
  }

  private let model: ONNXModel
  private var edits: [Edit] = []

  init(_ model: ONNXModel) { self.model = model }

  /// Replaces the content of a field by `count` bytes that `write` appends.
  mutating func replace(
    _ field: ONNXField, count: Int,
    _ write: @escaping (inout AtomicFile) throws(CLIPError) -> Void
  ) {
    if count == field.range.count {
      edits.append(Edit(range: field.range, parent: field.parent, count: count, write: write))
      return
    }
    let length = ProtobufMessage.varint(UInt64(count))
    edits.append(
      Edit(
        range: field.lengthRange.lowerBound..<field.range.upperBound, parent: field.parent,
        count: length.count + count
      ) { (file) throws(CLIPError) in
        try file.append(length)
        try write(&file)
      })
  }

  mutating func replace(_ field: ONNXField, _ bytes: [UInt8]) {
    replace(field, count: bytes.count) { (file) throws(CLIPError) in try file.append(bytes) }
  }

  /// Overwrites bytes of a number.
  mutating func overwrite(at offset: Int, _ bytes: [UInt8]) {
    edits.append(
      Edit(range: offset..<offset + bytes.count, parent: -1, count: bytes.count) {
        (file) throws(CLIPError) in try file.append(bytes)
      })
  }

  /// Adds a field at the end of a message.
  mutating func append(to message: Int, _ field: Int, _ content: [UInt8]) {
    let bytes = ProtobufMessage.header(field, count: content.count) + content
    let end = model.messages[message].range.upperBound
    edits.append(
      Edit(range: end..<end, parent: message, count: bytes.count) { (file) throws(CLIPError) in
        try file.append(bytes)
      })
  }

  /// Writes the copy with all replacements.
  ///
  /// - Throws: `io`; `unsupported` when the file would have 2 GiB or more.
  func write(to path: String) throws(CLIPError) {
    let all = (edits + lengthEdits()).enumerated().sorted {
      ($0.element.range.lowerBound, $0.element.range.upperBound, $0.offset)
        < ($1.element.range.lowerBound, $1.element.range.upperBound, $1.offset)
    }.map(\.element)
    let growth = all.reduce(0) { $0 + $1.count - $1.range.count }
    guard model.file.bytes.count + growth < 1 << 31 else {
      throw CLIPError(
        .unsupported,
        "'\(path)': the file would be too large for protobuf; expected less than 2 GiB, got "
          + "\(model.file.bytes.count + growth) bytes; save the model as safetensors")
    }
    try AtomicFile.write(path) { (file) throws(CLIPError) in
      var position = 0
      for edit in all {
        guard edit.range.lowerBound >= position else {
          throw CLIPError(
            .format,
            "'\(model.path)': fields of the file overlap; expected each byte once, got byte "
              + "\(edit.range.lowerBound) twice")
        }
        try file.append(model.file, position..<edit.range.lowerBound)
        let before = file.count
        try edit.write(&file)
        precondition(file.count - before == edit.count, "an edit writes what it promised")
        position = edit.range.upperBound
      }
      try file.append(model.file, position..<model.file.bytes.count)
    }
  }

  /// New lengths of all messages whose content grows or shrinks, from the inside outwards.
  private func lengthEdits() -> [Edit] {
    var growth: [Int: Int] = [:]
    for edit in edits where edit.count != edit.range.count {
      growth[edit.parent, default: 0] += edit.count - edit.range.count
    }
    var result: [Edit] = []
    // Messages come behind those that enclose them.
    for index in model.messages.indices.reversed() {
      guard let change = growth[index], change != 0 else { continue }
      let message = model.messages[index]
      let length = ProtobufMessage.varint(UInt64(message.range.count + change))
      result.append(
        Edit(range: message.lengthRange, parent: message.parent, count: length.count) {
          (file) throws(CLIPError) in try file.append(length)
        })
      growth[message.parent, default: 0] +=
        change + length.count - message.lengthRange.count
    }
    return result
  }
}
