/// An attribute of a node to be written.
enum NodeAttribute {
  case integer(Int)
  case integers([Int])
  case float(Float)
}

/// Elements of an initializer to be written.
enum InitializerData {
  case tensor(Tensor)
  /// The matrix transposed: [in, out] from PyTorch's [out, in].
  case transposed(Tensor)
  case integers([Int])
}

/// An initializer to be written.
struct Initializer {
  let name: String
  let dimensions: [Int]
  let data: InitializerData

  /// TensorProto.DataType.
  var dataType: Int {
    if case .integers = data { ElementType.i64.onnxNumber } else { ElementType.f32.onnxNumber }
  }

  var byteCount: Int {
    switch data {
    case .tensor(let tensor), .transposed(let tensor): tensor.count * 4
    case .integers(let values): values.count * 8
    }
  }

  /// Appends the elements to a file.
  func write(to file: inout AtomicFile) throws(CLIPError) {
    switch data {
    case .tensor(let tensor):
      try file.append(UnsafeRawBufferPointer(start: tensor.bytes, count: tensor.byteCount))
    case .transposed(let tensor):
      let copy = try Self.transposed(tensor)
      try file.append(UnsafeRawBufferPointer(start: copy.bytes, count: copy.byteCount))
    case .integers(let values):
      var bytes: [UInt8] = []
      for value in values {
        withUnsafeBytes(of: Int64(value).littleEndian) { bytes += $0 }
      }
      try file.append(bytes)
    }
  }

  static func transposed(_ tensor: Tensor) throws(CLIPError) -> Tensor {
    let (rows, columns) = (tensor.shape[0], tensor.shape[1])
    let result = try Tensor(Shape([columns, rows]))
    let (source, target) = (tensor.f32, result.f32)
    for row in 0..<rows {
      for column in 0..<columns { target[column * rows + row] = source[row * columns + column] }
    }
    return result
  }
}

/// Collects nodes and initializers of a graph to be written.
struct ONNXGraphBuilder {
  private(set) var nodes: [ProtobufMessage] = []
  private(set) var initializers: [Initializer] = []
  private(set) var inputs: [ProtobufMessage] = []
  private(set) var outputs: [ProtobufMessage] = []
  private var constants: [[Int]: String] = [:]
  private var scalars: [Float: String] = [:]
  private let tensors: [String: Tensor]
  private var usedNames: Set<String> = []

  init(_ tensors: [String: Tensor]) { self.tensors = tensors }

  /// A weight under its OpenCLIP name.
  mutating func weight(_ name: String) throws(CLIPError) -> String {
    let tensor = try tensor(name)
    return add(name, tensor.shape.dimensions, .tensor(tensor))
  }

  /// A weight [out, in] as the right operand of a product, [in, out].
  mutating func transposedWeight(_ name: String) throws(CLIPError) -> String {
    let tensor = try tensor(name)
    return add(name + ".transposed", tensor.shape.dimensions.reversed(), .transposed(tensor))
  }

  func tensor(_ name: String) throws(CLIPError) -> Tensor {
    guard let tensor = tensors[name], tensor.dtype == .f32 else {
      throw CLIPError(
        .internal, "export: weight '\(name)' is missing; expected it in single precision, got none")
    }
    return tensor
  }

  mutating func add(_ name: String, _ dimensions: [Int], _ data: InitializerData) -> String {
    if usedNames.insert(name).inserted {
      initializers.append(Initializer(name: name, dimensions: dimensions, data: data))
    }
    return name
  }

  /// A list of integers, such as a shape.
  mutating func integers(_ values: [Int]) -> String {
    if let known = constants[values] { return known }
    let name = add("shape_\(constants.count)", [values.count], .integers(values))
    constants[values] = name
    return name
  }

  /// One number without axes.
  mutating func scalar(_ value: Float) throws(CLIPError) -> String {
    if let known = scalars[value] { return known }
    let name = add("scalar_\(scalars.count)", [], .tensor(try Tensor([value], [])))
    scalars[value] = name
    return name
  }

  /// Adds a node with one output and returns the output's name.
  mutating func node(
    _ operation: String, _ inputs: [String], _ name: String,
    _ attributes: [(String, NodeAttribute)] = [], output: String? = nil
  ) -> String {
    let output = output ?? name + "_output"
    node(operation, inputs, name, attributes, outputs: [output])
    return output
  }

  mutating func node(
    _ operation: String, _ inputs: [String], _ name: String,
    _ attributes: [(String, NodeAttribute)], outputs: [String]
  ) {
    var node = ProtobufMessage()
    for input in inputs { node.add(1, input) }
    for output in outputs { node.add(2, output) }
    node.add(3, name)
    node.add(4, operation)
    for (name, value) in attributes {
      var attribute = ProtobufMessage()
      attribute.add(1, name)
      // Value and AttributeProto.AttributeType.
      switch value {
      case .integer(let value):
        attribute.add(3, value)
        attribute.add(20, 2)
      case .integers(let values):
        attribute.add(8, values)
        attribute.add(20, 7)
      case .float(let value):
        attribute.add(2, value)
        attribute.add(20, 1)
      }
      node.add(5, attribute)
    }
    nodes.append(node)
  }

  /// One dimension of an input or output.
  enum Dimension {
    case fixed(Int)
    case named(String)
  }

  mutating func input(_ name: String, _ type: ElementType, _ dimensions: [Dimension]) {
    inputs.append(Self.value(name, type, dimensions))
  }

  mutating func output(_ name: String, _ type: ElementType, _ dimensions: [Dimension]) {
    outputs.append(Self.value(name, type, dimensions))
  }

  private static func value(
    _ name: String, _ type: ElementType, _ dimensions: [Dimension]
  ) -> ProtobufMessage {
    var shape = ProtobufMessage()
    for dimension in dimensions {
      var message = ProtobufMessage()
      switch dimension {
      case .fixed(let size): message.add(1, size)
      case .named(let name): message.add(2, name)
      }
      shape.add(1, message)
    }
    var tensor = ProtobufMessage()
    tensor.add(1, type.onnxNumber)
    tensor.add(2, shape)
    var kind = ProtobufMessage()
    kind.add(1, tensor)
    var value = ProtobufMessage()
    value.add(1, name)
    value.add(2, kind)
    return value
  }
}
