internal import ArgumentParser
internal import CleanCLIPKit
internal import Glibc

/// `cleanclip bench-check`.
struct BenchCheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench-check",
    abstract: "Time the checks with random weights and features.",
    discussion: """
      neighbours: the nearest of 8192 references of --pairs features of 512 numbers, beside plain \
      matrix products, both by processor time. model: a check without images, a step of a \
      search, and how long a check takes that never ends early. input: judging a batch by a bank of --bank images and \
      --classes class texts, beside the forward pass of the batch, both by processor time.
      """)

  @Argument(help: "neighbours, model or input.")
  var work: Work

  @Option(name: .long, help: "Features whose neighbours are found.")
  var pairs = 1_000_000

  @Option(name: .long, help: "Neighbours of each.")
  var neighbours = 16

  @Option(name: .long, help: "A named architecture.")
  var model = "ViT-B-32"

  @Option(name: .long, help: "Clean images of a bank.")
  var bank = 10_000

  @Option(name: .long, help: "Class texts of a bank.")
  var classes = 1000

  @Option(name: .long, help: "Images of a batch to judge.")
  var batchSize = 24

  @Option(name: .long, help: "Batches that are judged, after one that is not timed.")
  var timed = 5

  @Option(name: .long, help: "Element type of activations: f32, bf16 or auto.")
  var precision = PrecisionArgument.auto

  @OptionGroup var common: CommonOptions

  enum Work: String, ExpressibleByArgument, CaseIterable { case neighbours, model, input }

  func validate() throws {
    try BenchOutput.requireRanges([
      ("--pairs", pairs, 1...16_000_000), ("--neighbours", neighbours, 1...4096),
      ("--batch-size", batchSize, 2...4096),
      ("--timed", timed, 1...1000), ("--bank", bank, 100...1_000_000),
      ("--classes", classes, 1...100_000),
    ])
  }

  func run() throws {
    try common.apply()
    var result: JSONObject
    switch work {
    case .neighbours: result = try timeNeighbours()
    case .model: result = try timeModel()
    case .input: result = try timeInput()
    }
    result["threads"] = .integer(Threads.count)
    result["peak_gb"] = .number(BenchOutput.peakGigabytes)
    try BenchOutput.print(result, asJSON: common.json)
  }

  private func timeNeighbours() throws(CLIPError) -> JSONObject {
    let width = 512
    let references = 8192
    let others = try Tensor.random([references, width], seed: 2)
    let square = try Tensor.random([2048, 2048], seed: 3)
    let product = try Tensor([2048, 2048])
    func products() throws(CLIPError) -> Double {
      let start = Self.processorSeconds
      for _ in 0..<8 {
        try LinearAlgebra.multiply(square, square, transposeB: true, into: product)
      }
      return Self.processorSeconds - start
    }
    _ = try products()
    let before = try products()
    let index = try NeighbourIndex(others)
    var seconds = 0.0
    var processor = 0.0
    // Made a part at a time, so that the memory is that of the search.
    for first in stride(from: 0, to: pairs, by: 8192) {
      let queries = try Tensor.random([min(8192, pairs - first), width], seed: UInt64(first + 4))
      let start = (wall: monotonicSeconds(), processor: Self.processorSeconds)
      _ = try index.nearest(neighbours, to: queries)
      seconds += monotonicSeconds() - start.wall
      processor += Self.processorSeconds - start.processor
    }
    let after = try products()
    let work = 2e-9 * Double(pairs) * Double(references) * Double(width)
    let productRate = 2 * 8 * 2e-9 * 2048 * 2048 * 2048 / (before + after)
    return [
      "pairs": .integer(pairs), "references": .integer(references), "width": .integer(width),
      "neighbours": .integer(neighbours), "seconds": .number(seconds),
      "processor_s": .number(processor), "gflop_per_processor_s": .number(work / processor),
      "product_gflop_per_processor_s": .number(productRate),
      "fraction_of_product": .number(work / processor / productRate),
    ]
  }

  private func timeInput() throws(CLIPError) -> JSONObject {
    let clip = try CLIPModel(try CLIPConfiguration.architecture(model), randomSeed: 0)
    let width = clip.configuration.embedDim
    let side = try FeatureEncoder(clip).imageSize()
    let texts = CleanBank.ClassTexts(
      features: try Tensor.random([classes, width], seed: 2),
      contrast: try Tensor.random([width], seed: 3).floats())
    let check = try InputCheck(
      bank: try CleanBank(imageFeatures: try Tensor.random([bank, width], seed: 1), texts: texts),
      falseAlarmRate: 0.01)
    let pixels = try Tensor.random([batchSize, 3, side, side], seed: 4)
    let forward = try processorMedian { () throws(CLIPError) in
      _ = try clip.encodeImages(pixels, normalize: false, precision: precision.dtype)
    }
    let features = try Tensor.random([batchSize, width], seed: 5)
    let judging = try processorMedian { () throws(CLIPError) in _ = try check.findings(features) }
    return [
      "model": .string(model), "precision": .string("\(precision.dtype)"),
      "batch_size": .integer(batchSize), "bank": .integer(bank), "classes": .integer(classes),
      "forward_processor_s": .number(forward), "judging_processor_s": .number(judging),
      "fraction_of_forward": .number(judging / forward),
    ]
  }

  /// Runs a check with the settings of `cleanclip check model`.
  private func timeModel() throws(CLIPError) -> JSONObject {
    var check = ModelCheck(
      try CLIPModel(try CLIPConfiguration.architecture(model), randomSeed: 0))
    check.options.search.precision = precision.dtype
    var times: [Double] = []
    var last = monotonicSeconds()
    let result = try check.run(images: nil) { _ in
      times.append(monotonicSeconds() - last)
      last = monotonicSeconds()
      return true
    }
    let step = Stopwatch.median(times[...])
    let options = check.options
    let searches = options.kinds.count * (1 + options.referenceSearches)
    return [
      "model": .string(model), "precision": .string("\(precision.dtype)"),
      "batch_size": .integer(options.search.batchSize), "seconds": .number(result.seconds),
      "steps": .integer(times.count), "step_s": .number(step),
      "longest_check_s": .number(step * Double(searches * options.search.steps)),
    ]
  }

  /// The median processor time of `body`, after one run that is not timed.
  private func processorMedian(_ body: () throws(CLIPError) -> Void) throws(CLIPError) -> Double {
    try body()
    var times: [Double] = []
    for _ in 0..<timed {
      let start = Self.processorSeconds
      try body()
      times.append(Self.processorSeconds - start)
    }
    return Stopwatch.median(times)
  }

  /// Processor time of all threads, which other programs do not lengthen.
  private static var processorSeconds: Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}
