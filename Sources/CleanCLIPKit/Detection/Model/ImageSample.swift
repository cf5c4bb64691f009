internal import Glibc

/// A random sample of a dataset's images as a check of a model wants them.
package enum ImageSample {
  /// Returns how many of `count` images are taken: as many as fit in 1 GiB at most.
  ///
  /// - Throws: `unsupported` for images so large that fewer than the check needs fit.
  package static func limit(_ count: Int, imageSize: Int) throws(CLIPError) -> Int {
    let fitting = PixelMemory.images(side: imageSize)
    guard fitting >= ModelCheck.fewestImages else {
      throw CLIPError(
        .unsupported,
        "check model: the model's images are too large; expected \(ModelCheck.fewestImages) of them "
          + "to fit in 1 GiB, got \(imageSize) pixels a side, of which \(fitting) do")
    }
    return min(count, fitting)
  }

  /// Reads images, resized and cropped as the model's preprocessing does.
  ///
  /// - Parameters:
  ///   - count: images at most; in the place of those that cannot be read others are taken.
  ///   - imageSize: S.
  ///   - preprocessing: of the model.
  ///   - progress: called with the number read; `false` cancels.
  /// - Returns: `[n, 3, S, S]` in 0…1, and what the dataset left out and could not be read.
  /// - Throws: `invalidArgument` when none can be read; `cancelled`.
  package static func read(
    _ dataset: PairDataset, count: Int, imageSize: Int, preprocessing: ImagePreprocessing,
    seed: UInt64,
    progress: (Int) -> Bool = { _ in true }
  ) throws(CLIPError) -> (pixels: Tensor, omissions: Omissions) {
    var random = RandomNumbers(seed: seed, DetectionStream.sample)
    let preprocessor = ImagePreprocessor(
      imageSize: imageSize, preprocessing.withoutNormalization)
    let inner = 3 * imageSize * imageSize
    let wanted = min(count, dataset.count)
    let pixels = try Tensor([max(1, wanted), 3, imageSize, imageSize])
    var read = 0
    var omissions = dataset.omissions
    var reason = "none"
    for index in random.permutation(dataset.count) where read < wanted {
      do throws(CLIPError) {
        let image = try dataset.row(at: index).decoded().image
        preprocessor.write(
          preprocessor.resizedAndCropped(image), into: pixels.f32 + read * inner)
        read += 1
      } catch {
        reason = error.message
        omissions.add(.unreadable, error.message)
      }
      guard progress(read) else {
        throw CLIPError(.cancelled, "check: reading images was cancelled at \(read)")
      }
    }
    guard read > 0 else {
      throw CLIPError(
        .invalidArgument, "check: no image can be read; expected some, got \(reason)")
    }
    return (pixels.slice(0..<read), omissions)
  }
}
