/// A change to an image that a poisoned model takes for its target class.
///
/// Triggers go onto the square image that the model sees: after the resize and the centre crop,
/// before normalisation. CleanCLIP's published code squashes triggered images to a square and
/// crops clean ones, so that accuracy and attack success are measured on different crops; here both
/// see the same.
package struct Trigger: Sendable {
  private enum Form: Sendable {
    case patch(PatchTrigger)
    case blend(BlendTrigger)
    case sinusoid(SinusoidTrigger)
    case warp(WarpTrigger)
  }

  private let form: Form
  /// Whether only images whose caption names the target are poisoned, and keep their caption.
  package let isLabelConsistent: Bool
  /// What the trigger is, for reports: `badnets, fixed, position random, seed 0`.
  package let summary: String

  /// Makes a trigger by name.
  ///
  /// - Throws: `invalidArgument` when a number is out of range.
  package init(
    _ name: TriggerName, _ options: TriggerOptions = TriggerOptions()
  ) throws(CLIPError) {
    try Self.check(options)
    let variation = options.variation
    let seed = options.seed
    switch name {
    case .badnets, .labelConsistent, .stripes:
      form = .patch(PatchTrigger(name == .stripes ? .stripes : .noise, options))
    case .blended, .blendedStripes:
      let share = options.strength ?? 0.2
      guard share <= 1 else {
        throw CLIPError(
          .invalidArgument,
          "trigger strength: out of range for a mixed-in pattern; expected at most 1, got \(share)")
      }
      form = .blend(
        BlendTrigger(
          pattern: name == .blended ? .noise : .stripes, variation: variation, share: share,
          seed: seed))
    case .sig:
      form = .sinusoid(
        SinusoidTrigger(form: .added(amplitude: options.strength ?? 20), variation: variation))
    case .sigCleanCLIP:
      form = .sinusoid(
        SinusoidTrigger(form: .mixed(amplitude: options.strength ?? 60), variation: variation))
    case .wanet:
      form = .warp(
        WarpTrigger(
          field: .smooth, strength: options.strength ?? 0.5, variation: variation, seed: seed))
    case .wanetCleanCLIP:
      form = .warp(
        WarpTrigger(
          field: .perPixel, strength: options.strength ?? 1, variation: variation, seed: seed))
    }
    isLabelConsistent = name == .labelConsistent
    var summary = "\(name.rawValue), \(variation.rawValue)"
    if case .patch = form { summary += ", position \(options.position)" }
    if let size = options.patchSize { summary += ", \(size) px" }
    if let strength = options.strength { summary += ", strength \(strength)" }
    self.summary = summary + ", seed \(seed)"
  }

  /// Makes a trigger that pastes a given image.
  package init(patch: RGBImage, position: TriggerPosition = .random) {
    form = .patch(PatchTrigger(image: patch, position: position))
    isLabelConsistent = false
    summary = "patch of \(patch.width)x\(patch.height) px, position \(position)"
  }

  /// Makes a trigger from a name or from the path of an image that is pasted.
  ///
  /// - Throws: `notFound` when it is neither; `format` for a broken image; `invalidArgument` when
  ///   a number is out of range.
  package static func load(
    _ nameOrPath: String, _ options: TriggerOptions = TriggerOptions()
  ) throws(CLIPError) -> Trigger {
    if let name = TriggerName(rawValue: nameOrPath) { return try Trigger(name, options) }
    let file: MappedFile
    do throws(CLIPError) {
      file = try MappedFile(nameOrPath)
    } catch {
      guard error.code == .notFound else { throw error }
      throw CLIPError(
        .notFound,
        "trigger: neither a known name nor a file; expected one of \(TriggerName.list) or a "
          + "image, got '\(nameOrPath)'")
    }
    let decoded = try ImageDecoder.decode(file.bytes, name: nameOrPath)
    return Trigger(patch: decoded.image, position: options.position)
  }

  private static func check(_ options: TriggerOptions) throws(CLIPError) {
    if let size = options.patchSize, !(1...4096).contains(size) {
      throw CLIPError(
        .invalidArgument, "trigger patch: size out of range; expected 1 to 4096 pixels, got \(size)"
      )
    }
    if let strength = options.strength, !(strength.isFinite && strength > 0 && strength <= 255) {
      throw CLIPError(
        .invalidArgument,
        "trigger strength: out of range; expected above 0 and at most 255, got \(strength)")
    }
  }

  /// Returns the patch that all images of a size carry, to be kept as a file; `nil` for triggers
  /// of another kind and for fresh ones.
  package func fixedPatch(width: Int, height: Int) -> RGBImage? {
    if case .patch(let trigger) = form { return trigger.fixedImage(width: width, height: height) }
    return nil
  }

  /// Returns the image with the trigger on it.
  ///
  /// - Parameters:
  ///   - image: as the model sees it: square, cropped.
  ///   - random: draws the position and the fresh pattern. The stream of an image is keyed by the
  ///     seed and the image's index, so that a run repeats whatever its order.
  /// - Throws: `shape` when a patch does not fit the image.
  package func applied(
    to image: RGBImage, using random: inout RandomNumbers
  ) throws(CLIPError) -> RGBImage {
    switch form {
    case .patch(let trigger): try trigger.applied(to: image, using: &random)
    case .blend(let trigger): trigger.applied(to: image, using: &random)
    case .sinusoid(let trigger): trigger.applied(to: image, using: &random)
    case .warp(let trigger): trigger.applied(to: image, using: &random)
    }
  }

  /// Returns image number `index` of a run with the trigger on it.
  ///
  /// - Throws: `shape` when a patch does not fit the image.
  package func applied(
    to image: RGBImage, seed: UInt64, index: Int
  ) throws(CLIPError) -> RGBImage {
    var random = RandomNumbers(seed: seed, TriggerStream.image, UInt64(bitPattern: Int64(index)))
    return try applied(to: image, using: &random)
  }
}

/// Keys of the random streams of triggers.
enum TriggerStream {
  static let patch: UInt64 = 0x7061_7463
  static let blend: UInt64 = 0x626c_656e
  static let warp: UInt64 = 0x7761_7270
  static let image: UInt64 = 0x7069_6374
  static let caption: UInt64 = 0x6361_7074
}

extension TriggerVariation {
  /// The stream that draws a pattern: the same for every image, or the image's own.
  func withStream<Result>(
    seed: UInt64, key: UInt64, image: inout RandomNumbers,
    _ draw: (inout RandomNumbers) -> Result
  ) -> Result {
    switch self {
    case .fresh: return draw(&image)
    case .fixed:
      var random = RandomNumbers(seed: seed, key)
      return draw(&random)
    }
  }
}
