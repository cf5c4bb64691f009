internal import ONNXGraphs

/// A protobuf message under construction (protobuf.dev/programming-guides/encoding).
struct ProtobufMessage {
  private(set) var bytes: [UInt8] = []

  static func varint(_ value: UInt64) -> [UInt8] {
    var bytes: [UInt8] = []
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
    return bytes
  }

  /// The tag and length in front of `count` bytes of a length-delimited field.
  static func header(_ field: Int, count: Int) -> [UInt8] {
    varint(UInt64(field << 3 | 2)) + varint(UInt64(count))
  }

  mutating func add(_ field: Int, _ value: Int) {
    bytes += Self.varint(UInt64(field << 3)) + Self.varint(UInt64(bitPattern: Int64(value)))
  }

  mutating func add(_ field: Int, _ value: Float) {
    bytes += Self.varint(UInt64(field << 3 | 5))
    withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes += $0 }
  }

  mutating func add(_ field: Int, _ content: [UInt8]) {
    bytes += Self.header(field, count: content.count) + content
  }

  mutating func add(_ field: Int, _ text: String) { add(field, Array(text.utf8)) }

  mutating func add(_ field: Int, _ message: ProtobufMessage) { add(field, message.bytes) }

  /// Repeated integers, each with its tag as proto2 writes them.
  mutating func add(_ field: Int, _ values: [Int]) {
    for value in values { add(field, value) }
  }
}
