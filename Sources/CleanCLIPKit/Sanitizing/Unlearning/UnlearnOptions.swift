/// Settings of unlearning by recovered triggers.
package struct UnlearnOptions: Equatable, Sendable {
  /// Percentage points of agreement with the model as it was that may be lost at most; `nil` for no
  /// limit.
  package var maxAccuracyLoss: Float?
  /// Triggers from elsewhere, such as those that a check recovered.
  package var triggers: [FoundTrigger] = []

  /// Rounds of looking and unlearning at most.
  package var rounds = 3
  /// Families of triggers that are recovered and unlearned.
  package var families = TriggerFamily.allCases
  /// Triggers that are recovered in each.
  package var triggersPerFamily = 2
  /// Patches that the search of the model check recovers; at least 4, which are compared.
  package var patches = 5
  /// Steps of a recovery.
  package var recoverySteps = 60
  /// Steps of the first round with live triggers, and of later ones.
  package var steps = 300
  package var laterSteps = 150
  /// Steps at the end of a round with all triggers as they are.
  package var settlingSteps = 100
  /// Steps after which a live trigger is renewed.
  package var renewEvery = 20
  /// Weight of what images without a trigger mean.
  package var keepWeight: Float = 2
  /// The highest learning rate for towers of 128 channels; it falls with the width of wider ones.
  package var learningRate: Float = 1e-4
  package var warmup = 20
  /// Images below which they are changed at random.
  package var augmentsBelow = 2000
  /// Images at most.
  package var imageLimit = 10_000

  package init() {}
}

extension UnlearnOptions {
  /// The highest learning rate for a model: Adam's steps shrink with the width of the layers (Yang et
  /// al. 2022, arXiv:2203.03466).
  func learningRate(for configuration: CLIPConfiguration) -> Float {
    learningRate * min(1, Self.baseWidth / Float(configuration.imageWidth))
  }

  /// Channels of the towers that the learning rate was measured on, at most.
  private static let baseWidth: Float = 128
}

extension CLIPConfiguration {
  /// Channels of a transformer, or four times those of a ResNet's stem; 1 without an image tower.
  fileprivate var imageWidth: Int {
    switch vision {
    case .transformer(let tower): tower.transformer.width
    case .resNet(let tower): 4 * tower.width
    case nil: 1
    }
  }
}
