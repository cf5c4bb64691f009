/// The triggers that can be made by name.
///
/// A plain name is the attack as its own paper has it; the suffix `-cleanclip` marks the variant of
/// CleanCLIP's published code where that differs.
package enum TriggerName: String, CaseIterable, Sendable {
  /// A patch of random colours (Gu et al. 2017, arXiv:1708.06733).
  case badnets
  /// Uniform noise mixed into the whole image (Chen et al. 2017, arXiv:1712.05526).
  case blended
  /// A sinusoid over the columns, added (Barni et al. 2019, arXiv:1902.11237).
  case sig
  /// The sinusoid mixed in at a fifth, the image darkened to four fifths.
  case sigCleanCLIP = "sig-cleanclip"
  /// A smooth warp (Nguyen and Tran 2021, arXiv:2102.10369).
  case wanet
  /// A displacement of up to a pixel, drawn for each pixel on its own.
  case wanetCleanCLIP = "wanet-cleanclip"
  /// BadNets' patch on images that show the target anyway; captions stay (Turner et al. 2019,
  /// arXiv:1912.02771, in the form of CleanCLIP, section 4).
  case labelConsistent = "label-consistent"
  /// A patch of oblique stripes: structure instead of noise (arXiv:2412.00727).
  case stripes
  /// Oblique stripes mixed into the whole image.
  case blendedStripes = "blended-stripes"

  /// All names, for messages.
  package static var list: String { allCases.map(\.rawValue).joined(separator: ", ") }
}

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

  /// Reads `random`, `corners` or `Y,X`.
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
    let parts = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
    guard parts.count == 2, let y = parts[0], let x = parts[1], y >= 0, x >= 0 else {
      throw CLIPError(
        .invalidArgument,
        "trigger position: not understood; expected random, corners or Y,X with numbers from 0, "
          + "got '\(text)'")
    }
    self = .at(y: y, x: x)
  }

  package var description: String {
    switch self {
    case .random: "random"
    case .at(let y, let x): "\(y),\(x)"
    case .fourCorners: "corners"
    }
  }
}

/// What a trigger is made from.
package struct TriggerOptions: Equatable, Sendable {
  package var variation: TriggerVariation = .fresh
  /// Of a patch.
  package var position: TriggerPosition = .random
  /// Side of a patch in pixels; by default a fourteenth of the image (16 of 224), at least 8.
  package var patchSize: Int?
  /// Share of the pattern when mixed in (blended: 0.2), amplitude of the sinusoid of 255 (sig: 20,
  /// sig-cleanclip: 60), or the warp's strength s (wanet: 0.5, wanet-cleanclip: 1).
  package var strength: Float?
  /// Draws the pattern.
  package var seed: UInt64 = 0

  package init() {}
}
