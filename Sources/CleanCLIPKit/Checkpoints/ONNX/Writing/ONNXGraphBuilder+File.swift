extension ONNXGraphBuilder {
  /// The largest file that readers of protobuf accept.
  private static let maximumFileSize = (1 << 31) - 1

  /// Writes the graph as a model file of operator set 17; weights of more than 2 GiB go to a file of
  /// the same name with `.data` behind it.
  ///
  /// - Parameter maximumFileSize: the size from which on weights go to the other file.
  func write(
    to path: String, metadata: [(String, String)], maximumFileSize: Int = Self.maximumFileSize
  ) throws(CLIPError) {
    let weights = initializers.reduce(0) { $0 + $1.byteCount }
    let overhead = nodes.reduce(0) { $0 + $1.bytes.count + 16 } + initializers.count * 256 + 1 << 16
    guard weights + overhead <= maximumFileSize else {
      let dataPath = path + ".data"
      let name = path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
      var offsets: [Int] = []
      try AtomicFile.write(dataPath) { (file) throws(CLIPError) in
        for initializer in initializers {
          // Readers map the file: pages are the alignment that they ask for.
          if initializer.byteCount > 1024 { try file.pad(to: 4096) }
          offsets.append(file.count)
          try initializer.write(to: &file)
        }
      }
      try writeModel(to: path, metadata: metadata) { index in
        Self.externalHeader(initializers[index], location: name + ".data", offset: offsets[index])
      }
      return
    }
    try writeModel(to: path, metadata: metadata) { _ in nil }
  }

  /// Name, type and dimensions of an initializer.
  private static func description(_ initializer: Initializer) -> ProtobufMessage {
    var message = ProtobufMessage()
    message.add(1, initializer.dimensions)
    message.add(2, initializer.dataType)
    message.add(8, initializer.name)
    return message
  }

  private static func externalHeader(
    _ initializer: Initializer, location: String, offset: Int
  ) -> ProtobufMessage {
    var message = description(initializer)
    for (key, value) in [
      ("location", location), ("offset", "\(offset)"), ("length", "\(initializer.byteCount)"),
    ] {
      var entry = ProtobufMessage()
      entry.add(1, key)
      entry.add(2, value)
      message.add(13, entry)
    }
    message.add(14, 1)  // data_location: EXTERNAL
    return message
  }

  private func writeModel(
    to path: String, metadata: [(String, String)], external: (Int) -> ProtobufMessage?
  ) throws(CLIPError) {
    // Everything but the payloads is small and comes first, so that lengths are known.
    var graphStart = ProtobufMessage()
    for node in nodes { graphStart.add(1, node) }
    graphStart.add(2, "cleanclip")
    var graphEnd = ProtobufMessage()
    for input in inputs { graphEnd.add(11, input) }
    for output in outputs { graphEnd.add(12, output) }
    var headers: [[UInt8]] = []
    var graphLength = graphStart.bytes.count + graphEnd.bytes.count
    for (index, initializer) in initializers.enumerated() {
      let header: [UInt8]
      var payload = 0
      if let message = external(index) {
        header = ProtobufMessage.header(5, count: message.bytes.count) + message.bytes
      } else {
        payload = initializer.byteCount
        let description =
          Self.description(initializer).bytes + ProtobufMessage.header(9, count: payload)
        header = ProtobufMessage.header(5, count: description.count + payload) + description
      }
      headers.append(header)
      graphLength += header.count + payload
    }
    var model = ProtobufMessage()
    model.add(1, 8)  // ir_version
    model.add(2, "cleanclip")
    for (key, value) in metadata {
      var entry = ProtobufMessage()
      entry.add(1, key)
      entry.add(2, value)
      model.add(14, entry)
    }
    var opset = ProtobufMessage()
    opset.add(1, "")
    opset.add(2, 17)
    model.add(8, opset)
    try AtomicFile.write(path) { (file) throws(CLIPError) in
      try file.append(model.bytes + ProtobufMessage.header(7, count: graphLength))
      try file.append(graphStart.bytes)
      for (index, initializer) in initializers.enumerated() {
        try file.append(headers[index])
        if external(index) == nil { try initializer.write(to: &file) }
      }
      try file.append(graphEnd.bytes)
    }
  }
}
