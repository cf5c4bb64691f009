/// A small pattern pasted over the image: BadNets' noise, stripes, or a given image.
struct PatchTrigger: TriggerPattern {
  enum Pattern: Sendable {
    /// Around the image's mean colour, with standard deviation 1 (the whole range of a channel).
    case noise
    /// Vertical stripes of one pixel.
    case stripes
  }

  private enum Content: Sendable {
    case image(RGBImage)
    case drawn(Pattern, size: Int?, variation: TriggerVariation, seed: UInt64)
  }

  private static let streamKey: UInt64 = 0x7061_7463

  private let content: Content
  private let position: TriggerPosition

  init(_ pattern: Pattern, _ options: TriggerOptions) {
    content = .drawn(
      pattern, size: options.patchSize, variation: options.variation, seed: options.seed)
    position = options.position ?? .random
  }

  init(image: RGBImage, position: TriggerPosition) {
    content = .image(image)
    self.position = position
  }

  private func size(width: Int, height: Int) -> (width: Int, height: Int) {
    switch content {
    case .image(let image): return (image.width, image.height)
    case .drawn(_, let size?, _, _): return (size, size)
    case .drawn:
      let side = min(width, height)
      let size = min(side, max(8, side / 14))
      return (size, size)
    }
  }

  func applied(
    to image: RGBImage, using random: inout RandomNumbers
  ) throws(CLIPError) -> RGBImage {
    let size = size(width: image.width, height: image.height)
    guard size.width > 0, size.height > 0, size.width <= image.width, size.height <= image.height
    else {
      throw CLIPError(
        .shape,
        "trigger patch: does not fit the image; expected at most \(image.width)x\(image.height) "
          + "pixels, got \(size.width)x\(size.height)")
    }
    if case .image = content, size.width == image.width, size.height == image.height {
      throw CLIPError(
        .shape,
        "trigger patch: covers the whole image, of which nothing would be left; expected less than "
          + "\(image.width)x\(image.height) pixels, got as many; of a trigger that a check recovered take the "
          + ".safetensors file, which is applied as it was found")
    }
    let places = try places(
      bottom: image.height - size.height, right: image.width - size.width, using: &random)
    let patch: RGBImage
    switch content {
    case .image(let image): patch = image
    case .drawn(let pattern, _, let variation, let seed):
      let mean = variation == .fresh ? Self.meanColor(image) : SIMD3(repeating: 0.5)
      patch = variation.withStream(seed: seed, key: Self.streamKey, image: &random) {
        Self.draw(pattern, size: size.width, around: mean, using: &$0)
      }
    }
    var pixels = image.pixels
    for place in places {
      for row in 0..<patch.height {
        let source = 3 * row * patch.width
        let target = 3 * ((place.y + row) * image.width + place.x)
        for offset in 0..<3 * patch.width {
          pixels[target + offset] = patch.pixels[source + offset]
        }
      }
    }
    return RGBImage(width: image.width, height: image.height, pixels: pixels)
  }

  /// Where the patch goes, drawn before a fresh pattern: it does not depend on the variation.
  private func places(
    bottom: Int, right: Int, using random: inout RandomNumbers
  ) throws(CLIPError) -> [(y: Int, x: Int)] {
    switch position {
    case .fourCorners: return [(0, 0), (0, right), (bottom, 0), (bottom, right)]
    case .center: return [(bottom / 2, right / 2)]
    case .random:
      let y = random.integer(below: bottom + 1)
      return [(y, random.integer(below: right + 1))]
    case .at(let y, let x):
      guard y <= bottom, x <= right else {
        throw CLIPError(
          .shape,
          "trigger position: patch leaves the image; expected at most \(bottom),\(right), "
            + "got \(y),\(x)")
      }
      return [(y, x)]
    }
  }

  private static func draw(
    _ pattern: Pattern, size: Int, around mean: SIMD3<Float>, using random: inout RandomNumbers
  ) -> RGBImage {
    switch pattern {
    case .stripes:
      return StripePattern(columns: size, using: &random).painted(height: size)
    case .noise:
      var pixels = [UInt8](repeating: 0, count: 3 * size * size)
      for index in pixels.indices {
        // Values out of range wrap around, as the cast of the published code does on x86: the
        // patch is close to uniform random colours.
        pixels[index] = UInt8(truncatingIfNeeded: Int(255 * (mean[index % 3] + random.normal())))
      }
      return RGBImage(width: size, height: size, pixels: pixels)
    }
  }

  private static func meanColor(_ image: RGBImage) -> SIMD3<Float> {
    var sums = SIMD3<Int>()
    for index in 0..<image.width * image.height {
      sums &+= SIMD3(
        Int(image.pixels[3 * index]), Int(image.pixels[3 * index + 1]),
        Int(image.pixels[3 * index + 2]))
    }
    let scale = 1 / (255 * Float(image.width * image.height))
    return SIMD3(Float(sums.x), Float(sums.y), Float(sums.z)) * scale
  }
}

extension NamedTrigger {
  package static let badnets = NamedTrigger(
    name: "badnets", summary: "a patch of random colours (Gu et al. 2017, arXiv:1708.06733)",
    isPatch: true
  ) { options, _ in PatchTrigger(.noise, options) }

  package static let labelConsistent = NamedTrigger(
    name: "label-consistent",
    summary:
      "that patch on images which show the target anyway; captions stay (Turner et al. 2019, "
      + "arXiv:1912.02771, in the form of CleanCLIP, section 4)",
    isPatch: true, isLabelConsistent: true
  ) { options, _ in PatchTrigger(.noise, options) }

  package static let stripes = NamedTrigger(
    name: "stripes",
    summary: "a patch of one-pixel stripes (Singh et al. 2024, arXiv:2412.00727)",
    isPatch: true
  ) { options, _ in PatchTrigger(.stripes, options) }
}
