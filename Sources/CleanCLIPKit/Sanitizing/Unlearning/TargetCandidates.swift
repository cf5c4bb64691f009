/// The classes that may be the target of a backdoor, at which searches of unlearning are aimed.
struct TargetCandidates {
  let model: CLIPModel
  /// `[n, 3, S, S]` in 0…1.
  let images: Tensor
  /// Of the images, `[n, E]`, L2-normalized.
  let features: Tensor
  let options: TriggerSearchOptions

  /// Classes that are searched at most: each costs four searches.
  static let count = 12
  /// Cosine above which two texts are one candidate.
  private static let same: Float = 0.95

  /// Chooses among texts: all when there are few, or the predicted targets of untargeted searches, and those
  /// that the model most often reads images as.
  ///
  /// - Parameter progress: called after each step; `false` cancels.
  func chosen(
    of texts: TextVocabulary, progress: () -> Bool
  ) throws(CLIPError) -> TextVocabulary {
    guard texts.names.count > Self.count else { return texts }
    var counts = [Float](repeating: 0, count: texts.names.count)
    for index in try texts.nearest(to: features) { counts[index] += 1 }
    var chosen: [Int] = []
    for index in try leads(of: texts, progress: progress) + Ranking.descending(counts)
    where chosen.count < Self.count {
      guard chosen.allSatisfy({ texts.cosine($0, index) < Self.same }) else { continue }
      chosen.append(index)
    }
    return try TextVocabulary(
      names: chosen.map { texts.names[$0] },
      features: try FeatureMatrix.gather(texts.features, chosen))
  }

  /// Groups of the images themselves, for image towers without a text tower.
  func groups() throws(CLIPError) -> TextVocabulary {
    let groups = try SphericalMeans(features, count: Self.count, seed: options.seed)
    return try TextVocabulary(
      names: groups.sizes.indices.map { "group \($0 + 1) of the images" }, features: groups.centres)
  }

  /// The texts that untargeted triggers lead images to, those of two searches in each space.
  private func leads(
    of texts: TextVocabulary, progress: () -> Bool
  ) throws(CLIPError) -> [Int] {
    var leads: [Int] = []
    for kind in [TriggerKind.patch, .additive] {
      var forbidden: [[Float]] = []
      for number in 0..<2 {
        var random = RandomNumbers(
          seed: options.seed, 0x6C65_6164, kind.space.streamKey, UInt64(number))
        let space = try kind.space.init(imageSize: images.shape[2], random: &random)
        let goal = SearchGoal.anywhere(forbidden: forbidden)
        let result = try model.withFrozenParameters { () throws(CLIPError) in
          try TriggerSearch(
            model: model, images: images, cleanMean: FeatureMatrix.mean(features),
            options: options
          ).run(space, goal: goal, random: &random) { _ in progress() }
        }
        guard let trigger = result.trigger else { break }
        forbidden.append(result.direction)
        leads += try self.leads(of: trigger, texts)
      }
    }
    return leads
  }

  /// The two texts that a trigger favours most.
  private func leads(
    of trigger: FoundTrigger, _ texts: TextVocabulary
  ) throws(CLIPError) -> [Int] {
    let triggered = try model.unitFeatures(
      ofPixels: try trigger.applied(to: images), precision: options.precision)
    return try TargetReadout(
      clean: features, triggered: triggered, vocabulary: texts, logitScale: Self.scale
    ).entries.prefix(2).compactMap { entry in texts.names.firstIndex(of: entry.text) }
  }

  /// Of the readout: soft enough that the second text counts too.
  private static let scale: Float = 20
}
