/// A trigger from elsewhere, applied as it is.
package final class FixedTrigger: LearnedTrigger {
  package let family: TriggerFamily
  /// None that is learned.
  package let values: Tensor
  package let learningRate: Float = 0
  private let trigger: Trigger
  private let number: Int
  private var use: UInt64 = 0

  /// Makes recovered patches ones that move and learn, and keeps others as they are.
  ///
  /// - Parameter number: its place among the user's triggers.
  static func wrapping(
    _ trigger: Trigger, number: Int
  ) throws(CLIPError) -> any LearnedTrigger {
    if let found = trigger.recovered, found.kind == .patch { return try MaskedTrigger.patch(found) }
    return FixedTrigger(trigger, number: number, values: try Tensor.zeros([1]))
  }

  private init(_ trigger: Trigger, number: Int, values: Tensor) {
    self.trigger = trigger
    self.number = number
    self.values = values
    let kind = trigger.recovered?.kind
    family = TriggerFamily.allCases.first { $0.kind == kind } ?? .patch
  }

  package func vary(strength: Float, using random: inout RandomNumbers) { use = random.next() }

  package func settle(using random: inout RandomNumbers) { use = 0 }

  package func apply(to images: Tensor, into output: Tensor) throws(CLIPError) {
    let triggered = try trigger.applied(to: images, seed: use, firstIndex: 0)
    for i in 0..<output.count { output.f32[i] = triggered.f32[i] }
  }

  package func pullBack(_ dOutput: Tensor, images: Tensor, into gradient: Tensor) {}

  package func copy() throws(CLIPError) -> any LearnedTrigger { self }

  package var record: TriggerRecord {
    TriggerRecord(form: .given, family: family, arrays: [[Float(number)]])
  }

  package func snapshot() -> FoundTrigger? { trigger.recovered }
}
