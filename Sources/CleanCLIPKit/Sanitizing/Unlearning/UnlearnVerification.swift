internal import Glibc

/// Measures triggers and agreement on held-out images.
struct UnlearnVerification {
  /// The poisoned model.
  let teacher: CLIPModel
  /// `[n, 3, S, S]` in 0…1.
  let images: Tensor
  let precision: DType
  /// Common nouns in the model's text space; `nil` without a text tower or tokenizer.
  let nouns: TextVocabulary?
  /// f0, `[n, E]`.
  let meanings: Tensor
  /// The nouns that most images are classified as: what agreement is measured over.
  private let classes: TextVocabulary?

  /// Nouns that stand for the user's classes.
  private static let classCount = 20

  init(
    teacher: CLIPModel, images: Tensor, precision: DType, nouns: TextVocabulary?
  ) throws(CLIPError) {
    self.teacher = teacher
    self.images = images
    self.precision = precision
    self.nouns = nouns
    meanings = try teacher.unitFeatures(ofPixels: images, precision: precision)
    guard let nouns else {
      classes = nil
      return
    }
    var counts = [Float](repeating: 0, count: nouns.names.count)
    for index in try nouns.nearest(to: meanings) { counts[index] += 1 }
    let common = Ranking.descending(counts).prefix(Self.classCount).filter { counts[$0] > 0 }
    classes = try TextVocabulary(
      names: common.map { nouns.names[$0] },
      features: try FeatureMatrix.gather(nouns.features, Array(common)))
  }

  /// Returns the held-out images with a trigger, always at the same places and phases.
  func triggered(_ trigger: any LearnedTrigger) throws(CLIPError) -> Tensor {
    var random = RandomNumbers(seed: 0, 0x7665_7269)
    let result = try Tensor(images.shape)
    let parts = min(8, images.shape[0])
    for part in 0..<parts {
      let rows = images.shape[0] * part / parts..<images.shape[0] * (part + 1) / parts
      trigger.settle(using: &random)
      trigger.apply(to: images.slice(rows), into: result.slice(rows))
    }
    return result
  }

  /// Measures a trigger on the model that it was recovered on.
  func evidence(
    _ trigger: any LearnedTrigger, foundOn model: CLIPModel, round: Int, logitScale: Float
  ) throws(CLIPError) -> TriggerEvidence {
    let features = try model.unitFeatures(
      ofPixels: try triggered(trigger), precision: precision)
    let effect = TriggerEffect(triggered: features, meanings: meanings)
    let clean = try model.unitFeatures(ofPixels: images, precision: precision)
    var target: String?
    if let nouns {
      target = try TargetReadout(
        clean: clean, triggered: features, vocabulary: nouns, logitScale: logitScale
      ).entries.first?.text
    }
    return TriggerEvidence(
      trigger: trigger, round: round, effect: effect, target: target,
      before: effect.hits(features),
      collapse: FeatureMatrix.mean(features).reduce(0) { $0 + $1 * $1 },
      cosineBefore: features.meanCosine(meanings))
  }

  /// Measures the same trigger on the student.
  func measure(
    _ evidence: inout TriggerEvidence, on student: CLIPModel, plain: Tensor
  ) throws(CLIPError) {
    let features = try student.unitFeatures(
      ofPixels: try triggered(evidence.trigger), precision: precision)
    evidence.after = evidence.effect.hits(features)
    evidence.base = evidence.effect.hits(plain)
    evidence.cosineAfter = features.meanCosine(meanings)
  }

  /// Features of the images as they are.
  func plain(_ student: CLIPModel) throws(CLIPError) -> Tensor {
    try student.unitFeatures(ofPixels: images, precision: precision)
  }

  /// How far a student says the same of images as the poisoned model did.
  func agreement(_ plain: Tensor) throws(CLIPError) -> UnlearnAgreement {
    var same: Proportion?
    if let classes {
      let before = try classes.nearest(to: meanings)
      let after = try classes.nearest(to: plain)
      same = Proportion(before.indices.count { before[$0] == after[$0] }, of: before.count)
    }
    return UnlearnAgreement(
      cosine: plain.meanCosine(meanings), zeroShot: same, classes: classes?.names ?? [])
  }
}

/// How far two models say the same of images.
struct UnlearnAgreement {
  /// Mean cosine of the features.
  var cosine: Float
  /// Images that are classified as the same one of `classes`; `nil` without a text tower.
  var zeroShot: Proportion?
  var classes: [String]

  /// The fraction of images that is lost at most, for a limit on accuracy.
  var loss: Double { zeroShot.map { 1 - $0.value } ?? Double(1 - cosine) }
}

/// A trigger of a run and what it does.
struct TriggerEvidence {
  let trigger: any LearnedTrigger
  /// The round that it was recovered in, from 1.
  let round: Int
  let effect: TriggerEffect
  /// The noun that gains most.
  let target: String?
  /// Images hit on the model that it was recovered on.
  let before: Proportion
  /// |mean feature|² with the trigger there.
  let collapse: Float
  let cosineBefore: Float
  /// Images hit on the clean model, with the trigger and without.
  var after: Proportion?
  var base: Proportion?
  var cosineAfter: Float?
}
