import CleanCLIPKit
import Glibc
import Testing

/// Throughput of the data pipeline, for reading, not for judging.
@Suite(
  .enabled(if: getenv("CLEANCLIP_BENCHMARKS") != nil, "set CLEANCLIP_BENCHMARKS=1"), .serialized)
struct DataBenchmarks {
  private func seconds(_ body: () throws -> Void) rethrows -> Double {
    let clock = ContinuousClock()
    let time = try clock.measure { try body() }
    return Double(time.components.seconds) + Double(time.components.attoseconds) * 1e-18
  }

  @Test func tokenizesCaptions() throws {
    var tokenizer: Tokenizer?
    let loading = try seconds { tokenizer = try Tokenizer.load(path: ReferenceCaption.vocabulary) }
    let captions = try ReferenceCaption.all().map(\.text)
    let plain = (0..<200_000).map { "a photo of a small dog number \($0 % 1000) on the beach" }
    let varied = seconds {
      for caption in captions { _ = tokenizer?.encode(caption, contextLength: 77) }
    }
    let english = seconds {
      for caption in plain { _ = tokenizer?.encode(caption, contextLength: 77) }
    }
    let augmenter = TextAugmenter(synonyms: SynonymSource.installed())
    let augmented = seconds {
      for (i, caption) in plain.prefix(50_000).enumerated() {
        var random = RandomNumbers(seed: 1, UInt64(i))
        _ = augmenter.augment(caption, using: &random)
      }
    }
    print(
      """
      vocabulary loaded in \(loading) s
      \(Int(Double(captions.count) / varied)) varied, \(Int(200_000 / english)) English captions/s
      \(Int(50_000 / augmented)) captions augmented/s
      """)
  }

  @Test func indexesTables() throws {
    let folder = TemporaryFolder()
    let row = "folder/image-000001.jpg,\"a photo of a small dog, running along the beach\"\n"
    let rows = 500_000
    try AtomicFile.write(
      "image,caption\n" + String(repeating: row, count: rows), to: folder.file("a.csv"))
    let opening = try seconds { _ = try PairDataset.open([folder.file("a.csv")]) }
    print("\(Int(Double(rows) / opening)) rows/s indexed")
  }

  @Test func loadsPairs() throws {
    // 2048 images of 256 x 256 in one shard.
    let folder = TemporaryFolder()
    var tar = TarFile()
    var random = RandomNumbers(seed: 2)
    var image = RGBImage(width: 256, height: 256)
    for i in image.pixels.indices { image.pixels[i] = UInt8(truncatingIfNeeded: i / 97 + i % 31) }
    for number in 0..<2048 {
      image.pixels[random.integer(below: image.pixels.count)] = 255
      tar.add("\(number).jpg", try ImageEncoder.jpeg(image, quality: 90))
      tar.add("\(number).txt", "a photo of a small dog number \(number) on the beach")
    }
    tar.finish()
    try AtomicFile.write(tar.bytes, to: folder.file("a.tar"))
    var dataset: PairDataset?
    let opening = try seconds { dataset = try PairDataset.open([folder.file("a.tar")]) }
    let tokenizer = try Tokenizer.load(path: ReferenceCaption.vocabulary)
    for workers in [1, 2] {
      var options = PairLoaderOptions(batchSize: 64)
      options.workers = workers
      let loader = try PairLoader(
        try #require(dataset), tokenizer: tokenizer,
        preprocessor: ImagePreprocessor(imageSize: 224, ImagePreprocessing()),
        augmenter: TextAugmenter(synonyms: SynonymSource.installed()), contextLength: 77,
        options: options)
      let loading = try seconds {
        let stream = try loader.open(epoch: 0)
        while try stream.next() != nil {}
      }
      print("\(workers) threads: \(Int(2048 / loading)) pairs/s (opened in \(opening) s)")
    }
  }
}
