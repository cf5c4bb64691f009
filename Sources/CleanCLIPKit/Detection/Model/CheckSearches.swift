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
  /// The ranks that divide searches among them.
  private let communicator: Communicator

  /// - Parameters:
  ///   - models: the suspect, then the clean ones.
  ///   - vocabulary: texts that searches are made for, or chosen from.
  ///   - count: searches in all at most, for the progress.
  ///   - communicator: ranks that make the same check; the first keeps the state.
  /// - Throws: see `ModelCheckState`; `invalidArgument` when the ranks make different checks.
  init(
    images: Tensor, options: ModelCheckOptions, models: [CLIPModel],
    vocabulary: TextVocabulary?, count: Int, communicator: Communicator = .single
  ) throws(CLIPError) {
    self.communicator = communicator
    self.images = images
    self.options = options
    counter = ModelCheckProgress(
      phase: "", search: 0, searches: count, step: 0, steps: options.search.steps)
    let directory = communicator.rank == 0 ? options.stateDirectory : nil
    let identity =
      directory == nil && communicator.isSingle
      ? WorkIdentity() : Self.identity(images, options, models, vocabulary)
    try communicator.agree(
      on: identity.required.merging([
        "kinds": options.kinds.map(\.name).joined(separator: " "),
        "searches": "\(options.referenceSearches) \(options.classSearches)",
        "exhaustive": "\(options.isExhaustive)",
      ]) { own, _ in own })
    state = try ModelCheckState(
      directory: directory, resume: options.resume, identity: identity, side: images.shape[2],
      embedDim: models.first?.configuration.embedDim ?? 0)
    // What the first rank resumes from.
    if !communicator.isSingle { try state.exchange(from: 0, communicator) }
  }

  /// Divides searches among the ranks, so that all of them are finished on every rank.
  ///
  /// - Parameters:
  ///   - items: what is searched for, none of which depends on another.
  ///   - run: runs the searches of one item, as the caller does afterwards.
  mutating func share<Item>(
    _ items: [Item],
    _ run: (Item, inout CheckSearches) throws(CLIPError) -> Void
  ) throws(CLIPError) {
    guard !communicator.isSingle else { return }
    let known = state.count
    let position = counter
    for (index, item) in items.enumerated()
    where index % communicator.size == communicator.rank {
      try run(item, &self)
    }
    counter = position
    try state.exchange(from: known, communicator)
  }

  /// Returns the result of an untargeted search, which is run unless it was finished before.
  ///
  /// - Parameter forbidden: directions of earlier finds.
  /// - Throws: see `JointSearch`.
  mutating func run(
    _ purpose: Purpose, _ kind: TriggerKind, in model: CLIPModel, awayFrom forbidden: [[Float]],
    progress: (ModelCheckProgress) -> Bool
  ) throws(CLIPError) -> TriggerSearchResult {
    let name = Self.name(kind, purpose)
    defer { counter.search += 1 }
    if let finished = state.result(of: name) { return finished }
    if case .main = purpose { counter.phase = kind.name } else { counter.phase = name }
    var settings = options.search
    // A reference that gives up early would count as a large size.
    if !forbidden.isEmpty { settings.hopeless = settings.steps }
    let search = try prepared(
      purpose, kind, model, .anywhere(forbidden: forbidden), rows: nil, settings)
    try run([search], in: model, progress)
    try state.record([(name, search.result)])
    return search.result
  }

  /// Returns the results of searches of one kind, one towards each of some texts, those that were not
  /// finished before run together.
  ///
  /// - Parameters:
  ///   - rows: of the vocabulary.
  ///   - looks: when they may end before their time, and a state's that did are taken; `nil` where that is as soon
  ///     as nothing works at all.
  /// - Throws: see `JointSearch`.
  mutating func run(
    _ kind: TriggerKind, in model: CLIPModel, toward rows: [Int], of vocabulary: TextVocabulary,
    looks: SearchLooks? = nil, progress: (ModelCheckProgress) -> Bool
  ) throws(CLIPError) -> [TriggerSearchResult] {
    let settings = options.search.ofOneClass
    let read = try vocabulary.nearest(to: try features(of: model))
    let names = rows.map { Self.name(kind, .ofClass($0)) }
    defer { counter.search += rows.count }
    let finished = names.compactMap { state.result(of: $0) }
    // What a search finds depends, in the last digits, on those beside it.
    if finished.count == rows.count,
      looks != nil || !SearchLooks.cutShort(finished, of: settings.steps)
    {
      return finished
    }
    counter.phase = "\(kind.name) towards \(rows.count) texts"
    var searches: [RunningSearch] = []
    for row in rows {
      let others = read.indices.filter { read[$0] != row }
      searches.append(
        try prepared(
          .ofClass(row), kind, model, .text(row, of: vocabulary),
          rows: others.isEmpty ? nil : others, settings))
    }
    try run(searches, in: model, progress) { step in
      guard SearchLooks.areDue(after: step, of: settings.steps) else { return }
      if SearchLooks.areOver(
        searches.map(\.result), after: step, of: settings.steps, by: looks)
      {
        for search in searches { search.end() }
      }
    }
    try state.record(Array(zip(names, searches.map(\.result))))
    return searches.map(\.result)
  }

  /// Chooses texts that may be targets, from more than are searched for: see `TargetCandidates`.
  ///
  /// - Returns: rows of the vocabulary.
  mutating func candidates(
    _ count: Int, of vocabulary: TextVocabulary, in model: CLIPModel,
    progress: (ModelCheckProgress) -> Bool
  ) throws(CLIPError) -> [Int] {
    counter.phase = "choose targets"
    let first = counter
    let steps = options.search.steps
    defer { counter.search += Self.candidateSearches(options) }
    return try TargetCandidates(
      model: model, images: images, features: try features(of: model), options: options.search,
      communicator: communicator
    ).chosen(count, of: vocabulary) { done in
      var position = first
      position.search += done / steps
      position.step = done % steps
      return progress(position)
    }
  }

  /// What choosing candidates costs, in searches.
  static func candidateSearches(_ options: ModelCheckOptions) -> Int {
    TargetCandidates.cost(options.search) / options.search.steps + 1
  }

  private static func name(_ kind: TriggerKind, _ purpose: Purpose) -> String {
    kind.name + ", " + purpose.name
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

  private mutating func prepared(
    _ purpose: Purpose, _ kind: TriggerKind, _ model: CLIPModel, _ goal: SearchGoal,
    rows: [Int]?, _ settings: TriggerSearchOptions
  ) throws(CLIPError) -> RunningSearch {
    var random = RandomNumbers(
      seed: options.search.seed, kind.space.streamKey, purpose.start)
    let space = try start(kind, model, goal, &random)
    return try RunningSearch(
      space, images: images, rows: rows, goal: goal, options: settings, random: random)
  }

  private mutating func run(
    _ searches: [RunningSearch], in model: CLIPModel, _ progress: (ModelCheckProgress) -> Bool,
    look: (Int) -> Void = { _ in }
  ) throws(CLIPError) {
    let first = counter
    let mean = FeatureMatrix.mean(try features(of: model))
    let limit = searches.map(\.stepLimit).max() ?? 1
    try model.withFrozenParameters { () throws(CLIPError) in
      try JointSearch(model: model, cleanMean: mean, precision: options.search.precision)
        .run(searches, look: look) { step in
          var position = first
          // As steps of one search after the other.
          let done = step * searches.count * first.steps / limit
          position.search += min(searches.count - 1, done / first.steps)
          position.step = done - (position.search - first.search) * first.steps
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
    _ vocabulary: TextVocabulary?
  ) -> WorkIdentity {
    WorkIdentity(
      options: [
        "steps": "\(options.search.steps)", "batch_size": "\(options.search.batchSize)",
        "patience": "\(options.search.patience)", "precision": "\(options.search.precision)",
        "seed": "\(options.search.seed)",
      ],
      inputs: [
        "models": models.map { Fingerprint.text(of: $0.stateDict().map(\.tensor)) }
          .joined(separator: " "),
        "images": Fingerprint.text(of: [images]),
        "classes": Fingerprint.text(of: vocabulary.map { [$0.features] } ?? []),
      ],
      surroundings: ["image_limit": "\(options.imageLimit)"])
  }
}
