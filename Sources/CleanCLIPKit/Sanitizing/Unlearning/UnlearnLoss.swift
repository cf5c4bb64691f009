/// What unlearning minimises: the student keeps what the teacher says of images, and says the same of
/// them when they carry a trigger.
///
/// ```
/// L = w · mean_i (1 - cos(f(x_i), f0(x_i))) + mean_j (1 - cos(f(T_j(x_j)), f0(x_j)))
/// ```
///
/// Exact purification (Min et al. 2024, arXiv:2410.09838) with the poisoned model's own feature of the
/// image without the trigger in the place of its label. f0 is a constant.
package struct UnlearnLoss {
  /// w.
  package let keepWeight: Float

  package init(keepWeight: Float) { self.keepWeight = keepWeight }

  package struct Result {
    package let loss: Double
    /// Mean of 1 - cos over images without a trigger.
    package let kept: Double
    /// Mean of 1 - cos over images with one.
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
  ///   - cleanCount: rows without a trigger in the whole batch; at least 1.
  ///   - triggeredCount: rows with one.
  package func evaluate(
    _ student: Tensor, _ teacher: Tensor, isTriggered: [Bool], cleanCount: Int,
    triggeredCount: Int
  ) throws(CLIPError) -> Result {
    precondition(student.shape == teacher.shape && isTriggered.count == student.shape[0])
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
      if isTriggered[row] {
        triggered += Double(1 - cosine) / Double(max(1, triggeredCount))
      } else {
        kept += Double(1 - cosine) / Double(max(1, cleanCount))
      }
    }
    return Result(
      loss: Double(keepWeight) * kept + triggered, kept: kept, triggered: triggered,
      gradient: gradient)
  }
}
