extension SanitizeHistory {
  /// Reads what `json` wrote; the rates that a report does not show are 0.
  ///
  /// - Parameter name: what error messages call the document.
  /// - Throws: `format`.
  package init(json: JSONValue, name: String) throws(CLIPError) {
    self.init()
    guard let settings = json["settings"]?.object, let steps = json["steps"]?.array else {
      throw CLIPError(
        .format, "'\(name)': not a history; expected settings and steps, got another JSON document")
    }
    self.settings = settings
    isComplete = json["completed"]?.bool ?? true
    cleaningSet = json["cleaning_set"]?.object ?? JSONObject()
    outcome = json["outcome"]?.object ?? JSONObject()
    verdict = outcome["verdict"]?.string.flatMap(SanitizeVerdict.init(rawValue:))
    conclusion = (json["conclusion"]?.array ?? []).compactMap(\.string)
    examples = (json["examples"]?.array ?? []).compactMap(TriggerExample.init(json:))
    badRowCount = json["bad_rows"]?.integer ?? 0
    for (index, step) in steps.enumerated() {
      guard let number = step["step"]?.integer, let loss = step["loss"]?.double else {
        throw CLIPError(
          .format,
          "'\(name)': step \(index) is not one; expected step and loss, got "
            + step.serialized())
      }
      let losses = StepLosses(
        loss: loss, crossmodalLoss: step["crossmodal_loss"]?.double ?? 0,
        inmodalLoss: step["inmodal_loss"]?.double ?? 0)
      self.steps.append(
        TrainingProgress(
          epoch: step["epoch"]?.integer ?? 1, epochs: settings["epochs"]?.integer ?? 1,
          step: number, steps: steps.count, losses: losses, learningRate: 0, logitScale: 0,
          samplesPerSecond: 0, waitingFraction: 0, plannedBytes: 0))
    }
  }
}
