import CleanCLIPKit
import Testing

/// The CIFAR-10 pairs beside the checkpoints.
@Suite(.enabled(if: Shared.url("data/cifar10/test.csv") != nil, "shared data is not there"))
struct SharedDatasetTests {
  private func path(_ name: String) throws -> String {
    try #require(Shared.url("data/cifar10/test.csv")).replacing("test.csv", with: name)
  }

  @Test func readsShardsOfPairs() throws {
    let dataset = try PairDataset.open([try path("finetune-*.tar")])
    #expect(dataset.count == 10_000)
    #expect(dataset.omissions.isEmpty)
    for index in stride(from: 0, to: dataset.count, by: 997) {
      let row = try dataset.row(at: index)
      let image = try row.decoded().image
      #expect(image.width == 32 && image.height == 32)
      #expect(row.caption.contains(" "))
    }
  }

  @Test func makesAnEpochOfBatches() throws {
    let dataset = try PairDataset.open([try path("finetune-00000.tar")])
    let loader = try PairLoader(
      dataset, tokenizer: try Tokenizer.load(path: ReferenceCaption.vocabulary),
      preprocessor: ImagePreprocessor(imageSize: 64, ImagePreprocessing()),
      augmenter: TextAugmenter(synonyms: nil), contextLength: 77,
      options: PairLoaderOptions(batchSize: 128))
    let stream = try loader.open(epoch: 0)
    var keys: Set<String> = []
    while let batch = try stream.next() { keys.formUnion(batch.keys) }
    #expect(keys.count == loader.batchesPerEpoch * 128)
    #expect(loader.badRowCount == 0)
  }

  @Test func readsLabelledImages() throws {
    let classes = try TextList.classes(path: try path("classes.txt"))
    #expect(try TextList.templates(path: try path("templates.txt")).count == 10)
    let images = try PairDataset.open([try path("test.csv")])
    let names = try ClassNames(classes, of: images)
    #expect(images.count == 2000)
    let row = try images.row(at: 1999)
    #expect(try row.decoded().image.width == 32)
    #expect(try classes.indices.contains(names.index(of: try #require(row.label), key: row.key)))
  }
}
