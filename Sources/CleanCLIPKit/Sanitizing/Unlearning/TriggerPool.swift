/// The triggers of a run: those that are kept as they were recovered, and live ones that learn against
/// the student.
///
/// Without live ones unlearning is unstable, and without the kept ones a trigger comes back once others
/// have taken its place in the batches.
final class TriggerPool {
  /// A trigger and where it leads.
  struct Entry {
    let trigger: any LearnedTrigger
    let target: Int
    let item: TriggerRecovery.Item
  }

  /// A trigger that ascends the loss that the student descends.
  struct Live {
    let entry: Entry
    let optimizer: SearchOptimizer
    let rate: Float

    /// Makes a live trigger that has not learned yet.
    init(_ entry: Entry) throws(CLIPError) {
      self.entry = entry
      optimizer = try SearchOptimizer(entry.trigger.values)
      rate = entry.trigger.learningRate / 2
    }

    /// Follows the gradient of the loss upwards.
    ///
    /// - Parameter dPixels: dLoss/d(triggered images).
    func ascend(_ dPixels: Tensor, images: Tensor) throws(CLIPError) {
      let trigger = entry.trigger
      let gradient = try Tensor.zeros(trigger.values.shape)
      trigger.pullBack(dPixels, images: images, into: gradient)
      for i in 0..<gradient.count { gradient.f32[i] = -gradient.f32[i] }
      optimizer.step(gradient, learningRate: rate)
    }
  }

  private(set) var kept: [Entry] = []
  private(set) var live: [Live] = []

  /// - Parameter recovered: kept, and copied as the first live ones; none where suspects take their place.
  init(_ recovered: [Entry]) throws(CLIPError) { try add(recovered) }

  /// Makes the pool of a saved state again.
  init(kept: [Entry], live: [Live]) {
    self.kept = kept
    self.live = live
  }

  /// Takes further triggers in, kept and copied as live ones.
  func add(_ entries: [Entry]) throws(CLIPError) {
    kept += entries
    for entry in entries where entry.trigger.learningRate > 0 {
      live.append(
        try Live(
          Entry(trigger: try entry.trigger.copy(), target: entry.target, item: entry.item)))
    }
  }

  /// Keeps the oldest live trigger as it is and puts another of its family and target in its place.
  ///
  /// - Parameter make: recovers one on the student; `nil` when there is none, and the old one stays.
  func renew(
    number: Int, _ make: (Entry) throws(CLIPError) -> (any LearnedTrigger)?
  ) throws(CLIPError) {
    guard !live.isEmpty else { return }
    let index = number % live.count
    let old = live[index].entry
    guard let trigger = try make(old) else { return }
    live[index] = try Live(Entry(trigger: trigger, target: old.target, item: old.item))
    kept.append(old)
  }
}
