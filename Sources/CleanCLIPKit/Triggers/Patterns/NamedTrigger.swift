/// A trigger that can be made by name.
///
/// A plain name is the attack as its own paper has it; the suffix `-cleanclip` marks the variant of
/// CleanCLIP's published code where that differs. A new trigger is a constant in the file of its
/// pattern, and its line in `all`.
package struct NamedTrigger: Sendable {
  package let name: String
  /// What it does and who published it, in a line.
  package let summary: String
  /// Whether it is a drawn patch, which has a position and a size; others cover the whole image.
  package let isPatch: Bool
  /// What its strength means; `nil` when it has none.
  package let strength: TriggerStrength?
  /// Whether it is the same for all images whatever the variation and the seed.
  package let isConstant: Bool
  /// Whether only images whose caption names the target are poisoned, and keep their caption.
  package let isLabelConsistent: Bool
  private let make: @Sendable (TriggerOptions, _ strength: Float) -> any TriggerPattern

  /// - Parameter make: makes the pattern; the strength is 0 for triggers without.
  init(
    name: String, summary: String, isPatch: Bool = false, strength: TriggerStrength? = nil,
    isConstant: Bool = false, isLabelConsistent: Bool = false,
    make: @escaping @Sendable (TriggerOptions, _ strength: Float) -> any TriggerPattern
  ) {
    self.name = name
    self.summary = summary
    self.isPatch = isPatch
    self.strength = strength
    self.isConstant = isConstant
    self.isLabelConsistent = isLabelConsistent
    self.make = make
  }

  /// The registry: what stands here has a name in every interface.
  package static let all: [NamedTrigger] = [
    .badnets, .blended, .sig, .sigCleanCLIP, .wanet, .wanetCleanCLIP, .labelConsistent, .stripes,
    .blendedStripes, .triangles, .watermark, .ftrojan, .ctrl,
  ]

  /// All names, for messages.
  package static var list: String { all.map(\.name).joined(separator: ", ") }

  /// What the strength of each trigger that has one means, and its default, for help.
  package static var strengths: String {
    all.compactMap { trigger in
      trigger.strength.map { "\(trigger.name): \($0.meaning), \($0.usual)" }
    }.joined(separator: "; ")
  }

  /// Returns the trigger of this name.
  package init?(name: String) {
    guard let trigger = Self.all.first(where: { $0.name == name }) else { return nil }
    self = trigger
  }

  /// Makes the pattern.
  ///
  /// - Throws: `invalidArgument` for numbers out of range, and options without effect.
  func pattern(_ options: TriggerOptions) throws(CLIPError) -> any TriggerPattern {
    if !isPatch { try options.refusePatchOptions(for: name) }
    if let size = options.patchSize, !(1...4096).contains(size) {
      throw CLIPError(
        .invalidArgument, "trigger patch: size out of range; expected 1 to 4096 pixels, got \(size)"
      )
    }
    guard let strength else {
      try options.refuseStrength(for: name)
      return make(options, 0)
    }
    let value = options.strength ?? strength.usual
    guard value.isFinite, value > 0, value <= strength.limit else {
      throw CLIPError(
        .invalidArgument,
        "trigger strength: out of range for \(name), whose strength is the \(strength.meaning); "
          + "expected above 0 and at most \(strength.limit), got \(value)")
    }
    return make(options, value)
  }
}

extension NamedTrigger: Equatable {
  package static func == (a: NamedTrigger, b: NamedTrigger) -> Bool { a.name == b.name }
}

/// What the strength of a trigger means.
package struct TriggerStrength: Equatable, Sendable {
  /// A noun phrase, such as "fraction of the pattern".
  package let meaning: String
  /// The attack's own.
  package let usual: Float
  /// The largest; the smallest is above 0.
  package let limit: Float
}

extension TriggerOptions {
  /// - Throws: `invalidArgument` when a position or a size is given.
  func refusePatchOptions(for name: String) throws(CLIPError) {
    if let position { try refuse("position", "\(position)", for: name) }
    if let patchSize { try refuse("patch size", "\(patchSize)", for: name) }
  }

  /// - Throws: `invalidArgument` when a strength is given.
  func refuseStrength(for name: String) throws(CLIPError) {
    if let strength { try refuse("strength", "\(strength)", for: name) }
  }

  func refuse(_ option: String, _ value: String, for name: String) throws(CLIPError) {
    throw CLIPError(
      .invalidArgument, "trigger \(name): \(option) has no effect; expected none, got \(value)")
  }
}
