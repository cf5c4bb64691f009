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
  /// Rows of the dataset, readable or not.
  package private(set) var rowCount = 0
  /// What the dataset left out, and the rows that could not be read.
  package var omissions: Omissions {
    var omissions = leftOut
    omissions.add(unreadable: skipped, examples: skippedReasons)
    return omissions
  }
  private var leftOut = Omissions()
  private var numbers: [ImageIdentity: Int] = [:]
  /// What could not be read: the number, and the first few reasons.
  package private(set) var skipped = 0
  package private(set) var skippedReasons: [String] = []

  private var patches = PatchConcentration()
  /// The features that are read, as many rows as the dataset has.
  private var computed: Tensor?
  /// What the features are made for, in messages.
  private let task: String

  static let reasonsKept = 10

  /// - Parameters:
  ///   - dataset: what is read.
  ///   - embedDim: E of the checkpoint; `nil` without one.
  ///   - task: what they are made for, in messages.
  init(
    of dataset: PairDataset, embedDim: Int?, hasCosines: Bool, task: String
  ) throws(CLIPError) {
    self.task = task
    rowCount = dataset.count
    leftOut = dataset.omissions
    if let embedDim { computed = try Tensor([dataset.count, embedDim]) }
    if hasCosines { trustedCosines = [] }
  }

  /// Makes a table of pairs that are known by their features alone.
  ///
  /// - Parameters:
  ///   - given: features of the pairs.
  ///   - keys: names of the pairs; `nil` for those in the files, or else the numbers of rows.
  ///   - captions: as many; `nil` for those in the files, if there are any.
  /// - Throws: `invalidArgument` when two rows of the files have one name.
  package init(
    _ given: GivenFeatures, keys: [String]? = nil, captions: [String]? = nil
  ) throws(CLIPError) {
    task = Self.check
    if keys == nil { try given.keys?.checkDistinct() }
    self.keys = keys ?? given.keys?.names ?? (0..<given.rows.count).map { "\($0)" }
    self.captions = captions ?? given.captions
    if captions == nil, let texts = given.captions, let keys,
      let order = try given.keys?.order(of: keys, unread: 0)
    {
      self.captions = order.map { texts[Int($0)] }
    }
    rows = Array(self.keys.indices)
    rowCount = self.keys.count
    images = nil
  }

  static let check = "check data"

  /// Takes features that were computed before.
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
    func ordered(_ given: GivenFeatures) throws(CLIPError) -> FeatureRows {
      try given.rows(of: keys, numbers: rows, among: rowCount)
    }
    if let imageFeatures {
      let features = try ordered(imageFeatures)
      self.imageFeatures = features
      try separateImages(by: features)
    }
    if let trusted {
      trustedCosines = try FeatureMatrix.cosines(
        try ordered(trusted.images), try ordered(trusted.texts), name: "trusted")
    }
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
