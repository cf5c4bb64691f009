/// How a linear probe is trained; the defaults are those of CleanCLIP's published code.
package struct LinearProbeOptions: Equatable, Sendable {
  package var epochs = 10
  package var batchSize = 80
  package var learningRate: Float = 0.005
  package var weightDecay: Float = 0.01
  package var seed: UInt64 = 0

  package init() {}
}

/// A linear classifier on frozen features: what the image tower knows of classes without the text
/// tower.
///
/// Cross-entropy of `features · Wᵀ + b`, AdamW, cosine schedule without warm-up.
package struct LinearProbe {
  /// `[classes, E]`.
  private let weight: Parameter
  /// `[classes]`.
  private let bias: Parameter

  /// Trains the classifier.
  ///
  /// - Parameters:
  ///   - features: `[n, E]` raw image features.
  ///   - labels: n class indices.
  /// - Throws: `invalidArgument` for numbers out of range or a label that is no class; `shape` when
  ///   features and labels do not agree; `state` when the loss is not a number.
  package init(
    features: Tensor, labels: [Int32], classes: Int,
    options: LinearProbeOptions = LinearProbeOptions()
  ) throws(CLIPError) {
    try Self.check(features, labels)
    guard (2...1_048_576).contains(classes), (1...100_000).contains(options.epochs),
      options.batchSize >= 1, !labels.isEmpty
    else {
      throw CLIPError(
        .invalidArgument,
        "linear probe: nothing to train; expected 2 classes, 1 epoch, 1 picture a batch and 1 "
          + "picture or more, got \(classes), \(options.epochs), \(options.batchSize) and "
          + "\(labels.count)")
    }
    let width = features.shape.columns
    let table = try ParameterTable(
      [
        TensorSpecification("head.weight", [classes, width], .layer(inputs: width)),
        TensorSpecification("head.bias", [classes], .layer(inputs: width)),
      ], seed: options.seed)
    weight = table.parameter("head.weight")
    bias = table.parameter("head.bias")
    var constants = AdamW.Options()
    constants.weightDecay = options.weightDecay
    let optimizer = try AdamW(table.parameters, options: constants)
    let batch = min(options.batchSize, labels.count)
    let steps = options.epochs * (labels.count / batch)
    let schedule = LearningRateSchedule(base: options.learningRate, warmup: 0, total: steps)
    for epoch in 0..<options.epochs {
      var random = RandomNumbers(seed: options.seed, Self.stream, UInt64(epoch))
      let order = random.permutation(labels.count)
      for start in stride(from: 0, through: labels.count - batch, by: batch) {
        let rows = Array(order[start..<start + batch])
        let tape = Tape(precision: .f32, isTraining: true)
        let picked = try Self.rows(rows, of: features)
        let logits = try tape.linear(Variable(picked), weight: weight, bias: bias)
        let result = try CrossEntropy.evaluate(
          logits: logits.value, labels: rows.map { labels[$0] })
        guard result.loss.isFinite else {
          throw CLIPError(
            .state, "linear probe: loss is not a number; expected finite features, got "
              + "\(result.loss) in epoch \(epoch + 1)")
        }
        try tape.backward(logits, gradient: result.gradient)
        optimizer.update(learningRate: schedule.rate(at: optimizer.steps))
      }
    }
  }

  private static let stream: UInt64 = 0x7072_6f62

  /// Counts how often the class is among the first k.
  ///
  /// - Throws: `shape` when features and labels do not agree; `invalidArgument` for a label that is
  ///   no class.
  package func accuracy(
    features: Tensor, labels: [Int32]
  ) throws(CLIPError) -> [EvaluationResult.Place] {
    try Self.check(features, labels)
    let classes = bias.shape[0]
    var counts = TopCounts(classes: classes)
    let tape = Tape(precision: .f32, isTraining: false, isRecording: false)
    let logits = try tape.linear(Variable(features), weight: weight, bias: bias).value
    for (index, label) in labels.enumerated() {
      guard (0..<classes).contains(Int(label)) else {
        throw CLIPError(
          .invalidArgument,
          "linear probe: label of picture \(index) is no class; expected 0 to \(classes - 1), "
            + "got \(label)")
      }
      let row = UnsafeBufferPointer(start: logits.f32 + index * classes, count: classes)
      counts.add(rank: TopCounts.rank(of: Int(label), in: row))
    }
    return counts.places
  }

  private static func check(_ features: Tensor, _ labels: [Int32]) throws(CLIPError) {
    guard features.shape.rank == 2, features.dtype == .f32, features.shape[0] == labels.count else {
      throw CLIPError(
        .shape,
        "linear probe: features and labels do not agree; expected single precision "
          + "[\(labels.count), embedding], got \(features.shape)")
    }
  }

  private static func rows(_ indices: [Int], of features: Tensor) throws(CLIPError) -> Tensor {
    let width = features.shape.columns
    let result = try Tensor([indices.count, width], .f32)
    for (row, index) in indices.enumerated() {
      (result.f32 + row * width).update(from: features.f32 + index * width, count: width)
    }
    return result
  }
}
