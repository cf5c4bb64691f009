/// A place where a node reads a value: input number `input` of node number `node`.
struct InputSite: Hashable, Sendable {
  let node: Int
  let input: Int
}

/// A tensor that flows along an edge of the graph: a constant or a computed one, under a layout.
struct GraphValue: Sendable {
  enum Origin: Hashable, Sendable {
    /// Index in the reader's constants.
    case constant(Int)
    /// Index in the reader's expressions.
    case expression(Int)
  }

  var origin: Origin
  var layout: TensorLayout
  var type: ElementType
  /// Where a constant was read on its way to here, the first place first.
  var path: [InputSite] = []

  var dimensions: [Int] { layout.dimensions }
  var rank: Int { layout.rank }
  var count: Int { layout.count }

  var constant: Int? {
    if case .constant(let index) = origin { index } else { nil }
  }

  var expression: Int? {
    if case .expression(let index) = origin { index } else { nil }
  }

  /// Whether both are the same numbers in the same arrangement.
  func isSame(as other: GraphValue) -> Bool { origin == other.origin && layout == other.layout }

  func with(_ layout: TensorLayout) -> GraphValue {
    var result = self
    result.layout = layout
    return result
  }
}

/// Numbers that the reader computes with: shapes, masks, scalars.
struct Numbers: Sendable {
  enum Values: Sendable {
    case integers([Int])
    case floats([Double])
  }

  var dimensions: [Int]
  var values: Values

  init(_ values: [Int], _ dimensions: [Int]? = nil) {
    self.dimensions = dimensions ?? [values.count]
    self.values = .integers(values)
  }

  init(_ values: [Double], _ dimensions: [Int]) {
    self.dimensions = dimensions
    self.values = .floats(values)
  }

  var count: Int {
    switch values {
    case .integers(let values): values.count
    case .floats(let values): values.count
    }
  }

  /// The numbers as integers; fractions are cut, values beyond 64 bits saturate.
  var integers: [Int] {
    switch values {
    case .integers(let values): values
    case .floats(let values):
      values.map {
        $0.isNaN ? 0 : $0 >= 0x1p63 ? Int.max : $0 <= -0x1p63 ? Int.min : Int($0)
      }
    }
  }

  var floats: [Double] {
    switch values {
    case .integers(let values): values.map { Double($0) }
    case .floats(let values): values
    }
  }

  var isInteger: Bool {
    if case .integers = values { true } else { false }
  }
}

/// Where a constant's elements come from.
struct ConstantSource: Sendable {
  enum Content: Sendable {
    /// A tensor of the file.
    case tensor(Int)
    /// Numbers that the reader computed, or an assumed graph input.
    case numbers(Numbers)
    /// Constants behind each other along an axis.
    case concatenation([GraphValue], axis: Int)
  }

  let content: Content
  let dimensions: [Int]
  /// The operator and operands that computed the numbers, where they are worth knowing.
  var derivation: (operation: String, operands: [GraphValue])?
  /// How deep constants behind each other consist of others.
  var nesting = 0
}

/// Elementwise functions of two tensors.
enum BinaryOperation: String, Sendable {
  case add = "Add"
  case subtract = "Sub"
  case multiply = "Mul"
  case divide = "Div"
  case power = "Pow"
  case equal = "Equal"
  case maximum = "Max"
  case minimum = "Min"
}

/// Elementwise functions of one tensor.
enum UnaryOperation: String, Sendable {
  case sqrt = "Sqrt"
  case exp = "Exp"
  case log = "Log"
  case erf = "Erf"
  case sigmoid = "Sigmoid"
  case tanh = "Tanh"
  case relu = "Relu"
  case reciprocal = "Reciprocal"
  case negate = "Neg"
  case abs = "Abs"
  case isNaN = "IsNaN"
  case not = "Not"
}

/// Functions that combine the elements of axes.
enum Reduction: String, Sendable {
  case mean = "ReduceMean"
  case sum = "ReduceSum"
  case euclideanNorm = "ReduceL2"
  case squareSum = "ReduceSumSquare"
}

/// What a computed tensor is: an operation and its operands.
enum Computation: Sendable {
  case image
  case tokens
  case convolution(ConvolutionNode)
  /// Contracts the last axis with the first of a constant [in, out].
  case linear(GraphValue, weight: GraphValue)
  case product(GraphValue, GraphValue)
  case binary(BinaryOperation, GraphValue, GraphValue)
  case unary(UnaryOperation, GraphValue)
  case reduction(Reduction, GraphValue, axes: [Int])
  case softmax(GraphValue)
  case layerNorm(GraphValue, gain: GraphValue, bias: GraphValue?, epsilon: Float)
  case batchNorm(BatchNormNode)
  case averagePool(GraphValue, kernel: Int)
  case embedding(GraphValue, table: GraphValue)
  /// Picks places of an axis by computed indices.
  case gather(GraphValue, indices: GraphValue, axis: Int)
  /// Picks places of the first axes by rows of computed indices.
  case gatherND(GraphValue, indices: GraphValue)
  case argMax(GraphValue)
  case concatenation([GraphValue], axis: Int)
  case clip(GraphValue, low: Double, high: Double)
  case activation(Activation, GraphValue)
  case attention(AttentionNode)
}

/// A convolution; `residual` and `hasReLU` are ONNX Runtime's fusions.
struct ConvolutionNode: Sendable {
  let input: GraphValue
  let weight: GraphValue
  let bias: GraphValue?
  let stride: Int
  let padding: Int
}

/// A batch normalisation in its inference form.
struct BatchNormNode: Sendable {
  let input: GraphValue
  let gain: GraphValue
  let bias: GraphValue
  let mean: GraphValue
  let variance: GraphValue
  let epsilon: Float
}

/// Scaled dot-product attention as one operator; operands are [batch, heads, tokens, width].
struct AttentionNode: Sendable {
  let query: GraphValue
  let key: GraphValue
  let value: GraphValue
  let mask: GraphValue?
  let isCausal: Bool
  let scale: Double
}

/// A computed tensor.
struct Expression: Sendable {
  let computation: Computation
  /// The layout in which the operation makes it; values refer to the same indices.
  let layout: TensorLayout
  let node: Int
  let dependsOnImage: Bool
  let dependsOnText: Bool
}
