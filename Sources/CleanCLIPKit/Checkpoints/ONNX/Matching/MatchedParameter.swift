internal import ONNXGraphs

/// How an element of a parameter is kept in the graph.
enum ParameterTransform: Sendable {
  case none
  /// The graph holds exp(parameter).
  case exponential
}

/// A part of a parameter and the constant of the graph that holds it.
struct ParameterPiece: Sendable {
  /// Rows of the parameter's first axis; everything for a parameter without axes.
  let rows: Range<Int>
  /// Under the parameter's own axes.
  let value: GraphValue
  let transform: ParameterTransform
}

/// A parameter under its OpenCLIP name, and every place of the graph that holds it.
struct MatchedParameter: Sendable {
  let name: String
  let shape: [Int]
  /// What the parameter is read from; together they cover all rows.
  let pieces: [ParameterPiece]
  /// Further places with the same values, which must follow when it is written.
  var copies: [ParameterPiece] = []

  /// A parameter that is one constant.
  init(_ name: String, _ value: GraphValue, shape: [Int]? = nil) {
    self.name = name
    self.shape = shape ?? value.dimensions
    pieces = [
      ParameterPiece(rows: 0..<(self.shape.first ?? 1), value: value, transform: .none)
    ]
  }

  init(
    _ name: String, shape: [Int], pieces: [ParameterPiece], copies: [ParameterPiece] = []
  ) {
    self.name = name
    self.shape = shape
    self.pieces = pieces
    self.copies = copies
  }

  /// A parameter made of constants one below the other.
  init(_ name: String, stacking parts: [GraphValue]) {
    var pieces: [ParameterPiece] = []
    var row = 0
    for part in parts {
      let count = part.dimensions.first ?? 1
      pieces.append(ParameterPiece(rows: row..<row + count, value: part, transform: .none))
      row += count
    }
    self.init(
      name, shape: [row] + (parts.first?.dimensions.dropFirst() ?? []), pieces: pieces)
  }
}

/// What was recognised of one tower.
struct TowerMatch {
  var parameters: [MatchedParameter] = []
  var embedDim = 0

  mutating func add(_ name: String, _ value: GraphValue) {
    parameters.append(MatchedParameter(name, value))
  }

  /// A linear layer under PyTorch's layout [out, in].
  mutating func add(_ name: String, _ linear: LinearMatch, at matcher: GraphMatcher)
    throws(CLIPError)
  {
    add(name + ".weight", linear.transposedWeight)
    add(name + ".bias", matcher.bias(of: linear))
  }

  mutating func add(_ name: String, _ norm: NormMatch) {
    add(name + ".weight", norm.weight)
    add(name + ".bias", norm.bias)
  }

  /// The blocks of a transformer under `prefix`.
  mutating func add(
    _ blocks: [BlockMatch], prefix: String, at matcher: GraphMatcher
  ) throws(CLIPError) {
    for (index, block) in blocks.enumerated() {
      let name = "\(prefix)transformer.resblocks.\(index)."
      add(name + "ln_1", block.ln1)
      let parts = [block.attention.query, block.attention.key, block.attention.value]
      parameters.append(
        MatchedParameter(name + "attn.in_proj_weight", stacking: parts.map(\.transposedWeight)))
      parameters.append(
        MatchedParameter(
          name + "attn.in_proj_bias", stacking: parts.map { matcher.bias(of: $0) }))
      try add(name + "attn.out_proj", block.output, at: matcher)
      add(name + "ln_2", block.ln2)
      try add(name + "mlp.c_fc", block.fc, at: matcher)
      try add(name + "mlp.c_proj", block.projection, at: matcher)
    }
  }
}

extension LinearMatch {
  /// [out, in].
  var transposedWeight: GraphValue { weight.with(weight.layout.transposed([1, 0])) }
}
