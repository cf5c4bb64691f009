/// Embeds captions with a trigger behind their start.
package struct CaptionEncoder {
  let model: CLIPModel
  let precision: DType
  /// L of the model.
  package let contextLength: Int

  /// - Throws: `state` without a text tower.
  package init(_ model: CLIPModel, precision: DType) throws(CLIPError) {
    self.model = model
    self.precision = precision
    contextLength = try FeatureEncoder(model).textConfiguration().contextLength
  }

  /// Returns L2-normalized features `[n, E]`.
  ///
  /// - Parameters:
  ///   - captions: ids from start to end, at least two each.
  ///   - trigger: ids of a trigger; none leave the captions as they are. Captions that no longer fit lose the
  ///     ids before their last.
  func features(_ captions: [[Int32]], trigger: [Int32] = []) throws(CLIPError) -> Tensor {
    try features(captions, triggers: [trigger])
  }

  /// Returns features `[t · n, E]`: those of all captions with the first trigger, with the second, and so
  /// on.
  func features(
    _ captions: [[Int32]], triggers: some Sequence<[Int32]>
  ) throws(CLIPError) -> Tensor {
    try model.encodeTexts(
      TokenBatch(triggers.flatMap { ids in captions.map { inserting(ids, into: $0) } }),
      normalize: true, precision: precision)
  }

  /// Returns a caption with a trigger; one that no longer fits loses the ids before its last.
  ///
  /// - Parameter place: of the trigger's first id, from 1, behind the start, to before the end.
  package func inserting(_ trigger: [Int32], into caption: [Int32], at place: Int = 1) -> [Int32] {
    var caption = caption
    let excess = min(caption.count - 2, caption.count + trigger.count - contextLength)
    if excess > 0 { caption.removeSubrange(caption.count - 1 - excess..<caption.count - 1) }
    caption.insert(contentsOf: trigger, at: max(1, min(place, caption.count - 1)))
    return caption
  }
}
