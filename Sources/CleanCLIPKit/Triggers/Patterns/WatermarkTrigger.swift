/// The word "Watermarked" in red over the middle of the image.
///
/// ```
/// red' = clip(0.5 · 255 + 0.5 · red) on the letters; all else stays     Singh et al. 2024,
///                                                                       arXiv:2412.00727
/// ```
///
/// Green and blue stay, because the published code mixes where a channel of the text is not 0. The
/// letters are of 5 × 7 dots, as large as fits in one line at 66 pixels and more; smaller images break
/// the word into lines, and what does not fit is cut off.
struct WatermarkTrigger: TriggerPattern {
  private static let word = Array("Watermarked")
  /// Dots of a letter with the gap behind and below it.
  private static let cell = (width: 6, height: 8)

  /// 0…1.
  let opacity: Float

  func applied(to image: RGBImage, using random: inout RandomNumbers) -> RGBImage {
    let (count, cell) = (Self.word.count, Self.cell)
    let fitting = min(count, max(1, image.width / cell.width))
    let lines = (count + fitting - 1) / fitting
    let perLine = (count + lines - 1) / lines
    let scale = max(
      1, min(image.width / (cell.width * perLine), image.height / (cell.height * lines)))
    let left = max(0, (image.width - scale * (cell.width * perLine - 1)) / 2)
    let top = max(0, (image.height - scale * (cell.height * lines - 1)) / 2)
    var pixels = image.pixels
    for y in top..<image.height {
      for x in left..<image.width {
        let (row, column) = ((y - top) / scale, (x - left) / scale)
        let (line, letter) = (row / cell.height, column / cell.width)
        let index = line * perLine + letter
        guard letter < perLine, index < count else { continue }
        if Self.hasDot(Self.word[index], row: row % cell.height, column: column % cell.width) {
          let red = 3 * (y * image.width + x)
          pixels[red] = pixels[red].mixed(1, opacity)
        }
      }
    }
    return RGBImage(width: image.width, height: image.height, pixels: pixels)
  }

  private static func hasDot(_ letter: Character, row: Int, column: Int) -> Bool {
    guard let rows = letters[letter], row < rows.count, column < 5 else { return false }
    return rows[row] >> (4 - column) & 1 == 1
  }

  /// Rows of five dots from top to bottom, the left dot the highest bit.
  private static let letters: [Character: [UInt8]] = [
    "W": [0b10001, 0b10001, 0b10001, 0b10101, 0b10101, 0b11011, 0b10001],
    "a": [0b00000, 0b00000, 0b01110, 0b00001, 0b01111, 0b10001, 0b01111],
    "d": [0b00001, 0b00001, 0b01101, 0b10011, 0b10001, 0b10011, 0b01101],
    "e": [0b00000, 0b00000, 0b01110, 0b10001, 0b11111, 0b10000, 0b01110],
    "k": [0b10000, 0b10000, 0b10010, 0b10100, 0b11000, 0b10100, 0b10010],
    "m": [0b00000, 0b00000, 0b11010, 0b10101, 0b10101, 0b10101, 0b10101],
    "r": [0b00000, 0b00000, 0b10110, 0b11001, 0b10000, 0b10000, 0b10000],
    "t": [0b01000, 0b01000, 0b11110, 0b01000, 0b01000, 0b01001, 0b00110],
  ]
}

extension NamedTrigger {
  package static let watermark = NamedTrigger(
    name: "watermark",
    summary: "the word “Watermarked” in red over the middle (arXiv:2412.00727)",
    strength: .opacity(usual: 0.5), isConstant: true
  ) { _, opacity in WatermarkTrigger(opacity: opacity) }
}
