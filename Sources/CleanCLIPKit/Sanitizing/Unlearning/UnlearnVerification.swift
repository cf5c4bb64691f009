internal import Glibc

/// Measures triggers and agreement on held-out images.
struct UnlearnVerification {
  /// `[n, 3, S, S]` in 0…1.
  let images: Tensor
  let precision: DType
  /// The candidates that images are read as.
  private(set) var vocabulary: TextVocabulary
  /// f0, `[n, E]`: of the poisoned model.
  let meanings: Tensor
  /// What the poisoned model reads each image as.
  private(set) var before: [Int]

  init(
    teacher: CLIPModel, images: Tensor, precision: DType, vocabulary: TextVocabulary
  ) throws(CLIPError) {
    self.images = images
    self.precision = precision
    self.vocabulary = vocabulary
    meanings = try teacher.unitFeatures(ofPixels: images, precision: precision)
    before = try vocabulary.nearest(to: meanings)
  }

  /// Takes other candidates.
  mutating func compare(_ vocabulary: TextVocabulary) throws(CLIPError) {
    self.vocabulary = vocabulary
    before = try vocabulary.nearest(to: meanings)
  }

  /// Returns the held-out images with a trigger, always at the same places and phases.
  private func triggered(_ trigger: any LearnedTrigger) throws(CLIPError) -> Tensor {
    var random = RandomNumbers(seed: 0, 0x7665_7269)
    let result = try Tensor(images.shape)
    let parts = min(8, images.shape[0])
    for part in 0..<parts {
      let rows = images.shape[0] * part / parts..<images.shape[0] * (part + 1) / parts
      trigger.settle(using: &random)
      try trigger.apply(to: images.slice(rows), into: result.slice(rows))
    }
    return result
  }

  /// The candidate that most images become with a trigger, of those that were not read as it.
  func target(of trigger: any LearnedTrigger, on model: CLIPModel) throws(CLIPError) -> Int {
    let features = try model.unitFeatures(ofPixels: try triggered(trigger), precision: precision)
    let rates = try vocabulary.names.indices.map { (index) throws(CLIPError) in
      try TriggerAim(target: index, vocabulary: vocabulary)
        .successes(features, before: before).value
    }
    return rates.indices.max { rates[$0] < rates[$1] } ?? 0
  }

  /// Measures a trigger on the model that it was recovered on.
  func evidence(
    _ entry: TriggerPool.Entry, foundOn model: CLIPModel, round: Int, isSign: Bool
  ) throws(CLIPError) -> TriggerEvidence {
    let features = try model.unitFeatures(
      ofPixels: try triggered(entry.trigger), precision: precision)
    let aim = TriggerAim(target: entry.target, vocabulary: vocabulary)
    return TriggerEvidence(
      entry: entry, aim: aim, round: round, isSign: isSign,
      before: try aim.successes(features, before: before),
      accuracyBefore: try agreement(features), cosineBefore: features.meanCosine(meanings))
  }

  /// Triggers that are shown at most: of each family the strongest.
  private static let shownOfFamily = 2

  /// Shows triggers on an image each that was not read as their target, those that the verdict depends on
  /// first.
  func examples(of evidence: [TriggerEvidence]) throws(CLIPError) -> [TriggerExample] {
    var shown: [TriggerFamily: Int] = [:]
    var examples: [TriggerExample] = []
    let order = evidence.indices.sorted {
      (evidence[$0].isSign ? 0 : 1, -evidence[$0].before.value, $0)
        < (evidence[$1].isSign ? 0 : 1, -evidence[$1].before.value, $1)
    }
    for found in order.map({ evidence[$0] }) {
      let trigger = found.entry.trigger
      guard shown[trigger.family, default: 0] < Self.shownOfFamily,
        let row = before.firstIndex(where: { $0 != found.entry.target })
      else { continue }
      shown[trigger.family, default: 0] += 1
      examples.append(
        TriggerExample(
          caption: found.line,
          clean: try EmbeddedImage(RGBImage(planar: images, row: row)),
          triggered: try EmbeddedImage(RGBImage(planar: try triggered(trigger), row: row))))
    }
    return examples
  }

