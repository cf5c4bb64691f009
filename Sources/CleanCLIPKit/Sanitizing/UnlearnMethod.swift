extension SanitizeMethod {
  /// `UnlearnRun`: recovered triggers are unlearned.
  static let unlearn = SanitizeMethod(
    name: "unlearn", title: "Unlearning of recovered triggers",
    summary: """
      triggers are recovered from the model with a few hundred unlabelled images and unlearned, the \
      model's own features of the same images without them as the aim; ends with a verdict
      """,
    // The text tower names the predicted targets, where there is one.
    needs: SanitizeNeeds(captions: .optional),
    options: [.maxAccuracyLoss]
      + SanitizeOptions.trainingRules.filter {
        ["batch_size", "seed", "precision"].contains($0.name)
      }
  ) { (input, options) throws(CLIPError) in
    try UnlearnRun(input, options)
  }
}

extension OptionRule<SanitizeOptions> {
  static let maxAccuracyLoss = OptionRule(
    "max_accuracy_loss", \.unlearn.maxAccuracyLoss, .above(0, through: 100))
}
