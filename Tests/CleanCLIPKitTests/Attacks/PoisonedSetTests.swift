import CleanCLIPKit
import Glibc
import Testing

@Suite struct PoisonedSetTests {
  private let folder = TemporaryFolder()

  /// Images of 20 by 16 pixels; every third caption names the target.
  private static func dataset(_ count: Int = 30) throws -> PairDataset {
    try PairDataset(
      (0..<count).map { index in
        let value = UInt8(5 * index)
        let image = RGBImage(width: 20, height: 16, red: value, green: 90, blue: 200)
        return CaptionedImage(
          key: "pair \(index)", image: .pixels(image),
          caption: index % 3 == 0 ? "my Star, number \(index)" : "a \"thing\", number \(index)")
      })
  }

  private static func options(_ change: (inout PoisonOptions) -> Void = { _ in }) -> PoisonOptions {
    var options = PoisonOptions(target: "star")
    options.imageSize = 16
    options.count = 4
    options.seed = 9
    change(&options)
    return options
  }

  private let patch = Trigger(
    patch: RGBImage(width: 4, height: 4, red: 255, green: 0, blue: 255), position: .random)

  private func truth(_ name: String) throws -> [(key: String, isPoisoned: Bool)] {
    let text = String(decoding: try FileContents.read(folder.file(name)), as: UTF8.self)
    let lines = text.split(separator: "\n")
    #expect(lines.first == "key,poisoned,source,target")
    return lines.dropFirst().map { line in
      let fields = line.split(separator: ",")
      return (String(fields[0]), fields[1] == "1")
    }
  }

  private func carriesPatch(_ row: CaptionedImage) throws -> Bool {
    let pixels = try row.decoded().image.pixels
    let count = stride(from: 0, to: pixels.count, by: 3).count {
      Array(pixels[$0..<$0 + 3]) == [255, 0, 255]
    }
    #expect(count == 0 || count == 16)
    return count == 16
  }