  /// How many of the images that were not classified as a class a trigger turns into it.
  func success(
    of trigger: any LearnedTrigger, toward target: Int, on model: CLIPModel
  ) throws(CLIPError) -> Proportion {
    try TriggerAim(target: target, vocabulary: vocabulary).successes(
      try model.unitFeatures(ofPixels: try triggered(trigger), precision: precision),
      before: before)
  }

  /// How many of the images that were not classified as a class are, without a trigger.
  func base(of target: Int, on model: CLIPModel) throws(CLIPError) -> Proportion {
    try TriggerAim(target: target, vocabulary: vocabulary).successes(
      try model.unitFeatures(ofPixels: images, precision: precision), before: before)
  }

  /// Measures all triggers of a run, and the agreement, on the student.
  func measure(_ outcome: inout UnlearnOutcome, on student: CLIPModel) throws(CLIPError) {
    let plain = try measure(&outcome.evidence, on: student)
    outcome.agreement = try agreement(of: plain)
    if let target = outcome.shown?.target {
      outcome.shown?.base = try TriggerAim(target: target, vocabulary: vocabulary).successes(
        plain, before: before)
    }
  }

  /// Measures triggers on a model.
  ///
  /// - Returns: its features of the images without a trigger.
  @discardableResult
  func measure(
    _ evidence: inout [TriggerEvidence], on model: CLIPModel
  ) throws(CLIPError) -> Tensor {
    let plain = try model.unitFeatures(ofPixels: images, precision: precision)
    for index in evidence.indices { try measure(&evidence[index], on: model, plain: plain) }
    return plain
  }

  /// Measures a trigger on the student.
  ///
  /// - Parameter plain: the student's features of the images without it.
  private func measure(
    _ evidence: inout TriggerEvidence, on student: CLIPModel, plain: Tensor
  ) throws(CLIPError) {
    let features = try student.unitFeatures(
      ofPixels: try triggered(evidence.entry.trigger), precision: precision)
    evidence.after = try evidence.aim.successes(features, before: before)
    evidence.base = try evidence.aim.successes(plain, before: before)
    evidence.accuracyAfter = try agreement(features)
    evidence.cosineAfter = features.meanCosine(meanings)
  }

  /// The images that are read as before.
  private func agreement(_ features: Tensor) throws(CLIPError) -> Proportion {
    let read = try vocabulary.nearest(to: features)
    return Proportion(read.indices.count { read[$0] == before[$0] }, of: read.count)
  }

  /// How far a student says the same of images as the poisoned model did.
  func agreement(of plain: Tensor) throws(CLIPError) -> UnlearnAgreement {
    UnlearnAgreement(
      cosine: plain.meanCosine(meanings), zeroShot: try agreement(plain),
      classes: vocabulary.names)
  }
}

/// How far two models say the same of images.
struct UnlearnAgreement {
  /// Mean cosine of the features.
  var cosine: Float
  /// Images that are classified as the same one of `classes`.
  var zeroShot: Proportion
  var classes: [String]

  /// The fraction of images that is lost, for a limit on accuracy.
  var loss: Double { 1 - zeroShot.value }
}

/// A trigger of a run and what it does.
struct TriggerEvidence {
  let entry: TriggerPool.Entry
  let aim: TriggerAim
  /// The round that it was recovered in, from 1.
  let round: Int
  /// Whether triggers of its kind set the target apart from other classes, or it was given; what is recovered
  /// beside those may be what clean models have too.
  let isSign: Bool
  /// Images turned into the target by the model that it was recovered on.
  let before: Proportion
  /// Images with the trigger that are read as without it.
  let accuracyBefore: Proportion
  let cosineBefore: Float
  /// Images that the clean model turns into the target, with the trigger and without.
  var after: Proportion?
  var base: Proportion?
  var accuracyAfter: Proportion?
  var cosineAfter: Float?
}

extension Tensor {
  /// The mean cosine of the rows of two matrices of L2-normalized rows.
  func meanCosine(_ other: Tensor) -> Float {
    precondition(shape == other.shape && shape.rank == 2)
    var sum: Float = 0
    for i in 0..<count { sum += f32[i] * other.f32[i] }
    // Rounding makes the cosine of equal rows a little more than 1.
    return min(1, sum / Float(max(1, shape[0])))
  }
}
