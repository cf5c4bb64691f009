internal import ArgumentParser
internal import CleanCLIPKit

/// Which trigger.
struct TriggerArguments: ParsableArguments {
  @Option(
    name: .long,
    help: """
      A saved trigger (.safetensors), a PNG image that is pasted, or one of \(NamedTrigger.list).
      """)
  var trigger: String?

  @Option(name: .long, help: "Where a patch goes: random (the default), corners, center or Y,X.")
  var position: String?

  @Flag(name: .long, help: "One pattern for all images instead of new noise for each.")
  var fixed = false

  @Option(
    name: .long,
    help: "Side of a drawn patch in pixels, 1 to 4096; none by default: a fourteenth, at least 8.")
  var patchSize: Int?

  @Option(
    name: .long,
    help: """
      How strong it is; none by default: the attack's own (\(NamedTrigger.strengths)).
      """)
  var strength: Float?

  func validate() throws {
    guard trigger == nil, position != nil || fixed || patchSize != nil || strength != nil else {
      return
    }
    throw ValidationError("--position, --fixed, --patch-size and --strength need --trigger")
  }

  /// Makes the trigger; `nil` when none is asked for.
  func load(seed: UInt64) throws(CLIPError) -> Trigger? {
    guard let trigger else { return nil }
    var options = TriggerOptions()
    if let position { options.position = try TriggerPosition(parsing: position) }
    options.variation = fixed ? .fixed : .fresh
    options.patchSize = patchSize
    options.strength = strength
    options.seed = seed
    return try Trigger.load(trigger, options)
  }
}
