/// Copies a set of pairs so that some of them carry a trigger, or one of several.
///
/// A dirty-label poison shows the trigger on an image of anything and gets a caption of the target
/// from a template; a label-consistent one is an image of the target and keeps its caption.
package struct PoisonedSet {
  /// What was written.
  package struct Summary: Equatable, Sendable {
    package let pairs: Int
    package let poisoned: Int

    package init(pairs: Int, poisoned: Int) {
      self.pairs = pairs
      self.poisoned = poisoned
    }
  }

  /// Key of the stream that chooses a pair's template: never changed, because what a seed draws
  /// depends on it.
  private static let captionStream: UInt64 = 0x6361_7074

  private let dataset: PairDataset
  private let attacks: [PoisonAttack]
  private let options: PoisonOptions
  private let preprocessor: ImagePreprocessor

  /// - Parameters:
  ///   - trigger: of the attack whose target and rate are in the options.
  ///   - further: attacks on other pairs of the same set.
  /// - Throws: `invalidArgument` for options out of range; `shape` for a trigger that does not fit images
  ///   of this size; as `ImagePreprocessing.reading`.
  package init(
    _ dataset: PairDataset, trigger: Trigger, further: [PoisonAttack] = [],
    options: PoisonOptions
  ) throws(CLIPError) {
    try options.validate()
    self.dataset = dataset
    attacks =
      [
        PoisonAttack(
          trigger: trigger, target: options.target, count: options.count, rate: options.rate)
      ] + further
    self.options = options
    let preprocessing = try options.preprocessing.map { (text) throws(CLIPError) in
      try ImagePreprocessing.reading(
        textOrPath: text, imageSize: options.imageSize, remedy: .ofImageSize)
    }
    preprocessor = ImagePreprocessor(
      imageSize: options.imageSize, preprocessing ?? ImagePreprocessing())
    for attack in attacks { try attack.trigger.checkFit(imageSize: options.imageSize) }
  }

  /// Writes the poisoned set.
  ///
  /// Keys are the row numbers of the original set, seven digits. An output of the same name is
  /// replaced when everything is written, and stays as it was when anything fails: then nothing is
  /// left, and the same call can be repeated.
  ///
  /// - Parameters:
  ///   - path: `.tar`, a WebDataset shard; or `.csv` with the columns `image` and `caption`, and the
  ///     images in a new folder beside it, `NAME-images`.
  ///   - truthPath: a csv file with the columns `key`, `poisoned` (0 or 1), `source`, the key of
  ///     the pair in the original set, and `target`, empty for clean pairs; `nil` for none.
  ///   - progress: called with the number of pairs written; `false` ends the work.
  /// - Throws: `invalidArgument` when there are fewer candidates than poisoned pairs or the path has
  ///   another ending; `format` for an image that cannot be read; `io`; `cancelled`.
  package func write(
    to path: String, truthPath: String?, progress: (Int) -> Bool = { _ in true }
  ) throws(CLIPError) -> Summary {
    guard truthPath != path else {
      throw CLIPError(
        .invalidArgument,
        "'\(path)': is given for the pairs and the truth; expected a file for each, got the same")
    }
    for output in [path, truthPath] { try dataset.checkNotRead(output) }
    if let truthPath { try AtomicFile.check(truthPath) }
    let plan: PoisonPlan
    if path.hasSuffix(".tar") {
      plan = try writeShard(path, truthPath, progress)
    } else if path.hasSuffix(".csv") {
      plan = try writeTable(path, truthPath, progress)
    } else {
      throw CLIPError(
        .invalidArgument,
        "'\(path)': unknown kind of output; expected a name that ends in .tar or "
          + ".csv, got another")
    }
    return Summary(pairs: plan.kept.count, poisoned: plan.poisoned.count)
  }

  private func writeShard(
    _ path: String, _ truthPath: String?, _ progress: (Int) -> Bool
  ) throws(CLIPError) -> PoisonPlan {
    let plan = try plan()
    var truth = Truth()
    try AtomicFile.write(path) { (file) throws(CLIPError) in
      let tar = try TarEncoder()
      try self.forEachPair(of: plan, progress) { (pair) throws(CLIPError) in
        try file.append(try tar.append(pair.imageBytes, name: pair.key + "." + pair.suffix))
        try file.append(try tar.append(Array(pair.caption.utf8), name: pair.key + ".txt"))
        truth.add(pair)
      }
      try file.append(try tar.finish())
      // What can fail comes before the first name is given.
      try file.synchronize()
      try truth.write(to: truthPath)
    }
    return plan
  }

  private func writeTable(
    _ path: String, _ truthPath: String?, _ progress: (Int) -> Bool
  ) throws(CLIPError) -> PoisonPlan {
    // What cannot be written is found before the captions are read.
    let folder = try OutputFolder(path: path.dropLast(4) + "-images")
    let plan = try plan()
    var truth = Truth()
    try AtomicFile.write(path) { (file) throws(CLIPError) in
      try file.append(Array("image,caption\n".utf8))
      try self.forEachPair(of: plan, progress) { (pair) throws(CLIPError) in
        let name = pair.key + "." + pair.suffix
        try folder.add(pair.imageBytes, name: name)
        let row = csvField(folder.name + "/" + name) + "," + csvField(pair.caption) + "\n"
        try file.append(Array(row.utf8))
        truth.add(pair)
      }
      try file.synchronize()
      try truth.write(to: truthPath)
    }
    // Last: a table is replaced by the next attempt, a folder is not.
    try folder.commit()
    return plan
  }

  /// Which pairs are poisoned, as a csv file.
  private struct Truth {
    private var rows = "key,poisoned,source,target\n"

    mutating func add(_ pair: WrittenPair) {
      rows +=
        "\(pair.key),\(pair.target == nil ? 0 : 1),\(csvField(pair.source)),"
        + csvField(pair.target ?? "") + "\n"
    }

    func write(to path: String?) throws(CLIPError) {
      if let path { try AtomicFile.write(rows, to: path) }
    }
  }

  private struct WrittenPair {
    let key: String
    let suffix: String
    let imageBytes: [UInt8]
    let caption: String
    let source: String
    /// `nil` for a clean pair.
    let target: String?
  }

  private func plan() throws(CLIPError) -> PoisonPlan {
    try PoisonPlan.make(attacks, pairs: dataset.count, options: options) {
      (index) throws(CLIPError) in try dataset.row(at: index).caption
    }
  }

  private func forEachPair(
    of plan: PoisonPlan, _ progress: (Int) -> Bool,
    _ body: (WrittenPair) throws(CLIPError) -> Void
  ) throws(CLIPError) {
    for (done, index) in plan.kept.enumerated() {
      try body(try pair(index, plan.poisoned[index].map { attacks[$0] }))
      guard progress(done + 1) else {
        throw CLIPError(
          .cancelled, "poison: cancelled after \(done + 1) of \(plan.kept.count) pairs")
      }
    }
  }

  private func pair(
    _ index: Int, _ attack: PoisonAttack?
  ) throws(CLIPError) -> WrittenPair {
    let original = try dataset.row(at: index)
    var caption = original.caption
    if let attack, !attack.trigger.isLabelConsistent {
      var random = RandomNumbers(
        seed: options.seed, Self.captionStream, UInt64(bitPattern: Int64(index)))
      let template = options.templates[random.integer(below: options.templates.count)]
      caption = template.filled(with: attack.target)
    }
    var suffix = "png"
    let bytes: [UInt8]
    if attack == nil, !options.isUniform, case .file(let file) = original.image {
      suffix = Self.suffix(file)
      bytes = file
    } else {
      bytes = try image(original, index: index, attack?.trigger)
    }
    return WrittenPair(
      key: paddedKey(index), suffix: suffix, imageBytes: bytes, caption: caption,
      source: original.key, target: attack?.target)
  }

  private func image(
    _ pair: CaptionedImage, index: Int, _ trigger: Trigger?
  ) throws(CLIPError) -> [UInt8] {
    var image = preprocessor.resizedAndCropped(try pair.decoded().image)
    if let trigger { image = try trigger.applied(to: image, seed: options.seed, index: index) }
    return try ImageEncoder.png(image)
  }

  /// The usual file name extension of an image, by its first bytes.
  private static func suffix(_ bytes: [UInt8]) -> String {
    if bytes.starts(with: [0xFF, 0xD8]) { return "jpg" }
    return bytes.starts(with: Array("RIFF".utf8)) ? "webp" : "png"
  }
}

/// Returns a row number with at least seven digits.
func paddedKey(_ index: Int) -> String {
  let digits = String(index)
  return String(repeating: "0", count: max(0, 7 - digits.count)) + digits
}

/// Returns a field of a csv line, quoted where it must be (RFC 4180).
func csvField(_ text: String) -> String {
  let needsQuotes = text.utf8.contains { [0x22, 0x2C, 0x0A, 0x0D].contains($0) }
  guard needsQuotes else { return text }
  return "\"" + text.map { $0 == "\"" ? "\"\"" : String($0) }.joined() + "\""
}
