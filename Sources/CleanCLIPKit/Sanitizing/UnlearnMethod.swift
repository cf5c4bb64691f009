extension SanitizeMethod {
  /// `UnlearnRun`: recovered triggers are unlearned.
  static let unlearn = SanitizeMethod(
    name: "unlearn", title: "Unlearning of recovered triggers",
    summary: """
      triggers are recovered from the model with a few hundred unlabelled images and unlearned, the \
      model's own features of the same images without them as the aim; ends with a verdict
      """,
    // The text tower names the predicted targets, where there is one.
    needs: SanitizeNeeds(captions: .optional, images: UnlearnImages.fewest),
    options: [.suspects, .unlearnsText, .maxAccuracyLoss, .persistenceSteps]
      + SanitizeOptions.trainingRules.filter {
        [
          "batch_size", "seed", "precision", "chunk_size", "memory_budget", "state_directory",
          "save_every",
          "resume",
        ].contains($0.name)
      }
  ) { (input, options) throws(CLIPError) in
    try UnlearnRun(input, options)
  }
}

extension OptionRule<SanitizeOptions> {
  static let maxAccuracyLoss = OptionRule(
    "max_accuracy_loss", \.unlearn.maxAccuracyLoss, .above(0, through: 100))
  static let unlearnsText = OptionRule("text", \.unlearn.text)
  static let persistenceSteps = OptionRule(
    "persistence_steps", \.unlearn.persistenceSteps, .range(0...1_000_000))
}

extension UnlearnOptions {
  /// The names of its options that are lists, which have no rules.
  static let lists = ["classes", "templates", "class_features", "triggers"]

  /// Checks the lists, which have no rules.
  ///
  /// - Throws: `invalidArgument` naming the option.
  func validate(_ method: SanitizeMethod) throws(CLIPError) {
    let given = [
      ("classes", classes.count), ("templates", templates.count),
      ("class_features", classFeatures == nil ? 0 : 1), ("triggers", triggers.count),
    ]
    if method.name != SanitizeMethod.unlearn.name, let (name, _) = given.first(where: { $0.1 > 0 })
    {
      throw CLIPError(
        .invalidArgument,
        "options: \(name) have no effect with method \(method.name); expected none, or method "
          + SanitizeMethod.unlearn.name)
    }
    if classFeatures != nil {
      try ClassFeatures.checkGiven(names: classes.count, templates: templates.count)
    }
    let distinct = DistinctNames(classes).names.count
    guard classes.isEmpty || distinct >= ModelCheck.fewestClasses else {
      throw CLIPError(
        .invalidArgument,
        "options: classes are too few; expected none or at least \(ModelCheck.fewestClasses), "
          + "which are compared, got \(distinct)")
    }
    guard !classes.isEmpty || templates.isEmpty else {
      throw CLIPError(
        .invalidArgument,
        "options: templates have no effect without classes; expected classes, got none")
    }
  }
}
