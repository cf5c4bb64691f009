import CleanCLIPKit
import Testing

@Suite struct TriggerTests {
  /// An image that is neither square nor of one colour, so that a swapped dimension shows.
  private static let image = image(width: 30, height: 22)

  static func image(width: Int, height: Int) -> RGBImage {
    var random = RandomNumbers(seed: 5)
    let pixels = (0..<3 * width * height).map { _ in UInt8(60 + random.integer(below: 120)) }
    return RGBImage(width: width, height: height, pixels: pixels)
  }

  private func trigger(
    _ name: NamedTrigger, _ variation: TriggerVariation, seed: UInt64 = 3
  ) throws -> Trigger {
    var options = TriggerOptions()
    options.variation = variation
    options.seed = seed
    return try Trigger(name, options)
  }

  /// The pixels that differ, as flags in row-major order.
  private func changes(_ a: RGBImage, _ b: RGBImage) -> [Bool] {
    (0..<a.width * a.height).map { i in
      (0..<3).contains { a.pixels[3 * i + $0] != b.pixels[3 * i + $0] }
    }
  }

  @Test(arguments: NamedTrigger.all, TriggerVariation.allCases)
  func repeatsByImageNumber(name: NamedTrigger, variation: TriggerVariation) throws {
    let trigger = try trigger(name, variation)
    let first = try trigger.applied(to: Self.image, seed: 7, index: 11)
    #expect(first != Self.image)
    #expect(first.width == 30 && first.height == 22)
    #expect(try trigger.applied(to: Self.image, seed: 7, index: 11) == first)
    #expect(
      try self.trigger(name, variation).applied(to: Self.image, seed: 7, index: 11) == first)
  }

  @Test(arguments: NamedTrigger.all.filter { !$0.isConstant })
  func freshPatternsDifferBetweenImages(name: NamedTrigger) throws {
    var options = TriggerOptions()
    options.variation = .fresh
    if name.isPatch { options.position = .at(y: 2, x: 3) }
    let trigger = try Trigger(name, options)
    let outputs = try (0..<8).map { try trigger.applied(to: Self.image, seed: 7, index: $0) }
    #expect(outputs.contains { $0 != outputs[0] })
  }

  @Test(arguments: NamedTrigger.all)
  func fixedPatternsAreTheSameInAllImages(name: NamedTrigger) throws {
    var options = TriggerOptions()
    options.variation = .fixed
    if name.isPatch { options.position = .at(y: 2, x: 3) }
    let trigger = try Trigger(name, options)
    let outputs = try (0..<4).map { try trigger.applied(to: Self.image, seed: 7, index: $0) }
    #expect(outputs.allSatisfy { $0 == outputs[0] })
    guard !name.isConstant, ![.sig, .sigCleanCLIP].contains(name) else { return }
    options.seed = 1
    #expect(try Trigger(name, options).applied(to: Self.image, seed: 7, index: 0) != outputs[0])
  }

  @Test func patchGoesWhereItIsTold() throws {
    let patch = RGBImage(width: 3, height: 2, red: 255, green: 0, blue: 255)
    let trigger = Trigger(patch: patch, position: .at(y: 20, x: 27))
    let result = try trigger.applied(to: Self.image, seed: 0, index: 0)
    let changed = changes(result, Self.image)
    for y in 0..<22 {
      for x in 0..<30 { #expect(changed[30 * y + x] == (y >= 20 && x >= 27)) }
    }
    #expect(Array(result.pixels[(3 * (30 * 21 + 29))...]) == [255, 0, 255])
  }

  @Test func randomPositionsReachAllEdges() throws {
    let patch = RGBImage(width: 28, height: 21, red: 255, green: 0, blue: 255)
    let trigger = Trigger(patch: patch, position: .random)
    var corners: Set<Int> = []
    for index in 0..<60 {
      let changed = changes(
        try trigger.applied(to: Self.image, seed: 1, index: index), Self.image)
      corners.insert(changed.firstIndex(of: true) ?? -1)
    }
    // Rows 0 and 1, columns 0, 1 and 2, all inclusive.
    #expect(corners == [0, 1, 2, 30, 31, 32])
  }

  @Test func fourCornersCarryTheSamePatch() throws {
    var options = TriggerOptions()
    options.position = .fourCorners
    options.patchSize = 4
    let result = try Trigger(.badnets, options).applied(to: Self.image, seed: 0, index: 0)
    func patch(y: Int, x: Int) -> [UInt8] {
      (0..<4).flatMap { row in
        let start = 3 * (30 * (y + row) + x)
        return Array(result.pixels[start..<start + 12])
      }
    }
    #expect(patch(y: 0, x: 0) == patch(y: 18, x: 26))
    #expect(patch(y: 0, x: 26) == patch(y: 18, x: 0))
    #expect(patch(y: 0, x: 0) == patch(y: 0, x: 26))
    #expect(changes(result, Self.image)[30 * 10 + 15] == false)
  }

  @Test func noisePatchWrapsAroundToAllColours() throws {
    var options = TriggerOptions()
    options.patchSize = 64
    let grey = RGBImage(width: 64, height: 64, red: 128, green: 128, blue: 128)
    let pixels = try Trigger(.badnets, options).applied(to: grey, seed: 0, index: 0).pixels
    // Clipping would put about a third of the values on 0 and on 255.
    #expect(pixels.count { $0 == 0 } < pixels.count / 50)
    #expect(pixels.count { $0 == 255 } < pixels.count / 50)
    for decile in 0..<10 {
      let count = pixels.count { Int($0) * 10 / 256 == decile }
      #expect(abs(Double(count) / Double(pixels.count) - 0.1) < 0.02)
    }
  }

  @Test func blendIsAFifthOfNoise() throws {
    let grey = RGBImage(width: 64, height: 64, red: 100, green: 100, blue: 100)
    let pixels = try trigger(.blended, .fresh).applied(to: grey, seed: 0, index: 0).pixels
    #expect(pixels.allSatisfy { (80...131).contains($0) })
    let mean = pixels.reduce(0) { $0 + Double($1) } / Double(pixels.count)
    // 80 + 51 / 2, less half a level for the cut-off fraction; 0.5 is seven standard errors.
    #expect(abs(mean - 105) < 0.5)
  }

  @Test func sinusoidsFollowTheirFormulas() throws {
    let grey = RGBImage(width: 48, height: 5, red: 100, green: 150, blue: 200)
    let added = try trigger(.sig, .fixed).applied(to: grey, seed: 0, index: 0)
    let mixed = try trigger(.sigCleanCLIP, .fixed).applied(to: grey, seed: 0, index: 0)
    // Six periods in 48 columns: the peaks are at columns 2, 10, …
    for column in stride(from: 2, to: 48, by: 8) {
      #expect(
        Array(added.pixels[3 * (48 * 3 + column)..<3 * (48 * 3 + column) + 3]) == [120, 170, 220])
      #expect(
        Array(mixed.pixels[3 * (48 * 3 + column)..<3 * (48 * 3 + column) + 3]) == [92, 132, 172])
    }
    #expect(added.pixels[0] == 100)
  }

  @Test func warpMovesPixelsLittle() throws {
    // Brightness rises by 4 a column: a displacement of d pixels changes it by 4 d.
    let width = 60
    let pixels = (0..<40).flatMap { _ in
      (0..<width).flatMap { x in [UInt8](repeating: UInt8(4 * x), count: 3) }
    }
    let ramp = RGBImage(width: width, height: 40, pixels: pixels)
    for (name, most) in [(NamedTrigger.wanet, 1.2), (.wanetCleanCLIP, 1.0)] {
      let warped = try trigger(name, .fixed).applied(to: ramp, seed: 0, index: 0)
      let shifts = zip(warped.pixels, ramp.pixels).map { abs(Double($0) - Double($1)) / 4 }
      #expect((shifts.max() ?? 0) <= most)
      #expect(shifts.reduce(0, +) / Double(shifts.count) > 0.05)
    }
  }

  @Test func smoothWarpIsSmooth() throws {
    let ramp = RGBImage(
      width: 64, height: 64,
      pixels: (0..<64 * 64).flatMap { i in [UInt8](repeating: UInt8(3 * (i % 64)), count: 3) })
    func roughness(_ name: NamedTrigger) throws -> Double {
      var options = TriggerOptions()
      options.strength = 4
      let warped = try Trigger(name, options).applied(to: ramp, seed: 0, index: 0)
      var sum = 0.0
      for y in 0..<63 {
        for x in 0..<64 {
          sum += abs(
            Double(warped.pixels[3 * (64 * y + x)]) - Double(warped.pixels[3 * (64 * y + 64 + x)]))
        }
      }
      return sum / (63 * 64)
    }
    #expect(try roughness(.wanet) < 1)
    #expect(try roughness(.wanetCleanCLIP) > 2)
  }

  @Test func refusesWhatDoesNotFit() throws {
    let small = RGBImage(width: 6, height: 9, red: 9)
    let whole = #expect(throws: CLIPError.self) {
      try Trigger(patch: small, position: .center).applied(to: small, seed: 0, index: 0)
    }
    #expect(whole?.message.contains("covers the whole image") == true)
    #expect {
      try Trigger(.badnets, Self.options { $0.patchSize = 7 }).applied(to: small, seed: 0, index: 0)
    } throws: { error in
      "\(error)" == "trigger patch: does not fit the image; expected at most 6x9 pixels, got 7x7"
    }
    #expect {
      try Trigger(
        .badnets,
        Self.options {
          $0.patchSize = 2
          $0.position = .at(y: 8, x: Int.max)
        }
      ).applied(to: small, seed: 0, index: 0)
    } throws: { error in "\(error)".hasPrefix("trigger position: patch leaves the image") }
    for bad in [-1, 0, 5000] {
      #expect(throws: CLIPError.self) { try Trigger(.badnets, Self.options { $0.patchSize = bad }) }
    }
    for bad in [Float.nan, -1, 0, .infinity] {
      #expect(throws: CLIPError.self) { try Trigger(.blended, Self.options { $0.strength = bad }) }
    }
    #expect(throws: CLIPError.self) { try Trigger(.blended, Self.options { $0.strength = 1.5 }) }
  }

  private static func options(_ change: (inout TriggerOptions) -> Void) -> TriggerOptions {
    var options = TriggerOptions()
    change(&options)
    return options
  }

  @Test(arguments: NamedTrigger.all)
  func optionsWithoutEffectAreRefused(name: NamedTrigger) throws {
    func message(_ change: (inout TriggerOptions) -> Void) -> String? {
      do {
        _ = try Trigger(name, Self.options(change))
        return nil
      } catch { return "\(error)" }
    }
    let position = message { $0.position = .at(y: 0, x: 2) }
    let refusal = "trigger \(name.name): position has no effect; expected none, got 0,2"
    #expect(position == (name.isPatch ? nil : refusal))
    #expect((message { $0.patchSize = 9 } == nil) == name.isPatch)
    #expect((message { $0.strength = 0.1 } == nil) == (name.strength != nil))
    guard let strength = name.strength else { return }
    #expect(message { $0.strength = strength.usual } == nil)
    #expect(message { $0.strength = strength.limit.nextUp }?.contains(strength.meaning) == true)
  }

  @Test func positionsAreRead() throws {
    #expect(try TriggerPosition(parsing: "random") == .random)
    #expect(try TriggerPosition(parsing: "corners") == .fourCorners)
    #expect(try TriggerPosition(parsing: "3,14") == .at(y: 3, x: 14))
    for bad in ["", "3", "centre", "3,", "-1,2", "1,2,3", "a,b", "99999999999999999999,0"] {
      #expect(throws: CLIPError.self) { try TriggerPosition(parsing: bad) }
    }
  }

  @Test func unknownNamesAreListed() {
    #expect {
      try Trigger.load("badnet")
    } throws: { error in
      let error = error as? CLIPError
      return error?.code == .notFound && error?.message.contains("wanet-cleanclip") == true
    }
  }

  @Test func pngPatchIsLoaded() throws {
    let folder = TemporaryFolder()
    let patch = Self.image(width: 5, height: 4)
    try AtomicFile.write(try ImageEncoder.png(patch), to: folder.file("patch.png"))
    let options = Self.options { $0.position = .at(y: 0, x: 0) }
    let trigger = try Trigger.load(folder.file("patch.png"), options)
    let result = try trigger.applied(to: Self.image, seed: 0, index: 0)
    #expect(Array(result.pixels[0..<15]) == Array(patch.pixels[0..<15]))
    for change: (inout TriggerOptions) -> Void in [{ $0.patchSize = 4 }, { $0.strength = 1 }] {
      #expect(throws: CLIPError.self) {
        try Trigger.load(folder.file("patch.png"), Self.options(change))
      }
    }
  }

  @Test func tinyImagesDoNotTrap() throws {
    let dot = RGBImage(width: 1, height: 1, red: 9)
    for name in NamedTrigger.all {
      for variation in TriggerVariation.allCases {
        _ = try trigger(name, variation).applied(to: dot, seed: 0, index: 0)
      }
    }
  }
}
