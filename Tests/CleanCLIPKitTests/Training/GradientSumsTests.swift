import CleanCLIPKit
import Glibc
import Testing

/// Gradients are summed over the ranks while others are still computed.
@Suite struct GradientSumsTests {
  /// A parameter of the backward pass is told of once, when its gradient is what it is at the end.
  @Test(arguments: [false, true])
  func aGradientIsCompleteWhenItIsToldOf(resNet: Bool) throws {
    let model = try TinyRun.model(resNet: resNet)
    let batch = try TinyRun.batch(Array(0..<4), size: resNet ? 32 : TinyRun.imageSize)
    var told: [(name: String, gradient: [Float])] = []
    let tape = Tape(isTraining: true) { (parameter) throws(CLIPError) in
      told.append((parameter.name, parameter.gradient?.floats() ?? []))
    }
    let texts = try tape.normalize(try model.textFeatures(tape, batch.tokens))
    let images = try tape.normalize(try model.imageFeatures(tape, Variable(batch.pixels)))
    try tape.backward([(images, texts.value), (texts, images.value)])
    let trained = model.parameters.filter { $0.gradient != nil }
    #expect(Set(told.map(\.name)) == Set(trained.map(\.name)) && told.count == trained.count)
    #expect(trained.count == model.parameters.count - 1, "all but the temperature")
    for parameter in trained {
      let gradient = told.first { $0.name == parameter.name }?.gradient
      #expect(gradient == parameter.gradient?.floats(), "\(parameter.name)")
    }
    // The deepest layers come first: there is something to exchange while the rest is computed.
    #expect(told.first?.name.hasPrefix("visual.") == true)
  }

  /// Collectives of two ranks that are one: sums are doubles.
  private final class Mirror: Collectives, @unchecked Sendable {
    let rank = 0
    let size = 2
    let owner = pthread_self()
    private(set) var strangers = 0
    let began = Signal()
    /// Sums that fail.
    var failsAt = Int.max
    private(set) var sums = 0

    private func call() { if pthread_equal(owner, pthread_self()) == 0 { strangers += 1 } }

    func allReduceSum(_ values: UnsafeMutableBufferPointer<Float>) throws(CLIPError) {
      call()
      began.signal()
      sums += 1
      guard sums < failsAt else { throw CLIPError(.io, "mirror: broken; expected two, got one") }
      for index in values.indices { values[index] *= 2 }
    }

    func allGather(
      _ sent: UnsafeRawBufferPointer, into received: UnsafeMutableRawBufferPointer
    ) throws(CLIPError) {
      call()
      for rank in 0..<2 {
        UnsafeMutableRawBufferPointer(
          rebasing: received[rank * sent.count..<(rank + 1) * sent.count]
        )
        .copyMemory(from: sent)
      }
    }

    func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from root: Int) throws(CLIPError) {
      call()
    }
  }

  /// Says that something has happened to a thread that waits for it.
  private final class Signal: @unchecked Sendable {
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init() { sem_init(semaphore, 0, 0) }

    deinit {
      sem_destroy(semaphore)
      semaphore.deallocate()
    }

    func signal() { sem_post(semaphore) }

    /// Whether it happened within ten seconds.
    func wait() -> Bool {
      var limit = timespec()
      clock_gettime(CLOCK_REALTIME, &limit)
      limit.tv_sec += 10
      return sem_timedwait(semaphore, &limit) == 0
    }
  }

  /// Parameters of 12 MB, of which each but the last fills a call.
  private static func parameters(_ count: Int) throws -> [Parameter] {
    try (0..<count).map { number in
      let parameter = Parameter("p\(number)", try Tensor.zeros([3 << 20], .f32))
      parameter.gradient = try Tensor.zeros([3 << 20], .f32)
      parameter.gradient?.f32[7] = Float(number + 1)
      return parameter
    }
  }

  @Test func sumsAreMadeWhileOthersAreComputed() throws {
    let mirror = Mirror()
    let communicator = try Communicator(mirror)
    let parameters = try Self.parameters(3)
    let sums = GradientSums(parameters, communicator)
    let caller = pthread_self()
    let value = try sums.run { () throws(CLIPError) in
      #expect(pthread_equal(caller, pthread_self()) == 0)
      try sums.add(parameters[0])
      try sums.add(parameters[1])
      // Within the computation, before it ends.
      #expect(mirror.began.wait())
      try sums.add(parameters[1])
      return 5
    }
    #expect(value == 5 && mirror.sums == 3 && mirror.strangers == 0)
    for (number, parameter) in parameters.enumerated() {
      #expect(parameter.gradient?.f32[7] == Float(2 * (number + 1)))
    }
  }

  @Test func aGradientThatIsSummedTakesNoMore() throws {
    let parameters = try Self.parameters(1)
    let small = Parameter("w", try Tensor([1, 2, 3, 4] as [Float], [2, 2]))
    let sums = GradientSums([small] + parameters, try Communicator(Mirror()))
    func pass(_ tape: Tape) throws(CLIPError) {
      let y = try tape.linear(
        Variable(try Tensor([1, 2] as [Float], [1, 2])), weight: small, bias: nil)
      try tape.backward(y, gradient: try Tensor([1, 1] as [Float], [1, 2]))
    }
    expectError(containing: "gradient of 'w': is summed already") {
      try sums.run { () throws(CLIPError) in
        try pass(Tape { (parameter) throws(CLIPError) in try sums.add(parameter) })
        try pass(Tape())
      }
    }
    // The next step begins anew.
    small.gradient = nil
    try pass(Tape())
    #expect(small.gradient?.floats() == [1, 2, 1, 2])
  }

  @Test func aSumThatFailsEndsTheComputation() throws {
    for failing in [1, 2, 3] {
      let mirror = Mirror()
      mirror.failsAt = failing
      let parameters = try Self.parameters(3)
      let sums = GradientSums(parameters, try Communicator(mirror))
      var isReached = false
      expectError(containing: "mirror: broken") {
        try sums.run { () throws(CLIPError) in
          for parameter in parameters { try sums.add(parameter) }
          _ = mirror.began.wait()
          isReached = true
        }
      }
      #expect(mirror.sums == failing && mirror.strangers == 0)
      #expect(isReached || failing < 3)
    }
    // What the body throws is told, when no sum failed.
    let sums = GradientSums(try Self.parameters(2), try Communicator(Mirror()))
    expectError(containing: "no more numbers") {
      try sums.run { () throws(CLIPError) in
        throw CLIPError(.state, "test: no more numbers; expected some, got none")
      }
    }
  }
}
