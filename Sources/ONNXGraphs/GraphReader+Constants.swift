package import CleanCLIPFiles

extension GraphReader {
  /// The most elements that the reader computes with; weights are never computed with.
  static let maximumEvaluatedCount = 1 << 24
  /// The most elements that it computes with altogether, so that no file keeps it busy for long or
  /// fills the memory: shapes and masks of any model, and what a file holds a few times over.
  static func maximumEvaluatedTotal(_ model: ONNXModel) -> Int {
    min(1 << 29, 1 << 25 + 8 * model.storedCount)
  }
  /// The most axes of a tensor.
  static let maximumRank = 32

  /// Reads the numbers of a constant under its layout.
  ///
  /// - Parameter node: which computes with them, for messages; `nil` for the graph as a whole.
  /// - Throws: `unsupported` when there are too many or their type has no numbers.
  package func numbers(_ value: GraphValue, _ node: ONNXNode?) throws(CLIPError) -> Numbers {
    guard let index = value.constant else {
      throw refusal(
        node, "computes something that the library must know beforehand",
        expected: "a constant operand", got: "one that depends on an input",
        remedy: "export the model with constant folding, or run onnxsim on it")
    }
    guard value.count <= Self.maximumEvaluatedCount else {
      throw refusal(
        node, "computes with a large constant",
        expected: "at most \(Self.maximumEvaluatedCount) elements", got: "\(value.count)",
        remedy: "export the model with constant folding")
    }
    evaluatedTotal += value.count
    guard evaluatedTotal <= maximumEvaluatedTotal else {
      throw refusal(
        node, "is one computation with constants too many",
        expected: "at most \(maximumEvaluatedTotal) elements altogether", got: "more",
        remedy: "export the model with constant folding")
    }
    let dimensions = value.dimensions
    switch constants[index].content {
    case .numbers(let numbers):
      let offsets = value.layout.elementOffsets()
      switch numbers.values {
      case .integers(let values): return Numbers(offsets.map { values[$0] }, dimensions)
      case .floats(let values): return Numbers(offsets.map { values[$0] }, dimensions)
      }
    case .tensor(let tensor):
      return try read(model.tensors[tensor], value.layout, node)
    case .concatenation(let parts, let axis):
      let whole = try concatenated(parts, axis: axis, node)
      let offsets = value.layout.elementOffsets()
      switch whole.values {
      case .integers(let values): return Numbers(offsets.map { values[$0] }, dimensions)
      case .floats(let values): return Numbers(offsets.map { values[$0] }, dimensions)
      }
    }
  }

  private func read(
    _ tensor: ONNXTensor, _ layout: TensorLayout, _ node: ONNXNode?
  ) throws(CLIPError) -> Numbers {
    let dimensions = layout.dimensions
    guard let type = tensor.type else {
      throw refusal(
        node, "reads tensor '\(tensor.name)' of an element type without numbers",
        expected: "f32, f16, bf16, f64 or integers", got: "data type \(tensor.dataType)")
    }
    let offsets = layout.elementOffsets()
    if !type.isFloat {
      if case .numbers(let numbers, _) = tensor.payload {
        return Numbers(offsets.map { numbers[$0] }, dimensions)
      }
      guard let bytes = try model.bytes(of: tensor) else { throw unreadable(tensor, node) }
      return Numbers(
        bytes.withUnsafeBytes { bytes in offsets.map { type.integer(at: $0, in: bytes) ?? 0 } },
        dimensions)
    }
    switch tensor.payload {
    case .doubles(let numbers): return Numbers(offsets.map { numbers[$0] }, dimensions)
    case .numbers(let patterns, _):
      let values = offsets.map { offset -> Double in
        let bits = UInt16(truncatingIfNeeded: patterns[offset])
        return Double(
          type == .f16 ? ElementType.single(half: bits) : Float(bitPattern: UInt32(bits) << 16))
      }
      return Numbers(values, dimensions)
    default:
      guard let bytes = try model.bytes(of: tensor) else { throw unreadable(tensor, node) }
      return Numbers(
        bytes.withUnsafeBytes { bytes in offsets.map { type.double(at: $0, in: bytes) } },
        dimensions)
    }
  }

  func unreadable(_ tensor: ONNXTensor, _ node: ONNXNode?) -> CLIPError {
    refusal(
      node, "reads tensor '\(tensor.name)'",
      expected: "elements in one of raw_data, float_data, int32_data, int64_data or a file",
      got: "none or several of them", code: .format)
  }

  /// The elements of constants concatenated along an axis.
  private func concatenated(
    _ parts: [GraphValue], axis: Int, _ node: ONNXNode?
  ) throws(CLIPError) -> Numbers {
    var pieces: [Numbers] = []
    for part in parts { pieces.append(try numbers(part, node)) }
    return Self.concatenate(pieces, axis: axis)
  }

  static func concatenate(_ pieces: [Numbers], axis: Int) -> Numbers {
    var dimensions = pieces.first?.dimensions ?? [0]
    dimensions[axis] = pieces.reduce(0) { $0 + $1.dimensions[axis] }
    let outer = dimensions[..<axis].reduce(1, *)
    let areIntegers = pieces.allSatisfy(\.isInteger)
    var integers: [Int] = []
    var floats: [Double] = []
    for row in 0..<outer {
      for piece in pieces {
        let length = piece.count / outer
        let range = row * length..<(row + 1) * length
        if areIntegers {
          integers += piece.integers[range]
        } else {
          floats += piece.floats[range]
        }
      }
    }
    return areIntegers ? Numbers(integers, dimensions) : Numbers(floats, dimensions)
  }

  /// Whether a bias is left out or zero.
  package func isZero(_ bias: GraphValue?) -> Bool { bias.map { uniform($0) == 0 } ?? true }

  /// The index of the file's tensor that a value is a part of; `nil` for computed ones.
  package func fileTensor(_ value: GraphValue) -> Int? {
    guard let index = value.constant, case .tensor(let tensor) = constants[index].content else {
      return nil
    }
    return tensor
  }

  /// The only number of a constant; `nil` for everything else.
  package func scalar(_ value: GraphValue) -> Double? {
    guard value.constant != nil, value.count == 1 else { return nil }
    // A constant that cannot be read is no scalar: whoever needs one refuses it by name.
    guard let numbers = try? numbers(value, nil) else { return nil }
    return numbers.floats.first
  }

  /// The one number that all elements of a constant have; `nil` for everything else.
  package func uniform(_ value: GraphValue) -> Double? {
    guard value.constant != nil,
      let numbers = try? numbers(value, nil).floats, let first = numbers.first,
      numbers.allSatisfy({ $0 == first })
    else { return nil }
    return first
  }
}

extension ElementType {
  /// A floating-point element.
  func double(at index: Int, in bytes: UnsafeRawBufferPointer) -> Double {
    let offset = index * byteSize
    switch self {
    case .f64: return bytes.loadUnaligned(fromByteOffset: offset, as: Double.self)
    case .f32: return Double(bytes.loadUnaligned(fromByteOffset: offset, as: Float.self))
    case .f16:
      return Double(
        Self.single(half: bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self)))
    case .bf16:
      let bits = bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self)
      return Double(Float(bitPattern: UInt32(bits) << 16))
    default: return Double(integer(at: index, in: bytes) ?? 0)
    }
  }
}