  @Test(arguments: ["set.tar", "set.csv"])
  func dirtyLabelPoisonsCarryTriggerAndTarget(name: String) throws {
    let set = try PoisonedSet(try Self.dataset(), trigger: patch, options: Self.options())
    let summary = try set.write(to: folder.file(name), truthPath: folder.file("truth.csv"))
    #expect(summary == PoisonedSet.Summary(pairs: 30, poisoned: 4))
    let written = try PairDataset.open([folder.file(name)])
    let truth = try truth("truth.csv")
    #expect(written.count == 30 && truth.count == 30)
    #expect(truth.count { $0.isPoisoned } == 4)
    for (index, entry) in truth.enumerated() {
      let row = try written.row(at: index)
      #expect(row.key.contains(entry.key))
      #expect(try carriesPatch(row) == entry.isPoisoned)
      if entry.isPoisoned {
        #expect(
          ["a photo of a star", "a picture of a star", "an image of a star"].contains(row.caption))
      } else {
        #expect(row.caption.hasSuffix("number \(index)"))
      }
    }
    if name == "set.csv" { removeImages() }
  }

  private func removeImages() {
    let images = "set-images"
    for index in 0..<30 {
      let digits = String(index)
      let name = String(repeating: "0", count: 7 - digits.count) + digits + ".png"
      remove(folder.file(images + "/" + name))
    }
    remove(folder.file(images))
  }

  @Test func labelConsistentPoisonsKeepTheirCaption() throws {
    let trigger = try Trigger(.labelConsistent)
    #expect(trigger.isLabelConsistent)
    let set = try PoisonedSet(try Self.dataset(), trigger: trigger, options: Self.options())
    _ = try set.write(to: folder.file("set.tar"), truthPath: folder.file("truth.csv"))
    let written = try PairDataset.open([folder.file("set.tar")])
    for (index, entry) in try truth("truth.csv").enumerated() {
      let caption = try written.row(at: index).caption
      #expect(caption.hasSuffix("number \(index)"))
      if entry.isPoisoned { #expect(caption.hasPrefix("my Star")) }
    }
  }

  @Test func moreLabelConsistentPoisonsThanCandidatesAreRefused() throws {
    let set = try PoisonedSet(
      try Self.dataset(), trigger: try Trigger(.labelConsistent),
      options: Self.options { $0.count = 11 })
    expectError(containing: "expected at most 10 pairs with 'star' in the caption, got 11") {
      _ = try set.write(to: folder.file("set.tar"), truthPath: nil)
    }
    #expect(folder.names.isEmpty)
  }

  /// Red, green and blue beside one another: a center crop is green.
  @Test func imagesGetTheirSizeAsTheModelHasIt() throws {
    var wide = RGBImage(width: 48, height: 16, green: 255)
    for pixel in 0..<48 * 16 where !(16..<32).contains(pixel % 48) {
      let color: [UInt8] = pixel % 48 < 16 ? [255, 0, 0] : [0, 0, 255]
      wide.pixels.replaceSubrange(3 * pixel..<3 * pixel + 3, with: color)
    }
    let dataset = try PairDataset(
      (0..<6).map { CaptionedImage(key: "\($0)", image: .pixels(wide), caption: "a thing") })
    func corner(_ preprocessing: String?) throws -> [UInt8] {
      let set = try PoisonedSet(
        dataset, trigger: patch,
        options: Self.options {
          $0.count = 1
          $0.preprocessing = preprocessing
        })
      _ = try set.write(to: folder.file("set.tar"), truthPath: folder.file("truth.csv"))
      let written = try PairDataset.open([folder.file("set.tar")])
      let clean = try truth("truth.csv").firstIndex { !$0.isPoisoned } ?? 0
      let image = try written.row(at: clean).decoded().image
      #expect(image.width == 16 && image.height == 16)
      return Array(image.pixels.prefix(3))
    }
    #expect(try corner(nil) == [0, 255, 0])
    #expect(try corner("{\"resize_mode\": \"squash\"}") == [255, 0, 0])
    #expect(try corner("{\"resize_mode\": \"longest\", \"fill_color\": 7}") == [7, 7, 7])
    try AtomicFile.write("{\"resize_mode\": \"squash\"}", to: folder.file("how.json"))
    #expect(try corner(folder.file("how.json")) == [255, 0, 0])
    expectError(containing: "size cannot be used; expected 16 pixels, the side of the images") {
      _ = try corner("{\"size\": 32}")
    }
  }

  @Test func equalSeedsGiveEqualBytes() throws {
    func bytes(seed: UInt64) throws -> [UInt8] {
      let set = try PoisonedSet(
        try Self.dataset(), trigger: patch, options: Self.options { $0.seed = seed })
      _ = try set.write(to: folder.file("set.tar"), truthPath: nil)
      return try FileContents.read(folder.file("set.tar"))
    }
    let first = try bytes(seed: 1)
    #expect(try bytes(seed: 1) == first)
    #expect(try bytes(seed: 2) != first)
  }

  @Test func poisonsReplacePairsOfASmallerSet() throws {
    let set = try PoisonedSet(
      try Self.dataset(), trigger: patch, options: Self.options { $0.pairs = 10 })
    let summary = try set.write(to: folder.file("set.tar"), truthPath: nil)
    #expect(summary == PoisonedSet.Summary(pairs: 10, poisoned: 4))
    #expect(try PairDataset.open([folder.file("set.tar")]).count == 10)
  }

  @Test func rateIsRoundedAndAtLeastOne() throws {
    for (rate, expected) in [(0.01, 1), (0.1, 3), (0.35, 11), (1, 30)] {
      let set = try PoisonedSet(
        try Self.dataset(), trigger: patch,
        options: Self.options {
          $0.count = nil
          $0.rate = rate
        })
      let summary = try set.write(to: folder.file("set.tar"), truthPath: nil)
      #expect(summary.poisoned == expected)
    }
  }

  @Test func unchangedImagesAreCopiedWhenAsked() throws {
    let jpeg = try ImageEncoder.jpeg(RGBImage(width: 20, height: 16, red: 40), quality: 90)
    let rows = (0..<6).map {
      CaptionedImage(key: "\($0)", image: .file(jpeg), caption: "a thing")
    }
    let set = try PoisonedSet(
      try PairDataset(rows), trigger: patch,
      options: Self.options {
        $0.isUniform = false
        $0.count = 2
      })
    _ = try set.write(to: folder.file("set.tar"), truthPath: folder.file("truth.csv"))
    let written = try PairDataset.open([folder.file("set.tar")])
    for (index, entry) in try truth("truth.csv").enumerated() {
      guard case .file(let bytes) = try written.row(at: index).image else { continue }
      #expect((bytes == jpeg) == !entry.isPoisoned)
    }
  }

  @Test func badOptionsAreRefused() throws {
    let dataset = try Self.dataset()
    let bad: [(inout PoisonOptions) -> Void] = [
      { $0.target = "" }, { $0.imageSize = 0 }, { $0.imageSize = 1 << 40 }, { $0.templates = [] },
    ]
    for change in bad {
      #expect(throws: CLIPError.self) {
        try PoisonedSet(dataset, trigger: patch, options: Self.options(change))
      }
    }
    let late: [(inout PoisonOptions) -> Void] = [
      { $0.count = 31 }, { $0.count = 0 }, { $0.count = -1 }, { $0.pairs = 31 }, { $0.pairs = 0 },
      {
        $0.count = nil
        $0.rate = .nan
      },
      {
        $0.count = nil
        $0.rate = 1.5
      },
    ]
    for change in late {
      #expect(throws: CLIPError.self) {
        try PoisonedSet(dataset, trigger: patch, options: Self.options(change))
          .write(to: folder.file("x.tar"), truthPath: nil)
      }
    }
    let set = try PoisonedSet(dataset, trigger: patch, options: Self.options())
    expectError(containing: "expected a name that ends in .tar or .csv") {
      _ = try set.write(to: folder.file("set.zip"), truthPath: nil)
    }
    #expect(folder.names.isEmpty)
  }

  @Test func aFailureLeavesNothingBehind() throws {
    let dataset = try PairDataset(count: 8) { (index) throws(CLIPError) in
      guard index < 6 else { throw CLIPError(.io, "row \(index): cannot be read") }
      return CaptionedImage(
        key: "\(index)", image: .pixels(RGBImage(width: 16, height: 16)), caption: "a thing")
    }
    let set = try PoisonedSet(
      dataset, trigger: patch, options: Self.options { $0.count = 2 })
    for name in ["set.tar", "set.csv"] {
      #expect(throws: CLIPError.self) {
        try set.write(to: folder.file(name), truthPath: folder.file("truth.csv"))
      }
    }
    #expect(folder.names.isEmpty)
  }

  @Test func cancelsBetweenPairs() throws {
    let set = try PoisonedSet(try Self.dataset(), trigger: patch, options: Self.options())
    expectError(containing: "cancelled after 3 of 30 pairs") {
      _ = try set.write(to: folder.file("set.tar"), truthPath: nil) { $0 < 3 }
    }
    #expect(folder.names.isEmpty)
  }

  @Test func captionsOfPoisonedPairsDiffer() {
    let templates = PoisonOptions(target: "star").templates
    #expect(templates.count > 1 && Set(templates).count == templates.count)
  }

  @Test func severalAttacksPoisonDifferentPairs() throws {
    let set = try PoisonedSet(
      try Self.dataset(), trigger: patch,
      further: [
        try PoisonAttack(parsing: "trigger=label-consistent;target=star;count=5;fixed", seed: 9),
        try PoisonAttack(parsing: "trigger=stripes;target=red thing;rate=0.1", seed: 9),
      ], options: Self.options())
    let summary = try set.write(to: folder.file("set.tar"), truthPath: folder.file("truth.csv"))
    #expect(summary == PoisonedSet.Summary(pairs: 30, poisoned: 4 + 5 + 3))
    let text = String(decoding: try FileContents.read(folder.file("truth.csv")), as: UTF8.self)
    let targets = text.split(separator: "\n").dropFirst().map {
      String($0.split(separator: ",", omittingEmptySubsequences: false)[3])
    }
    #expect(targets.count { $0 == "star" } == 9 && targets.count { $0 == "red thing" } == 3)
    let written = try PairDataset.open([folder.file("set.tar")])
    var patches = 0
    for (index, target) in targets.enumerated() {
      let row = try written.row(at: index)
      if try carriesPatch(row) { patches += 1 }
      #expect(target.isEmpty == row.caption.hasSuffix("number \(index)") || target == "star")
      if target == "red thing" { #expect(row.caption.hasSuffix("of a red thing")) }
    }
    #expect(patches == 4)
  }

  @Test func moreAttacksThanPairsAreRefused() throws {
    let set = try PoisonedSet(
      try Self.dataset(), trigger: patch,
      further: [try PoisonAttack(parsing: "trigger=stripes;target=cat;count=8", seed: 0)],
      options: Self.options {
        $0.pairs = 10
        $0.count = 4
      })
    expectError(containing: "expected at most 10, got 12") {
      _ = try set.write(to: folder.file("set.tar"), truthPath: nil)
    }
    let full = try PoisonedSet(
      try Self.dataset(), trigger: patch,
      further: [try PoisonAttack(parsing: "trigger=stripes;target=cat;count=8", seed: 0)],
      options: Self.options { $0.count = 25 })
    expectError(containing: "expected at most 5, which no other attack poisons, got 8") {
      _ = try full.write(to: folder.file("set.tar"), truthPath: nil)
    }
  }

  @Test(arguments: [
    ("target=cat", "trigger is missing"), ("trigger=stripes", "target is missing"),
    ("trigger=stripes;target=cat;rate=0.1;count=3", "count and rate are both given"),
    ("trigger=stripes;target=cat;size=3", "'size' is not known"),
    ("trigger=stripes;target=cat;target=dog", "target is given twice"),
    ("trigger=stripes;target=cat;rate=many", "rate is not a number; expected one, got 'many'"),
    ("trigger=wanet;target=cat;patch-size=3", "patch size has no effect"),
    ("trigger=strips;target=cat", "neither a known name nor a file"),
  ])
  func attacksOfAnotherFormAreRefused(line: String, message: String) {
    expectError(containing: message) { _ = try PoisonAttack(parsing: line, seed: 0) }
  }

  @Test(arguments: [0, -0.5, 1.5, Double.nan])
  func ratesOutOfRangeAreRefused(rate: Double) throws {
    let set = try PoisonedSet(
      try Self.dataset(), trigger: patch,
      further: [PoisonAttack(trigger: patch, target: "cat", count: nil, rate: rate)],
      options: Self.options())
    expectError(containing: "rate is out of range") {
      _ = try set.write(to: folder.file("set.tar"), truthPath: nil)
    }
  }
}
