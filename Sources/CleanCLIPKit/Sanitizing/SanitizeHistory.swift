/// What happened while a model was sanitized.
package struct SanitizeHistory: Sendable {
  /// The settings, by the names of the options.
  package var settings = JSONObject()
  /// Whether the run came to its end: one that was cancelled or failed did not.
  package var isComplete = false
  /// Steps of the whole run; those before an interruption have no rates.
  package var steps: [TrainingProgress] = []
  /// Epochs of the whole run, once it is complete.
  package var epochs: [TrainingHistory.Epoch] = []
  /// Rows of the dataset that could not be used, and what was noted of others.
  package var messages: [String] = []
  package var badRowCount = 0
  /// What was left out of the data, by reason, rows that could not be used among it.
  package var omissions = Omissions()
  /// What was left out of the pairs as suspect, see `CleaningSet`; empty when nothing was looked at.
  package var cleaningSet = JSONObject()
  /// What the method found beyond losses, such as a verdict and its evidence; empty for most.
  package var outcome = JSONObject()
  /// Of methods that look for a backdoor themselves.
  package var verdict: SanitizeVerdict?
  /// The evidence of the verdict in a few lines for people.
  package var notes: [String] = []
  /// The same without a line for each trigger.
  package var conclusion: [String] = []
  /// Images with and without the triggers that were recovered.
  package var examples: [TriggerExample] = []

  package init() {}

  /// Messages that are kept; all are counted and reported.
  static let messageLimit = 1000

  /// The history for machines.
  package var json: JSONValue {
    var object = JSONObject()
    object["settings"] = .object(settings)
    object["completed"] = .bool(isComplete)
    object["epochs"] = .array(
      epochs.map { epoch in
        [
          "epoch": .integer(epoch.epoch), "steps": .integer(epoch.steps),
          "loss": .number(epoch.losses.loss),
          "crossmodal_loss": .number(epoch.losses.crossmodalLoss),
          "inmodal_loss": .number(epoch.losses.inmodalLoss),
          "logit_scale": .single(epoch.logitScale), "seconds": .number(epoch.seconds),
        ]
      })
    object["steps"] = .array(
      steps.map { step in
        [
          "epoch": .integer(step.epoch), "step": .integer(step.step),
          "loss": .number(step.losses.loss),
          "crossmodal_loss": .number(step.losses.crossmodalLoss),
          "inmodal_loss": .number(step.losses.inmodalLoss),
          "learning_rate": .single(step.learningRate),
          "logit_scale": .single(step.logitScale),
        ]
      })
    if let last = steps.last, last.samplesPerSecond > 0 {
      object["samples_per_second"] = .number(last.samplesPerSecond)
      object["waiting_fraction"] = .number(last.waitingFraction)
    }
    if cleaningSet.count > 0 { object["cleaning_set"] = .object(cleaningSet) }
    if outcome.count > 0 { object["outcome"] = .object(outcome) }
    if !conclusion.isEmpty { object["conclusion"] = .array(conclusion.map { .string($0) }) }
    if !examples.isEmpty { object["examples"] = .array(examples.map(\.json)) }
    object["bad_rows"] = .integer(badRowCount)
    object["left_out"] = omissions.json
    object["messages"] = .array(messages.map { .string($0) })
    return .object(object)
  }
}
