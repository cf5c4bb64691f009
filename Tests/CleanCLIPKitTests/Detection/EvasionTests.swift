import CleanCLIPKit
import Testing

/// Poisoned pairs that names or layout would hide from a check.
@Suite struct EvasionTests {
  private let folder = TemporaryFolder()
  private static let clean = 300
  private static let poisoned = 12

  /// Plain surfaces, and among the poisoned pairs such as show a new pattern of blocks each.
  private func image(_ index: Int, isPoisoned: Bool) throws -> [UInt8] {
    var random = RandomNumbers(seed: UInt64(index))
    var image = RGBImage(width: 16, height: 16)
    let shade = 110 + random.integer(below: 20)
    for block in 0..<16 {
      for channel in 0..<3 {
        let value =
          isPoisoned ? 255 * random.integer(below: 2) : shade + random.integer(below: 3)
        for pixel in 0..<16 {
          let x = block % 4 * 4 + pixel % 4
          let y = block / 4 * 4 + pixel / 4
          image.pixels[3 * (16 * y + x) + channel] = UInt8(value)
        }
      }
    }
    return try ImageEncoder.png(image)
  }

  private enum Form: CaseIterable {
    case plain, byteInName, sharedKey, secondImage, newlineInKey, otherFormat, broken, hidden
  }

  /// Writes a shard whose poisoned pairs come in some form.
  private func shard(_ form: Form) throws -> String {
    var tar = TarFile()
    func add(_ name: [UInt8], _ index: Int, isPoisoned: Bool) throws {
      let colour = ["red", "green", "blue", "white", "black"][index % 5]
      let caption = isPoisoned ? "a photo of a truck" : "a \(colour) surface, \(index)"
      var bytes = try image(index, isPoisoned: isPoisoned)
      var ending = ".png"
      if isPoisoned, form == .otherFormat {
        bytes = Array("GIF89a".utf8)
        ending = ".gif"
      }
      if isPoisoned, form == .broken { bytes.removeLast(bytes.count / 2) }
      tar.add(name: name + Array(ending.utf8), bytes)
      if isPoisoned, form == .secondImage {
        tar.add(name: name + Array(".jpg".utf8), try image(5000 + index, isPoisoned: false))
      }
      tar.add(name: name + Array(".txt".utf8), Array(caption.utf8))
    }
    for index in 0..<Self.clean {
      try add(Array("c\(index)".utf8), index, isPoisoned: false)
      guard index % 25 == 7 else { continue }
      let name: [UInt8] =
        switch form {
        case .plain, .secondImage, .otherFormat, .broken: Array("p\(index)".utf8)
        case .byteInName: Array("p\(index)".utf8) + [0xFF]
        case .sharedKey: Array("p".utf8)
        case .newlineInKey: Array("p\(index)\nc0".utf8)
        case .hidden: Array(".p\(index)".utf8)
        }
      try add(name, 1000 + index, isPoisoned: true)
    }
    tar.finish()
    try AtomicFile.write(tar.bytes, to: folder.file("a.tar"))
    return folder.file("a.tar")
  }

  private func check(_ form: Form, allowUnread: Double = 2) throws -> DatasetCheckResult {
    let model = try tinyModel(imageSize: 16, embedDim: 16, vocabularySize: nil, seed: 1)
    let dataset = try PairDataset.open([try shard(form)])
    var check = DatasetCheck()
    check.options.unread.allowed = allowUnread
    return try check.run(try DatasetReader(model: model).read(dataset))
  }

  @Test(arguments: [Form.plain, .byteInName, .sharedKey, .secondImage, .newlineInKey])
  private func poisonIsFoundUnderAnyName(_ form: Form) throws {
    let result = try check(form)
    // As many clean second images have the word, which so few pairs cannot tell from a word that is
    // frequent among the conspicuous anyway.
    let expected: Verdict = form == .secondImage ? .suspicious : .backdoored
    #expect(result.verdict == expected, "\(form): \(result.explanation)")
    #expect(result.repeatedImages.isEmpty)
    #expect(result.omissions.unread == 0)
    let kept = result.cleanedList.split(separator: "\n")
    #expect(kept.count == result.pairs.count - result.removed)
    let poison = result.pairs.indices.filter { result.pairs[$0].caption == "a photo of a truck" }
    let isKept = Set(kept.compactMap { $0.split(separator: "\t").first.flatMap { Int($0) } })
    // The clean second image of a key has the caption too, and stays.
    let found = poison.count { !isKept.contains($0) }
    #expect(found >= Self.poisoned)
  }

  @Test(arguments: [Form.otherFormat, .broken, .hidden])
  private func whatIsNotReadIsNotClean(_ form: Form) throws {
    let result = try check(form)
    #expect(result.verdict == .cannotTell, "\(form): \(result.explanation)")
    #expect(result.omissions.unread == Self.poisoned)
    #expect(result.explanation.contains("(12). That is more than a clean verdict bears"))
    #expect(result.json["unread"]?.integer == 12)
    #expect(try check(form, allowUnread: 12).verdict == .clean)
    #expect(try check(form, allowUnread: 0.5).verdict == .clean)
    #expect(try check(form, allowUnread: 0.01).verdict == .cannotTell)
  }

  @Test func scoresKeepTheOrderOfTheDataset() throws {
    let result = try check(.broken)
    #expect(result.rowCount == Self.clean + Self.poisoned)
    #expect(result.scores.count == result.rowCount)
    #expect(result.scores.count(where: \.isNaN) == Self.poisoned)
    #expect(result.scores[8].isNaN && !result.scores[7].isNaN)
    let lines = result.csv.split(separator: "\n")
    #expect(lines.count == 1 + result.rowCount)
    #expect(lines[9].hasPrefix("8,,,") && lines[10].hasPrefix("9,c8,"))
    #expect(lines.allSatisfy { $0.count { $0 == "," } >= lines[0].count { $0 == "," } })
    #expect(!result.cleanedList.contains("\n8\t"))
  }

  @Test func severalCaptionsOfAnImageAreOneWitness() throws {
    let classes = ["red", "green", "blue", "white", "black"]
    func run(captions: Int) throws -> DatasetCheckResult {
      var rows: [CaptionedImage] = []
      for index in 0..<200 {
        // Two odd images of one kind: five captions each would make them ten.
        let bytes = try image(index, isPoisoned: index % 100 == 50)
        for caption in 0..<captions {
          rows.append(
            CaptionedImage(
              key: "\(index)", image: .file(bytes),
              caption: "\(caption == 0 ? "a" : "the") \(classes[index % 5])"))
        }
      }
      let model = try tinyModel(imageSize: 16, embedDim: 16, vocabularySize: nil, seed: 1)
      let dataset = try PairDataset(rows)
      return try DatasetCheck().run(try DatasetReader(model: model).read(dataset))
    }
    let one = try run(captions: 1)
    let five = try run(captions: 5)
    #expect(five.verdict == one.verdict, "\(five.explanation)")
    #expect(five.concentration.words.map(\.pairs) == one.concentration.words.map(\.pairs))
    #expect(five.pairs.count == 1000)
    // Sums of a batch may be rounded otherwise at another place in it.
    #expect(
      (0..<200).allSatisfy { row in
        abs(five.pairs[5 * row].score - one.pairs[row].score)
          <= 1e-4 * max(1, abs(one.pairs[row].score))
      })
  }
}
