/// The triggers of a run: those that are kept as they were recovered, and live ones that learn against
/// the student.
///
/// Without live ones unlearning is unstable, and without the kept ones a trigger comes back once others
/// have taken its place in the batches.
final class TriggerPool {
  /// A trigger that ascends the loss that the student descends.
  struct Live {
    let trigger: any LearnedTrigger
    let optimizer: SearchOptimizer
    let rate: Float

    init(_ trigger: any LearnedTrigger) throws(CLIPError) {
      self.trigger = trigger
      optimizer = try SearchOptimizer(trigger.values)
      rate = trigger.learningRate / 2
    }

    /// Follows the gradient of the loss upwards.
    ///
    /// - Parameter dPixels: dLoss/d(triggered images).
    func ascend(_ dPixels: Tensor, images: Tensor) throws(CLIPError) {
      let gradient = try Tensor.zeros(trigger.values.shape)
      trigger.pullBack(dPixels, images: images, into: gradient)
      for i in 0..<gradient.count { gradient.f32[i] = -gradient.f32[i] }
      optimizer.step(gradient, learningRate: rate)
    }
  }

  private(set) var kept: [any LearnedTrigger]
  private(set) var live: [Live] = []

  /// - Parameter recovered: at least one, kept and copied as the first live ones.
  init(_ recovered: [any LearnedTrigger]) throws(CLIPError) {
    kept = []
    try add(recovered)
  }

  /// Takes further triggers in, kept and copied as live ones.
  func add(_ triggers: [any LearnedTrigger]) throws(CLIPError) {
    kept += triggers
    for trigger in triggers { live.append(try Live(try trigger.copy())) }
  }

  /// Keeps the oldest live trigger as it is and puts another of its family in its place.
  ///
  /// - Parameter make: recovers one of a family on the student.
  func renew(
    number: Int, _ make: (TriggerFamily) throws(CLIPError) -> any LearnedTrigger
  ) throws(CLIPError) {
    let index = number % live.count
    let old = live[index].trigger
    live[index] = try Live(try make(old.family))
    kept.append(old)
  }
}
