/// A run of a recipe with the trainer: epochs of batches that a loader makes of the dataset.
final class RecipeRun: SanitizeRun {
  private let recipe: any Recipe
  private let loader: PairLoader
  private let trainer: Trainer

  /// Opens the loader and the state to resume from.
  ///
  /// - Throws: `invalidArgument` for options or data that do not fit the recipe; `state` or
  ///   `format` for a state that does not belong to this run.
  init(
    _ recipe: any Recipe, _ input: SanitizeInput, _ options: SanitizeOptions
  ) throws(CLIPError) {
    let augments = recipe.needs.views > 1
    let augmenter = TextAugmenter(synonyms: augments ? SynonymSource.installed() : nil)
    if augments, recipe.needs.captions, let notice = augmenter.notice {
      input.log(LogMessage(.warning, notice))
    }
    var loading = PairLoaderOptions(batchSize: options.training.batchSize)
    loading.shard = Shard(rank: input.communicator.rank, count: input.communicator.size)
    loading.seed = options.training.seed
    loading.augments = augments
    loading.usesCaptions = recipe.needs.captions
    loading.usesLabels = recipe.needs.labels
    loading.workers = max(2, Threads.count / 2)
    let log = input.log
    loader = try PairLoader(
      input.dataset, tokenizer: input.tokenizer,
      preprocessor: try FeatureEncoder(input.model).preprocessor(), augmenter: augmenter,
      contextLength: input.model.configuration.text?.contextLength ?? 0, options: loading
    ) { event in
      switch event {
      case .badRow(_, let key, let reason):
        log(LogMessage(.warning, "'\(key)' is left out: \(reason)".printable()))
      case .note(_, let key, let text): log(LogMessage(.warning, "'\(key)': \(text)".printable()))
      }
    }
    trainer = try Trainer(
      recipe, source: loader.source, options: options.training,
      settings: options.method.options.texts(options), communicator: input.communicator)
    self.recipe = recipe
  }

  func run(
    _ history: inout SanitizeHistory, progress: (TrainingProgress) -> Bool
  ) throws(CLIPError) {
    defer {
      history.badRowCount = loader.badRowCount
      history.omissions = loader.omissions
    }
    var steps = trainer.resumedSteps
    defer { history.steps = steps }
    let result = try trainer.run { step in
      steps.append(step)
      return progress(step)
    }
    history.epochs = result.epochs
  }

  func finish() throws(CLIPError) { try recipe.finish() }
}
