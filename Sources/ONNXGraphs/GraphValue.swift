package import CleanCLIPFiles

/// A place where a node reads a value: input number `input` of node number `node`.
package struct InputSite: Hashable, Sendable {
  package let node: Int
  package let input: Int

  package init(node: Int, input: Int) {
    self.node = node
    self.input = input
  }
}

/// A tensor that flows along an edge of the graph: a constant or a computed one, under a layout.
package struct GraphValue: Sendable {
  package enum Origin: Hashable, Sendable {
    /// Index in the reader's constants.
    case constant(Int)
    /// Index in the reader's expressions.
    case expression(Int)
  }

  package var origin: Origin
  package var layout: TensorLayout
  package var type: ElementType
  /// Where a constant was read on its way to here, the first place first.
  package var path: [InputSite] = []

  package var dimensions: [Int] { layout.dimensions }
  package var rank: Int { layout.rank }
  package var count: Int { layout.count }

  package var constant: Int? {
    if case .constant(let index) = origin { index } else { nil }
  }

  package var expression: Int? {
    if case .expression(let index) = origin { index } else { nil }
  }

  /// Whether both are the same numbers in the same arrangement.
  package func isSame(as other: GraphValue) -> Bool {
    origin == other.origin && layout == other.layout
  }

  package func with(_ layout: TensorLayout) -> GraphValue {
    var result = self
    result.layout = layout
    return result
  }
}

/// Numbers that the reader computes with: shapes, masks, scalars.
package struct Numbers: Sendable {
  package enum Values: Sendable {
    case integers([Int])
    case floats([Double])
  }

  package var dimensions: [Int]
  package var values: Values

  package init(_ values: [Int], _ dimensions: [Int]? = nil) {
    self.dimensions = dimensions ?? [values.count]
    self.values = .integers(values)
  }

  package init(_ values: [Double], _ dimensions: [Int]) {
    self.dimensions = dimensions
    self.values = .floats(values)
  }

  package var count: Int {
    switch values {
    case .integers(let values): values.count
    case .floats(let values): values.count
    }
  }

  /// The numbers as integers; fractions are cut, values beyond 64 bits saturate.
  package var integers: [Int] {
    switch values {
    case .integers(let values): values
    case .floats(let values):
      values.map {
        $0.isNaN ? 0 : $0 >= 0x1p63 ? Int.max : $0 <= -0x1p63 ? Int.min : Int($0)
      }
    }
  }

  package var floats: [Double] {
    switch values {
    case .integers(let values): values.map { Double($0) }
    case .floats(let values): values
    }
  }

  package var isInteger: Bool {
    if case .integers = values { true } else { false }
  }
}

/// Where a constant's elements come from.
package struct ConstantSource: Sendable {
  package enum Content: Sendable {
    /// A tensor of the file.
    case tensor(Int)
    /// Numbers that the reader computed, or an assumed graph input.
    case numbers(Numbers)
    /// Constants concatenated along an axis.
    case concatenation([GraphValue], axis: Int)
  }

  /// Ways back from computed numbers to the file.
  package enum Derivation: Sendable {
    /// They are the exponentials of a constant.
    case exponential(of: GraphValue)
    /// They are the float attribute `alpha` of a node.
    case alpha(node: Int)
  }

  package let content: Content
  package let dimensions: [Int]
  /// How the numbers were computed, where that is a way back to the file.
  package var derivation: Derivation?
  /// How deep concatenated constants consist of others.
  package var nesting = 0
}

/// Activations that graphs have as one operator.
package enum GraphActivation: String, Sendable {
  /// x · sigmoid(1.702 x).
  case quickGELU = "quick_gelu"
  /// x · Φ(x).
  case gelu
  /// The tanh approximation of GELU.
  case geluTanh = "gelu_tanh"
}

/// What a computed tensor is: an operation and its operands.
package enum Computation: Sendable {
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
  case layerNorm(GraphValue, weight: GraphValue, bias: GraphValue?, epsilon: Float)
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
  case activation(GraphActivation, GraphValue)
  case attention(AttentionNode)
}

/// A convolution; `residual` and `hasReLU` are ONNX Runtime's fusions.
package struct ConvolutionNode: Sendable {
  package let input: GraphValue
  package let weight: GraphValue
  package let bias: GraphValue?
  package let stride: Int
  package let padding: Int
}

/// A batch normalisation in its inference form.
package struct BatchNormNode: Sendable {
  package let input: GraphValue
  package let weight: GraphValue
  package let bias: GraphValue
  package let mean: GraphValue
  package let variance: GraphValue
  package let epsilon: Float
}

/// Scaled dot-product attention as one operator; operands are [batch, heads, tokens, width].
package struct AttentionNode: Sendable {
  package let query: GraphValue
  package let key: GraphValue
  package let value: GraphValue
  package let mask: GraphValue?
  package let isCausal: Bool
  package let scale: Double
}

/// A computed tensor.
package struct Expression: Sendable {
  package let computation: Computation
  /// The layout in which the operation makes it; values refer to the same indices.
  package let layout: TensorLayout
  /// The node that computes it; `nil` for an input of the graph.
  package let node: Int?
  package let dependsOnImage: Bool
  package let dependsOnText: Bool
}
