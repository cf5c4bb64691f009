/// Flips, shifts, colour and mixtures, seen by teacher and student alike.
///
/// Not an invariance that is taught: the teacher says what the changed image means. It makes few images
/// many, which is what keeps accuracy then. No noise: it is a trigger to models with a noise image
/// blended in, which then teach that everything is the target.
enum ImageAugmentation {
  /// Changes images `[B, 3, S, S]` in 0…1 in place.
  static func augment(_ images: Tensor, using random: inout RandomNumbers) throws(CLIPError) {
    let side = images.shape[2]
    let source = try images.copy()
    let margin = side / 10
    for row in 0..<images.shape[0] {
      let isFlipped = random.uniform() < 0.5
      let dy = random.integer(below: 2 * margin + 1) - margin
      let dx = random.integer(below: 2 * margin + 1) - margin
      for channel in 0..<3 {
        let brightness = 0.8 + 0.4 * random.uniform()
        let plane = (row * 3 + channel) * side * side
        for y in 0..<side {
          let from = source.f32 + plane + mirrored(y + dy, side) * side
          let to = images.f32 + plane + y * side
          for x in 0..<side {
            let column = mirrored(x + dx, side)
            to[x] = brightness * from[isFlipped ? side - 1 - column : column]
          }
        }
      }
    }
    for i in 0..<images.count { images.f32[i] = min(1, images.f32[i]) }
    mix(images, try images.copy(), using: &random)
  }

  /// A number inside the image for one up to a side outside.
  private static func mirrored(_ place: Int, _ side: Int) -> Int {
    if place < 0 { return -place }
    return place < side ? place : 2 * side - 2 - place
  }

  /// Mixes up to a half of another image into every other one.
  private static func mix(_ images: Tensor, _ source: Tensor, using random: inout RandomNumbers) {
    let count = images.shape[0]
    let inner = images.count / count
    for row in 0..<count {
      let weight = max(0.5, random.uniform())
      guard random.uniform() < 0.5 else { continue }
      let other = source.f32 + (count - 1 - row) * inner
      let target = images.f32 + row * inner
      for i in 0..<inner { target[i] = weight * target[i] + (1 - weight) * other[i] }
    }
  }
}
