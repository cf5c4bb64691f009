/// What a run of unlearning works with: made once, and the same again when a run is resumed.
struct UnlearnSetting {
  let options: UnlearnOptions
  let training: TrainingOptions
  /// S.
  let side: Int
  let images: UnlearnImages
  /// The image tower as it was, frozen.
  let teacher: CLIPModel
  /// How a batch is divided to stay within the memory budget; `nil` without one.
  let plan: MemoryPlan?
  /// Candidates for targets.
  private(set) var vocabulary: TextVocabulary
  /// Those that the candidates were chosen from.
  let texts: TextVocabulary
  private(set) var verification: UnlearnVerification
  /// The candidates that enough images resemble.
  let eligible: [Int]
  /// Images that triggers are searched with, `[n, 3, S, S]` in 0…1, f0 of each, and what it is read as.
  private let searched: Tensor
  private let meanings: Tensor
  private var read: [Int]
  private let searchOptions: ModelCheckOptions
  /// Images of which the user knows that they carry a trigger; `nil` for none, or when they show no target.
  let suspects: UnlearnSuspects?
  /// The ranks of the run: they divide searches and batches among them.
  let communicator: Communicator

  /// Images that triggers are searched with, and whose meanings stand for all.
  private static let searchedImages = 256
  private static let meantImages = 1024

  /// Reads the images and chooses the candidates.
  ///
  /// - Parameters:
  ///   - tokenizer: names classes where the model has a text tower; may be missing.
  ///   - suspects: images that carry a trigger; `nil` for none.
  ///   - communicator: the ranks of the run.
  ///   - log: takes what is left out.
  /// - Throws: `invalidArgument` for too few images, images too much alike, or too little memory;
  ///   `cancelled`.
  init(
    model: CLIPModel, tokenizer: Tokenizer?, dataset: PairDataset, suspects: PairDataset?,
    options: UnlearnOptions, training: TrainingOptions, communicator: Communicator,
    log: (LogMessage) -> Void,
    progress: UnlearnProgress
  ) throws(CLIPError) {
    self.communicator = communicator
    let side = try FeatureEncoder(model).imageSize()
    let tokenizer = model.configuration.text == nil ? nil : tokenizer
    self.options = options
    self.training = training
    self.side = side
    progress.begin("reading images", of: min(dataset.count, options.imageLimit))
    images = try UnlearnImages.read(
      dataset, imageSize: side, preprocessing: model.configuration.preprocessing,
      limit: options.imageLimit, seed: training.seed, log: log
    ) { progress.advance(to: $0) }
    teacher = try model.imageTowerCopy()
    for parameter in teacher.parameters { parameter.isTrainable = false }
    searched = try images.searched(Self.searchedImages)
    let heldOut = try images.heldOut()
    // Before the searches, so that what does not fit is refused before they cost their time.
    plan = try Self.pass(
      of: model, UnlearnLoss(keepWeight: options.keepWeight), training, communicator
    ).plan(images, teacher: teacher)
    meanings = try teacher.unitFeatures(ofPixels: searched, precision: training.precision)
    var search = options.search
    search.precision = training.precision
    search.seed = training.seed
    let shown = try Self.shown(suspects, by: teacher, imageSize: side, training, log: log)
    progress.begin("choosing candidates", of: 0)
    let candidates = TargetCandidates(
      model: teacher, images: searched, features: meanings, options: search,
      communicator: communicator)
    (texts, vocabulary) = try Self.vocabulary(
      model, tokenizer, options, training, candidates, shown: shown?.features,
      log: log
    ) { progress.advance() }
    self.suspects = try Self.suspects(
      shown, vocabulary, among: images, by: teacher, training, log: log)
    verification = try UnlearnVerification(
      teacher: teacher, images: heldOut, precision: training.precision, vocabulary: vocabulary)
    var settings = ModelCheckOptions()
    settings.search = search
    settings.stateDirectory = training.stateDirectory
    settings.resume = training.resume
    searchOptions = settings
    read = try vocabulary.nearest(to: meanings)
    eligible = ModelCheck.eligible(vocabulary, read: read)
    // Fewer would compare nothing, and say that there is nothing to find.
    guard eligible.count >= ModelCheck.fewestClasses || !options.triggers.isEmpty else {
      throw CLIPError(
        .invalidArgument,
        "unlearn: the images are too much alike; expected at least \(ModelCheck.fewestClasses) "
          + "\(tokenizer != nil || options.classFeatures != nil ? "classes" : "groups of images") to compare, got "
          + "\(eligible.count); give images of more kinds")
    }
  }

  /// Reads images that carry a trigger, with the features that they have; `nil` without any.
  private static func shown(
    _ suspects: PairDataset?, by teacher: CLIPModel, imageSize: Int, _ training: TrainingOptions,
    log: (LogMessage) -> Void
  ) throws(CLIPError) -> (images: Tensor, features: Tensor)? {
    guard let suspects else { return nil }
    let images = try UnlearnSuspects.read(
      suspects, imageSize: imageSize, preprocessing: teacher.configuration.preprocessing,
      seed: training.seed, log: log)
    return (images, try teacher.unitFeatures(ofPixels: images, precision: training.precision))
  }

