internal import ArgumentParser
internal import CleanCLIPKit
internal import Glibc

/// `cleanclip bench`.
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Time a training step or embedding with random weights.",
    discussion: """
      step: one CleanCLIP step, N pairs and their N augmented twins through both towers, losses, \
      backward and AdamW, and embedding as well. image, text: embedding alone, 2 N at a time. \
      Prints medians.
      """)

  @Argument(help: "step, image or text.")
  var work: Work

  @Option(name: .long, help: "A named architecture.")
  var model = "ViT-B-32"

  @Option(name: .long, help: "N.")
  var pairs = 16

  @Option(name: .long, help: "Tokens of each caption, start and end included.")
  var captionTokens = 16

  @Option(name: .long, help: "Element type of activations: f32, bf16 or auto.")
  var precision = PrecisionArgument.auto

  @Option(name: .long, help: "Repetitions that are timed, after one that is not.")
  var steps = 5

  @Option(name: .long, help: "Memory for tensors, such as 8G; by default without limit.")
  var memoryBudget: ByteCount?

  @OptionGroup var common: CommonOptions

  enum Work: String, ExpressibleByArgument, CaseIterable { case step, image, text }

  func validate() throws {
    for (name, value, range) in [
      ("--pairs", pairs, 2...65_536), ("--steps", steps, 1...1000),
      ("--caption-tokens", captionTokens, 2...77),
    ] where !range.contains(value) {
      throw ValidationError(
        "\(name) is out of range; expected \(range.lowerBound) to \(range.upperBound), got \(value)"
      )
    }
  }

  func run() throws {
    common.apply()
    try cleanclip_tool.run { () throws(CLIPError) in
      let configuration = try CLIPConfiguration.architecture(model)
      let bench = Bench(
        try CLIPModel(configuration, randomSeed: 0), pairs: pairs, captionTokens: captionTokens,
        precision: precision.dtype, steps: steps, memoryBudget: memoryBudget?.bytes)
      var result: JSONObject = [
        "model": .string(model), "pairs": .integer(pairs),
        "precision": .string("\(precision.dtype)"), "threads": .integer(Threads.count),
      ]
      if work == .step {
        let seconds = try bench.step()
        result["step_s"] = .number(seconds)
        result["pairs_per_s"] = .number(Double(pairs) / seconds)
        result["peak_gb"] = .number(Self.peakGigabytes)
      }
      if work != .text {
        result["images_per_s"] = .number(Double(2 * pairs) / (try bench.images()))
      }
      if work != .image { result["texts_per_s"] = .number(Double(2 * pairs) / (try bench.texts())) }
      if work != .step { result["peak_gb"] = .number(Self.peakGigabytes) }
      print(
        common.json
          ? JSONValue.object(result).serialized()
          : result.map { "\($0.key): \($0.value.string ?? $0.value.serialized())" }
            .joined(separator: "\n"))
    }
  }

  /// The most memory that the process had, in 10⁹ bytes.
  static var peakGigabytes: Double {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return Double(usage.ru_maxrss) * 1024 / 1e9
  }
}

/// Times the engine on random numbers.
private struct Bench {
  let model: CLIPModel
  let pairs: Int
  let captionTokens: Int
  let precision: DType
  let steps: Int
  let memoryBudget: Int?

  init(
    _ model: CLIPModel, pairs: Int, captionTokens: Int, precision: DType, steps: Int,
    memoryBudget: Int?
  ) {
    self.model = model
    self.pairs = pairs
    self.captionTokens = captionTokens
    self.precision = precision
    self.steps = steps
    self.memoryBudget = memoryBudget
  }

  private func pixels() throws(CLIPError) -> Tensor {
    let size = model.configuration.vision?.imageSize ?? 0
    let pixels = try Tensor([2 * pairs, 3, size, size])
    var random = RandomNumbers(seed: 1)
    for i in 0..<pixels.count { pixels.f32[i] = random.uniform() * 2 - 1 }
    return pixels
  }

  private func tokens() -> TokenBatch {
    let vocabulary = model.configuration.text?.vocabularySize ?? 3
    var random = RandomNumbers(seed: 2)
    return TokenBatch(
      (0..<2 * pairs).map { _ in
        [Int32(vocabulary - 2)]
          + (0..<captionTokens - 2).map { _ in Int32(random.integer(below: vocabulary - 2)) }
          + [Int32(vocabulary - 1)]
      })
  }

  /// Seconds of one step of CleanCLIP.
  func step() throws(CLIPError) -> Double {
    let batch = TrainingBatch(
      pixels: try pixels(), tokens: tokens(), views: 2, labels: nil,
      keys: (0..<pairs).map { "\($0)" })
    let source = BatchSource(
      pairs: pairs, batchesPerEpoch: steps + 1, identity: "bench"
    ) { (_, _) throws(CLIPError) in BatchStream { () throws(CLIPError) in batch } }
    var options = TrainingOptions()
    options.epochs = 1
    options.batchSize = pairs
    options.precision = precision
    options.memoryBudget = memoryBudget
    options.warmup = 0
    let recipe = try CleanCLIPRecipe(
      model, loss: CleanCLIPLoss(clipWeight: 1, inmodalWeight: 1))
    let trainer = try Trainer(recipe, source: source, options: options)
    var times: [Double] = []
    var last = Self.now
    _ = try trainer.run { _ in
      times.append(Self.now - last)
      last = Self.now
      return true
    }
    return Self.median(Array(times.dropFirst()))
  }

  func images() throws(CLIPError) -> Double {
    let pixels = try pixels()
    return try median { () throws(CLIPError) in
      _ = try model.encodeImages(pixels, normalize: true, precision: precision)
    }
  }

  func texts() throws(CLIPError) -> Double {
    let tokens = tokens()
    return try median { () throws(CLIPError) in
      _ = try model.encodeTexts(tokens, normalize: true, precision: precision)
    }
  }

  private func median(_ body: () throws(CLIPError) -> Void) throws(CLIPError) -> Double {
    try body()
    var times: [Double] = []
    for _ in 0..<steps {
      let start = Self.now
      try body()
      times.append(Self.now - start)
    }
    return Self.median(times)
  }

  private static func median(_ times: [Double]) -> Double {
    let sorted = times.sorted()
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }

  private static var now: Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}
