internal import Glibc

/// What a trigger of unlearning leads images to: one text of a vocabulary.
///
/// ```
/// L = - mean_i log softmax_c(s f_i · t)        s = 20
/// ```
///
/// Untargeted searches end in whatever place of the feature space attracts most, which need not be the
/// backdoor's: those of a victim with its target at 'truck' led to 'automobile', and unlearning them
/// left the true trigger alone.
package struct TriggerAim: Sendable {
  /// c, a row of the vocabulary.
  package let target: Int
  package let vocabulary: TextVocabulary

  /// s: cosines of CLIP differ by tenths, which the temperature of a trained model would saturate.
  static let scale: Float = 20

  package init(target: Int, vocabulary: TextVocabulary) {
    self.target = target
    self.vocabulary = vocabulary
  }

  /// The name of the target.
  var name: String { vocabulary.names[target] }

  /// The loss of a batch and dL/d(features), `[B, E]`.
  ///
  /// - Parameter features: `[B, E]`, L2-normalized.
  package func loss(_ features: Tensor) throws(CLIPError) -> (value: Float, gradient: Tensor) {
    let batch = features.shape[0]
    let names = vocabulary.names.count
    let weights = try vocabulary.similarities(features)
    var value: Float = 0
    for row in 0..<batch {
      let own = weights.f32 + row * names
      var top = -Float.infinity
      for name in 0..<names { top = max(top, own[name]) }
      var total: Float = 0
      let logit = Self.scale * (own[target] - top)
      for name in 0..<names {
        own[name] = expf(Self.scale * (own[name] - top))
        total += own[name]
      }
      value += (logf(total) - logit) / Float(batch)
      for name in 0..<names {
        own[name] = Self.scale / Float(batch) * (own[name] / total - (name == target ? 1 : 0))
      }
    }
    let gradient = try Tensor(features.shape)
    try LinearAlgebra.multiply(weights, vocabulary.features, into: gradient)
    return (value, gradient)
  }

  /// How many images a trigger turns into the target, of those that were not read as it before.
  ///
  /// - Parameters:
  ///   - before: the text that each image was read as.
  ///   - features: `[n, E]`, L2-normalized: with the trigger, or of another model.
  package func successes(_ features: Tensor, before: [Int]) throws(CLIPError) -> Proportion {
    let after = try vocabulary.nearest(to: features)
    let others = before.indices.filter { before[$0] != target }
    return Proportion(others.count { after[$0] == target }, of: others.count)
  }
}
