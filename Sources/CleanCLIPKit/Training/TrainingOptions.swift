/// How a run goes through its data, whatever the loss is.
package struct TrainingOptions: Equatable, Sendable {
  /// Passes over the dataset.
  package var epochs = 10
  /// Pairs of one step.
  package var batchSize = 64
  /// The highest rate, at the end of the warm-up.
  package var learningRate: Float = 1e-5
  /// Steps of linear warm-up.
  package var warmup = 50
  package var adam = AdamW.Options()
  /// Of the order of the pairs, of augmentation and of what is initialised at random.
  package var seed: UInt64 = 0
  /// Element type of activations; weights, losses and the optimizer are single precision.
  package var precision = DType.f32
  /// Pairs whose activations are held at once; `nil` for the whole batch.
  ///
  /// The gradient is that of the whole batch either way (gradient caching), except that batch norm
  /// then takes its statistics over the chunk.
  package var chunkSize: Int?
  /// Bytes that tensors may take; chooses `chunkSize` when that is `nil`.
  package var memoryBudget: Int?
  /// Where the training state is kept; `nil` for nowhere.
  package var stateDirectory: String?
  /// Steps between two saves of the state; 0 to save at the end of epochs only.
  package var saveEvery = 200
  /// Whether to go on from the state in `stateDirectory`, if there is one.
  package var resume = false

  package init() {}

  /// Checks every option.
  ///
  /// - Throws: `invalidArgument` naming the option.
  package func validate() throws(CLIPError) {
    try Self.check("epochs", epochs >= 1 && epochs <= 1_000_000, "1 to 1000000", epochs)
    try Self.check(
      "batch_size", batchSize >= 1 && batchSize <= 1_048_576, "1 to 1048576", batchSize)
    try Self.check(
      "learning_rate", learningRate > 0 && learningRate <= 10, "more than 0, at most 10",
      learningRate)
    try Self.check("warmup", warmup >= 0, "a number of steps from 0", warmup)
    try Self.check(
      "weight_decay", adam.weightDecay >= 0 && adam.weightDecay * learningRate < 1,
      "at least 0, less than 1 / learning_rate", adam.weightDecay)
    try Self.check("beta1", adam.beta1 >= 0 && adam.beta1 < 1, "0 to less than 1", adam.beta1)
    try Self.check("beta2", adam.beta2 >= 0 && adam.beta2 < 1, "0 to less than 1", adam.beta2)
    try Self.check(
      "epsilon", adam.epsilon > 0 && adam.epsilon.isFinite, "a positive number", adam.epsilon)
    try Self.check("precision", precision != .i32, "f32 or bf16", "i32")
    if let chunkSize { try Self.check("chunk_size", chunkSize >= 1, "at least 1", chunkSize) }
    if let memoryBudget {
      try Self.check("memory_budget", memoryBudget >= 1, "a number of bytes", memoryBudget)
    }
    try Self.check("save_every", saveEvery >= 0, "a number of steps from 0", saveEvery)
    if resume && stateDirectory == nil {
      throw CLIPError(
        .invalidArgument,
        "options: resume has nothing to resume from; expected a state directory, got none")
    }
  }

  static func check(
    _ name: String, _ isValid: Bool, _ expected: String, _ value: some CustomStringConvertible
  ) throws(CLIPError) {
    guard isValid else {
      throw CLIPError(
        .invalidArgument,
        "options: \(name) is out of range; expected \(expected), got \(value.description)")
    }
  }
}
