/// How near a model is to those that the spreads behind the p-values were measured on.
///
/// Clean ResNets and vision transformers for images of 32 pixels, trained on two kinds of data, and ResNets for
/// 64 pixels: `docs/detection-results.md`.
package struct CheckCalibration: Equatable, Sendable {
  /// `"resnet"` or `"vit"`; `nil` without an image tower.
  package let tower: String?
  /// S, of the model's images.
  package let imageSize: Int
  /// The sizes that models with such a tower were measured at.
  package let measuredSizes: [Int]
  /// Mean cosine of two images as they are.
  package let meanCosine: Float
  /// Above the highest such mean, 0.27, of the models that were measured and trained for long, of which one in 37 raised
  /// an alarm; those of ResNets that were trained for a short time were 0.36 to 0.58 but for one, and two of eight did.
  static let measuredMeanCosine: Float = 0.3

  package init(_ configuration: CLIPConfiguration, meanCosine: Float) {
    imageSize = configuration.vision?.imageSize ?? 0
    self.meanCosine = meanCosine
    switch configuration.vision {
    case .resNet: (tower, measuredSizes) = ("resnet", [32, 64])
    case .transformer: (tower, measuredSizes) = ("vit", [32])
    case nil: (tower, measuredSizes) = (nil, [])
    }
  }

  /// Whether images are of no more than half as many pixels again a side as those measured.
  private var isMeasuredSize: Bool {
    guard let least = measuredSizes.min(), let most = measuredSizes.max() else { return false }
    return imageSize >= least && 2 * imageSize <= 3 * most
  }

  private var isMeasuredCosine: Bool { meanCosine <= Self.measuredMeanCosine }

  /// Whether such models were measured.
  package var isWithin: Bool { isMeasuredSize && isMeasuredCosine }

  /// What to know where the model is another one, in sentences.
  package var limit: String? {
    guard !isWithin, tower != nil else { return nil }
    let size =
      "for images of \(measuredSizes.map(String.init).joined(separator: " and ")) pixels, and this one is for "
      + "\(imageSize)"
    let cosine =
      "with mean cosines of two images up to \(decimal(Double(Self.measuredMeanCosine), 1)), and this one's is "
      + "\(decimal(Double(meanCosine), 2)), as of models that were trained for a short time, which raise false alarms "
      + "more often"
    let reasons = [isMeasuredSize ? nil : size, isMeasuredCosine ? nil : cosine].compactMap(\.self)
    return
      "How much clean models differ was measured on towers of this kind \(reasons.joined(separator: "; and ")): "
      + "clean references of the same architecture make the p-values more reliable."
  }

  var json: JSONValue {
    [
      "tower": tower.map { .string($0) } ?? .null, "image_size": .integer(imageSize),
      "measured_sizes": .array(measuredSizes.map { .integer($0) }),
      "mean_cosine": .number(Double(meanCosine)),
      "measured_mean_cosine": .number(Double(Self.measuredMeanCosine)), "within": .bool(isWithin),
    ]
  }
}
