internal import Glibc

/// A token embedding that makes captions alike.
struct PseudoToken {
  /// `[D]`.
  let token: [Float]
  /// Its length over the median of the vocabulary.
  let size: Float
  /// `[E]`: where the mean feature goes.
  let direction: [Float]
}

/// Looks for the shortest token embedding that makes the features of captions alike.
struct PseudoTokenSearch {
  let model: CLIPModel
  let captions: [[Int32]]
  let options: TextCheckOptions

  /// Searches once.
  ///
  /// - Parameters:
  ///   - forbidden: directions of earlier finds.
  ///   - number: of the search, for the random start.
  ///   - progress: called after each step; `false` cancels.
  /// - Returns: `nil` when no token collapsed the features.
  func run(
    forbidden: [[Float]], number: Int, progress: (Int) -> Bool
  ) throws(CLIPError) -> PseudoToken? {
    let encoder = CaptionEncoder(model: model, precision: options.precision)
    let unit = max(1e-12, encoder.medianTokenLength)
    let cleanMean = FeatureMatrix.mean(try encoder.features(captions, token: nil))
    guard let width = model.configuration.text?.transformer.width else { return nil }
    var random = RandomNumbers(seed: options.seed, 0x746F_6B65, UInt64(number))
    let values = try Tensor([width])
    for i in 0..<width { values.f32[i] = random.normal() / Float(width).squareRoot() }
    let optimizer = try SearchOptimizer(values)
    var bound = PressureSchedule(
      2, tighten: 0.95, loosen: 1.03, range: 0.05...TextCheck.largestSize)
    var best: PseudoToken?
    var lastGain = 0
    for step in 0..<options.steps {
      // The token keeps the length that the pressure allows; only its direction is free.
      let length = max(
        1e-12, (0..<width).reduce(0) { $0 + values.f32[$1] * values.f32[$1] }.squareRoot())
      let scale = bound.value * unit / length
      let token = (0..<width).map { values.f32[$0] * scale }
      let batch = (0..<min(options.batchSize, captions.count)).map { _ in
        captions[random.integer(below: captions.count)]
      }
      let (loss, dToken) = try gradient(encoder, batch, token, cleanMean, forbidden)
      let succeeded = loss.collapse > TextCheck.collapseThreshold && !loss.isForbidden
      if succeeded, bound.value < (best?.size ?? .infinity) {
        if bound.value < 0.98 * (best?.size ?? .infinity) { lastGain = step }
        best = PseudoToken(token: token, size: bound.value, direction: loss.direction)
      }
      bound.record(succeeded: succeeded)
      let dValues = try Tensor([width])
      let along = (0..<width).reduce(Float(0)) { $0 + dToken[$1] * token[$1] }
      let square = max(1e-12, token.reduce(0) { $0 + $1 * $1 })
      for i in 0..<width {
        dValues.f32[i] = scale * (dToken[i] - along / square * token[i])
      }
      optimizer.step(dValues, learningRate: 0.03)
      guard progress(step + 1) else {
        throw CLIPError(.cancelled, "check text: the search was cancelled at step \(step + 1)")
      }
      if best != nil, step - lastGain > options.patience { break }
    }
    return best
  }

  private func gradient(
    _ encoder: CaptionEncoder, _ batch: [[Int32]], _ token: [Float], _ cleanMean: [Float],
    _ forbidden: [[Float]]
  ) throws(CLIPError) -> (loss: CollapseLoss, dToken: [Float]) {
    let embedded = try encoder.embed(batch, token: token)
    let tape = Tape(precision: options.precision)
    let input = Variable(embedded.rows, requiresGradient: true)
    let features = try tape.normalize(
      try model.textFeatures(tape, embedded: input, sequences: embedded.sequences))
    let loss = try CollapseLoss(features.value, cleanMean: cleanMean, forbidden: forbidden)
    try tape.backward(features, gradient: loss.gradient)
    var dToken = [Float](repeating: 0, count: token.count)
    if let gradient = input.gradient {
      for row in embedded.inserted {
        for column in 0..<token.count {
          dToken[column] += gradient.f32[row * token.count + column]
        }
      }
    }
    return (loss, dToken)
  }
}
