internal import Glibc

/// Looks for poisoned pairs in a dataset of captioned images.
///
/// Features come from the very checkpoint that was trained on the data, where poison is isolated
/// (Huang et al. 2025); cosines from a second, trusted checkpoint, where it does not match
/// (Yang et al. 2024, arXiv:2310.05862). Either failing leaves the other.
package struct DatasetCheck {
  package var options = DatasetCheckOptions()
  /// Where what was measured is kept; `nil` keeps none.
  package var stateDirectory: String?
  /// Whether to resume from the state that is there.
  package var resume = false

  package init() {}

  /// Where the states of reading and of this are.
  package var stateFolder: StateFolder {
    StateFolder(stateDirectory, of: .datasetCheck, resume: resume)
  }

  /// Scores pairs by all that is known of them; see the other `run`.
  ///
  /// - Parameter dataset: where images are decoded that stand out and were not when the features were made.
  package func run(
    _ features: DatasetFeatures, dataset: PairDataset? = nil,
    progress: (Double) -> Bool = { _ in true }
  ) throws(CLIPError) -> DatasetCheckResult {
    let given = (rows: features.rows, count: features.rowCount, omissions: features.omissions)
    return try run(
      imageFeatures: features.imageFeatures, trustedCosines: features.trustedCosines,
      keys: features.keys, captions: features.captions, patchPairs: features.patchPairs,
      images: features.images, descriptors: features.descriptors, decoding: dataset, dataset: given,
      progress: progress)
  }

  /// Scores the pairs.
  ///
  /// - Parameters:
  ///   - imageFeatures: `[N, E]` of the checkpoint under suspicion, unnormalized; `nil` when there is none,
  ///     which leaves the cosines.
  ///   - trustedCosines: of image and caption by a trusted checkpoint; `nil` without one.
  ///   - keys: names of the pairs.
  ///   - captions: of the pairs, blank for those that have none; `nil` when only features are known, which is
  ///     the same as blank ones for all.
  ///   - patchPairs: see `PatchConcentration`; `nil` when images are not at hand.
  ///   - images: the number of each pair's image, counted from 0 as they first occur; `nil`: each pair
  ///     has its own.
  ///   - descriptors: of the pairs' images; `nil` when none were decoded.
  ///   - decoding: where images that stand out are decoded without descriptors; `nil`: nowhere.
  ///   - dataset: the row of each pair, the number of rows, and what was left out; `nil`: all rows.
  ///   - progress: called with the fraction done; `false` cancels.
  /// - Throws: `shape` when counts disagree; `invalidArgument` for features that are not finite,
  ///   too few pairs, neither features nor cosines, or more memory than the budget; `state` and `format`
  ///   for the state of another check; `cancelled`.
  package func run(
    imageFeatures: FeatureRows?, trustedCosines: [Float]?, keys: [String],
    captions given: [String]?, patchPairs: [Int]? = nil, images: [Int]? = nil,
    descriptors: [ImageDescriptor]? = nil, decoding: PairDataset? = nil,
    dataset: (rows: [Int], count: Int, omissions: Omissions)? = nil,
    progress: (Double) -> Bool = { _ in true }
  ) throws(CLIPError) -> DatasetCheckResult {
    try options.validate()
    try CLIPError.checkResume(resume, from: stateDirectory)
    try check(
      imageFeatures, count: keys.count,
      others: [
        ("cosines", trustedCosines?.count), ("captions", given?.count),
        ("patch counts", patchPairs?.count), ("images", images?.count),
        ("image descriptors", descriptors?.count),
      ])
    let uncaptioned = given?.count(where: \.trimmed.isEmpty) ?? keys.count
    let captions = uncaptioned < keys.count ? given : nil
    try DatasetCheckMemory(
      keys: keys, captions: captions, features: imageFeatures, options: options
    )
    .check(budget: options.memoryBudget)
    let groups = ImageGroups(images)
    let survey = try imageFeatures.map { (features) throws(CLIPError) in
      try FeatureSurvey(features, name: "image features")
    }
    let imageDensity = try density(
      of: imageFeatures, survey, groups, isAlone: trustedCosines == nil, progress: progress)
    let density = groups.flatMap { imageDensity?.expanded($0) } ?? imageDensity
    var mixture: GaussianMixture?
    if let trustedCosines { mixture = try GaussianMixture(trustedCosines) }
    let scores = Self.scores(
      count: keys.count, imageDensity, groups, trustedCosines: trustedCosines,
      patchPairs: patchPairs)
    let order = groups?.ranking(scores) ?? Ranking.descending(scores)
    let ranking =
      groups.map { groups in
        order.flatMap { groups.pairs[$0].sorted { (scores[$0], $1) > (scores[$1], $0) } }
      } ?? order
    let captionCounts = Self.counts(captions ?? [])
    let pairs = keys.indices.map { i in
      PairScore(
        key: keys[i], caption: captions?[i] ?? "", score: scores[i],
        trustedCosine: trustedCosines?[i],
        mismatchProbability: trustedCosines.flatMap { mixture?.lowProbability($0[i]) },
        captionPairs: captions.map { captionCounts[$0[i], default: 0] } ?? 0,
        patchPairs: patchPairs?[i])
    }
    let captionsOfImages = captions.map { captions in
      groups?.pairs.map { $0.map { captions[$0] } } ?? captions.map { [$0] }
    }
    let concentration = CaptionConcentration(
      captionsOfImages: captionsOfImages ?? [], order: captions == nil ? [] : order)
    let rows = dataset?.rows ?? Array(keys.indices)
    let evidence = Self.evidence(
      captionsOfImages, imageFeatures, groups, descriptors, count: order.count,
      decoding: decoding.map { ($0, rows) })
    let clusters =
      try imageDensity.map { (density) throws(CLIPError) in
        try DenseCluster.find(density, evidence)
      } ?? []
    let head = try Self.head(of: order, concentration, captionsOfImages, evidence)
    let repeated = try RepeatedImages.find(evidence)
    let isConstant = survey?.isConstant ?? false
    return conclusion(
      Scored(
        pairs: pairs, density: density, mixture: mixture, ranking: ranking, order: order,
        groups: groups, concentration: concentration, clusters: clusters, head: head,
        repeated: repeated,
        isConstant: isConstant && mixture == nil, isNormalized: survey?.isNormalized ?? false,
        uncaptioned: uncaptioned,
        rows: rows, rowCount: dataset?.count ?? keys.count,
        omissions: dataset?.omissions ?? Omissions()))
  }

  /// What tells images that stand out.
  ///
  /// - Parameter decoding: a dataset, and the row of each pair in it.
  private static func evidence(
    _ captionsOfImages: [[String]]?, _ features: FeatureRows?, _ groups: ImageGroups?,
    _ descriptors: [ImageDescriptor]?, count: Int, decoding: (dataset: PairDataset, rows: [Int])?
  ) -> ClusterEvidence {
    let first = groups?.firstPairs
    return ClusterEvidence(
      captions: captionsOfImages,
      features: features.map { groups?.ofImages($0) ?? $0 },
      looks: ImageLooks(
        known: descriptors.map { all in first?.map { all[$0] } ?? all },
        rows: decoding.map { source in
          (source.dataset, first?.map { source.rows[$0] } ?? source.rows)
        }),
      pairCounts: groups?.pairs.map(\.count), imageCount: count)
  }

  /// The images at the head of the ranking that have its word; `nil` without one.
  private static func head(
    of order: [Int], _ concentration: CaptionConcentration, _ captionsOfImages: [[String]]?,
    _ evidence: ClusterEvidence
  ) throws(CLIPError) -> ImageCluster? {
    guard let captionsOfImages, let word = strongest(concentration) else { return nil }
    let members = order.prefix(word.head).filter { image in
      captionsOfImages[image].contains { caption in
        CaptionConcentration.words(of: caption.lowercased()).contains(word.text)
      }
    }
    return try evidence.cluster(members)
  }

  private func check(
    _ features: FeatureRows?, count: Int, others: [(String, Int?)]
  ) throws(CLIPError) {
    if let features {
      guard features.count == count else {
        throw CLIPError(
          .shape,
          "check data: features and keys disagree; expected \(count) rows, got "
            + "[\(features.count), \(features.width)]")
      }
    } else if others[0].1 == nil {
      throw CLIPError(
        .invalidArgument,
        "check data: there is nothing to score; expected features of the checkpoint or cosines of "
          + "a trusted one, got neither")
    }
    for (name, number) in others {
      guard let number, number != count else { continue }
      throw CLIPError(
        .shape, "check data: \(name) and keys disagree; expected \(count), got \(number)")
    }
  }

  /// The density of images; `nil` without features, and where few images of many captions have no
  /// neighbourhoods and cosines are left to judge by.
  private func density(
    of imageFeatures: FeatureRows?, _ survey: FeatureSurvey?, _ groups: ImageGroups?, isAlone: Bool,
    progress: (Double) -> Bool
  ) throws(CLIPError) -> DensityScores? {
    guard var imageFeatures, let survey else { return nil }
    if let groups { imageFeatures = groups.ofImages(imageFeatures) }
    let isEnough = imageFeatures.count > options.neighbours.min() ?? 0
    guard isEnough || groups == nil || isAlone else { return nil }
    let plan = try ReferencePlan(options, count: imageFeatures.count)
    let state = try stateDirectory.map { (directory) throws(CLIPError) in
      try NeighbourState(
        directory: directory, resume: resume, plan: plan, features: survey.fingerprint)
    }
    return try DensityScores(imageFeatures, plan, state: state, progress: progress)
  }

  /// The score of each pair: the sum of what speaks against it.
  private static func scores(
    count: Int, _ imageDensity: DensityScores?, _ groups: ImageGroups?, trustedCosines: [Float]?,
    patchPairs: [Int]?
  ) -> [Float] {
    var scores = [Float](repeating: 0, count: count)
    func add(_ part: [Float]) { for i in scores.indices { scores[i] += part[i] } }
    if let imageDensity {
      let standardized = Ranking.standardized(imageDensity.combined)
      add(groups?.expanded(standardized) ?? standardized)
    }
    if let trustedCosines { add(Ranking.standardized(trustedCosines.map { -$0 })) }
    if let patchPairs { add(PatchConcentration.scores(patchPairs)) }
    return scores
  }

  private static func counts(_ captions: [String]) -> [String: Int] {
    var counts: [String: Int] = [:]
    for caption in captions { counts[caption, default: 0] += 1 }
    return counts
  }

  /// Fraction of the head of the ranking from which a word rules it: poison teaches one target, so it is the
  /// majority there. In clean data kinds of image that are rare gather at the head too, but share it. Chosen by hand.
  private static let rulingFractionOfHead = 0.5
  /// log10 of the chance of a word's concentration, corrected for what was tried, below which it is no
  /// accident in any collection of datasets: one in a million. Chosen by hand.
  private static let certainLogChance = -6.0
  /// Weight of the mismatching component of the cosines from which it is half of a broad distribution
  /// rather than poison. Chosen by hand.
  private static let largestMismatch = 0.3
  /// Standard deviations of the matching component between the two means, from which the components
  /// are apart: 95 % of the matching pairs are closer to their mean.
  private static let mismatchDistance = 2.0

  private static func strongest(
    _ concentration: CaptionConcentration
  ) -> CaptionConcentration.Entry? {
    concentration.words.first { $0.fractionOfHead >= rulingFractionOfHead }
  }

  /// How many pairs are poisoned, and the verdict.
  ///
  /// Poison is meant to teach a target, so the captions at the head of the ranking share its name:
  /// the excess of the most concentrated word is the estimate. Words of clean data gather at the
  /// head too, since some kinds of image are rarer than others, but steadily (`HeadTrend`), and do not rule it. Without such
  /// a word, and with a trusted model, it is the weight of a mismatching component that is set
  /// apart from the other by two standard deviations. Without captions and cosines there is a ranking
  /// and nothing to conclude from it; nor is a clean verdict drawn from features without their length.
  private func conclusion(_ scored: Scored) -> DatasetCheckResult {
    let concentration = scored.concentration
    var estimate = 0
    var verdict = Verdict.clean
    let strongest = Self.strongest(concentration)
    if scored.isConstant {
      verdict = .cannotTell
    } else if let strongest {
      estimate = Int(strongest.excess.rounded())
      // One image many times is a shortcut, and it is not known whether anybody planted it.
      let isCertain =
        strongest.logChance < Self.certainLogChance && scored.head?.kind.isRepeated != true
      verdict = isCertain ? .backdoored : .suspicious
    } else if scored.hasSuspiciousCluster {
      verdict = .suspicious
    } else if let mixture = scored.mixture, mixture.low.weight < Self.largestMismatch,
      mixture.high.mean - mixture.low.mean
        > Self.mismatchDistance * mixture.high.variance.squareRoot()
    {
      estimate = Int((mixture.low.weight * Double(scored.order.count)).rounded())
      verdict = .suspicious
    }
    let unsure = verdict == .clean ? doubt(scored) : nil
    if unsure != nil { verdict = .cannotTell }
    // Twice the estimate: the ranking has clean pairs between the poisoned ones.
    let head = scored.order.prefix(2 * estimate)
    let removed =
      scored.groups.map { groups in
        head.reduce(0) { $0 + groups.pairs[$1].count }
      } ?? head.count
    return DatasetCheckResult(
      verdict: verdict,
      explanation: DatasetCheckExplanation.text(
        verdict: verdict, pairs: scored.order.count, estimate: estimate, removed: removed,
        word: strongest, head: scored.head, clusters: scored.clusters, repeated: scored.repeated,
        isConstant: scored.isConstant,
        noun: scored.groups == nil ? "pairs" : "images", unread: scored.omissions.summary,
        uncaptioned: scored.uncaptioned < scored.pairs.count ? scored.uncaptioned : 0, doubt: unsure
      ),
      pairs: scored.pairs, density: scored.density, mixture: scored.mixture,
      ranking: scored.ranking, estimatedPoisoned: estimate, removed: removed,
      concentration: concentration, denseClusters: scored.clusters, head: scored.head,
      repeatedImages: scored.repeated, options: options,
      rows: scored.rows, rowCount: scored.rowCount, omissions: scored.omissions)
  }

  /// Why nothing conspicuous is no sign that the pairs are clean; `nil` where it is one.
  private func doubt(_ scored: Scored) -> DatasetCheckExplanation.Doubt? {
    if scored.uncaptioned == scored.pairs.count && scored.mixture == nil { return .noCaptions }
    let unread =
      scored.omissions.unread + (scored.mixture == nil ? scored.uncaptioned : 0)
    if options.unread.isExceeded(by: unread, of: scored.rowCount) { return .unread }
    return scored.isNormalized ? .normalized : nil
  }

  /// What is concluded from.
  private struct Scored {
    let pairs: [PairScore]
    let density: DensityScores?
    let mixture: GaussianMixture?
    let ranking: [Int]
    /// Images from the most to the least suspicious; pairs, where each has its own.
    let order: [Int]
    let groups: ImageGroups?
    let concentration: CaptionConcentration
    let clusters: [DenseCluster]
    let head: ImageCluster?
    let repeated: [ImageCluster]
    let isConstant: Bool
    /// Whether all features are of length 1.
    let isNormalized: Bool
    /// Pairs without a caption.
    let uncaptioned: Int
    let rows: [Int]
    let rowCount: Int
    let omissions: Omissions

    /// Whether images stand out together that are no mere duplicates.
    var hasSuspiciousCluster: Bool {
      clusters.contains { $0.cluster.kind != .duplicates }
        || repeated.contains { RepeatedImages.isShortcut($0, among: pairs.count) }
    }
  }
}
