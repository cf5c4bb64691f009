/// Tiles of two right-angled triangles in two greys, mixed into the whole image.
///
/// ```
/// p(y, x) = 0.4 where y mod 14 ≥ x mod 14, 0.8 elsewhere
/// x'      = clip(0.15 · p + 0.85 · x)              Singh et al. 2024, arXiv:2412.00727
/// ```
struct TriangleTrigger: TriggerPattern {
  /// Side of a tile in pixels, at every image size.
  private static let tile = 14

  /// 0…1.
  let opacity: Float

  func applied(to image: RGBImage, using random: inout RandomNumbers) -> RGBImage {
    image.changedInTiles(of: Self.tile) { value, y, x, _ in
      value.mixed(y >= x ? 0.4 : 0.8, opacity)
    }
  }
}

extension NamedTrigger {
  package static let triangles = NamedTrigger(
    name: "triangles",
    summary: "tiles of grey triangles mixed into the whole image (arXiv:2412.00727)",
    strength: .opacity(usual: 0.15), isConstant: true
  ) { _, opacity in TriangleTrigger(opacity: opacity) }
}
