import CleanCLIPKit
import Glibc
import Testing

/// Times of whole training steps, printed; runs when `CLEANCLIP_BENCHMARKS` is set.
///
/// `CLEANCLIP_BENCHMARK_MODEL` (ViT-B-32), `CLEANCLIP_BENCHMARK_PAIRS` (8) and
/// `CLEANCLIP_BENCHMARK_THREADS` (all) choose what is timed.
@Suite(.serialized, .enabled(if: getenv("CLEANCLIP_BENCHMARKS") != nil, "is a benchmark"))
struct StepBenchmarks {
  private func setting(_ name: String, _ fallback: String) -> String {
    getenv(name).map { String(cString: $0) } ?? fallback
  }

  private func seconds(_ clock: clockid_t) -> Double {
    var time = timespec()
    clock_gettime(clock, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  @Test(arguments: [DType.bf16, .f32])
  func cleanCLIPStep(_ precision: DType) throws {
    guard precision == .f32 || CPUFeatures.computesBF16 else { return }
    let name = setting("CLEANCLIP_BENCHMARK_MODEL", "ViT-B-32")
    let pairs = Int(setting("CLEANCLIP_BENCHMARK_PAIRS", "8")) ?? 8
    if let threads = Int(setting("CLEANCLIP_BENCHMARK_THREADS", "")) { Threads.set(threads) }
    let configuration = try CLIPConfiguration.named(name)
    let model = try CLIPModel(configuration, randomSeed: 1)
    let recipe = try CleanCLIPRecipe(model, loss: CleanCLIPLoss(clipWeight: 1, inmodalWeight: 1))
    let optimizer = try AdamW(recipe.parameters, options: AdamW.Options())
    let size = configuration.vision?.imageSize ?? 224
    let batch = TrainingBatch(
      pixels: try randomTensor([2 * pairs, 3, size, size], seed: 1),
      tokens: TokenBatch(
        (0..<2 * pairs).map { caption in
          (0..<16).map { Int32(($0 * 7919 + caption * 131) % 40_000) + 1 }
        }), views: 2, labels: nil, keys: (0..<pairs).map { "\($0)" })
    for step in 0..<4 {
      let start = (seconds(CLOCK_MONOTONIC), seconds(CLOCK_PROCESS_CPUTIME_ID))
      let losses = try recipe.accumulateGradients(batch, Pass(precision: precision))
      let middle = (seconds(CLOCK_MONOTONIC), seconds(CLOCK_PROCESS_CPUTIME_ID))
      optimizer.update(learningRate: 1e-5)
      recipe.didUpdate()
      let end = (seconds(CLOCK_MONOTONIC), seconds(CLOCK_PROCESS_CPUTIME_ID))
      print(
        "\(name) \(precision) \(pairs) pairs, \(Threads.count) threads, step \(step):",
        "\(end.0 - start.0) s, processor \(end.1 - start.1) s,",
        "of it AdamW \(end.0 - middle.0) s, processor \(end.1 - middle.1) s; loss \(losses.loss);",
        "peak \(MemoryPool.shared.statistics.peakBytes >> 20) MiB")
    }
  }
}
