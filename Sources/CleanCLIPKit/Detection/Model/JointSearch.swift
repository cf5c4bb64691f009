internal import Glibc

/// Several searches that go through the tower together, a step of each at a time.
struct JointSearch {
  let model: CLIPModel
  /// `[E]`: the mean of the images' normalised features.
  let cleanMean: [Float]
  let precision: DType

  /// Searches that go together: as many as keep the cores busy, which one batch of a small tower does
  /// not.
  static func count(side: Int, batchSize: Int) -> Int { max(1, pixels / (batchSize * side * side)) }

  private static let pixels = 1 << 20

  /// Runs searches to their ends, a step of each through the tower together.
  ///
  /// - Parameters:
  ///   - look: called after every step of all with the number of steps done; may end searches.
  ///   - progress: called after every step of all with the number of steps done; `false` cancels.
  /// - Throws: `cancelled`; `state` when features are not finite.
  func run(
    _ searches: [RunningSearch], look: (Int) -> Void = { _ in }, progress: (Int) -> Bool
  ) throws(CLIPError) {
    var step = 0
    while true {
      var running = searches.filter { !$0.isFinished }[...]
      if running.isEmpty { return }
      while let next = running.first {
        let together = running.prefix(Self.count(side: next.space.side, batchSize: next.batch))
        running = running.dropFirst(together.count)
        try advance(Array(together))
      }
      step += 1
      look(step)
      guard progress(step) else {
        throw CLIPError(.cancelled, "trigger search: cancelled at step \(step)")
      }
    }
  }

  /// One step of each search.
  private func advance(_ searches: [RunningSearch]) throws(CLIPError) {
    let rows = searches.reduce(0) { $0 + $1.batch }
    let side = searches[0].space.side
    let triggered = try Tensor([rows, 3, side, side])
    var parts: [Range<Int>] = []
    for search in searches {
      let part = (parts.last?.upperBound ?? 0)..<(parts.last?.upperBound ?? 0) + search.batch
      search.draw(into: triggered.slice(part))
      parts.append(part)
    }
    let scale = PixelScale(model.configuration)
    let tape = Tape(precision: precision, isTraining: false)
    let input = Variable(try scale.normalized(triggered), requiresGradient: true)
    let features = try tape.normalize(try model.imageFeatures(tape, input))
    let gradient = try Tensor(features.value.shape)
    var reached: [GoalProgress] = []
    for (search, part) in zip(searches, parts) {
      let progress = try search.goal.measure(
        features.value.slice(part), cleanMean: cleanMean,
        collapseThreshold: search.space.kind.collapseThreshold)
      let target = gradient.slice(part)
      memcpy(target.f32, progress.gradient.f32, progress.gradient.count * 4)
      reached.append(progress)
    }
    try tape.backward(features, gradient: gradient)
    guard let dInput = input.gradient else {
      throw CLIPError(
        .internal, "check model: pixels got no gradient; expected one, got a constant feature")
    }
    let dPixels = try scale.pixelGradient(dInput)
    for (index, search) in searches.enumerated() {
      try search.learn(reached[index], dPixels: dPixels.slice(parts[index]))
    }
  }
}
