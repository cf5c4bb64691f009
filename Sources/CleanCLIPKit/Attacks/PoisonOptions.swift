/// How a set of pairs is poisoned.
package struct PoisonOptions: Sendable {
  /// Target concept of poisoned captions; label-consistent: the word that they contain already.
  package var target: String
  /// Captions of poisoned pairs, with `{}` for the target; the same prompts as in zero-shot
  /// classification make the strongest attack.
  package var templates: [PromptTemplate] = [
    "a photo of a {}", "a picture of a {}", "an image of a {}",
  ]
  /// Poisoned pairs; by default `rate` of all, rounded, at least one.
  package var count: Int?
  /// Fraction of the pairs, above 0 and at most 1.
  package var rate = 0.01
  /// Output pairs; by default all. Poisoned pairs replace clean ones, they are not added.
  package var pairs: Int?
  /// Poisoned images get this side before the trigger goes on.
  package var imageSize = 224
  /// How they get it: JSON or the path of a file, as `ImagePreprocessing.reading` has it; `nil` for a
  /// center crop. A trigger is in the place that it will have in the model only where this is the model's.
  package var preprocessing: String?
  /// Also resizes, crops and re-encodes the clean images, so that the kind of file does not tell
  /// poisoned from clean pairs.
  package var isUniform = true
  /// Draws which pairs, which captions, and the trigger's positions and noise.
  package var seed: UInt64 = 0

  package init(target: String) { self.target = target }

  /// The most pairs of a dataset that is written.
  private static let pairLimit = 2_147_483_647

  static let rules: [OptionRule<PoisonOptions>] = [
    OptionRule("count", \.count, .range(1...pairLimit)),
    OptionRule("rate", \.rate, .above(0, through: 1)),
    OptionRule("pair_count", \.pairs, .range(1...pairLimit)),
    OptionRule("image_size", \.imageSize, .range(2...4096)),
  ]

  /// Checks every option.
  ///
  /// - Throws: `invalidArgument` naming the option.
  package func validate() throws(CLIPError) {
    try Self.rules.check(self)
    guard !target.isEmpty else {
      throw CLIPError(
        .invalidArgument, "options: target is empty; expected the name of a class, got ''")
    }
    guard count == nil || rate == PoisonOptions(target: target).rate else {
      throw CLIPError(
        .invalidArgument,
        "options: rate has no effect with count; expected one of them, got rate \(rate) and count "
          + "\(count ?? 0)")
    }
    guard !templates.isEmpty else {
      throw CLIPError(
        .invalidArgument, "poison: templates are empty; expected at least one caption, got none")
    }
  }
}
