import CleanCLIPKit
import Testing

/// What a resumed run or check finds when the data or the state are not what they were.
@Suite struct ResumedDataTests {
  let folder = TemporaryFolder()

  private static let pairs = 14

  private static func pair(_ index: Int, caption: String? = nil, red: UInt8 = 0) -> CaptionedImage {
    CaptionedImage(
      key: "pair \(index)",
      image: .pixels(RGBImage(width: 8, height: 8, red: red, green: UInt8(index * 9), blue: 7)),
      caption: caption ?? "image \(index)", label: .text("\(index % 3)"))
  }

  /// Rows of the same number and names, of which one may hold something else.
  private static func dataset(
    changing row: Int? = nil, _ changed: CaptionedImage = pair(0)
  ) throws -> PairDataset {
    try PairDataset(count: pairs) { (index) throws(CLIPError) in
      index == row ? changed : pair(index)
    }
  }

  private func run(_ dataset: PairDataset, resume: Bool, cancelAfter: Int? = nil) throws {
    let tokenizer = try Tokenizer.load(path: ReferenceCaption.vocabulary)
    var options = SanitizeOptions()
    options.training = TinyRun.options(epochs: 2)
    options.training.stateDirectory = folder.path
    options.training.resume = resume
    let sanitizer = try Sanitizer(
      try TinyRun.captionedModel(), tokenizer: tokenizer, dataset: dataset,
      options: options)
    try sanitizer.run { $0.step != cancelAfter }
  }

  /// Every row that the first epoch read is compared before anything is done.
  @Test func aRunIsNotResumedWithOtherPairs() throws {
    #expect(throws: CLIPError.self) {
      try run(try Self.dataset(), resume: false, cancelAfter: 3)
    }
    let state = folder.file("training-state.safetensors")
    let saved = try FileContents.read(state)
    let changes: [(Int) -> CaptionedImage] = [
      { Self.pair($0, red: 1) }, { Self.pair($0, caption: "image  \($0)") },
      { CaptionedImage(key: "pair \($0)", image: Self.pair($0).image, caption: "image \($0)") },
    ]
    for change in changes {
      let refused = try (0..<Self.pairs).filter { row in
        try AtomicFile.write(saved, to: state)
        do {
          try run(
            try Self.dataset(changing: row, change(row)), resume: true, cancelAfter: 4)
        } catch let error as CLIPError {
          return error.code == .state && error.message.contains("has changed since the run began")
        }
        return false
      }
      // Three steps of four pairs; the other two are not known.
      #expect(refused.count == 12)
    }
    try AtomicFile.write(saved, to: state)
    try run(try Self.dataset(), resume: true)
  }

  @Test func aCheckIsNotResumedWithOtherPairs() throws {
    var reader = DatasetReader()
    reader.stateDirectory = folder.path
    _ = try reader.read(try Self.dataset())
    reader.resume = true
    for row in [0, 7, 13] {
      for changed in [Self.pair(row, red: 200), Self.pair(row, caption: "another")] {
        let error = #expect(throws: CLIPError.self) {
          try reader.read(try Self.dataset(changing: row, changed))
        }
        #expect(error?.code == .state)
        #expect(error?.message.contains("has changed since the check began") == true)
      }
    }
    #expect(try reader.read(try Self.dataset()).keys.count == Self.pairs)
  }

  /// Each byte in turn, of those that a state has: header, names, numbers, weights.
  @Test func everyChangedByteOfAStateIsNoticed() throws {
    var options = TinyRun.options(epochs: 1)
    options.stateDirectory = folder.path
    let recipe = try CleanCLIPRecipe(try TinyRun.model(), loss: TinyRun.loss)
    _ = try Trainer(recipe, source: TinyRun.source(), options: options).run()
    options.resume = true
    let path = folder.file("training-state.safetensors")
    let good = try FileContents.read(path)
    var random = RandomNumbers(seed: 3)
    var places = Array(0..<12) + (0..<100).map { _ in random.integer(below: good.count) }
    places.append(good.count - 1)
    for place in places {
      var bad = good
      bad[place] ^= UInt8(1 << random.integer(below: 8))
      try AtomicFile.write(bad, to: path)
      let model = try TinyRun.model()
      let before = model.bits
      let error = #expect(throws: CLIPError.self, "byte \(place)") {
        try Trainer(
          try CleanCLIPRecipe(model, loss: TinyRun.loss), source: TinyRun.source(), options: options
        )
      }
      #expect(error?.code == .format, "byte \(place): \(error?.message ?? "")")
      #expect(model.bits == before)
    }
    try AtomicFile.write(good, to: path)
    _ = try Trainer(
      try CleanCLIPRecipe(try TinyRun.model(), loss: TinyRun.loss), source: TinyRun.source(),
      options: options)
  }
}
