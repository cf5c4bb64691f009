internal import Glibc

/// What a dataset check needs to know of every pair: read by a `DatasetReader`, or arrays of a user's.
package struct DatasetFeatures {
  package private(set) var keys: [String] = []
  /// `nil` when only features are known.
  package private(set) var captions: [String]? = []
  /// Rows of the dataset, for those pairs that could be read.
  package private(set) var rows: [Int] = []
  /// `[N, E]` of the checkpoint, not normalised; `nil` without a checkpoint.
  package private(set) var imageFeatures: Tensor?
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

  static let reasonsKept = 10

  /// - Parameters:
  ///   - dataset: what is read.
  ///   - embedDim: E of the checkpoint; `nil` without one.
  init(of dataset: PairDataset, embedDim: Int?, hasCosines: Bool) throws(CLIPError) {
    rowCount = dataset.count
    leftOut = dataset.omissions
    if let embedDim { imageFeatures = try Tensor([dataset.count, embedDim]) }
    if hasCosines { trustedCosines = [] }
  }

  /// Makes a table of pairs that are known by arrays alone.
  ///
  /// - Parameters:
  ///   - keys: names of the pairs.
  ///   - captions: as many; `nil` without.
  package init(keys: [String], captions: [String]?) {
    self.keys = keys
    self.captions = captions
    rows = Array(keys.indices)
    rowCount = keys.count
    images = nil
  }

  /// Takes features that were computed before.
  ///
  /// - Parameters:
  ///   - imageFeatures: `[N, E]` of the checkpoint, not normalised; `nil` leaves what is there.
  ///   - trusted: `[N, E]` of images and captions by a trusted checkpoint, of any length; `nil`
  ///     leaves what is there.
  /// - Throws: `shape` when those of images and captions disagree; `invalidArgument` for features that
  ///   are not finite.
  package mutating func take(
    imageFeatures: Tensor?, trusted: (images: Tensor, texts: Tensor)?
  ) throws(CLIPError) {
    if let imageFeatures { self.imageFeatures = try ofRead(imageFeatures) }
    if let trusted {
      let cosines = try FeatureMatrix.cosines(trusted.images, trusted.texts, name: "trusted")
      trustedCosines = cosines.count == rowCount ? rows.map { cosines[$0] } : cosines
    }
  }

  /// The features of those rows that could be read, of features of all rows.
  private func ofRead(_ features: Tensor) throws(CLIPError) -> Tensor {
    guard features.shape.rank == 2, features.shape[0] == rowCount, rows.count < rowCount else {
      return features
    }
    return try FeatureMatrix.gather(features, rows)
  }

  /// Adds the next pairs of the dataset.
  mutating func append(_ piece: FeaturePiece) {
    if let features = piece.imageFeatures, let all = imageFeatures {
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
        "check data: no pair can be read; expected images with captions, got "
          + (skippedReasons.first ?? "none"))
    }
    imageFeatures = imageFeatures?.slice(0..<keys.count)
    if countingPatches {
      let counts = patches.pairsByImage()
      patchPairs = images?.map { counts[$0] }
    }
  }
}
