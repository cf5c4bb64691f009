internal import Glibc

/// What unlearning minimises: the student keeps what the teacher says of images, and says the same of
/// them when they carry a trigger.
///
/// ```
/// L = w · mean_i (1 - cos(f(x_i), f0(x_i)) + u · KL(p0(x_i) ‖ p(x_i)))
///     + mean_j (1 - cos(f(T_j(x_j)), f0(x_j)))
///     + v · mean_j max(0, κ + f(T_j(x_j)) · t_j - max_{k ≠ j} f(T_j(x_j)) · t_k)
/// ```
///
/// Exact purification (Min et al. 2024, arXiv:2410.09838) with the poisoned model's own feature of the
/// image without the trigger in the place of its label. f0 is a constant. p = softmax_k(50 f · t_k) over the
/// candidates, p0 the same of f0 (Hinton et al. 2015, arXiv:1503.02531): an image whose features hardly change may
/// still be classified otherwise. t_j is the target of T_j, t_k the others, κ = 0.05; the last term, the margin loss of `ReadingLoss` the other way round, is that of images
/// which are not read as t_j without the trigger: where features agree all but along what tells the target from
/// other texts, images still turn into it. It ends where they do not, so that the target itself is not forgotten.
package struct UnlearnLoss {
  /// w.
  package let keepWeight: Float
  /// u.
  package let readingWeight: Float
  /// v; 0 leaves the last term out.
  package let targetWeight: Float
  /// The candidates for targets, at least two; `nil` leaves out the terms of u and v.
  private let texts: TextVocabulary?

  /// κ.
  private static let margin: Float = 0.05
  private static let readingScale: Float = 50

  package init(
    keepWeight: Float, readingWeight: Float = 0, targetWeight: Float = 0,
    texts: TextVocabulary? = nil
  ) {
    self.keepWeight = keepWeight
    self.readingWeight = readingWeight
    self.targetWeight = targetWeight
    self.texts = texts
  }

  package struct Result {
    package let loss: Double
    /// Mean over images without a trigger of what stands behind w, and over images with one.
    package let kept: Double
    package let triggered: Double
    /// dL/d(student), `[rows, E]`.
    package let gradient: Tensor

    /// The losses of two parts of a batch; the gradient of the second.
    static func + (first: Result, second: Result) -> Result {
      Result(
        loss: first.loss + second.loss, kept: first.kept + second.kept,
        triggered: first.triggered + second.triggered, gradient: second.gradient)
    }
  }

  /// - Parameters:
  ///   - student: `[rows, E]`, L2-normalized: a part of the batch.
  ///   - teacher: `[rows, E]`, L2-normalized: of the same images without triggers.
  ///   - isTriggered: of each row.
  ///   - targets: of each row with a trigger, its target, or `nil`; empty for none.
  ///   - cleanCount: rows without a trigger in the whole batch; at least 1.
  ///   - triggeredCount: rows with one.
  package func evaluate(
    _ student: Tensor, _ teacher: Tensor, isTriggered: [Bool], targets: [Int?] = [],
    cleanCount: Int, triggeredCount: Int
  ) throws(CLIPError) -> Result {
    precondition(student.shape == teacher.shape && isTriggered.count == student.shape[0])
    precondition(targets.isEmpty || targets.count == isTriggered.count)
    let width = student.shape[1]
    let readings = try texts.map { (texts) throws(CLIPError) in
      (student: try texts.similarities(student), teacher: try texts.similarities(teacher))
    }
    let gradient = try Tensor(student.shape)
    var kept = 0.0
    var triggered = 0.0
    for row in 0..<student.shape[0] {
      let own = student.f32 + row * width
      let target = teacher.f32 + row * width
      let weight =
        isTriggered[row]
        ? 1 / Float(max(1, triggeredCount)) : keepWeight / Float(max(1, cleanCount))
      var cosine: Float = 0
      for k in 0..<width {
        cosine += own[k] * target[k]
        gradient.f32[row * width + k] = -weight * target[k]
      }
      var value = Double(1 - cosine)
      if let texts, let readings, readingWeight > 0, !isTriggered[row] {
        let (loss, slopes) = Self.reading(readings.student, readings.teacher, row)
        value += Double(readingWeight) * loss
        for (text, slope) in slopes.enumerated() {
          for k in 0..<width {
            gradient.f32[row * width + k] +=
              weight * readingWeight * slope * texts.features.f32[text * width + k]
          }
        }
      }
      if let texts, let readings, targetWeight > 0, !targets.isEmpty, isTriggered[row],
        let goal = targets[row]
      {
        let before = Self.lead(of: goal, texts, readings.teacher, row)
        let (lead, rival) = Self.lead(of: goal, texts, readings.student, row)
        if before.value < 0, Self.margin + lead > 0 {
          value += Double(targetWeight * (Self.margin + lead))
          for k in 0..<width {
            let slope =
              texts.features.f32[goal * width + k] - texts.features.f32[rival * width + k]
            gradient.f32[row * width + k] += weight * targetWeight * slope
          }
        }
      }
      if isTriggered[row] {
        triggered += value / Double(max(1, triggeredCount))
      } else {
        kept += value / Double(max(1, cleanCount))
      }
    }
    return Result(
      loss: Double(keepWeight) * kept + triggered, kept: kept, triggered: triggered,
      gradient: gradient)
  }

  /// KL(p0 ‖ p) of an image, and its slope with each text's cosine.
  ///
  /// - Parameters:
  ///   - student: similarities of all images with the texts; `teacher`: the same of f0.
  ///   - row: the image's.
  private static func reading(
    _ student: Tensor, _ teacher: Tensor, _ row: Int
  ) -> (loss: Double, slopes: [Float]) {
    let count = student.shape[1]
    let own = logProbabilities(student.f32 + row * count, count)
    let wanted = logProbabilities(teacher.f32 + row * count, count)
    let loss = zip(wanted, own).reduce(0.0) { $0 + Double(expf($1.0) * ($1.0 - $1.1)) }
    return (loss, zip(wanted, own).map { readingScale * (expf($1) - expf($0)) })
  }

  private static func logProbabilities(_ cosines: UnsafePointer<Float>, _ count: Int) -> [Float] {
    let logits = (0..<count).map { readingScale * cosines[$0] }
    let largest = logits.reduce(-.infinity, max)
    let sum = logits.reduce(Float(0)) { $0 + expf($1 - largest) }
    return logits.map { $0 - largest - logf(sum) }
  }

  /// How much nearer an image is to a text than to the nearest other one, and which that is.
  ///
  /// - Parameters:
  ///   - similarities: of all images.
  ///   - row: the image's.
  private static func lead(
    of goal: Int, _ texts: TextVocabulary, _ similarities: Tensor, _ row: Int
  ) -> (value: Float, rival: Int) {
    let cosines = similarities.f32 + row * texts.names.count
    let rival = texts.rival(of: goal, by: cosines)
    return (cosines[goal] - cosines[rival], rival)
  }
}
