extension SafeTensors {
  /// Writes tensors in the given order with free text beside them, atomically.
  ///
  /// - Parameters:
  ///   - tensors: unique names; f32, bf16 and i32 are written as they are.
  ///   - bytes: tensors of U8 with one dimension.
  ///   - metadata: text members of `__metadata__`, written in the order of their keys.
  /// - Throws: `invalidArgument` for a name that occurs twice; `io`.
  package static func write(
    _ tensors: [(name: String, tensor: Tensor)], bytes: [(name: String, bytes: [UInt8])] = [],
    metadata: [String: String] = [:], to path: String
  ) throws(CLIPError) {
    try write(tensors, bytes: bytes, metadata: metadata, to: .path(path))
  }

  /// Writes tensors as the other `write` does, to a file or to memory.
  ///
  /// - Throws: as the other `write`.
  static func write(
    _ tensors: [(name: String, tensor: Tensor)], bytes: [(name: String, bytes: [UInt8])] = [],
    metadata: [String: String], to destination: FileDestination
  ) throws(CLIPError) {
    let ordered = ordered(tensors)
    let head = try head(ordered, bytes: bytes, metadata, destination.name)
    try write(head, ordered, bytes: bytes, to: destination)
  }

  /// Writes tensors as `write` does, with a checksum of all bytes of the file.
  ///
  /// - Throws: as `write`.
  static func writeSealed(
    _ tensors: [(name: String, tensor: Tensor)], metadata: [String: String], to path: String
  ) throws(CLIPError) {
    let ordered = ordered(tensors)
    var metadata = metadata
    metadata[FileSeal.key] = FileSeal.blank
    var head = try head(ordered, metadata, path)
    var fingerprint = Fingerprint()
    fingerprint.add(head)
    for (_, tensor) in ordered {
      fingerprint.add(UnsafeRawBufferPointer(start: tensor.bytes, count: tensor.byteCount))
    }
    FileSeal.set(fingerprint.text, in: &head)
    try write(head, ordered, to: .path(path))
  }

  /// Readers map the data: four-byte elements come first so that every tensor is aligned.
  private static func ordered(
    _ tensors: [(name: String, tensor: Tensor)]
  ) -> [(name: String, tensor: Tensor)] {
    tensors.filter { $0.tensor.dtype.byteSize == 4 }
      + tensors.filter { $0.tensor.dtype.byteSize != 4 }
  }

  private static func write(
    _ head: [UInt8], _ tensors: [(name: String, tensor: Tensor)],
    bytes: [(name: String, bytes: [UInt8])] = [], to destination: FileDestination
  ) throws(CLIPError) {
    try AtomicFile.write(to: destination) { (file) throws(CLIPError) in
      try file.append(head)
      for (_, tensor) in tensors {
        try file.append(UnsafeRawBufferPointer(start: tensor.bytes, count: tensor.byteCount))
      }
      for (_, bytes) in bytes { try file.append(bytes) }
    }
  }

  /// The length of the header and the header.
  private static func head(
    _ ordered: [(name: String, tensor: Tensor)], bytes: [(name: String, bytes: [UInt8])] = [],
    _ metadata: [String: String], _ path: String
  ) throws(CLIPError) -> [UInt8] {
    var header = JSONObject()
    if !metadata.isEmpty {
      var members = JSONObject()
      for (key, value) in metadata.sorted(by: { $0.key < $1.key }) { members[key] = .string(value) }
      header["__metadata__"] = .object(members)
    }
    var offset = 0
    var described: [(String, ElementType, Shape)] = ordered.map {
      ($0.name, $0.tensor.dtype.elementType, $0.tensor.shape)
    }
    described += bytes.map { ($0.name, .u8, [$0.bytes.count]) }
    for (name, type, shape) in described {
      guard header[name] == nil, name != "__metadata__" else {
        throw CLIPError(
          .invalidArgument, "'\(path)': tensor '\(name)' is given twice; expected unique names")
      }
      let byteCount = shape.count * type.byteSize
      header[name] = [
        "dtype": .string(type.rawValue),
        "shape": .array(shape.dimensions.map { .integer($0) }),
        "data_offsets": [.integer(offset), .integer(offset + byteCount)],
      ]
      offset += byteCount
    }
    var text = Array(JSONValue.object(header).serialized().utf8)
    while text.count % 8 != 0 { text.append(0x20) }
    let length = UInt64(text.count)
    return (0..<8).map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) } + text
  }
}

extension DType {
  /// The type in files.
  fileprivate var elementType: ElementType {
    switch self {
    case .f32: .f32
    case .bf16: .bf16
    case .i32: .i32
    }
  }
}
