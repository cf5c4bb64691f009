/// How a model is sanitized: the options of training, and of each method, which are a struct beside
/// its code. A method takes some of the former and its own.
package struct SanitizeOptions: Sendable {
  package var method: SanitizeMethod
  package var training: TrainingOptions
  package var cleaningSet = CleaningSetOptions()
  package var cleanclip = CleanCLIPOptions()
  package var par = PAROptions()
  package var simclip = SimCLIPOptions()
  package var roclip = RoCLIPOptions()
  package var safeclip = SafeCLIPOptions()
  package var supervised = SupervisedOptions()
  package var unlearn = UnlearnOptions()

  /// Makes the defaults of a method.
  package init(_ method: SanitizeMethod = .standard) {
    self.method = method
    training = method.training
  }

  /// The rules of the options that every method with a `Trainer` takes.
  static let trainingRules = TrainingOptions.rules.map {
    OptionRule<SanitizeOptions>($0, of: \SanitizeOptions.training)
  }

  /// Checks the options of the method, and that no other is set.
  ///
  /// - Throws: `invalidArgument` naming the option.
  package func validate() throws(CLIPError) {
    try method.options.check(self)
    try training.validate()
    try unlearn.validate(method)
    let taken = Set(method.options.map(\.name))
    let defaults = SanitizeOptions(method)
    for other in SanitizeMethod.all {
      for rule in other.options
      where !taken.contains(rule.name) && rule.value(self) != rule.value(defaults) {
        throw CLIPError(
          .invalidArgument,
          "options: \(rule.name) has no effect with method \(method.name); expected "
            + "\(rule.text(defaults)), its default, or method \(other.name), got "
            + rule.text(self))
      }
    }
  }
}
