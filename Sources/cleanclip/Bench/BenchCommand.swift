internal import ArgumentParser
internal import CleanCLIPKit
internal import ToolSupport

/// `cleanclip bench`.
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Time a training step, embedding, or single operations with random weights.",
    discussion: """
      step: one CleanCLIP step, N pairs and their N augmented views through both towers, losses, \
      backward and AdamW, and its fraction of the machine's own rate. image, text: embedding alone, \
      2 N at a time. operations: each operation at the sizes of ViT-B/32 and RN50 with N images, \
      beside the machine's rates. Prints medians.
      """)

  @Argument(help: "step, image, text or operations.")
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

  enum Work: String, ExpressibleByArgument, CaseIterable { case step, image, text, operations }

  func validate() throws {
    try BenchOutput.requireRanges([
      ("--pairs", pairs, 2...65_536), ("--steps", steps, 1...1000),
      ("--caption-tokens", captionTokens, 2...77),
    ])
  }

  func run() throws {
    try common.apply()
    switch work {
    case .operations: try printOperations()
    case .step, .image, .text: try printModel()
    }
  }

  private var watch: Stopwatch { Stopwatch(repetitions: steps) }

  private func printModel() throws(CLIPError) {
    let configuration = try CLIPConfiguration.architecture(model)
    let bench = StepBench(
      model: try CLIPModel(configuration, randomSeed: 0), pairs: pairs,
      captionTokens: captionTokens, precision: precision.dtype, watch: watch,
      memoryBudget: memoryBudget?.bytes)
    var result: JSONObject = [
      "model": .string(model), "pairs": .integer(pairs),
      "precision": .string("\(precision.dtype)"), "threads": .integer(Threads.count),
    ]
    switch work {
    case .step:
      let seconds = try bench.step()
      result["step_s"] = .number(seconds)
      result["pairs_per_s"] = .number(Double(pairs) / seconds)
      result["peak_gb"] = .number(BenchOutput.peakGigabytes)
      let rates = try MachineRates.measure(precision.dtype, watch)
      result["step_gflop"] = .number(bench.operationsOfStep / 1e9)
      result["matmul_gflops"] = .number(rates.matmul / 1e9)
      result["fraction_of_matmul_rate"] = .number(bench.operationsOfStep / seconds / rates.matmul)
    case .image: result["images_per_s"] = .number(Double(2 * pairs) / (try bench.images()))
    case .text: result["texts_per_s"] = .number(Double(2 * pairs) / (try bench.texts()))
    case .operations: break
    }
    if work != .step { result["peak_gb"] = .number(BenchOutput.peakGigabytes) }
    try BenchOutput.print(result, asJSON: common.json)
  }

  private func printOperations() throws(CLIPError) {
    let rates = try MachineRates.measure(precision.dtype, watch)
    let rows = try OperationBench(images: pairs, precision: precision.dtype, watch: watch)
      .measure()
    guard !common.json else {
      let list = rows.map { row in
        JSONValue.object([
          "operation": .string(row.name), "seconds": .number(row.seconds),
          "flop": .number(row.operations), "bytes": .number(row.bytes),
        ])
      }
      let result: JSONObject = [
        "precision": .string("\(precision.dtype)"), "threads": .integer(Threads.count),
        "matmul_gflops": .number(rates.matmul / 1e9),
        "bandwidth_gb_per_s": .number(rates.bandwidth / 1e9), "operations": .array(list),
      ]
      try printResult(JSONValue.object(result).serialized())
      return
    }
    var lines = [
      "machine: \(Int(rates.matmul / 1e9)) GFLOP/s (\(precision.dtype) product of 2048x2048 by "
        + "oneDNN), \(Int(rates.bandwidth / 1e9)) GB/s; \(Threads.count) threads"
    ]
    for row in rows {
      let milliseconds = (row.seconds * 1e5).rounded() / 100
      let fraction =
        row.operations > 0
        ? "\(Int(row.operations / row.seconds / 1e9)) GFLOP/s, "
          + "\(Int(100 * row.operations / row.seconds / rates.matmul)) % of the product's rate"
        : "\(Int(row.bytes / row.seconds / 1e9)) GB/s, "
          + "\(Int(100 * row.bytes / row.seconds / rates.bandwidth)) % of the bandwidth"
      lines.append("\(row.name): \(milliseconds) ms, \(fraction)")
    }
    try printResult(lines.joined(separator: "\n"))
  }
}
