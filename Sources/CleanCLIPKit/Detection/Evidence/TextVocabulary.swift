internal import Glibc

/// Texts and their features, to name the predicted target of a trigger.
package struct TextVocabulary: Sendable {
  package let names: [String]
  /// `[V, E]`, L2-normalized.
  package let features: Tensor

  /// Embeds names in prompt templates; a name's feature is the normalised mean over the templates.
  ///
  /// - Parameters:
  ///   - templates: with `{}` where the name goes.
  ///   - progress: called with the number of names done; `false` cancels.
  /// - Throws: `invalidArgument` without names or templates; what the text tower throws;
  ///   `cancelled`.
  package init(
    names: [String], templates: [PromptTemplate] = PromptTemplate.standard, model: CLIPModel,
    tokenizer: Tokenizer, precision: DType = .f32, progress: (Int) -> Bool = { _ in true }
  ) throws(CLIPError) {
    guard !names.isEmpty, !templates.isEmpty else {
      throw CLIPError(
        .invalidArgument,
        "vocabulary: there is nothing to read out; expected names and templates, got "
          + "\(names.count) names and \(templates.count) templates")
    }
    var encoder = FeatureEncoder(model)
    encoder.precision = precision
    let contextLength = try encoder.textConfiguration().contextLength
    try encoder.check(tokenizer)
    let width = model.configuration.embedDim
    let result = try Tensor([names.count, width])
    for (row, name) in names.enumerated() {
      let captions = templates.map { template in
        tokenizer.encode(template.filled(with: name), contextLength: contextLength)
      }
      let features = try model.encodeTexts(
        TokenBatch(captions), normalize: true, precision: precision)
      FeatureMatrix.writeUnitMean(of: features, to: result.f32 + row * width)
      guard progress(row + 1) else {
        throw CLIPError(.cancelled, "vocabulary: embedding was cancelled at name \(row + 1)")
      }
    }
    self.names = names
    self.features = result
  }

  /// Takes features that were computed elsewhere; they are L2-normalized.
  ///
  /// - Throws: `shape` unless there is one row for each name; see `FeatureMatrix.validate`.
  package init(names: [String], features: Tensor) throws(CLIPError) {
    try FeatureMatrix.validate(
      features, name: "vocabulary", remedy: "give features of another model or text")
    guard features.shape[0] == names.count, !names.isEmpty else {
      throw CLIPError(
        .shape,
        "vocabulary: names and features disagree; expected \(names.count) rows, "
          + "got \(features.shape)")
    }
    self.names = names
    self.features = try Tape(isRecording: false).normalize(Variable(features)).value
  }

  /// Takes classes as a user gives them: by names and prompts, or by names and features.
  ///
  /// Features serve CLIPs whose prompts are learned vectors that no text stands for (CoOp, Zhou et al. 2022,
  /// arXiv:2109.01134). A name that stands twice, as in ImageNet's list, would be its own rival: the first
  /// counts.
  ///
  /// - Parameters:
  ///   - templates: the usual one when there are none.
  ///   - features: `[names, E]` in place of prompts.
  ///   - tokenizer: needed without features.
  /// - Throws: `invalidArgument` for features without names or with templates, and for neither features nor
  ///   a tokenizer; `shape` for features that do not fit names and model; `unsupported` for names alone
  ///   without a text tower.
  package init(
    classes names: [String], templates: [PromptTemplate], features: Tensor?, model: CLIPModel,
    tokenizer: Tokenizer?, precision: DType = .f32
  ) throws(CLIPError) {
    guard let features else {
      _ = try FeatureEncoder(model).textConfiguration()
      guard let tokenizer else {
        throw CLIPError(
          .invalidArgument,
          "classes: names need a tokenizer; expected one, got none; or give features of the classes"
        )
      }
      try self.init(
        names: DistinctNames(names).names, templates: PromptTemplate.given(templates),
        model: model, tokenizer: tokenizer, precision: precision)
      return
    }
    try ClassFeatures.validate(
      features, names: names, templates: templates, embedDim: model.configuration.embedDim)
    self = try TextVocabulary(names: names, features: features).rows(DistinctNames(names).rows)
  }

  /// The texts of some rows.
  func rows(_ rows: [Int]) throws(CLIPError) -> TextVocabulary {
    try TextVocabulary(
      names: rows.map { names[$0] }, features: try FeatureMatrix.gather(features, rows))
  }

  /// The similarities `[n, V]` of L2-normalized image features.
  func similarities(_ imageFeatures: Tensor) throws(CLIPError) -> Tensor {
    let result = try Tensor([imageFeatures.shape[0], names.count])
    try LinearAlgebra.multiply(imageFeatures, features, transposeB: true, into: result)
    return result
  }

  /// The nearest of the texts but one.
  ///
  /// - Parameters:
  ///   - text: the one; there are at least two.
  ///   - cosines: with each text: a row of `similarities`.
  func rival(of text: Int, by cosines: UnsafePointer<Float>) -> Int {
    var rival = text == 0 ? 1 : 0
    for other in names.indices where other != text && cosines[other] > cosines[rival] {
      rival = other
    }
    return rival
  }

  /// Returns the cosine of two texts' features.
  func cosine(_ a: Int, _ b: Int) -> Float {
    let width = features.shape[1]
    return (0..<width).reduce(0) { sum, k in
      sum + features.f32[a * width + k] * features.f32[b * width + k]
    }
  }

  /// The text that most images are nearest to.
  ///
  /// - Parameter imageFeatures: `[n, E]`, L2-normalized.
  func mostFrequent(of imageFeatures: Tensor) throws(CLIPError) -> Int {
    var counts = [Int](repeating: 0, count: names.count)
    for index in try nearest(to: imageFeatures) { counts[index] += 1 }
    return counts.indices.max { (counts[$0], $1) < (counts[$1], $0) } ?? 0
  }

  /// Returns the index of the most similar text for each row of L2-normalized image features.
  func nearest(to imageFeatures: Tensor) throws(CLIPError) -> [Int] {
    let similarities = try similarities(imageFeatures)
    return (0..<imageFeatures.shape[0]).map { Self.nearest(similarities, $0) }
  }

  /// Returns the index of the largest similarity in a row of `similarities`.
  static func nearest(_ similarities: Tensor, _ row: Int) -> Int {
    let count = similarities.shape[1]
    let values = similarities.f32 + row * count
    return (0..<count).max { values[$0] < values[$1] } ?? 0
  }
}

