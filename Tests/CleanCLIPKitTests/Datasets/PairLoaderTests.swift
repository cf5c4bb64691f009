import CleanCLIPKit
import Synchronization
import Testing

@Suite struct PairLoaderTests {
  let tokenizer: Tokenizer
  private let side = 8

  init() throws {
    tokenizer = try Tokenizer.load(path: ReferenceCaption.vocabulary)
  }

  /// Rows whose red channel is their index; rows in `bad` cannot be read.
  private func dataset(_ count: Int, bad: Set<Int> = []) throws -> PairDataset {
    try PairDataset(count: count) { index throws(CLIPError) in
      if bad.contains(index) { throw CLIPError(.format, "row \(index): broken on purpose") }
      var image = RGBImage(width: 12, height: 10, red: UInt8(index), green: 90, blue: 20)
      for i in stride(from: 1, to: image.pixels.count, by: 6) { image.pixels[i] = UInt8(i % 251) }
      return CaptionedImage(
        key: "k\(index)", image: .pixels(image),
        caption: "the small dog number \(index) runs along a sunny beach",
        label: .index(Int32(index % 5)))
    }
  }

  private func loader(
    _ dataset: PairDataset, _ options: PairLoaderOptions,
    report: @escaping @Sendable (LoaderEvent) -> Void = { _ in }
  ) throws -> PairLoader {
    try PairLoader(
      dataset, tokenizer: tokenizer,
      preprocessor: ImagePreprocessor(imageSize: side, ImagePreprocessing()),
      augmenter: TextAugmenter(synonyms: nil), contextLength: 77, options: options, report: report)
  }

  private func batches(_ loader: PairLoader, epoch: Int, from first: Int = 0) throws
    -> [TrainingBatch]
  {
    let stream = try loader.open(epoch: epoch, firstBatch: first)
    var batches: [TrainingBatch] = []
    while let batch = try stream.next() { batches.append(batch) }
    return batches
  }

  private func expectEqual(_ a: [TrainingBatch], _ b: [TrainingBatch]) {
    #expect(a.count == b.count)
    for (a, b) in zip(a, b) {
      #expect(a.keys == b.keys)
      #expect(a.labels == b.labels)
      #expect(a.tokens.ids == b.tokens.ids)
      #expect(a.tokens.sequences == b.tokens.sequences)
      #expect(a.pixels.floats() == b.pixels.floats())
    }
  }

  @Test func makesBatchesOfTwoViews() throws {
    var options = PairLoaderOptions(batchSize: 4)
    options.usesLabels = true
    let loader = try loader(try dataset(10), options)
    #expect(loader.batchesPerEpoch == 2)
    let batches = try batches(loader, epoch: 0)
    #expect(batches.count == 2)
    for batch in batches {
      #expect(batch.pixels.shape == [8, 3, 8, 8])
      #expect(batch.views == 2 && batch.count == 4)
      #expect(batch.tokens.count == 8)
      #expect(batch.labels?.count == 4)
      for (place, key) in batch.keys.enumerated() {
        let index = Int(key.dropFirst()) ?? -1
        #expect(batch.labels?[place] == Int32(index % 5))
        // The first pixel's red channel of the original view.
        let red = (batch.pixels.floats()[place * 192] * 0.268_629_54 + 0.481_454_66) * 255
        #expect(abs(red - Float(index)) < 0.6)
        let ids = batch.tokens.ids[
          Int(
            batch.tokens.sequences.offsets[place])..<Int(batch.tokens.sequences.offsets[place + 1])]
        let caption = "the small dog number \(index) runs along a sunny beach"
        #expect(Array(ids) == tokenizer.encode(caption, contextLength: 77))
      }
    }
    #expect(Set(batches.flatMap(\.keys)).count == 8)
  }

  @Test func leavesOutWhatIsNotAskedFor() throws {
    var options = PairLoaderOptions(batchSize: 3)
    options.augments = false
    options.usesCaptions = false
    options.usesLabels = true
    let batch = try #require(try batches(try loader(try dataset(3), options), epoch: 0).first)
    #expect(batch.pixels.shape == [3, 3, 8, 8])
    #expect(batch.tokens.count == 0)
    #expect(batch.views == 1)
  }

  @Test func keepsOrderWithoutShuffling() throws {
    var options = PairLoaderOptions(batchSize: 2)
    options.shuffles = false
    let keys = try batches(try loader(try dataset(5), options), epoch: 3).flatMap(\.keys)
    #expect(keys == ["k0", "k1", "k2", "k3"])
  }

  @Test func doesNotDependOnThreads() throws {
    var options = PairLoaderOptions(batchSize: 7)
    options.seed = 5
    options.workers = 1
    let data = try dataset(50, bad: [3, 30, 31])
    let single = try batches(try loader(data, options), epoch: 1)
    options.workers = 5
    options.queueLength = 4
    expectEqual(single, try batches(try loader(data, options), epoch: 1))
  }

  @Test func goesOnInTheMiddleOfAnEpoch() throws {
    let options = PairLoaderOptions(batchSize: 6)
    let data = try dataset(40, bad: [7, 21])
    let whole = try batches(try loader(data, options), epoch: 2)
    expectEqual(Array(whole[3...]), try batches(try loader(data, options), epoch: 2, from: 3))
    #expect(try batches(try loader(data, options), epoch: 2, from: 6).isEmpty)
  }

