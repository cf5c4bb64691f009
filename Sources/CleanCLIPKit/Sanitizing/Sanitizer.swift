internal import Synchronization

/// Sanitizes a model: brings dataset, recipe and trainer together.
package final class Sanitizer {
  private let recipe: any Recipe
  private let trainer: Trainer
  private let options: SanitizeOptions
  private let loader: PairLoader
  private let messages: MessageList
  /// What happened so far, also when the run is cancelled or fails.
  package private(set) var history = SanitizeHistory()

  /// Checks everything that can be checked before the first step.
  ///
  /// - Parameters:
  ///   - tokenizer: needed for captions.
  ///   - log: hears of rows that are left out and of other things worth knowing; called on the
  ///     thread that runs.
  /// - Throws: `invalidArgument` for options or data that do not fit; `unsupported` when a tower is
  ///   missing; `state` or `format` for a state that does not belong to this run.
  package init(
    _ model: CLIPModel, tokenizer: Tokenizer?, dataset: PairDataset, options: SanitizeOptions,
    log: @escaping @Sendable (String) -> Void = { _ in }
  ) throws(CLIPError) {
    try options.training.validate()
    if let tokenizer, options.method == .cleanclip, model.configuration.text != nil {
      try FeatureEncoder(model).check(tokenizer)
    }
    let recipe = try Self.recipe(model, dataset, options)
    let messages = MessageList(log)
    let augments = recipe.needs.views > 1
    let augmenter = TextAugmenter(synonyms: augments ? SynonymSource.installed() : nil)
    if augments, recipe.needs.captions, let notice = augmenter.notice { messages.add(notice) }
    var loading = PairLoaderOptions(batchSize: options.training.batchSize)
    loading.seed = options.training.seed
    loading.augments = augments
    loading.usesCaptions = recipe.needs.captions
    loading.usesLabels = recipe.needs.labels
    loading.workers = max(2, Threads.count / 2)
    loader = try PairLoader(
      dataset, tokenizer: tokenizer, preprocessor: try FeatureEncoder(model).preprocessor(),
      augmenter: augmenter, contextLength: model.configuration.text?.contextLength ?? 0,
      options: loading
    ) { event in messages.add(event) }
    trainer = try Trainer(recipe, source: loader.source, options: options.training)
    self.recipe = recipe
    self.options = options
    self.messages = messages
    history.settings = Self.settings(options, pairs: dataset.count)
  }

  /// Trains to the end.
  ///
  /// - Parameter progress: called after each step on this thread; `false` cancels.
  /// - Throws: as `Trainer.run`; `io` when the head cannot be saved.
  package func run(
    progress: (TrainingProgress) -> Bool = { _ in true }
  ) throws(CLIPError) {
    defer {
      history.badRowCount = loader.badRowCount
      history.messages = messages.texts
    }
    var steps: [TrainingProgress] = []
    defer { history.steps = steps }
    let result = try trainer.run { step in
      steps.append(step)
      return progress(step)
    }
    history.epochs = result.epochs
    if let path = options.headPath, let supervised = recipe as? SupervisedRecipe {
      try SafeTensors.write(supervised.head, metadata: ["format": "pt"], to: path)
    }
  }

  private static func recipe(
    _ model: CLIPModel, _ dataset: PairDataset, _ options: SanitizeOptions
  ) throws(CLIPError) -> any Recipe {
    switch options.method {
    case .cleanclip:
      return try CleanCLIPRecipe(
        model,
        loss: CleanCLIPLoss(
          clipWeight: options.clipWeight, inmodalWeight: options.inmodalWeight))
    case .supervised:
      let classes: Int
      if let count = options.classCount {
        classes = count
      } else {
        classes = try countClasses(dataset)
      }
      return try SupervisedRecipe(model, classes: classes, seed: options.training.seed)
    }
  }

  /// Returns the highest label and one; rows that cannot be read do not count.
  private static func countClasses(_ dataset: PairDataset) throws(CLIPError) -> Int {
    var highest = -1
    for index in 0..<dataset.count {
      do throws(CLIPError) {
        guard let label = try dataset.label(at: index) else { continue }
        let key = dataset.key(at: index)
        highest = max(highest, Int(try dataset.classIndex(of: label, key: key)))
      } catch {
        guard [.format, .io, .notFound].contains(error.code) else { throw error }
      }
    }
    guard highest >= 0 else {
      throw CLIPError(
        .invalidArgument,
        "supervised: the data has no labels; expected a label column, .cls entries or class folders, "
          + "got none")
    }
    return highest + 1
  }

  private static func settings(_ options: SanitizeOptions, pairs: Int) -> JSONObject {
    let training = options.training
    return [
      "method": .string(options.method.rawValue), "pairs": .integer(pairs),
      "epochs": .integer(training.epochs), "batch_size": .integer(training.batchSize),
      "learning_rate": .single(training.learningRate),
      "warmup": .integer(training.warmup),
      "weight_decay": .single(training.adam.weightDecay),
      "clip_weight": .single(options.clipWeight),
      "inmodal_weight": .single(options.inmodalWeight),
      "seed": .string(String(training.seed)), "precision": .string("\(training.precision)"),
      "threads": .integer(Threads.count),
    ]
  }
}

/// Collects what is said during a run, and passes it on.
private final class MessageList: Sendable {
  private let log: @Sendable (String) -> Void
  private let list = Mutex<[String]>([])

  init(_ log: @escaping @Sendable (String) -> Void) { self.log = log }

  var texts: [String] { list.withLock { $0 } }

  func add(_ text: String) {
    log(text)
    list.withLock { list in
      if list.count < SanitizeHistory.messageLimit { list.append(text) }
    }
  }

  func add(_ event: LoaderEvent) {
    switch event {
    case .badRow(_, let key, let reason): add("'\(key)' is left out: \(reason)")
    case .note(_, let key, let text): add("'\(key)': \(text)")
    }
  }
}
