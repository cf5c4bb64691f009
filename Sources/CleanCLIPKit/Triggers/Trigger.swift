/// A change to an image that a poisoned model takes for its target class.
///
/// Triggers go onto the square image that the model sees: after the resize and the centre crop,
/// before normalisation. CleanCLIP's published code squashes triggered images to a square and
/// crops clean ones, so that accuracy and attack success are measured on different crops; here both
/// see the same.
package struct Trigger: Sendable {
  private let pattern: any TriggerPattern
  /// Whether only images whose caption names the target are poisoned, and keep their caption.
  package let isLabelConsistent: Bool
  /// What the trigger is, for reports: `badnets, fixed, position random, seed 0`.
  package let summary: String
  /// What a search found; `nil` for triggers made by name or of an image.
  package let recovered: FoundTrigger?
  /// Where a recovered trigger comes from, in words; otherwise empty.
  package let provenance: String

  /// Makes a trigger by name.
  ///
  /// - Throws: `invalidArgument` when a number is out of range or an option has no effect.
  package init(
    _ trigger: NamedTrigger, _ options: TriggerOptions = TriggerOptions()
  ) throws(CLIPError) {
    pattern = try trigger.pattern(options)
    isLabelConsistent = trigger.isLabelConsistent
    var summary = trigger.name
    if !trigger.isConstant { summary += ", \(options.variation.rawValue)" }
    if trigger.isPatch { summary += ", position \(options.position ?? .random)" }
    if let size = options.patchSize { summary += ", \(size) px" }
    if let strength = options.strength { summary += ", strength \(strength)" }
    self.summary = summary + (trigger.isConstant ? "" : ", seed \(options.seed)")
    recovered = nil
    provenance = ""
  }

  /// Makes a trigger that pastes a given image.
  package init(patch: RGBImage, position: TriggerPosition = .random) {
    pattern = PatchTrigger(image: patch, position: position)
    isLabelConsistent = false
    summary = "patch of \(patch.width)x\(patch.height) px, position \(position)"
    recovered = nil
    provenance = ""
  }

  /// Makes a trigger of what a search found; it fits images of the searched model's size alone.
  ///
  /// - Parameter provenance: where it comes from, in words.
  package init(recovered: FoundTrigger, provenance: String = "") {
    pattern = recovered
    isLabelConsistent = false
    summary =
      "recovered \(recovered.kind.name) of \(recovered.side)x\(recovered.side) px, size "
      + "\(recovered.size)" + (provenance.isEmpty ? "" : ", \(provenance)")
    self.recovered = recovered
    self.provenance = provenance
  }

  /// Makes a trigger from a name, from the path of a saved one, or of an image that is pasted.
  ///
  /// - Throws: `notFound` when it is neither a name nor a file; `format` for a broken file;
  ///   `invalidArgument` when a number is out of range or an option has no effect.
  package static func load(
    _ nameOrPath: String, _ options: TriggerOptions = TriggerOptions()
  ) throws(CLIPError) -> Trigger {
    if let trigger = NamedTrigger(name: nameOrPath) { return try Trigger(trigger, options) }
    let file: FileContents
    do throws(CLIPError) {
      file = try FileContents(nameOrPath)
    } catch {
      guard error.code == .notFound else { throw error }
      throw CLIPError(
        .notFound,
        "trigger: neither a known name nor a file; expected one of \(NamedTrigger.list), a "
          + "saved trigger or an image, got '\(nameOrPath)'")
    }
    if try SafeTensors.isUsed(in: nameOrPath) {
      try options.refusePatchOptions(for: "from a file")
      try options.refuseStrength(for: "from a file")
      let (trigger, provenance) = try TriggerFile.load(nameOrPath)
      return Trigger(recovered: trigger, provenance: provenance)
    }
    let decoded = try withExtendedLifetime(file) { () throws(CLIPError) in
      try ImageDecoder.decode(file.bytes, name: nameOrPath)
    }
    if let size = options.patchSize {
      try options.refuse("patch size", "\(size)", for: "from an image")
    }
    try options.refuseStrength(for: "from an image")
    return Trigger(patch: decoded.image, position: options.position ?? .random)
  }

  /// Checks that the trigger fits square images of a size, before the work on many.
  ///
  /// - Throws: see `applied`.
  package func checkFit(imageSize: Int) throws(CLIPError) {
    _ = try applied(to: RGBImage(width: imageSize, height: imageSize), seed: 0, index: 0)
  }

  /// Returns the image with the trigger on it.
  ///
  /// - Parameters:
  ///   - image: as the model sees it: square, cropped.
  ///   - random: draws the position and the fresh pattern. The stream of an image is keyed by the
  ///     seed and the image's index, so that a run repeats whatever its order.
  /// - Throws: `shape` when a patch does not fit the image, or a recovered trigger is of another size.
  package func applied(
    to image: RGBImage, using random: inout RandomNumbers
  ) throws(CLIPError) -> RGBImage {
    try pattern.applied(to: image, using: &random)
  }

  /// Returns image number `index` of a run with the trigger on it.
  ///
  /// - Throws: see the other `applied`.
  package func applied(
    to image: RGBImage, seed: UInt64, index: Int
  ) throws(CLIPError) -> RGBImage {
    var random = RandomNumbers(seed: seed, Self.streamKey, UInt64(bitPattern: Int64(index)))
    return try applied(to: image, using: &random)
  }

  /// Returns images with the trigger on them, a recovered one exactly, another through images of 8
  /// bits a channel.
  ///
  /// - Parameters:
  ///   - images: `[B, 3, S, S]` in 0…1.
  ///   - firstIndex: number of the first image in a run.
  /// - Throws: see the other `applied`.
  package func applied(
    to images: Tensor, seed: UInt64, firstIndex: Int
  ) throws(CLIPError) -> Tensor {
    if let recovered { return try recovered.applied(to: images) }
    var triggered: [RGBImage] = []
    for row in 0..<images.shape[0] {
      triggered.append(
        try applied(
          to: RGBImage(planar: images, row: row), seed: seed, index: firstIndex + row))
    }
    return try Tensor(planar: triggered)
  }

  /// Key of an image's stream: never changed, because what a seed draws depends on it.
  private static let streamKey: UInt64 = 0x7069_6374
}
