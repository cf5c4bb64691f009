/// Arrays in NumPy's `.npy` format, version 1.0 to 3.0.
package enum NumPyFile {
  /// Writes a single-precision or integer tensor, C order, little endian.
  ///
  /// - Throws: `io`; `unsupported` for bfloat16, which NumPy does not know.
  package static func write(_ tensor: Tensor, to path: String) throws(CLIPError) {
    let descriptor: String
    switch tensor.dtype {
    case .f32: descriptor = "<f4"
    case .i32: descriptor = "<i4"
    case .bf16:
      throw CLIPError(
        .unsupported, "'\(path)': NumPy has no bfloat16; expected f32 or i32, got bf16")
    }
    let dimensions = tensor.shape.dimensions.map { "\($0)," }.joined(separator: " ")
    var header =
      "{'descr': '\(descriptor)', 'fortran_order': False, 'shape': (\(dimensions)), }"
    // Magic, version and length take 10 bytes; data starts at a multiple of 64.
    let padding = 63 - (10 + header.utf8.count) % 64
    header += String(repeating: " ", count: padding) + "\n"
    let length = header.utf8.count
    try AtomicFile.write(path) { (file) throws(CLIPError) in
      try file.append([0x93] + Array("NUMPY".utf8) + [1, 0])
      try file.append([UInt8(length & 0xFF), UInt8(length >> 8 & 0xFF)] + Array(header.utf8))
      try file.append(UnsafeRawBufferPointer(start: tensor.bytes, count: tensor.byteCount))
    }
  }

  /// Reads an array as a tensor: floating-point types as f32, integers as i32.
  ///
  /// - Throws: as `open`; `format` for integers beyond 32 bits.
  package static func read(_ path: String) throws(CLIPError) -> Tensor {
    try open(path).tensor()
  }

  /// Opens an array, which is read where it is.
  ///
  /// - Throws: `format` for another file or a length that does not fit; `unsupported` for other element
  ///   types and Fortran order; `notFound`, `io`.
  package static func open(_ path: String) throws(CLIPError) -> StoredArray {
    let file = try InputFile(path)
    let head = try file.head(12)
    guard head.count >= 10, head.starts(with: [0x93] + Array("NUMPY".utf8)) else {
      throw CLIPError(.format, "'\(path)': is not a NumPy file; expected '\\x93NUMPY' at its start")
    }
    guard (1...3).contains(head[6]), head.count >= 12 else {
      throw CLIPError(
        .unsupported, "'\(path)': unknown NumPy version; expected 1 to 3, got \(head[6])")
    }
    let start = head[6] == 1 ? 10 : 12
    let length =
      Int(head[8]) | Int(head[9]) << 8
      | (head[6] == 1 ? 0 : Int(head[10]) << 16 | Int(head[11]) << 24)
    guard length <= file.count - start else {
      throw CLIPError(
        .format,
        "'\(path)': header is cut; expected \(length) bytes, got \(file.count - start)")
    }
    let header = String(decoding: try file.read(start..<start + length), as: UTF8.self)
    let (type, dimensions) = try parse(header, path: path)
    let dataCount = file.count - start - length
    guard let count = ElementType.elementCount(dimensions),
      let expected = type.byteCount(of: count), expected == dataCount
    else {
      throw CLIPError(
        .format,
        "'\(path)': array has the wrong length; expected shape \(dimensions) of "
          + "\(type.byteSize)-byte elements, got \(dataCount) bytes")
    }
    return StoredArray(
      name: path, file: file, offset: start + length, type: type, shape: Shape(dimensions))
  }

  private static func parse(
    _ header: String, path: String
  ) throws(CLIPError) -> (ElementType, [Int]) {
    let refusal = CLIPError(
      .format, "'\(path)': header cannot be read; expected descr, fortran_order and shape")
    guard let descriptor = value(of: "descr", in: header), descriptor.first == "'",
      let order = value(of: "fortran_order", in: header),
      let shape = value(of: "shape", in: header), shape.first == "("
    else { throw refusal }
    let name = descriptor.dropFirst().prefix { $0 != "'" }
    let types: [Substring: ElementType] = [
      "<f4": .f32, "<f2": .f16, "<f8": .f64, "<i4": .i32, "<i8": .i64, "|u1": .u8, "|i1": .i8,
      "<i2": .i16, "|b1": .bool,
    ]
    guard let type = types[name] else {
      throw CLIPError(
        .unsupported,
        "'\(path)': element type is not supported; expected little-endian numbers, got '\(name)'")
    }
    var dimensions: [Int] = []
    for part in shape.dropFirst().prefix(while: { $0 != ")" }).split(separator: ",") {
      let digits = part.filter { $0 != " " }
      guard let dimension = Int(digits), dimension >= 0 else { throw refusal }
      dimensions.append(dimension)
    }
    guard order.hasPrefix("False") || dimensions.filter({ $0 > 1 }).count <= 1 else {
      throw CLIPError(
        .unsupported,
        "'\(path)': array is in Fortran order; expected C order; save numpy.ascontiguousarray(x)")
    }
    return (type, dimensions)
  }

  /// The text behind `'key':` of a Python dictionary literal.
  private static func value(of key: String, in header: String) -> Substring? {
    let pattern = Array("'\(key)':".utf8)
    let text = Array(header.utf8)
    guard text.count >= pattern.count else { return nil }
    for start in 0...(text.count - pattern.count)
    where text[start..<start + pattern.count].elementsEqual(pattern) {
      let rest = text[(start + pattern.count)...].drop { $0 == 0x20 }
      return Substring(String(decoding: rest, as: UTF8.self))
    }
    return nil
  }
}
