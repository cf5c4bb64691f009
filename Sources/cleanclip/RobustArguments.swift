internal import ArgumentParser
internal import CleanCLIPKit

/// Options of the methods that train on pairs some of which may be poisoned.
struct RobustArguments: ParsableArguments {
  @Option(
    name: .long,
    help: """
      roclip: in every so many epochs one has images matched with the pool, 1 to 1000000.
      """)
  var matchEvery = RoCLIPOptions().matchEvery

  @Option(
    name: .long,
    help: """
      roclip: captions of the pool, as a fraction of the pairs, more than 0, at most 1.
      """)
  var poolFraction = RoCLIPOptions().poolFraction

  @Option(
    name: .long,
    help: """
      safeclip: the probability of agreeing above which a pair is safe at first, more than 0, at most 1.
      """)
  var safeProbability = SafeCLIPOptions().safeProbability

  @Option(
    name: .long,
    help: """
      safeclip: epochs of self-supervision before images and captions meet, 0 to 1000000; --epochs is 2 \
      more or higher.
      """)
  var inmodalEpochs = SafeCLIPOptions().inmodalEpochs

  /// Sets the options.
  func apply(to options: inout SanitizeOptions) {
    options.roclip.matchEvery = matchEvery
    options.roclip.poolFraction = poolFraction
    options.safeclip.safeProbability = safeProbability
    options.safeclip.inmodalEpochs = inmodalEpochs
  }
}
