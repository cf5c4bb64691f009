/// A family of triggers with free numbers, differentiable, whose extent can be pushed down.
///
/// A new family is one file, with a type that conforms and its `TriggerKind`, which goes into
/// `TriggerKind.all`. Images are
/// `[B, 3, S, S]` in 0…1; a trigger is `planes` × S × S numbers.
protocol TriggerSpace: AnyObject, SendableMetatype {
  /// In reports, states and files: never changed, of lowercase letters and hyphens.
  static var name: String { get }
  /// Such triggers in words: "small patches".
  static var plural: String { get }
  /// What `image` shows: "patches on grey".
  static var imageMeaning: String { get }
  /// What `size` measures, for reports.
  static var sizeMeaning: String { get }
  /// A trigger of a size in words, which a verb follows: "A patch that covers 2 % of an image".
  static func phrase(size: Float) -> String
  /// Numbers that a trigger has for each pixel.
  static var planes: Int { get }
  /// What the numbers of a trigger for images of `side` × `side` pixels may be.
  static func range(side: Int) -> ClosedRange<Float>
  /// Mean pairwise cosine from which triggered images count as collapsed.
  ///
  /// DECREE asks for 0.99. A backdoor need not go that far: the true triggers of small victims leave
  /// cosines between 0.90 and 0.96, and a search that asks for more than the backdoor gives finds
  /// something larger than it.
  static var collapseThreshold: Float { get }
  /// How much the sizes that clean models need differ from search to search.
  static var usualSpread: SizeSpread { get }
  /// Whether a check searches this family unless others are named.
  static var isSearchedByDefault: Bool { get }
  /// Whether backdoors are often found in this family, which is searched before others then.
  static var isFrequent: Bool { get }
  /// Key of the random stream that starts a search, another for each family: never changed, because
  /// the results of a seed depend on it.
  static var streamKey: UInt64 { get }

  /// Starts a search for images of `imageSize` × `imageSize` pixels.
  init(imageSize: Int, random: inout RandomNumbers) throws(CLIPError)

  /// Triggers to scan, forward only, where a search from a random start would end in the next of many
  /// minima; none where that is not so.
  static func candidates(imageSize: Int) throws(CLIPError) -> [any TriggerSpace]

  /// S.
  var side: Int { get }
  /// The free parameters, changed by the optimizer.
  var values: Tensor { get }
  /// The optimizer's step at the start.
  var learningRate: Float { get }
  /// How much of the image the trigger changes; the smaller at equal effect, the likelier
  /// planted.
  var size: Float { get }
  /// The size of a trigger that is free to change everything.
  var largestSize: Float { get }
  /// The trigger as it is, `[planes, S, S]` row-major.
  func numbers() -> [Float]
  /// Adds dLoss/dValues, given dLoss/dOutput.
  func pullBack(_ dOutput: Tensor, images: Tensor, into gradient: Tensor)
  /// Tightens or loosens the penalty on the size, after a step that did or did not reach the goal,
  /// and adds the gradient of the penalty.
  func adjustPenalty(succeeded: Bool, into gradient: Tensor)

  /// Writes images with a trigger of these numbers.
  static func apply(_ numbers: [Float], side: Int, images: Tensor, into output: Tensor)
  /// A trigger as an image of `side` × `side` pixels.
  static func image(_ numbers: [Float], side: Int) -> RGBImage
}

extension TriggerSpace {
  static var isFrequent: Bool { false }

  static func candidates(imageSize: Int) throws(CLIPError) -> [any TriggerSpace] { [] }

  static var kind: TriggerKind { TriggerKind(Self.self) }
  var kind: TriggerKind { Self.kind }

  /// Writes triggered images.
  func apply(to images: Tensor, into output: Tensor) {
    Self.apply(numbers(), side: side, images: images, into: output)
  }

  /// Copies the trigger as it is.
  func snapshot() -> FoundTrigger {
    FoundTrigger(kind: kind, size: size, side: side, numbers: numbers())
  }
}

/// Spread of ln(size) from search to search that is usual in clean models.
struct SizeSpread: Equatable, Sendable {
  /// Of searches towards one class each.
  let targeted: Double
  /// Of untargeted searches.
  let untargeted: Double
  /// The weight of the usual spread beside that of the sizes at hand, in observations, because three
  /// sizes alone say too little.
  let weight: Double

  /// Set by hand, for words.
  static let unmeasured = SizeSpread(targeted: 0.4, untargeted: 0.4, weight: 6)
}

/// How hard the size of a trigger is pressed down: the weight of a penalty, or a bound.
///
/// After `patience` steps that succeeded in a row every further one tightens, after as many
/// that failed every further one loosens (DECREE, Feng et al. 2023, with a gentler factor: 1.5
/// instead of 5 a step keeps the trigger from dissolving between steps).
struct PenaltySchedule {
  private(set) var value: Float
  let tighten: Float
  let loosen: Float
  let range: ClosedRange<Float>
  let patience = 5
  private var successes = 0
  private var failures = 0

  init(_ value: Float, tighten: Float, loosen: Float, range: ClosedRange<Float>) {
    self.value = value
    self.tighten = tighten
    self.loosen = loosen
    self.range = range
  }

  mutating func record(succeeded: Bool) {
    if succeeded {
      successes += 1
      failures = 0
      if successes > patience { value *= tighten }
    } else {
      failures += 1
      successes = 0
      if failures > patience { value *= loosen }
    }
    value = min(range.upperBound, max(range.lowerBound, value))
  }
}
