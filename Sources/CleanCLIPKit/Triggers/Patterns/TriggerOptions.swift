/// Whether all images carry the same pattern.
package enum TriggerVariation: String, CaseIterable, Sendable {
  /// One pattern, drawn from the seed.
  case fixed
  /// A new pattern for each image, as CleanCLIP's published code draws its noise.
  case fresh
}

/// Where a patch goes; patterns that cover the whole image have no position.
package enum TriggerPosition: Equatable, Sendable, CustomStringConvertible {
  /// Both coordinates uniform in 0 … side − patch, inclusive, for each image anew.
  case random
  /// The row and column of the patch's top left pixel.
  case at(y: Int, x: Int)
  /// The same patch in all four corners.
  case fourCorners
  /// The middle, as BadCLIP's patch (Liang et al. 2024, arXiv:2311.12075); rounded up and left.
  case center

  /// Reads `random`, `corners`, `center` or `Y,X`.
  ///
  /// - Throws: `invalidArgument`.
  package init(parsing text: String) throws(CLIPError) {
    if text == "random" {
      self = .random
      return
    }
    if text == "corners" {
      self = .fourCorners
      return
    }
    if text == "center" {
      self = .center
      return
    }
    let parts = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
    guard parts.count == 2, let y = parts[0], let x = parts[1], y >= 0, x >= 0 else {
      throw CLIPError(
        .invalidArgument,
        "trigger position: not understood; expected random, corners, center or Y,X with numbers from 0, "
          + "got '\(text)'")
    }
    self = .at(y: y, x: x)
  }

  package var description: String {
    switch self {
    case .random: "random"
    case .at(let y, let x): "\(y),\(x)"
    case .fourCorners: "corners"
    case .center: "center"
    }
  }
}

/// What a trigger is made from.
package struct TriggerOptions: Equatable, Sendable {
  package var variation: TriggerVariation = .fresh
  /// Of a patch; by default random. Refused for other triggers.
  package var position: TriggerPosition?
  /// Side of a drawn patch in pixels, 1 to 4096; by default a fourteenth of the image (16 of 224), at
  /// least 8. Refused for other triggers.
  package var patchSize: Int?
  /// What `NamedTrigger.strength` says, above 0; by default the attack's own. Refused for triggers
  /// that have none.
  package var strength: Float?
  /// Draws the pattern.
  package var seed: UInt64 = 0

  package init() {}
}
