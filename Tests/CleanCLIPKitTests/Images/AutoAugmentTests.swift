import CleanCLIPKit
import Testing

@Suite struct AutoAugmentTests {
  @Test func everyOperationEqualsTorchvisions() throws {
    let expected = try ImageFixtures.expected("augmented")
    var compared = 0
    for (name, image) in expected.images {
      let words = name.split(separator: "/").map(String.init)
      guard words.count == 3 else { continue }
      let magnitude = try #require(Float(words[2]))
      let operation = try Self.operation(words[1], magnitude)
      expectEqual(operation.applied(to: try expected.image(words[0])), image, name)
      compared += 1
    }
    #expect(compared == 35)
  }

  @Test func policiesEqualTorchvisions() throws {
    let text = String(decoding: try ImageFixtures.bytes("policies.txt"), as: UTF8.self)
    let lines = text.split(separator: "\n").dropFirst(2)
    let steps = AutoAugment.policies.flatMap { [$0.0, $0.1] }
    try #require(lines.count == 50 && steps.count == 50)
    for (line, step) in zip(lines, steps) {
      let words = line.split(separator: " ").map(String.init)
      #expect(step.kind.rawValue == words[0])
      #expect(step.probability == Float(words[1]))
      for (isNegative, word) in [(true, words[2]), (false, words[3])] {
        let magnitude = try #require(Float(word))
        #expect(
          step.operation(isNegative: isNegative) == (try Self.operation(words[0], magnitude)),
          "\(line)")
      }
    }
  }

  @Test func operationsAreDrawnAsOftenAsThePolicySays() {
    var random = RandomNumbers(seed: 3)
    let draws = 20_000
    var counts = [0, 0, 0]
    for _ in 0..<draws { counts[AutoAugment.draw(using: &random).count] += 1 }
    var expected = [0.0, 0.0, 0.0]
    for (first, second) in AutoAugment.policies {
      let p = Double(first.probability)
      let q = Double(second.probability)
      expected[0] += (1 - p) * (1 - q) / 25
      expected[1] += (p * (1 - q) + q * (1 - p)) / 25
      expected[2] += p * q / 25
    }
    for (count, share) in zip(counts, expected) {
      let deviation = (share * (1 - share) / Double(draws)).squareRoot()
      #expect(abs(Double(count) / Double(draws) - share) < 5 * deviation)
    }
  }

  @Test func theSameSeedDrawsTheSameImage() throws {
    let source = try ImageFixtures.expected("augmented").image("scene")
    for key in 0..<50 {
      var first = RandomNumbers(seed: 1, UInt64(key))
      var second = RandomNumbers(seed: 1, UInt64(key))
      let image = AutoAugment.apply(source, using: &first)
      #expect(image == AutoAugment.apply(source, using: &second))
      #expect(image.width == source.width && image.height == source.height)
    }
  }

  @Test func everyOperationTakesImagesOfOnePixelAndOfOneColour() {
    let operations = AutoAugment.policies.flatMap { [$0.0, $0.1] }
      .map { $0.operation(isNegative: false) }
    for operation in operations {
      for (width, height) in [(1, 1), (1, 9), (2, 2), (9, 1)] {
        let flat = RGBImage(width: width, height: height, red: 100, green: 150, blue: 200)
        let result = operation.applied(to: flat)
        #expect(result.width == width && result.height == height)
      }
    }
  }

  private static func operation(
    _ name: String, _ magnitude: Float
  ) throws -> AutoAugment.Operation {
    switch try #require(AutoAugment.Kind(rawValue: name)) {
    case .shearX: .shearX(magnitude)
    case .rotate: .rotate(magnitude)
    case .color: .color(magnitude)
    case .contrast: .contrast(magnitude)
    case .sharpness: .sharpness(magnitude)
    case .posterize: .posterize(bits: Int(magnitude))
    case .solarize: .solarize(threshold: magnitude)
    case .autoContrast: .autoContrast
    case .equalize: .equalize
    case .invert: .invert
    }
  }
}
