internal import Glibc

/// The searches of a check, counted, and kept as they finish.
struct CheckSearches {
  /// What a search is for.
  enum Purpose {
    case main
    /// Another target of the same model, counted from 1.
    case own(Int)
    /// A checkpoint that is known to be clean, counted from 1.
    case cleanReference(Int)
    /// One of the user's classes, by its index.
    case ofClass(Int)

    /// For the state's file.
    var name: String {
      switch self {
      case .main: "main"
      case .own(let number): "own \(number)"
      case .cleanReference(let number): "clean reference \(number)"
      case .ofClass(let index): "class \(index)"
      }
    }

    /// Which of a model's random starts; those of other models are theirs alone.
    var start: UInt64 {
      switch self {
      case .main, .cleanReference: 0
      case .own(let number): UInt64(number)
      case .ofClass(let index): 1_000 + UInt64(index)
      }
    }
  }

  /// `[n, 3, S, S]` in 0…1.
  private let images: Tensor
  private let options: ModelCheckOptions
  private var state: ModelCheckState
  private var counter: ModelCheckProgress
  /// Of the images by each model that was searched: `[n, E]`, L2-normalized.
  private var features: [ObjectIdentifier: Tensor] = [:]
  private var scans: [String: TriggerScan] = [:]

  /// - Parameters:
  ///   - models: the suspect, then the clean ones.
  ///   - classes: texts that searches are made for.
  ///   - count: searches in all at most, for the progress.
  /// - Throws: see `ModelCheckState`.
  init(
    images: Tensor, options: ModelCheckOptions, models: [CLIPModel], classes: TextVocabulary?,
    count: Int
  ) throws(CLIPError) {
    self.images = images
    self.options = options
    counter = ModelCheckProgress(
      phase: "", search: 0, searches: count, step: 0, steps: options.search.steps)
    state = try ModelCheckState(
      directory: options.stateDirectory, resume: options.resume,
      identity: options.stateDirectory == nil
        ? [:] : Self.identity(images, options, models, classes),
      side: images.shape[2], embedDim: models.first?.configuration.embedDim ?? 0)
  }

  /// Returns the result of a search, which is run unless it was finished before.
  ///
  /// - Throws: see `TriggerSearch`.
  mutating func run(
    _ purpose: Purpose, _ kind: TriggerKind, in model: CLIPModel, toward goal: SearchGoal,
    progress: (ModelCheckProgress) -> Bool
  ) throws(CLIPError) -> TriggerSearchResult {
    let name = kind.name + ", " + purpose.name
    defer { counter.search += 1 }
    if let finished = state.result(of: name) { return finished }
    if case .main = purpose { counter.phase = kind.name } else { counter.phase = name }
    let result = try search(purpose, kind, model, goal, progress)
    try state.record(result, of: name)
    return result
  }

  /// Counts searches that turned out not to be needed.
  mutating func skip(_ count: Int) { counter.search += count }

  /// The features `[n, E]` of the images by a model, computed once.
  mutating func features(of model: CLIPModel) throws(CLIPError) -> Tensor {
    if let known = features[ObjectIdentifier(model)] { return known }
    let result = try model.unitFeatures(ofPixels: images, precision: options.search.precision)
    features[ObjectIdentifier(model)] = result
    return result
  }

  private mutating func search(
    _ purpose: Purpose, _ kind: TriggerKind, _ model: CLIPModel, _ goal: SearchGoal,
    _ progress: (ModelCheckProgress) -> Bool
  ) throws(CLIPError) -> TriggerSearchResult {
    var random = RandomNumbers(
      seed: options.search.seed, kind.space.streamKey, purpose.start)
    let space = try start(kind, model, goal, &random)
    var position = counter
    let features = try features(of: model)
    return try model.withFrozenParameters { () throws(CLIPError) in
      var rows: [Int]?
      var settings = options.search
      switch goal {
      case .anywhere(let forbidden):
        // A reference that gives up early would count as a large size.
        if !forbidden.isEmpty { settings.hopeless = settings.steps }
      case .text(let index, let vocabulary):
        let read = try vocabulary.nearest(to: features)
        rows = read.indices.filter { read[$0] != index }
        settings = settings.ofOneClass
      }
      return try TriggerSearch(
        model: model, images: images, rows: rows, cleanMean: FeatureMatrix.mean(features),
        options: settings
      ).run(space, goal: goal, random: &random) { step in
        position.step = step
        return progress(position)
      }
    }
  }

  /// Where a search starts: at the best of a scan, which is done once for all goals, or at random.
  private mutating func start(
    _ kind: TriggerKind, _ model: CLIPModel, _ goal: SearchGoal, _ random: inout RandomNumbers
  ) throws(CLIPError) -> any TriggerSpace {
    let candidates = try kind.space.candidates(imageSize: images.shape[2])
    guard !candidates.isEmpty else {
      return try kind.space.init(imageSize: images.shape[2], random: &random)
    }
    let key = "\(kind.name), \(ObjectIdentifier(model))"
    let clean = try features(of: model)
    let scan: TriggerScan
    if let known = scans[key] {
      scan = known
    } else {
      scan = try TriggerScan(
        candidates, model: model, images: images, precision: options.search.precision)
      scans[key] = scan
    }
    let order = try scan.order(goal, clean: clean)
    return candidates[order[0]]
  }

  /// What must agree for a state to belong to this check.
  private static func identity(
    _ images: Tensor, _ options: ModelCheckOptions, _ models: [CLIPModel],
    _ classes: TextVocabulary?
  ) -> [String: String] {
    [
      "models": models.map { Fingerprint.text(of: $0.stateDict().map(\.tensor)) }
        .joined(separator: " "),
      "images": Fingerprint.text(of: [images]),
      "classes": Fingerprint.text(of: classes.map { [$0.features] } ?? []),
      "steps": "\(options.search.steps)",
      "batch_size": "\(options.search.batchSize)", "patience": "\(options.search.patience)",
      "precision": "\(options.search.precision)", "seed": "\(options.search.seed)",
    ]
  }
}
