internal import Glibc

/// The unlabelled images of a run, kept as bytes, a part of them held out to measure with.
struct UnlearnImages {
  /// S.
  let side: Int
  /// `[n, 3, S, S]`, planar.
  private let bytes: [UInt8]
  /// Images to train with; those behind them are held out.
  let trainingCount: Int
  let heldOutCount: Int

  /// Bytes that images may take; further ones are left out.
  static let byteLimit = 512 << 20
  /// Images below which nothing can be measured.
  static let fewest = 32

  /// Reads images as the model's preprocessing does.
  ///
  /// - Parameters:
  ///   - limit: images at most.
  ///   - fewest: images at least.
  ///   - progress: called with the number read; `false` cancels.
  /// - Throws: `invalidArgument` for fewer valid images; `cancelled`.
  static func read(
    _ dataset: PairDataset, imageSize: Int, preprocessing: ImagePreprocessing, limit: Int,
    seed: UInt64, fewest: Int = fewest,
    log: (LogMessage) -> Void, progress: (Int) -> Bool
  ) throws(CLIPError) -> UnlearnImages {
    var random = RandomNumbers(seed: seed, 0x756E_6C69)
    let preprocessor = ImagePreprocessor(
      imageSize: imageSize, preprocessing.withoutNormalization)
    let area = imageSize * imageSize
    let wanted = min(dataset.count, limit, max(fewest, byteLimit / (3 * area)))
    if wanted < min(dataset.count, limit) {
      log(
        LogMessage(
          .warning,
          "unlearn: takes \(wanted) of \(dataset.count) images, which is what fits in its memory"))
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(wanted * 3 * area)
    var read = 0
    for index in random.permutation(dataset.count) where read < wanted {
      do throws(CLIPError) {
        let row = try dataset.row(at: index)
        let image = preprocessor.resizedAndCropped(try row.decoded().image)
        for channel in 0..<3 {
          for pixel in 0..<area { bytes.append(image.pixels[3 * pixel + channel]) }
        }
        read += 1
      } catch {
        log(LogMessage(.warning, "image \(index) is left out: \(error.message)"))
      }
      guard progress(read) else {
        throw CLIPError(.cancelled, "unlearn: reading images was cancelled at \(read)")
      }
    }
    guard read >= fewest else {
      throw CLIPError(
        .invalidArgument,
        "unlearn: there are too few images; expected at least \(fewest) that can be read, "
          + "got \(read); a few hundred of what the model will see are enough")
    }
    return UnlearnImages(bytes: bytes, side: imageSize)
  }

  /// - Parameter bytes: `[n, 3, S, S]`.
  init(bytes: [UInt8], side: Int) {
    let count = bytes.count / (3 * side * side)
    self.side = side
    self.bytes = bytes
    heldOutCount = min(count - 1, max(Self.fewest / 4, min(400, count / 5)))
    trainingCount = count - heldOutCount
  }

  /// Tells these images from others.
  var fingerprint: String {
    var fingerprint = Fingerprint()
    bytes.withUnsafeBytes { fingerprint.add($0) }
    return fingerprint.text
  }

  /// Bytes that the images take.
  var byteCount: Int { bytes.count }

  /// Returns images `[indices, 3, S, S]` in 0…1.
  func gather(_ indices: [Int]) throws(CLIPError) -> Tensor {
    let inner = 3 * side * side
    let result = try Tensor([indices.count, 3, side, side])
    bytes.withUnsafeBufferPointer { bytes in
      for (row, index) in indices.enumerated() {
        let target = result.f32 + row * inner
        let source = bytes.baseAddress.map { $0 + index * inner }
        guard let source else { continue }
        for i in 0..<inner { target[i] = Float(source[i]) * (1 / 255) }
      }
    }
    return result
  }

  /// Draws training images, with repetition.
  func batch(_ count: Int, using random: inout RandomNumbers) throws(CLIPError) -> Tensor {
    try gather((0..<count).map { _ in random.integer(below: trainingCount) })
  }

  /// The first `count` of the images to train with, for searches.
  func searched(_ count: Int) throws(CLIPError) -> Tensor {
    try gather(Array(0..<min(count, trainingCount)))
  }

  /// All images that are held out.
  func heldOut() throws(CLIPError) -> Tensor {
    try gather(Array(trainingCount..<trainingCount + heldOutCount))
  }
}