  @Test func redrawsOrderAndAugmentationEachEpoch() throws {
    let loader = try loader(try dataset(8), PairLoaderOptions(batchSize: 8))
    let first = try #require(try batches(loader, epoch: 0).first)
    let second = try #require(try batches(loader, epoch: 1).first)
    #expect(first.keys != second.keys)
    #expect(first.keys.sorted() == second.keys.sorted())
    func views(_ batch: TrainingBatch, of key: String) -> (original: [Float], augmented: [Float]) {
      let place = batch.keys.firstIndex(of: key) ?? 0
      return (
        batch.pixels.slice(place..<place + 1).floats(),
        batch.pixels.slice(8 + place..<9 + place).floats()
      )
    }
    let pairs = first.keys.map { (views(first, of: $0), views(second, of: $0)) }
    #expect(pairs.allSatisfy { $0.0.original == $0.1.original })
    #expect(pairs.contains { $0.0.augmented != $0.1.augmented })
    #expect(pairs.contains { $0.0.augmented != $0.0.original })
  }

  @Test func replacesBadRowsAndReportsThem() throws {
    let reported = Mutex<[String]>([])
    let bad: Set<Int> = [2, 11, 12]
    let loader = try loader(try dataset(20, bad: bad), PairLoaderOptions(batchSize: 5)) { event in
      if case .badRow(let index, _, let reason) = event {
        reported.withLock { $0.append("\(index) \(reason)") }
      }
    }
    for epoch in 0..<3 {
      for batch in try batches(loader, epoch: epoch) {
        #expect(Set(batch.keys).count == 5)
        #expect(batch.keys.allSatisfy { !["k2", "k11", "k12"].contains($0) })
      }
    }
    #expect(loader.badRowCount == 3)
    #expect(
      reported.withLock { $0.sorted() }
        == [2, 11, 12].map { "\($0) row \($0): broken on purpose" }.sorted())
  }

  @Test func countsEmptyCaptionsAsBad() throws {
    let rows = (0..<12).map { index in
      CaptionedImage(
        key: "k\(index)", image: .pixels(RGBImage(width: 9, height: 9)),
        caption: index == 4 ? " \n" : "a caption")
    }
    let loader = try loader(try PairDataset(rows), PairLoaderOptions(batchSize: 4))
    let keys = try batches(loader, epoch: 0).flatMap(\.keys)
    #expect(!keys.contains("k4"))
    #expect(loader.badRowCount == 1)
  }

  @Test func givesUpWhenTooManyRowsAreBad() throws {
    var options = PairLoaderOptions(batchSize: 5)
    options.badRowLimit = 3
    // Of two at once, both may find one more before either tells.
    options.workers = 1
    let loader = try loader(try dataset(100, bad: Set(0..<60)), options)
    expectError(containing: "too many rows cannot be used; expected at most 3 of 100, got 4") {
      _ = try batches(loader, epoch: 0)
    }
  }

  @Test func saysWhenNoReplacementIsLeft() throws {
    let loader = try loader(try dataset(4, bad: [1]), PairLoaderOptions(batchSize: 4))
    expectError(containing: "no row is left for") { _ = try batches(loader, epoch: 0) }
  }

  @Test func reportsHiddenImages() throws {
    // An image of four channels whose transparent pixels hold other colours.
    let file = try FileContents.read(
      ReferenceCaption.packageFolder + "/Tests/Fixtures/text/hidden.png")
    let notes = Mutex<[String]>([])
    let rows = (0..<4).map { index in
      CaptionedImage(key: "k\(index)", image: .file(file), caption: "a caption")
    }
    let loader = try loader(try PairDataset(rows), PairLoaderOptions(batchSize: 2)) { event in
      if case .note(_, _, let text) = event { notes.withLock { $0.append(text) } }
    }
    _ = try batches(loader, epoch: 0)
    _ = try batches(loader, epoch: 1)
    #expect(notes.withLock { $0.count } == 4)
  }

  @Test func stopsWhenAStreamIsDropped() throws {
    let loader = try loader(try dataset(200), PairLoaderOptions(batchSize: 4))
    for _ in 0..<20 {
      let stream = try loader.open(epoch: 0)
      _ = try stream.next()
    }
    for _ in 0..<20 { _ = try loader.open(epoch: 0) }
  }

  @Test func feedsATrainer() throws {
    let loader = try loader(try dataset(12), PairLoaderOptions(batchSize: 5))
    let source = loader.source
    #expect(source.pairs == 12)
    #expect(source.batchesPerEpoch == 2)
    let stream = try source.open(0, 1)
    #expect(try stream.next()?.count == 5)
    #expect(try stream.next() == nil)
    #expect(loader.waitingSeconds > 0)
  }

  @Test func refusesOptionsThatCannotBe() throws {
    expectError(containing: "batch_size is larger than the dataset; expected at most 3 rows") {
      _ = try loader(try dataset(3), PairLoaderOptions(batchSize: 4))
    }
    expectError(containing: "batch_size is out of range") {
      _ = try loader(try dataset(3), PairLoaderOptions(batchSize: 0))
    }
    var options = PairLoaderOptions(batchSize: 2)
    options.workers = 0
    expectError(containing: "workers is out of range") { _ = try loader(try dataset(3), options) }
    expectError(containing: "epoch 0 has no batch 9") {
      _ = try loader(try dataset(3), PairLoaderOptions(batchSize: 2)).open(epoch: 0, firstBatch: 9)
    }
  }
}
