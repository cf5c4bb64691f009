/// A learned trigger as numbers, for the saved state of a run.
package struct TriggerRecord {
  /// Which type it is.
  enum Form: String {
    case masked, pattern, displacement, wave
    /// The user's own, by its place in the options.
    case given
  }

  let form: Form
  let family: TriggerFamily
  /// Free numbers, masks and what else the form needs.
  let arrays: [[Float]]

  /// Makes the trigger again.
  ///
  /// - Parameters:
  ///   - side: S.
  ///   - given: the user's triggers.
  /// - Returns: `nil` for a record that no trigger of this size and these options has.
  package func restored(side: Int, given: [Trigger]) throws(CLIPError) -> (any LearnedTrigger)? {
    let plane = side * side
    guard arrays.allSatisfy({ $0.allSatisfy(\.isFinite) }) else { return nil }
    func has(_ counts: Int...) -> Bool { arrays.map(\.count) == counts }
    switch form {
    case .masked:
      guard has(1, plane, 3 * plane),
        let placement = Int(exactly: arrays[0][0]).flatMap(MaskedTrigger.Placement.init(rawValue:))
      else { return nil }
      return MaskedTrigger(
        family: family, mask: arrays[1], values: try Tensor(arrays[2], [3, side, side]), side: side,
        placement: placement)
    case .pattern:
      guard has(1, 3 * plane), arrays[0][0] > 0 else { return nil }
      return PatternTrigger(values: try Tensor(arrays[1], [3, side, side]), bound: arrays[0][0])
    case .displacement:
      guard has(1, 2 * WarpSpace.points * WarpSpace.points), arrays[0][0] > 0 else { return nil }
      return try DisplacementTrigger(imageSize: side, bound: arrays[0][0], values: arrays[1])
    case .wave:
      guard has(1, PlaneWave.count), arrays[0][0] > 0 else { return nil }
      return WaveTrigger(
        values: try Tensor(arrays[1], [PlaneWave.count]), side: side, amplitude: arrays[0][0])
    case .given:
      guard has(1), let index = Int(exactly: arrays[0][0]), given.indices.contains(index) else {
        return nil
      }
      return try FixedTrigger.wrapping(given[index], number: index)
    }
  }
}
