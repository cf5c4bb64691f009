/// A method of sanitizing as users name it: what it needs, which options it takes, how it runs.
///
/// A new method is one file, with an extension that makes its `SanitizeMethod` beside its code, its
/// options and their rules, and its name in `all`; options of its own are a member of
/// `SanitizeOptions`. Nothing else knows methods: names, needs, help, validation, histories and
/// reports come from here.
package struct SanitizeMethod: Sendable {
  /// Every method, in the order of help and messages.
  package static let all: [SanitizeMethod] = [
    .cleanclip, .supervised, .par, .unlearn, .simclip, .roclip, .safeclip,
  ]
  /// The one that is meant when none is named.
  package static let standard = cleanclip

  /// What options, histories and messages call it.
  package let name: String
  /// What the headings of reports call it.
  package let title: String
  /// What it does, in a few words without a full stop.
  package let summary: String
  /// The paper it is from; `nil` for none.
  package let source: String?
  package let needs: SanitizeNeeds
  /// Whether it also trains models that know nothing yet.
  package let trainsFromNothing: Bool
  /// Its defaults of the options of training.
  package let training: TrainingOptions
  /// Rules of all options it takes; others are refused unless they have their defaults.
  package let options: [OptionRule<SanitizeOptions>]
  /// Checks model and data and prepares a run, which has not begun; options are valid.
  package let prepare:
    @Sendable (SanitizeInput, SanitizeOptions) throws(CLIPError) -> any SanitizeRun

  package init(
    name: String, title: String, summary: String, source: String? = nil, needs: SanitizeNeeds,
    trainsFromNothing: Bool = false, training: TrainingOptions = TrainingOptions(),
    options: [OptionRule<SanitizeOptions>],
    prepare:
      @escaping @Sendable (SanitizeInput, SanitizeOptions) throws(CLIPError) -> any SanitizeRun
  ) {
    self.name = name
    self.title = title
    self.summary = summary
    self.source = source
    self.needs = needs
    self.trainsFromNothing = trainsFromNothing
    self.training = training
    self.options = options
    self.prepare = prepare
  }

  /// Whose state is kept.
  var stateOwner: StateFolder.Work {
    name == Self.unlearn.name ? .unlearning : .training(method: name)
  }

  /// The names of options that other methods take and this one refuses, in the order of help.
  package var refusedOptions: [String] {
    let taken = Set(options.map(\.name))
    var names: [String] = []
    for rule in Self.all.flatMap(\.options)
    where !taken.contains(rule.name) && !names.contains(rule.name) {
      names.append(rule.name)
    }
    return names + (name == Self.unlearn.name ? [] : UnlearnOptions.lists)
  }

  /// Finds a method.
  ///
  /// - Throws: `invalidArgument` for a name that is none.
  package static func named(_ name: String) throws(CLIPError) -> SanitizeMethod {
    if let method = all.first(where: { $0.name == name }) { return method }
    throw CLIPError(
      .invalidArgument,
      "options: method is not a known one; expected "
        + all.map(\.name).joined(separator: " or ") + ", got '\(name)'")
  }
}

/// What a method reads of its dataset besides images.
package struct SanitizeNeeds: Equatable, Sendable {
  /// How much a method depends on something.
  package enum Need: Equatable, Sendable {
    /// It is not looked at.
    case unused
    /// It makes the method better and may be missing.
    case optional
    /// There is no run without it.
    case required
  }

  /// Captions, and the tokenizer for them.
  package var captions: Need
  /// Class indices.
  package var labels: Need
  /// Images at least; 1 where a batch decides.
  package var images: Int

  package init(captions: Need = .unused, labels: Need = .unused, images: Int = 1) {
    self.captions = captions
    self.labels = labels
    self.images = images
  }
}
