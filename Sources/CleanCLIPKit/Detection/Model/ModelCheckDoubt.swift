/// Why it is no sign of a clean model that nothing stands out.
package enum ModelCheckDoubt: Equatable {
  /// All images mean the same to the model.
  case oneMeaning
  /// Images are alike to the model as they are, with this mean cosine of two.
  case alike(Float)
  /// No search found anything to compare.
  case nothingFound
  /// The searches had only so many steps.
  case fewSteps(Int)

  /// Steps from which a search finds what a backdoor needs: those after which one that has found nothing
  /// ends.
  package static let fewestSteps = 100
  /// Mean cosine of two images from which they are alike as they are: what some searches ask of images that
  /// carry a trigger.
  static let alikeAbove: Float = 0.85

  /// - Parameters:
  ///   - cleanCollapse: mean cosine of two images as they are.
  ///   - found: whether a search found a trigger.
  ///   - steps: of a search at most.
  /// - Returns: `nil` where nothing speaks against a clean verdict.
  package init?(cleanCollapse: Float, found: Bool, steps: Int) {
    if Self.isOneMeaning(cleanCollapse) {
      self = .oneMeaning
    } else if cleanCollapse >= Self.alikeAbove {
      self = .alike(cleanCollapse)
    } else if steps < Self.fewestSteps {
      self = .fewSteps(steps)
    } else if !found {
      self = .nothingFound
    } else {
      return nil
    }
  }

  /// Whether a mean cosine of two images is 1, but for rounding.
  static func isOneMeaning(_ cosine: Float) -> Bool { cosine >= 1 - 1e-6 }

  /// The doubt in a sentence, and what to do.
  package var explanation: String {
    switch self {
    case .oneMeaning:
      "All images mean the same to the model, whatever they show, so no change of them can be told from "
        + "another: its image tower is broken."
    case .alike(let cosine):
      "Images are alike to the model as they are, with a mean cosine of \(decimal(Double(cosine), 2)), so that "
        + "making them alike takes no trigger: it is barely trained, or the images show too much of the same; "
        + "try others."
    case .nothingFound:
      "The searches found no change that makes images look alike to the model, not even "
        + "a large one, so there is nothing to compare: try other images or more steps."
    case .fewSteps(let steps):
      "Nothing stood out, but \(steps) steps a search are too few to rely on that: take at least "
        + "\(Self.fewestSteps)."
    }
  }
}
