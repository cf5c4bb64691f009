/// How a run goes through its data, whatever the loss is.
package struct TrainingOptions: Equatable, Sendable {
  /// Epochs of the whole run.
  package var epochs = 10
  /// Pairs of one step, of all ranks together.
  package var batchSize = 64
  /// The highest rate, at the end of the warm-up.
  package var learningRate: Float = 1e-5
  /// Steps of linear warm-up.
  package var warmupSteps = 50
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
  /// Whether batch norm takes its statistics over the parts of all ranks, as one process does; if not, over
  /// each rank's, and the running statistics are the means of the ranks'.
  package var syncsBatchNorm = true
  /// Bytes that tensors may take, on each rank; chooses `chunkSize` when that is `nil`.
  package var memoryBudget: Int?
  /// Where the training state is kept; `nil` for nowhere.
  package var stateDirectory: String?
  /// Steps between two saves of the state; 0 to save at the end of epochs only.
  package var saveEvery = 200
  /// Whether to resume from the state in `stateDirectory`, if there is one.
  package var resume = false

  package init() {}

  /// What the options are called and which values they take.
  package static let rules: [OptionRule<TrainingOptions>] = [
    OptionRule("epochs", \.epochs, .range(1...1_000_000)),
    OptionRule("batch_size", \.batchSize, .range(1...1_048_576)),
    OptionRule("learning_rate", \.learningRate, .above(0, through: 10)),
    OptionRule("warmup_steps", \.warmupSteps, .range(0...1_000_000_000_000)),
    OptionRule("weight_decay", \.adam.weightDecay, .from(0)),
    OptionRule("beta1", \.adam.beta1, .range(0..<1)),
    OptionRule("beta2", \.adam.beta2, .range(0..<1)),
    OptionRule("epsilon", \.adam.epsilon, .above(0)),
    OptionRule("seed", \.seed),
    OptionRule("precision", \.precision, OptionValues("f32 or bf16") { $0 != .i32 }),
    OptionRule("sync_batch_norm", \.syncsBatchNorm),
    OptionRule("chunk_size", \.chunkSize, .range(1...1_048_576)),
    OptionRule("memory_budget", \.memoryBudget, .range(1...1_000_000_000_000_000)),
    OptionRule("state_directory", \.stateDirectory, isSetting: false),
    OptionRule(
      "save_every", \.saveEvery, .range(0...1_000_000_000_000), isSetting: false),
    OptionRule("resume", \.resume, isSetting: false),
  ]

  /// Checks every option.
  ///
  /// - Throws: `invalidArgument` naming the option.
  package func validate() throws(CLIPError) {
    try Self.rules.check(self)
    guard adam.weightDecay * learningRate < 1 else {
      throw CLIPError(
        .invalidArgument,
        "options: weight_decay is out of range; expected less than 1 / learning_rate "
          + "(\(1 / learningRate)), got \(adam.weightDecay)")
    }
    try CLIPError.checkResume(resume, from: stateDirectory)
  }
}