/// Where triggered images go, in words.
package struct TargetReadout: Equatable, Sendable {
  /// A text and how much the trigger favours it.
  package struct Entry: Equatable, Sendable {
    package let text: String
    /// Mean probability with the trigger minus without it, over the vocabulary.
    package let gain: Float
    /// Mean cosine with the triggered images.
    package let cosine: Float
  }

  /// The texts that gain most, best first; at most ten.
  package let entries: [Entry]
  /// Fraction of the images, of those not classified as the first text before, that are with the trigger.
  package let successRate: Float

  /// Reads out features of the same images without and with a trigger.
  ///
  /// - Parameters:
  ///   - clean: `[n, E]`, L2-normalized.
  ///   - triggered: `[n, E]`, L2-normalized, the same images.
  ///   - logitScale: s, not its logarithm.
  init(
    clean: Tensor, triggered: Tensor, vocabulary: TextVocabulary, logitScale: Float
  ) throws(CLIPError) {
    let before = try vocabulary.similarities(clean)
    let after = try vocabulary.similarities(triggered)
    let count = clean.shape[0]
    let names = vocabulary.names.count
    let gains = zip(
      Self.meanProbabilities(after, logitScale), Self.meanProbabilities(before, logitScale)
    ).map { $0 - $1 }
    var cosines = [Float](repeating: 0, count: names)
    for row in 0..<count {
      for name in 0..<names { cosines[name] += after.f32[row * names + name] / Float(count) }
    }
    let order = Ranking.descending(gains)
    entries = order.prefix(10).map { index in
      Entry(text: vocabulary.names[index], gain: gains[index], cosine: cosines[index])
    }
    let target = order[0]
    var others = 0
    var successes = 0
    for row in 0..<count where TextVocabulary.nearest(before, row) != target {
      others += 1
      if TextVocabulary.nearest(after, row) == target { successes += 1 }
    }
    successRate = others == 0 ? 0 : Float(successes) / Float(others)
  }

  private static func meanProbabilities(_ similarities: Tensor, _ scale: Float) -> [Float] {
    let names = similarities.shape[1]
    let count = similarities.shape[0]
    var means = [Float](repeating: 0, count: names)
    var row = [Float](repeating: 0, count: names)
    for index in 0..<count {
      let values = similarities.f32 + index * names
      var top = -Float.infinity
      for name in 0..<names { top = max(top, values[name]) }
      var total: Float = 0
      for name in 0..<names {
        row[name] = expf(scale * (values[name] - top))
        total += row[name]
      }
      for name in 0..<names { means[name] += row[name] / total / Float(count) }
    }
    return means
  }
}
