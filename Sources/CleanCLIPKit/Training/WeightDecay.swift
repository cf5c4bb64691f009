/// Which parameters decay.
package enum WeightDecay {
  /// Whether weight decay reaches the parameter of this name.
  ///
  /// Biases, norms and the temperature are exempt, as the paper's parameter groups intend. The
  /// authors' code finds norms by "bn" and "ln" in the name and so decays the weights of the
  /// `downsample.1` norms of a ResNet; here they are exempt too. Embeddings, the class token and
  /// projections decay, as there.
  package static func applies(to name: String) -> Bool {
    if name == "logit_scale" || name.hasSuffix("bias") { return false }
    let parts = name.split(separator: ".")
    for (index, part) in parts.enumerated() {
      if part.hasPrefix("bn") || part.hasPrefix("ln_") { return false }
      if part == "downsample", index + 1 < parts.count, parts[index + 1] == "1" { return false }
    }
    return true
  }
}