  /// Finds where images that carry a trigger lead; `nil` without any, and when they lead nowhere.
  private static func suspects(
    _ shown: (images: Tensor, features: Tensor)?, _ vocabulary: TextVocabulary,
    among images: UnlearnImages, by teacher: CLIPModel, _ training: TrainingOptions,
    log: (LogMessage) -> Void
  ) throws(CLIPError) -> UnlearnSuspects? {
    guard let shown else { return nil }
    let others = try teacher.unitFeatures(
      ofPixels: try images.searched(meantImages), precision: training.precision)
    let suspects = try UnlearnSuspects(
      images: shown.images, features: shown.features, others: others, vocabulary: vocabulary)
    if suspects == nil {
      log(
        LogMessage(
          .warning,
          "unlearn: the \(shown.images.shape[0]) suspects are left out and not unlearned: the model does "
            + "not read most of them as one class"))
    }
    return suspects
  }

  /// The passes of a batch.
  ///
  /// - Parameter isPrecaution: whether what is unlearned may be what clean models have too, whose classes shall not
  ///   pay for it.
  func pass(of student: CLIPModel, isPrecaution: Bool) -> UnlearnPass {
    Self.pass(
      of: student,
      UnlearnLoss(
        keepWeight: options.keepWeight, readingWeight: options.readingWeight,
        targetWeight: isPrecaution ? 0 : options.targetWeight,
        // Of one candidate alone every image is.
        texts: vocabulary.names.count < 2 ? nil : vocabulary),
      training, communicator)
  }

  private static func pass(
    of student: CLIPModel, _ loss: UnlearnLoss, _ training: TrainingOptions,
    _ communicator: Communicator
  ) -> UnlearnPass {
    UnlearnPass(student: student, training: training, loss: loss, communicator: communicator)
  }

  /// The classes that may be a target, and those that they were chosen from.
  ///
  /// - Parameter shown: features of images that carry a trigger, whose class is among the candidates.
  private static func vocabulary(
    _ model: CLIPModel, _ tokenizer: Tokenizer?, _ options: UnlearnOptions,
    _ training: TrainingOptions, _ candidates: TargetCandidates, shown: Tensor?,
    log: (LogMessage) -> Void, progress: () -> Bool
  ) throws(CLIPError) -> (texts: TextVocabulary, candidates: TextVocabulary) {
    guard tokenizer != nil || options.classFeatures != nil else {
      let groups = try candidates.groups()
      return (groups, groups)
    }
    if let notice = DistinctNames(options.classes).notice {
      log(LogMessage(.warning, "unlearn: " + notice))
    }
    let texts = try TextVocabulary(
      classes: options.classes.isEmpty && options.classFeatures == nil
        ? CommonNouns.all : options.classes,
      templates: options.templates, features: options.classFeatures, model: model,
      tokenizer: tokenizer, precision: training.precision)
    var rows = try candidates.chosen(of: texts) { _ in progress() }
    if let shown {
      let target = try texts.mostFrequent(of: shown)
      if !rows.contains(target) { rows.append(target) }
    }
    return (texts, try texts.rows(rows))
  }

  /// Adds the texts that searches without a target led to, as far as they are not among the candidates.
  mutating func add(_ found: [TargetSearch.Anywhere]) throws(CLIPError) {
    let new = Set(found.map(\.text)).filter { !vocabulary.names.contains(texts.names[$0]) }.sorted()
    guard !new.isEmpty else { return }
    let own = vocabulary.names.compactMap { texts.names.firstIndex(of: $0) }
    vocabulary = try texts.rows(own + new)
    try verification.compare(vocabulary)
    read = try vocabulary.nearest(to: meanings)
  }

  /// The searches towards the candidates.
  var search: TargetSearch {
    TargetSearch(
      vocabulary: vocabulary, images: searched, heldOut: verification.images,
      before: verification.before, options: searchOptions, communicator: communicator)
  }

  /// The recoveries of triggers towards the candidates.
  var recovery: UnlearnRecovery {
    UnlearnRecovery(
      images: searched, read: read, vocabulary: vocabulary, options: options, training: training,
      shownTarget: suspects?.target)
  }

  /// What searches without a target say of the candidates that they led to.
  func located(
    _ found: [TargetSearch.Anywhere], on model: CLIPModel
  ) throws(CLIPError) -> [TargetSearch.Found] {
    var list: [TargetSearch.Found] = []
    for item in found {
      guard let target = vocabulary.names.firstIndex(of: texts.names[item.text]) else { continue }
      list.append(
        TargetSearch.Found(
          kind: item.search.kind, target: target, search: item.search,
          success: try search.success(of: item.search, toward: target, on: model),
          reference: item.reference))
    }
    return list
  }

  /// The user's triggers, each with its predicted target.
  func givenTriggers() throws(CLIPError) -> [TriggerPool.Entry] {
    var entries: [TriggerPool.Entry] = []
    for (number, found) in options.triggers.enumerated() {
      let trigger = try FixedTrigger.wrapping(found, number: number)
      let item = TriggerRecovery.Item(family: trigger.family, number: 0)
      let target = try verification.target(of: trigger, on: teacher)
      entries.append(TriggerPool.Entry(trigger: trigger, target: target, item: item))
    }
    return entries
  }
}
