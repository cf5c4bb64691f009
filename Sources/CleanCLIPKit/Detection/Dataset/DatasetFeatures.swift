internal import Glibc

/// What a dataset check needs to know of every pair: read by a `DatasetReader`, or arrays of a user's.
package struct DatasetFeatures {
  package private(set) var keys: [String] = []
  /// `nil` when only features are known.
  package private(set) var captions: [String]? = []
  /// Rows of the dataset, for those pairs that could be read.
  package private(set) var rows: [Int] = []
  /// `[N, E]` of the checkpoint, unnormalized; `nil` without a checkpoint.
  package private(set) var imageFeatures: FeatureRows?
  /// Cosines by the trusted checkpoint; `nil` without one.
  package private(set) var trustedCosines: [Float]?
  package private(set) var patchPairs: [Int]?
  /// The number of each pair's image, counted from 0 as they first occur: pairs of equal content have
  /// the same. `nil` when only features are known.
  package private(set) var images: [Int]? = []
  /// What each pair's image looks like; `nil` where images were not decoded.
  package private(set) var descriptors: [ImageDescriptor]?
  /// Rows of the dataset, readable or not.
  package private(set) var rowCount = 0
  /// What the dataset left out, and the rows that could not be read.
  package var omissions: Omissions {
    var omissions = leftOut
    omissions.add(unread)
    return omissions
  }
  /// The rows that could not be read, and those without features.
  package var unread: Omissions {
    var omissions = Omissions(unreadable: skipped, examples: skippedReasons)
    omissions.add(withoutFeatures)
    return omissions
  }
  private var leftOut = Omissions()
  private var withoutFeatures = Omissions()
  private var numbers: [ImageIdentity: Int] = [:]
  /// What could not be read: the number, and the first few reasons.
  package private(set) var skipped = 0
  package private(set) var skippedReasons: [String] = []

  private var patches = PatchConcentration()
  /// The features that are read, as many rows as the dataset has.
  private var computed: Tensor?
  /// What the features are made for, in messages.
  private let task: String
  /// Whether the pairs have names, not just numbers.
  private let isNamed: Bool

  static let reasonsKept = 10

  /// - Parameters:
  ///   - dataset: what is read.
  ///   - embedDim: E of the checkpoint; `nil` without one.
  ///   - hasDescriptors: whether images are decoded.
  ///   - task: what they are made for, in messages.
  init(
    of dataset: PairDataset, embedDim: Int?, hasCosines: Bool, hasDescriptors: Bool, task: String
  ) throws(CLIPError) {
    self.task = task
    isNamed = true
    rowCount = dataset.count
    leftOut = dataset.omissions
    if let embedDim { computed = try Tensor([dataset.count, embedDim]) }
    if hasCosines { trustedCosines = [] }
    if hasDescriptors { descriptors = [] }
  }

  /// Makes a table of pairs that are known by their features alone.
  ///
  /// - Parameters:
  ///   - given: features of the pairs.
  ///   - keys: names of the pairs; `nil` for those in the files, or else the numbers of rows.
  ///   - captions: as many; `nil` for those in the files, if there are any.
  /// - Throws: `invalidArgument` when two rows of the files have one name, and for captions beside those in
  ///   the files.
  package init(
    _ given: GivenFeatures, keys: [String]? = nil, captions: [String]? = nil
  ) throws(CLIPError) {
    if captions != nil, given.captions != nil {
      throw CLIPError(
        .invalidArgument,
        "features: have captions of their own; expected none beside them, got a list; leave the list out"
      )
    }
    task = Self.check
    isNamed = keys != nil || given.keys != nil
    if keys == nil { try given.keys?.checkDistinct() }
    self.keys = keys ?? given.keys?.names ?? (0..<given.rows.count).map { "\($0)" }
    self.captions = captions ?? given.captions
    if captions == nil, let texts = given.captions, let keys,
      let order = try given.keys?.order(of: keys, unread: 0)
    {
      self.captions = order.map { $0 < 0 ? "" : texts[Int($0)] }
    }
    rows = Array(self.keys.indices)
    rowCount = self.keys.count
    images = nil
  }

  static let check = "check data"

  /// Takes features that were computed before, and leaves out the pairs that have none.
  ///
  /// - Parameters:
  ///   - imageFeatures: of the checkpoint, unnormalized; `nil` leaves what is there.
  ///   - trusted: of images and captions by a trusted checkpoint, of any length; `nil` leaves what is
  ///     there.
  /// - Throws: `shape` when those of images and captions disagree; `invalidArgument` for features that
  ///   are not finite, or parts that are not of these pairs.
  package mutating func take(
    imageFeatures: GivenFeatures?, trusted: (images: GivenFeatures, texts: GivenFeatures)?
  ) throws(CLIPError) {
    let given = [imageFeatures, trusted?.images, trusted?.texts]
    try checkKeys(given)
    let orders = try given.map { (half) throws(CLIPError) in
      try half.flatMap { (half) throws(CLIPError) in
        try half.order(of: keys, numbers: rows, among: rowCount)
      }
    }
    let kept = try leaveOutMissing(orders)
    let ordered = zip(given, orders).map { half, order in
      let order = kept.map { pairs in pairs.map { order?[$0] ?? Int32($0) } } ?? order
      return order.flatMap { half?.rows.ordered($0) } ?? half?.rows
    }
    if let features = ordered[0] {
      self.imageFeatures = features
      try separateImages(by: features)
    }
    if let images = ordered[1], let texts = ordered[2] {
      trustedCosines = try FeatureMatrix.cosines(images, texts, name: "trusted")
    }
  }

  /// Refuses keys that cannot be those of the pairs, which are only numbered.
  private func checkKeys(_ given: [GivenFeatures?]) throws(CLIPError) {
    guard !isNamed, given.contains(where: { $0?.keys != nil }) else { return }
    let halves = zip(["image features", "trusted image features", "trusted text features"], given)
    func list(_ hasKeys: Bool) -> String {
      halves.compactMap { name, half in
        half.flatMap { ($0.keys != nil) == hasKeys ? name : nil }
      }.joined(separator: " and ")
    }
    throw CLIPError(
      .invalidArgument,
      "features: some have keys and some have none; expected keys beside all or none, got "
        + "\(list(true)) with keys, \(list(false)) without; give the others keys too, or name the pairs "
        + "with data or keys")
  }

  /// Leaves out the pairs that lack a row among features.
  ///
  /// - Parameter orders: the row of each pair, -1 for none; `nil` when rows and pairs are in one order.
  /// - Returns: the pairs that stay; `nil` for all.
  /// - Throws: `invalidArgument` when none stays.
  private mutating func leaveOutMissing(_ orders: [[Int32]?]) throws(CLIPError) -> [Int]? {
    guard orders.contains(where: { $0?.contains(-1) ?? false }) else { return nil }
    var kept: [Int] = []
    for pair in keys.indices {
      if orders.allSatisfy({ $0?[pair] ?? 0 >= 0 }) {
        kept.append(pair)
      } else {
        withoutFeatures.add(.withoutFeatures, "'\(keys[pair])'")
      }
    }
    guard !kept.isEmpty else {
      throw CLIPError(
        .invalidArgument,
        "features: no pair has a row in the parts; expected one for each of the \(keys.count) pairs, such "
          + "as '\(keys[0].printable())', got none; give the parts of these pairs")
    }
    keys = kept.map { keys[$0] }
    rows = kept.map { rows[$0] }
    captions = captions.map { captions in kept.map { captions[$0] } }
    imageFeatures = imageFeatures?.ordered(kept.map { Int32($0) })
    trustedCosines = trustedCosines.map { cosines in kept.map { cosines[$0] } }
    descriptors = descriptors.map { descriptors in kept.map { descriptors[$0] } }
    patchPairs = patchPairs.map { patches in kept.map { patches[$0] } }
    images = images.map { images in
      // From 0 as they first occur, again.
      var numbers: [Int: Int] = [:]
      return kept.map { pair in
        let number = numbers[images[pair]] ?? numbers.count
        numbers[images[pair]] = number
        return number
      }
    }
    return kept
  }

  /// Tells pairs of one image apart whose given features differ: they were not made of that image alone.
  private mutating func separateImages(by features: FeatureRows) throws(CLIPError) {
    guard let images, features.count == images.count else { return }
    var numbers: [[Int]: Int] = [:]
    var separated: [Int] = []
    _ = try FeatureSurvey(features, name: "image features") { pair, row in
      var hasher = Hasher()
      hasher.combine(bytes: row)
      let key = [images[pair], hasher.finalize()]
      let number = numbers[key] ?? numbers.count
      numbers[key] = number
      separated.append(number)
    }
    self.images = separated
  }

  /// Adds the next pairs of the dataset.
  mutating func append(_ piece: FeaturePiece) {
    if let features = piece.imageFeatures, let all = computed {
      memcpy(all.f32 + keys.count * all.shape[1], features.f32, features.byteCount)
    }
    keys += piece.keys
    captions?.append(contentsOf: piece.captions)
    rows += piece.rows
    trustedCosines?.append(contentsOf: piece.trustedCosines)
    descriptors?.append(contentsOf: piece.descriptors)
    for (pair, image) in piece.images.enumerated() {
      let number = numbers[image] ?? numbers.count
      images?.append(number)
      guard number == numbers.count else { continue }
      numbers[image] = number
      // Once an image, however many captions it has.
      if !piece.patchCodes.isEmpty { patches.add(piece.patchCodes[pair]) }
    }
    skipped += piece.skipped
    skippedReasons += piece.skippedReasons.prefix(Self.reasonsKept - skippedReasons.count)
  }

  /// Ends the table after the last pair.
  ///
  /// - Throws: `invalidArgument` when no pair could be read.
  mutating func finish(countingPatches: Bool) throws(CLIPError) {
    guard !keys.isEmpty else {
      throw CLIPError(
        .invalidArgument,
        "\(task): no pair can be read; expected images with captions, got "
          + (skippedReasons.first ?? "none"))
    }
    imageFeatures = try computed.map { (features) throws(CLIPError) in
      try FeatureRows(features.slice(0..<keys.count))
    }
    computed = nil
    if countingPatches {
      let counts = patches.pairsByImage()
      patchPairs = images?.map { counts[$0] }
    }
  }

  /// The image features that were read, all at once.
  package func allImageFeatures() throws(CLIPError) -> Tensor? {
    try imageFeatures.map { (rows) throws(CLIPError) in try rows.read(0..<rows.count) }
  }
}
