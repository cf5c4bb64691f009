import CleanCLIPKit
import Glibc
import Testing

/// Callers in several threads at once get, bit for bit, what each gets alone.
@Suite(.serialized) struct ConcurrentCallsTests {
  @Test(arguments: GradientTests.Operation.allCases, precisions)
  func operationsDoNotDisturbOneAnother(
    _ operation: GradientTests.Operation, precision: DType
  ) async throws {
    try await expectSameBits(repeats: 30) {
      let result = try operation.make().gradients(precision: precision)
      return ([result.output] + result.inputs + result.parameters).flatMap { $0.bitPatterns }
    }
  }

  private static let precisions: [DType] = CPUFeatures.computesBF16 ? [.f32, .bf16] : [.f32]

  @Test(arguments: ["cleanclip", "cleanclip of a ResNet", "simclip"])
  func gradientsDoNotDisturbOneAnother(_ recipe: String) async throws {
    try await expectSameBits(repeats: 20) {
      let isResNet = recipe.hasSuffix("ResNet")
      let model = try TinyRun.model(resNet: isResNet)
      let isSiamese = recipe == "simclip"
      let batch = try TinyRun.batch(
        [0, 1, 2, 3], views: isSiamese ? 1 : 2, size: isResNet ? 32 : TinyRun.imageSize)
      let made: any Recipe =
        isSiamese
        ? try SimCLIPRecipe(model, options: SimCLIPOptions(), seed: 2)
        : try CleanCLIPRecipe(model, loss: TinyRun.loss)
      _ = try made.accumulateGradients(batch, Pass())
      return made.parameters.flatMap { $0.gradient?.bitPatterns ?? [] }
    }
  }

  private func expectSameBits(
    repeats: Int, sourceLocation: SourceLocation = #_sourceLocation,
    _ run: @escaping @Sendable () throws -> [UInt32]
  ) async throws {
    let expected = try run()
    let wrong = await withTaskGroup(of: Int.self) { group in
      for _ in 0..<4 {
        group.addTask { (0..<repeats).count { _ in (try? run()) != expected } }
      }
      return await group.reduce(0, +)
    }
    #expect(wrong == 0, "of \(4 * repeats) results", sourceLocation: sourceLocation)
  }

  /// A product sets the number of OpenBLAS's threads, and those of other callers meanwhile do as well.
  @Test func productsLeaveTheHostsThreadsAsTheyWere() async {
    await #expect(processExitsWith: .success) {
      typealias Get = @convention(c) () -> Int32
      typealias Set = @convention(c) (Int32) -> Void
      let get = unsafeBitCast(try #require(dlsym(nil, "openblas_get_num_threads")), to: Get.self)
      let set = unsafeBitCast(try #require(dlsym(nil, "openblas_set_num_threads")), to: Set.self)
      set(3)
      await withTaskGroup(of: Void.self) { group in
        for caller in 0..<4 {
          group.addTask {
            // One caller's products are worth threads.
            let (size, repeats) = caller == 0 ? (700, 20) : (20, 5_000)
            guard let a = try? Tensor.zeros([size, size]), let c = try? Tensor.zeros([size, size])
            else { return }
            for _ in 0..<repeats { try? LinearAlgebra.multiply(a, a, into: c) }
          }
        }
      }
      #expect(get() == 3)
    }
  }

  /// The first calls of a process, which make what later ones use; a process of its own each time.
  @Test(.enabled(if: CPUFeatures.computesBF16, "needs AVX-512"), arguments: 1...10)
  func firstCallsOfTwoPrecisionsAtOnceAreRight(_ attempt: Int) async {
    await #expect(processExitsWith: .success) {
      let fixture = try ParityFixture("resnet")
      let expected = try fixture.values("image_features.inference")
      @Sendable func error(_ precision: DType) throws -> Double {
        let fixture = try ParityFixture("resnet")
        let features = try fixture.model().encodeImages(
          fixture.batch(0).pixels, normalize: false, precision: precision)
        return relativeError(features.floats(), expected)
      }
      try await withThrowingTaskGroup(of: Bool.self) { group in
        for caller in 0..<4 {
          group.addTask {
            caller % 2 == 0 ? try error(.f32) < 1e-5 : try error(.bf16) < 2e-2
          }
        }
        for try await isRight in group { #expect(isRight) }
      }
    }
  }
}

extension Tensor {
  fileprivate var bitPatterns: [UInt32] { floats().map(\.bitPattern) }
}
