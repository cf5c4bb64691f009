extension SafeTensors {
  /// Writes tensors in the given order with free text beside them, atomically.
  ///
  /// - Parameters:
  ///   - tensors: unique names; f32, bf16 and i32 are written as they are.
  ///   - metadata: text members of `__metadata__`, written in the order of their keys.
  /// - Throws: `invalidArgument` for a name that occurs twice; `io`.
  package static func write(
    _ tensors: [(name: String, tensor: Tensor)], metadata: [String: String] = [:],
    to path: String
  ) throws(CLIPError) {
    var header = JSONObject()
    if !metadata.isEmpty {
      var members = JSONObject()
      for (key, value) in metadata.sorted(by: { $0.key < $1.key }) { members[key] = .string(value) }
      header["__metadata__"] = .object(members)
    }
    // Readers map the data: four-byte elements come first so that every tensor is aligned.
    let ordered =
      tensors.filter { $0.tensor.dtype.byteSize == 4 }
      + tensors.filter { $0.tensor.dtype.byteSize != 4 }
    var offset = 0
    for (name, tensor) in ordered {
      guard header[name] == nil, name != "__metadata__" else {
        throw CLIPError(
          .invalidArgument, "'\(path)': tensor '\(name)' is given twice; expected unique names")
      }
      let type: ElementType =
        switch tensor.dtype {
        case .f32: .f32
        case .bf16: .bf16
        case .i32: .i32
        }
      header[name] = [
        "dtype": .string(type.rawValue),
        "shape": .array(tensor.shape.dimensions.map { .integer($0) }),
        "data_offsets": [.integer(offset), .integer(offset + tensor.byteCount)],
      ]
      offset += tensor.byteCount
    }
    var text = Array(JSONValue.object(header).serialized().utf8)
    while text.count % 8 != 0 { text.append(0x20) }
    let length = UInt64(text.count)
    try AtomicFile.write(path) { (file) throws(CLIPError) in
      try file.append((0..<8).map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) })
      try file.append(text)
      for (_, tensor) in ordered {
        try file.append(UnsafeRawBufferPointer(start: tensor.bytes, count: tensor.byteCount))
      }
    }
  }
}
