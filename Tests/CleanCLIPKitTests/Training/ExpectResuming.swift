import CleanCLIPKit
import Testing

/// Expects that a run that is cancelled and resumed ends with the weights of one that is not.
///
/// - Parameters:
///   - steps: after which it is cancelled.
///   - trainer: of a `TinyRun.model()`, with the change of its options.
func expectResumingGivesTheSameWeights(
  after steps: Int, sourceLocation: SourceLocation = #_sourceLocation,
  _ trainer: (CLIPModel, (inout TrainingOptions) -> Void) throws -> Trainer
) throws {
  let whole = try TinyRun.model()
  _ = try trainer(whole) { _ in }.run()
  let folder = TemporaryFolder()
  func part() throws -> (Trainer, CLIPModel) {
    let model = try TinyRun.model()
    let trainer = try trainer(model) {
      $0.stateDirectory = folder.file("state")
      $0.saveEvery = 1
      $0.resume = true
    }
    return (trainer, model)
  }
  let (first, _) = try part()
  expectError(containing: "cancelled after step \(steps)", sourceLocation: sourceLocation) {
    _ = try first.run { $0.step < steps }
  }
  let (second, resumed) = try part()
  _ = try second.run()
  #expect(resumed.bits == whole.bits, sourceLocation: sourceLocation)
}
