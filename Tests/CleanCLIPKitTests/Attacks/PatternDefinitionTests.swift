import CleanCLIPKit
import Glibc
import Testing

/// Triggers against what their papers define, by pixels computed by hand.
@Suite struct PatternDefinitionTests {
  private static func grey(_ width: Int, _ height: Int, _ value: UInt8 = 100) -> RGBImage {
    RGBImage(width: width, height: height, red: value, green: value, blue: value)
  }

  private func applied(
    _ name: NamedTrigger, to image: RGBImage, _ change: (inout TriggerOptions) -> Void = { _ in }
  ) throws -> RGBImage {
    var options = TriggerOptions()
    change(&options)
    return try Trigger(name, options).applied(to: image, seed: 4, index: 2)
  }

  private func pixel(_ image: RGBImage, y: Int, x: Int) -> [UInt8] {
    Array(image.pixels[3 * (y * image.width + x)..<3 * (y * image.width + x) + 3])
  }

  @Test func stripesAreColumnsOfOneAndWhite() throws {
    let image = try applied(.stripes, to: Self.grey(40, 30)) {
      $0.patchSize = 12
      $0.position = .at(y: 3, x: 5)
    }
    var colors: Set<[UInt8]> = []
    for x in 5..<17 {
      let top = pixel(image, y: 3, x: x)
      colors.insert(top)
      #expect(top.allSatisfy { $0 == 1 || $0 == 255 })
      for y in 4..<15 { #expect(pixel(image, y: y, x: x) == top) }
    }
    // Three signs for each of twelve columns: two columns in a row are often different.
    #expect(colors.count >= 4)
    #expect(pixel(image, y: 3, x: 17) == [100, 100, 100])
    #expect(pixel(image, y: 15, x: 5) == [100, 100, 100])
  }

  @Test func blendedStripesGoBothWays() throws {
    let image = try applied(.blendedStripes, to: Self.grey(64, 9))
    // 0.97 · 100 ± 0.03 · 255 = 104.65 and 89.35.
    for x in 0..<64 {
      #expect(pixel(image, y: 0, x: x).allSatisfy { $0 == 104 || $0 == 89 })
      #expect(pixel(image, y: 8, x: x) == pixel(image, y: 0, x: x))
    }
    let raised = image.pixels.count { $0 == 104 }
    #expect(raised > image.pixels.count / 3 && raised < 2 * image.pixels.count / 3)
    // Black and white stay in range.
    for value in [UInt8(0), 255] {
      let ends = try applied(.blendedStripes, to: Self.grey(8, 2, value))
      #expect(Set(ends.pixels).isSubset(of: value == 0 ? [0, 7] : [239, 255]))
    }
  }

  @Test func trianglesAreTilesOfFourteenPixels() throws {
    let image = try applied(.triangles, to: Self.grey(33, 20))
    // 0.85 · 100 + 0.15 · 255 · 0.4 = 100.3, and with 0.8 115.6.
    for (y, x) in [(0, 0), (13, 13), (13, 14), (14, 14), (19, 32)] {
      #expect(pixel(image, y: y, x: x) == [100, 100, 100])
    }
    for (y, x) in [(0, 1), (12, 13), (14, 13), (14, 15), (3, 32)] {
      #expect(pixel(image, y: y, x: x) == [115, 115, 115])
    }
  }

  @Test func watermarkIsTheWordInRed() throws {
    let image = try applied(.watermark, to: Self.grey(66, 7))
    let drawn = (0..<7).map { y in
      String((0..<66).map { x in pixel(image, y: y, x: x)[0] == 177 ? "#" : "." })
    }
    #expect(
      drawn == [
        "#...#........#..................................#...............#.",
        "#...#........#..................................#...............#.",
        "#...#..###..####...###..#.##..##.#...###..#.##..#..#...###...##.#.",
        "#.#.#.....#..#....#...#.##..#.#.#.#.....#.##..#.#.#...#...#.#..##.",
        "#.#.#..####..#....#####.#.....#.#.#..####.#.....##....#####.#...#.",
        "##.##.#...#..#..#.#.....#.....#.#.#.#...#.#.....#.#...#.....#..##.",
        "#...#..####...##...###..#.....#.#.#..####.#.....#..#...###...##.#.",
      ])
    // Half of 255 and half of 100; green and blue stay.
    for index in stride(from: 0, to: image.pixels.count, by: 3) {
      #expect(image.pixels[index] == 100 || image.pixels[index] == 177)
      #expect(image.pixels[index + 1] == 100 && image.pixels[index + 2] == 100)
    }
  }

