/// A way of training a model: which parameters, on what loss.
///
/// The trainer does the rest: batches, schedule, optimizer, saved state, progress.
package protocol Recipe: AnyObject {
  /// What messages and saved states call it.
  var name: String { get }
  var model: CLIPModel { get }
  /// What each batch must hold.
  var needs: BatchNeeds { get }
  /// The fewest pairs that make a loss.
  var smallestBatch: Int { get }
  /// What the optimizer changes.
  var parameters: [Parameter] { get }
  /// Everything that training changes, running statistics included, by unique name.
  var state: [(name: String, tensor: Tensor)] { get }

  /// Prepares for a step. Its number and that of its epoch, both from 0, are all that what a recipe draws
  /// may depend on besides its seed: then a resumed run draws the same.
  func willStep(_ step: Int, epoch: Int) throws(CLIPError)

  /// What the learning rate of the schedule is multiplied by in the step.
  var learningRateFactor: Float { get }

  /// Adds the gradient of the batch's loss into `Parameter.gradient`.
  ///
  /// - Parameters:
  ///   - batch: with what `needs` asks for; over ranks, this rank's part, as large on each.
  ///   - pass: how it is computed.
  /// - Returns: the losses, which may be NaN; over ranks those of the whole batch, whose gradient is the
  ///   sum of the gradients of all ranks.
  func accumulateGradients(_ batch: TrainingBatch, _ pass: Pass) throws(CLIPError) -> StepLosses

  /// Puts parameters back into their range after an update.
  func didUpdate()

  /// Saves what the recipe makes besides the model, once training is complete.
  func finish() throws(CLIPError)
}

extension Recipe {
  package func willStep(_ step: Int, epoch: Int) {}
  package var learningRateFactor: Float { 1 }
  package func didUpdate() {}
  package func finish() throws(CLIPError) {}
}

/// What a recipe reads of a batch.
package struct BatchNeeds: Equatable, Sendable {
  /// 1 for originals, 2 for originals and augmentations.
  package var views: Int
  package var captions: Bool
  package var labels: Bool

  package init(views: Int, captions: Bool, labels: Bool) {
    self.views = views
    self.captions = captions
    self.labels = labels
  }
}
