internal import ArgumentParser
internal import CleanCLIPKit

/// The attack that `sanitize --method simclip` trains against.
struct AttackArguments: ParsableArguments {
  @Option(
    name: .long,
    help: """
      simclip: how far the attack may move a value of an image, in 255ths of the pixel range, more than \
      0, at most 255.
      """)
  var attackEpsilon = SimCLIPOptions().attackEpsilon

  @Option(
    name: .long,
    help: """
      simclip: how far it moves it in a step, in 255ths too, more than 0, at most 255.
      """)
  var attackStepSize = SimCLIPOptions().attackStepSize

  @Option(name: .long, help: "simclip: steps of the attack on each batch, 1 to 1000.")
  var attackSteps = SimCLIPOptions().attackSteps

  /// The options as the engine takes them.
  var options: SimCLIPOptions {
    var options = SimCLIPOptions()
    options.attackEpsilon = attackEpsilon
    options.attackStepSize = attackStepSize
    options.attackSteps = attackSteps
    return options
  }
}
