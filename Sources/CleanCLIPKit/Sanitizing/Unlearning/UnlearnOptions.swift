/// Settings of unlearning by recovered triggers.
package struct UnlearnOptions: Sendable {
  /// Percentage points of agreement with the model as it was that may be lost at most; `nil` for no
  /// limit.
  package var maxAccuracyLoss: Float?
  /// Triggers that are known, such as those that a check recovered: unlearned with what is found.
  package var triggers: [Trigger] = []

  /// Names of classes that may be a target; empty takes the nouns that short searches reach cheapest, or
  /// groups of the images where there is no text tower.
  package var classes: [String] = []
  /// Prompt templates of `classes`; the usual one when there are none.
  package var templates: [PromptTemplate] = []
  /// Of `classes`, `[classes, E]`, in place of prompts; `nil` embeds prompts.
  package var classFeatures: Tensor?

  /// Whether words that make captions mean the same are looked for in the text tower, and unlearned.
  package var text = false

  /// Rounds of unlearning and looking again at most.
  package var rounds = 3
  /// Settings of the searches towards classes.
  package var search = TriggerSearchOptions()
  /// Steps of an inversion, and of one that renews a live trigger.
  package var recoverySteps = 100
  package var renewalSteps = 40
  /// Steps of the first round with live triggers, and of later ones.
  package var steps = 120
  package var laterSteps = 60
  /// The learning rate of later rounds as a fraction of the first's: there is less left to change.
  package var laterRate: Float = 0.5
  /// Steps at the end of a round with all triggers as they are.
  package var settlingSteps = 50
  /// Steps after which a live trigger is renewed.
  package var renewEvery = 20
  /// Weight of what images without a trigger mean.
  package var keepWeight: Float = 4
  /// Weight in that of which candidates the images are read as.
  package var readingWeight: Float = 0.05
  /// Weight of how nearly images with a trigger are read as its target.
  package var targetWeight: Float = 4
  /// Weight of what captions without a word mean, whose target is no part of the loss.
  package var textKeepWeight: Float = 2
  /// The highest learning rate of residual networks and of transformers with 128 channels; it falls
  /// with the width of wider ones.
  package var residualRate: Float = 2e-4
  package var transformerRate: Float = 1e-4
  package var warmup = 20
  /// Steps of benign training of a copy, after which triggers are measured again; 0 for none.
  package var persistenceSteps = 300
  /// Images below which they are changed at random.
  package var augmentsBelow = 2000
  /// Images at most.
  package var imageLimit = 10_000

  package init() {}
}

extension UnlearnOptions {
  /// Updates before a round, which counts from 1.
  func firstStep(ofRound round: Int) -> Int {
    guard round > 1 else { return 0 }
    return steps + settlingSteps + (round - 2) * (laterSteps + settlingSteps)
  }

  /// The highest learning rate for a model: Adam's steps shrink with the width of the layers (Yang et
  /// al. 2022, arXiv:2203.03466).
  func learningRate(for configuration: CLIPConfiguration) -> Float {
    switch configuration.vision {
    case .transformer(let tower):
      transformerRate * min(1, Self.baseWidth / Float(tower.transformer.width))
    // A ResNet's layers have from 4 times the channels of its stem.
    case .resNet(let tower): residualRate * min(1, Self.baseWidth / Float(4 * tower.width))
    case nil: residualRate
    }
  }

  /// The highest learning rate for the text tower of a model.
  func textLearningRate(for configuration: CLIPConfiguration) -> Float {
    let width = configuration.text?.transformer.width ?? 1
    return transformerRate * min(1, Self.baseWidth / Float(width))
  }

  /// Channels of the towers that the learning rates were measured on, at most.
  private static let baseWidth: Float = 128
}
