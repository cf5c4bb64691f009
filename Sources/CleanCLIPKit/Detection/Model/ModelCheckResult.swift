/// Settings of a check of an image tower.
package struct ModelCheckOptions: Equatable, Sendable {
  package var search = TriggerSearchOptions()
  /// The spaces that are searched.
  package var kinds = TriggerKind.searchedByDefault
  /// Further searches of the same model in each space, as a reference when no clean checkpoints are
  /// given; at least 2.
  package var referenceSearches = 3
  /// Classes with a targeted search, at most; 0 leaves these searches out.
  package var classSearches = 10
  /// Images that are used at most, and no more than fit in 1 GiB; a quarter is held out to measure what
  /// was found.
  package var imageLimit = 256
  /// Whether searches run on when the verdict is settled, to find further backdoors.
  package var isExhaustive = false
  /// Where finished searches are kept; `nil` keeps none.
  package var stateDirectory: String?
  /// Whether to resume from the state that is there.
  package var resume = false

  package init() {}

  static let rules: [OptionRule<ModelCheckOptions>] = [
    OptionRule("steps", \.search.steps, .range(1...1_000_000)),
    OptionRule("batch_size", \.search.batchSize, .range(2...FeatureEncoder.batchLimit)),
    OptionRule("reference_searches", \.referenceSearches, .range(2...100)),
    OptionRule(
      "class_searches", \.classSearches,
      OptionValues("0, or \(ModelCheck.fewestClasses) to 1000") {
        $0 == 0 || (ModelCheck.fewestClasses...1000).contains($0)
      }),
    OptionRule("image_limit", \.imageLimit, .range(16...1_000_000)),
  ]

  /// Checks every option.
  ///
  /// - Throws: `invalidArgument` naming the option.
  package func validate() throws(CLIPError) {
    try Self.rules.check(self)
    try CLIPError.checkResume(resume, from: stateDirectory)
  }
}

/// Where a check is.
package struct ModelCheckProgress: Equatable, Sendable {
  /// What is searched, in words.
  package var phase: String
  /// Searches done before this one, and all of them.
  package var search: Int
  package var searches: Int
  package var step: Int
  package var steps: Int
}

/// What the searches of one space for one goal found.
package struct TriggerFinding: Sendable {
  package let kind: TriggerKind
  /// The class that was searched for; `nil` for an untargeted search.
  package let target: String?
  package let search: TriggerSearchResult
  package let reference: SizeReference
  /// 1 when there is no trigger, or none that also works on held-out images.
  package let pValue: Double
  /// Mean pairwise cosine of held-out images, as they are and with the trigger.
  package let cleanCollapse: Float
  package let heldOutCollapse: Float
  /// Read out of the user's classes; `nil` without classes, a text tower or a trigger.
  package let classes: TargetReadout?
  /// Read out of `CommonNouns`.
  package let nouns: TargetReadout?

  /// The verdict of this space alone.
  package var verdict: Verdict { Verdict(pValue: pValue) }
}

/// The verdict on a checkpoint, with its evidence.
package struct ModelCheckResult: Sendable {
  /// The verdict on the image tower.
  package let imageVerdict: Verdict
  /// The probability that a clean model gives findings at least as strong: the p-values of the
  /// findings by Simes' procedure, searches that were left out as 1.
  package let pValue: Double
  /// What the searches in the image tower found.
  package let imageFindings: [TriggerFinding]
  /// Why, in a paragraph for people who do not know the method.
  package let imageExplanation: String
  /// Classes or nouns that were searched for, each by itself.
  package let targets: [String]
  /// Comparisons that were left out because they would not have changed the verdict.
  package let leftOut: Int
  package let images: Int
  /// Whether the images were drawn for the check because none were given.
  package let imagesAreSynthetic: Bool
  package let options: ModelCheckOptions
  package let seconds: Double
  /// Pairs of a held-out image without and with the trigger of the strongest finding.
  package let examples: [(clean: RGBImage, triggered: RGBImage)]

  /// What was checked: path, size and SHA-256 of each file, where it is still what was read. Empty for a model that
  /// was made in memory.
  package var files: [JSONValue] = []

  /// How near the model is to those that the p-values were measured on.
  package let calibration: CheckCalibration

  /// What of the images was not used because it cannot be read.
  package var omissions = Omissions()

  /// What a check of the text tower found; `nil` when it was not checked.
  package var textTower: TextCheckResult?

  /// The more serious of the towers' verdicts.
  package var verdict: Verdict {
    textTower.map { imageVerdict.worse(than: $0.verdict) } ?? imageVerdict
  }

  /// The explanations of the towers that were checked.
  package var explanation: String {
    let unread = omissions.summary
    return
      [
        imageExplanation, textTower?.explanation,
        unread.isEmpty ? nil : "Images that were not used: \(unread).",
      ]
      .compactMap(\.self).joined(separator: " ")
  }

  /// The finding with the smallest p-value.
  package var strongest: TriggerFinding? { imageFindings.min { $0.pValue < $1.pValue } }
}
