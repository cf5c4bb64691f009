internal import Glibc

/// The searches of a check, counted, and kept as they finish.
struct CheckSearches {
  /// What a search is for.
  enum Purpose {
    case main
    /// Another target of the same model, counted from 1.
    case own(Int)
    /// A checkpoint that is known to be sound, counted from 1.
    case cleanReference(Int)

    /// For the state's file.
    var name: String {
      switch self {
      case .main: "main"
      case .own(let number): "own \(number)"
      case .cleanReference(let number): "clean reference \(number)"
      }
    }

    /// Which of a model's random starts; those of other models are theirs alone.
    var start: UInt64 {
      switch self {
      case .main, .cleanReference: 0
      case .own(let number): UInt64(number)
      }
    }
  }

  /// `[n, 3, S, S]` in 0…1.
  private let images: Tensor
  private let options: ModelCheckOptions
  private var state: ModelCheckState
  private var counter: ModelCheckProgress

  /// - Parameters:
  ///   - models: the suspect, then the sound ones.
  ///   - count: searches in all, for the progress.
  /// - Throws: see `ModelCheckState`.
  init(
    images: Tensor, options: ModelCheckOptions, models: [CLIPModel], count: Int
  ) throws(CLIPError) {
    self.images = images
    self.options = options
    counter = ModelCheckProgress(
      phase: "", search: 0, searches: count, step: 0, steps: options.search.steps)
    state = try ModelCheckState(
      directory: options.stateDirectory, resume: options.resume,
      identity: options.stateDirectory == nil ? [:] : Self.identity(images, options, models),
      side: images.shape[2], embedDim: models.first?.configuration.embedDim ?? 0)
  }

  /// Returns the result of a search, which is run unless it was finished before.
  ///
  /// - Throws: see `TriggerSearch`.
  mutating func run(
    _ purpose: Purpose, _ kind: TriggerKind, in model: CLIPModel, forbidden: [[Float]],
    progress: (ModelCheckProgress) -> Bool
  ) throws(CLIPError) -> TriggerSearchResult {
    let name = kind.rawValue + ", " + purpose.name
    defer { counter.search += 1 }
    if let finished = state.result(of: name) { return finished }
    if case .main = purpose { counter.phase = kind.rawValue } else { counter.phase = name }
    let result = try search(purpose, kind, model, forbidden, progress)
    try state.record(result, of: name)
    return result
  }

  private func search(
    _ purpose: Purpose, _ kind: TriggerKind, _ model: CLIPModel, _ forbidden: [[Float]],
    _ progress: (ModelCheckProgress) -> Bool
  ) throws(CLIPError) -> TriggerSearchResult {
    var random = RandomNumbers(
      seed: options.search.seed, UInt64(TriggerKind.allCases.firstIndex(of: kind) ?? 0),
      purpose.start)
    let side = images.shape[2]
    let space: any TriggerSpace =
      switch kind {
      case .patch: try PatchSpace(imageSize: side, random: &random)
      case .additive: try AdditiveSpace(imageSize: side, random: &random)
      case .warp: try WarpSpace(imageSize: side, random: &random)
      }
    var position = counter
    return try model.withFrozenParameters { () throws(CLIPError) in
      let features = try model.unitFeatures(
        ofPixels: images, precision: options.search.precision)
      return try TriggerSearch(
        model: model, images: images, cleanMean: FeatureMatrix.mean(features),
        options: options.search
      ).run(space, forbidden: forbidden, random: &random) { step in
        position.step = step
        return progress(position)
      }
    }
  }

  /// What must agree for a state to belong to this check.
  private static func identity(
    _ images: Tensor, _ options: ModelCheckOptions, _ models: [CLIPModel]
  ) -> [String: String] {
    func text(_ tensors: [Tensor]) -> String {
      var fingerprint = Fingerprint()
      for tensor in tensors { fingerprint.add(tensor) }
      return fingerprint.text
    }
    return [
      "models": models.map { text($0.stateDict().map(\.tensor)) }.joined(separator: " "),
      "pictures": text([images]), "steps": "\(options.search.steps)",
      "batch_size": "\(options.search.batchSize)", "patience": "\(options.search.patience)",
      "precision": "\(options.search.precision)", "seed": "\(options.search.seed)",
    ]
  }
}
