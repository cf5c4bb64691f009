/// How the passes of one step are computed.
package struct Pass {
  /// Element type of activations.
  package let precision: DType
  /// Pairs whose activations are held at once, while packed weights are kept from chunk to chunk;
  /// `nil` for all at once.
  package let chunkSize: Int?
  /// The ranks that have a part of the batch each.
  package let communicator: Communicator
  /// Whether batch norm takes its statistics over the parts of all ranks.
  package let syncsBatchNorm: Bool
  /// Takes up gradients that are complete; `nil` where nobody waits for them.
  private let sums: GradientSums?

  package init(
    precision: DType = .f32, chunkSize: Int? = nil, communicator: Communicator = .single,
    syncsBatchNorm: Bool = true, sums: GradientSums? = nil
  ) {
    self.precision = precision
    self.chunkSize = chunkSize
    self.communicator = communicator
    self.syncsBatchNorm = syncsBatchNorm
    self.sums = sums
  }

  /// The same for chunks of another size.
  func chunked(_ chunkSize: Int?) -> Pass {
    Pass(
      precision: precision, chunkSize: chunkSize, communicator: communicator,
      syncsBatchNorm: syncsBatchNorm, sums: sums)
  }

  /// Makes a tape of a pass.
  ///
  /// - Parameter isLast: whether nothing is added to the gradients of this step by another one, so that
  ///   those that it completes can be summed over the ranks at once.
  func tape(
    isTraining: Bool = true, isRecording: Bool = true, keepsPackedWeights: Bool = true,
    isLast: Bool = false
  ) -> Tape {
    var didComplete: ((Parameter) throws(CLIPError) -> Void)?
    if isLast, let sums { didComplete = sums.add }
    return Tape(
      precision: precision, isTraining: isTraining, isRecording: isRecording,
      keepsPackedWeights: keepsPackedWeights,
      statisticsCommunicator: syncsBatchNorm ? communicator : .single, didComplete: didComplete)
  }
}