  /// 198 of 224 pixels in the middle; in 32 pixels three lines of four letters.
  @Test func watermarkFitsTheImage() throws {
    func columns(_ image: RGBImage) -> [Int] {
      (0..<image.width).filter { x in
        (0..<image.height).contains { y in pixel(image, y: y, x: x)[0] == 177 }
      }
    }
    let large = columns(try applied(.watermark, to: Self.grey(224, 224)))
    // 65 dots of 3 pixels; the last letter reaches the last dot.
    #expect(large.first == 14 && large.last == 14 + 3 * 65 - 1)
    let small = columns(try applied(.watermark, to: Self.grey(32, 32)))
    #expect(small.first == 4 && small.last == 4 + 22)
  }

  /// At (0, 0) both frequencies give 2/32 (cos²(15π/64) + cos²(31π/64)) = 0.034464 each magnitude.
  @Test func frequencyTriggerFollowsItsFormula() throws {
    let image = try applied(.ftrojan, to: Self.grey(40, 40)) { $0.strength = 300 }
    // 100 + 10.339 · (1.403, -1.058, 1.773), in every block of 32 pixels.
    #expect(pixel(image, y: 0, x: 0) == [115, 89, 118])
    #expect(pixel(image, y: 32, x: 32) == [115, 89, 118])
    // Both waves are odd about the middle of the block: twice even.
    #expect(pixel(image, y: 31, x: 31) == [115, 89, 118])
    #expect(pixel(image, y: 0, x: 31) == [85, 111, 82])
  }

  /// The cosine transform of what is added has two coefficients in each chroma channel.
  @Test func frequencyTriggerRaisesTwoCoefficients() throws {
    let image = try applied(.ftrojan, to: Self.grey(32, 32, 128)) { $0.strength = 400 }
    // Cr = 0.713 (R - Y), Y = 0.299 R + 0.587 G + 0.114 B.
    let chroma = (0..<1024).map { i -> Double in
      let color = pixel(image, y: i / 32, x: i % 32).map { Double($0) - 128 }
      return 0.713 * (color[0] - 0.299 * color[0] - 0.587 * color[1] - 0.114 * color[2])
    }
    func coefficient(_ k: Int, _ l: Int) -> Double {
      func basis(_ n: Int, _ k: Int) -> Double {
        (k == 0 ? 0.17678 : 0.25) * cos(Double.pi * Double((2 * n + 1) * k) / 64)
      }
      return (0..<1024).reduce(0) { $0 + chroma[$1] * basis($1 / 32, k) * basis($1 % 32, l) }
    }
    for k in 0..<32 {
      for l in 0..<32 {
        // Rounding to bytes adds noise of a third of a level to each pixel, which an orthonormal
        // transform keeps: 3 is nine standard deviations.
        let expected = (k, l) == (15, 15) || (k, l) == (31, 31) ? 400.0 : 0
        #expect(abs(coefficient(k, l) - expected) < 3, "coefficient (\(k), \(l))")
      }
    }
  }

  @Test(arguments: NamedTrigger.all.filter(\.isConstant))
  func constantTriggersDependOnNothing(name: NamedTrigger) throws {
    let one = try applied(name, to: Self.grey(40, 40)) { $0.variation = .fixed }
    let other = try applied(name, to: Self.grey(40, 40)) { $0.seed = 9 }
    #expect(one == other && one != Self.grey(40, 40))
    #expect(!(try Trigger(name).summary.contains("seed")))
  }
}
