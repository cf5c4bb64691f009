internal import CleanCLIPKit

/// Times single operations, forward and backward, at the sizes of ViT-B/32 and RN50, beside what the
/// machine reaches at best.
struct OperationBench {
  let images: Int
  let precision: DType
  let watch: Stopwatch

  struct Row {
    let name: String
    let seconds: Double
    /// Floating-point operations.
    var operations = 0.0
    /// Bytes that must be read and written at least.
    var bytes = 0.0
  }

  private var rows: Int { images * 50 }
  private let width = 768

  func measure() throws(CLIPError) -> [Row] {
    try linear() + attention() + rowwise() + convolutions() + optimizer()
  }

  /// Times an operation and its backward pass.
  private func both(
    _ name: String, input: Shape, operations: Double = 0, bytes: (Double, Double) = (0, 0),
    _ apply: (Tape, Variable) throws(CLIPError) -> Variable
  ) throws(CLIPError) -> [Row] {
    let x = try Tensor.random(input, precision, seed: 5)
    let forward = try watch.median { () throws(CLIPError) in
      _ = try apply(Tape(precision: precision, isTraining: true, isRecording: false), Variable(x))
    }
    let backward = try watch.median(
      preparing: { () throws(CLIPError) -> (Tape, Variable) in
        let tape = Tape(precision: precision, isTraining: true)
        return (tape, try apply(tape, Variable(x, requiresGradient: true)))
      },
      { (run: (Tape, Variable)) throws(CLIPError) in
        try run.0.backward(run.1, gradient: run.1.value)
      })
    return [
      Row(name: name, seconds: forward, operations: operations, bytes: bytes.0),
      Row(
        name: name + ", backward", seconds: backward, operations: 2 * operations, bytes: bytes.1),
    ]
  }

  private func linear() throws(CLIPError) -> [Row] {
    var list: [Row] = []
    for (inputs, outputs) in [(width, 3 * width), (width, width), (width, 4 * width)] {
      let weight = Parameter("weight", try .random([outputs, inputs], seed: 6))
      let bias = Parameter("bias", try .random([outputs], seed: 7))
      list += try both(
        "linear \(inputs) to \(outputs), \(rows) rows", input: [rows, inputs],
        operations: 2 * Double(rows * inputs * outputs)
      ) { (tape, x) throws(CLIPError) in
        weight.gradient = nil
        bias.gradient = nil
        return try tape.linear(x, weight: weight, bias: bias)
      }
    }
    return list
  }

  private func attention() throws(CLIPError) -> [Row] {
    let sequences = Sequences(count: images, length: 50)
    return try both(
      "attention of 50 tokens, 12 heads", input: [rows, 3 * width],
      operations: 4 * Double(images * 50 * 50 * width)
    ) { (tape, qkv) throws(CLIPError) in
      try tape.attention(qkv: qkv, sequences: sequences, heads: 12, isCausal: false)
    }
  }

  private func rowwise() throws(CLIPError) -> [Row] {
    let weight = Parameter("weight", try .random([width], seed: 8))
    let bias = Parameter("bias", try .random([width], seed: 9))
    let size = Double(rows * width * precision.byteSize)
    return try both(
      "layer norm of \(width)", input: [rows, width], bytes: (2 * size, 3 * size)
    ) { (tape, x) throws(CLIPError) in
      weight.gradient = nil
      bias.gradient = nil
      return try tape.layerNorm(x, weight: weight, bias: bias, epsilon: 1e-5)
    }
      + both(
        "GELU of \(4 * width)", input: [rows, 4 * width], bytes: (8 * size, 12 * size)
      ) { (tape, x) throws(CLIPError) in try tape.activate(x, .gelu) }
      + both(
        "QuickGELU of \(4 * width)", input: [rows, 4 * width], bytes: (8 * size, 12 * size)
      ) { (tape, x) throws(CLIPError) in try tape.activate(x, .quickGELU) }
  }

  private func convolutions() throws(CLIPError) -> [Row] {
    var list: [Row] = []
    for (side, channels, kernel) in [(56, 64, 3), (28, 128, 3), (14, 256, 3), (14, 1024, 1)] {
      let outputs = kernel == 1 ? channels / 4 : channels
      let weight = Parameter(
        "weight", try .random([outputs, channels, kernel, kernel], seed: 10))
      let cells = images * side * side
      list += try both(
        "convolution \(kernel)x\(kernel), \(channels) to \(outputs), \(side)x\(side)",
        input: [images, side, side, channels],
        operations: 2 * Double(cells * channels * outputs * kernel * kernel)
      ) { (tape, x) throws(CLIPError) in
        weight.gradient = nil
        return try tape.convolution(
          x, weight: weight, bias: nil, stride: 1, padding: kernel / 2)
      }
    }
    let norm = BatchNorm(
      weight: Parameter("weight", try .random([256], seed: 11)),
      bias: Parameter("bias", try .random([256], seed: 12)),
      runningMean: try .zeros([256]), runningVariance: try .zeros([256]), epsilon: 1e-5)
    let size = Double(images * 56 * 56 * 256 * precision.byteSize)
    return try list
      + both(
        "batch norm and ReLU, 256, 56x56", input: [images, 56, 56, 256],
        bytes: (3 * size, 5 * size)
      ) { (tape, x) throws(CLIPError) in
        norm.weight.gradient = nil
        norm.bias.gradient = nil
        return try tape.batchNorm(x, norm, followedByReLU: true)
      }
  }

  private func optimizer() throws(CLIPError) -> [Row] {
    let weight = Parameter("weight", try .random([4096, 4096], seed: 13))
    let optimizer = try AdamW([weight], options: AdamW.Options())
    let gradient = try Tensor.random([4096, 4096], seed: 14)
    let seconds = try watch.median(
      preparing: { () throws(CLIPError) in weight.gradient = gradient },
      { (_: Void) throws(CLIPError) in optimizer.update(learningRate: 1e-5) })
    return [Row(name: "AdamW", seconds: seconds, bytes: 28 * Double(gradient.count))]
  }
}
