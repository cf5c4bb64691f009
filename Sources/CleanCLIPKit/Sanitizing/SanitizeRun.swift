/// One run of a method, prepared and not begun: the seam between `Sanitizer` and methods.
///
/// Methods that train a `Recipe` on batches of a dataset for a number of epochs return `RecipeRun`.
/// A method of another form, with rounds, searches of its own or a verdict at the end, conforms
/// itself:
///
/// - it changes the weights of `SanitizeInput.model` in place and leaves them valid when it throws;
/// - it appends to `history.steps` what it hands to `progress`, also when it then throws, and throws
///   `cancelled` when that returns `false`;
/// - what it finds beyond losses, such as a verdict with its evidence, goes into `history.outcome`,
///   which becomes part of the history's JSON and of reports;
/// - what a user should know meanwhile goes to `SanitizeInput.log`;
/// - state to resume from is its own: `TrainingOptions` says where, how often, and whether.
package protocol SanitizeRun: AnyObject {
  /// Runs to the end.
  ///
  /// - Parameters:
  ///   - history: filled as far as the run came, also when it throws.
  ///   - progress: called after each step on this thread; `false` cancels.
  /// - Throws: `cancelled`; what the method throws.
  func run(
    _ history: inout SanitizeHistory, progress: (TrainingProgress) -> Bool
  ) throws(CLIPError)

  /// Saves what the method makes besides the model, after a complete run.
  func finish() throws(CLIPError)
}

extension SanitizeRun {
  package func finish() throws(CLIPError) {}
}

/// What a method works on.
package struct SanitizeInput {
  /// Changed in place.
  package let model: CLIPModel
  /// Checked against the model's vocabulary; there whenever the method requires captions.
  package let tokenizer: Tokenizer?
  /// Images, with captions and labels as far as the method requires them; without suspects.
  package let dataset: PairDataset
  /// Images that were taken out of the dataset and may carry a trigger; `nil` for none.
  package let suspects: PairDataset?
  /// Takes a sentence for the user; it is kept in the history too. Called on any thread.
  package let log: @Sendable (LogMessage) -> Void
  /// The ranks that run the method together.
  package let communicator: Communicator
}
