internal import Glibc

/// Small conspicuous patches that recur in many images: a pasted trigger does, nature does not.
///
/// Windows of 8 × 8, 16 × 16 and 32 × 32 pixels with strong contrast are described by a coarse
/// code: brightness of 4 × 4 cells against the window's mean, in three steps. Equal codes in many
/// images count, once an image. Noise of a lossy format rarely changes a code of strong
/// contrast.
package struct PatchConcentration {
  /// Codes of an image, without repetition.
  private var images: [[UInt64]] = []

  /// Standard deviation of brightness, of 255, from which a window is conspicuous.
  static let contrast: Float = 45
  /// Conspicuous windows that are kept of an image, at each size.
  static let windows = 64

  package init() {}

  /// Adds the next image of the dataset, by its codes.
  package mutating func add(_ codes: [UInt64]) { images.append(codes) }

  /// The codes of an image, ascending.
  package static func codes(of image: RGBImage) -> [UInt64] {
    let sums = BrightnessSums(image)
    var codes = Set<UInt64>()
    for (position, side) in [8, 16, 32].enumerated() where min(image.width, image.height) >= side {
      for code in self.codes(sums, side: side) {
        codes.insert(code << 2 | UInt64(position))
      }
    }
    return codes.sorted()
  }

  /// For each image the number of images that have its most frequent code, 1 without one.
  package func pairsByImage() -> [Int] {
    var counts: [UInt64: Int] = [:]
    for codes in images { for code in codes { counts[code, default: 0] += 1 } }
    return images.map { codes in codes.map { counts[$0, default: 1] }.max() ?? 1 }
  }

  /// Scores of such counts beside the other detectors': nothing up to three times the median, where
  /// the codes of flat edges and corners are, then the logarithm.
  static func scores(_ pairs: [Int]) -> [Float] {
    let usual = max(1, 3 * Ranking.median(pairs.map(Float.init)))
    return pairs.map { 2 * max(0, logf(Float($0) / usual)) }
  }

  private static func codes(_ sums: BrightnessSums, side: Int) -> [UInt64] {
    let cell = side / 4
    var found: [(contrast: Float, x: Int, y: Int)] = []
    for y in stride(from: 0, through: sums.height - side, by: 1) {
      for x in stride(from: 0, through: sums.width - side, by: 1) {
        let deviation = sums.deviation(x, y, side)
        if deviation >= contrast { found.append((deviation, x, y)) }
      }
    }
    found.sort { ($0.contrast, $1.y, $1.x) > ($1.contrast, $0.y, $0.x) }
    return found.prefix(windows).map { window in
      let mean = sums.mean(window.x, window.y, side, side)
      var code: UInt64 = 0
      for row in 0..<4 {
        for column in 0..<4 {
          let value =
            sums.mean(window.x + column * cell, window.y + row * cell, cell, cell) - mean
          let step: UInt64 =
            value > 0.4 * window.contrast ? 2 : value < -0.4 * window.contrast ? 0 : 1
          code = code * 3 + step
        }
      }
      return code
    }
  }
}

/// Sums of brightness and its square over rectangles in constant time.
private struct BrightnessSums {
  let width: Int
  let height: Int
  private var sums: [Float]
  private var squares: [Float]

  init(_ image: RGBImage) {
    width = image.width
    height = image.height
    let stride = width + 1
    sums = [Float](repeating: 0, count: stride * (height + 1))
    squares = sums
    for y in 0..<height {
      var rowSum: Float = 0
      var rowSquares: Float = 0
      for x in 0..<width {
        let pixel = 3 * (y * width + x)
        // Rec. 601 luma, about zero so that the sums stay small.
        let value =
          0.299 * Float(image.pixels[pixel]) + 0.587 * Float(image.pixels[pixel + 1])
          + 0.114 * Float(image.pixels[pixel + 2]) - 128
        rowSum += value
        rowSquares += value * value
        sums[(y + 1) * stride + x + 1] = sums[y * stride + x + 1] + rowSum
        squares[(y + 1) * stride + x + 1] = squares[y * stride + x + 1] + rowSquares
      }
    }
  }

  private func total(_ table: [Float], _ x: Int, _ y: Int, _ w: Int, _ h: Int) -> Float {
    let stride = width + 1
    return table[(y + h) * stride + x + w] - table[y * stride + x + w]
      - table[(y + h) * stride + x] + table[y * stride + x]
  }

  func mean(_ x: Int, _ y: Int, _ w: Int, _ h: Int) -> Float {
    total(sums, x, y, w, h) / Float(w * h)
  }

  func deviation(_ x: Int, _ y: Int, _ side: Int) -> Float {
    let mean = mean(x, y, side, side)
    let square = total(squares, x, y, side, side) / Float(side * side)
    return max(0, square - mean * mean).squareRoot()
  }
}
