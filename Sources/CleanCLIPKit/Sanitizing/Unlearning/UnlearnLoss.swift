/// What unlearning minimises: the student keeps what the teacher says of images, and says the same of
/// them when they carry a trigger.
///
/// ```
/// L = w · mean_i (1 - cos(f(x_i), f0(x_i))) + mean_j (1 - cos(f(T_j(x_j)), f0(x_j)))
///     + v · mean_j max(0, κ + f(T_j(x_j)) · t_j - max_{k ≠ j} f(T_j(x_j)) · t_k)
/// ```
///
/// Exact purification (Min et al. 2024, arXiv:2410.09838) with the poisoned model's own feature of the
/// image without the trigger in the place of its label. f0 is a constant. t_j is the target of T_j, t_k
/// the others, κ = 0.05; the last term, the margin loss of `ReadingLoss` the other way round, is that of images
/// which are not read as t_j without the trigger: where features agree all but along what tells the target from
/// other texts, images still turn into it. It ends where they do not, so that the target itself is not forgotten.
package struct UnlearnLoss {
  /// w.
  package let keepWeight: Float
  /// v.
  package let targetWeight: Float
  /// The candidates for targets; `nil` leaves the last term out.
  private let texts: TextVocabulary?

  /// κ.
  private static let margin: Float = 0.05

  package init(keepWeight: Float, targetWeight: Float = 0, texts: TextVocabulary? = nil) {
    self.keepWeight = keepWeight
    self.targetWeight = targetWeight
    self.texts = texts
  }

  package struct Result {
    package let loss: Double
    /// Mean of 1 - cos over images without a trigger.
    package let kept: Double
    /// Mean over images with one.
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
      if let texts, !targets.isEmpty, isTriggered[row], let goal = targets[row],
        texts.margin(of: target, over: goal).value < 0
      {
        let (margin, rival) = texts.margin(of: own, over: goal)
        if Self.margin + margin > 0 {
          value += Double(targetWeight * (Self.margin + margin))
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
}
