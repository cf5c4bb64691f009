internal import CKernels

/// AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101) with fresh moments.
///
///     m ← β1 m + (1 - β1) g,  v ← β2 v + (1 - β2) g²
///     w ← (1 - rate · decay) w - rate · (m / (1 - β1ᵗ)) / (√(v / (1 - β2ᵗ)) + ε)
package final class AdamW {
  /// The constants of the update.
  package struct Options: Equatable, Sendable {
    package var beta1: Float = 0.9
    package var beta2: Float = 0.999
    package var epsilon: Float = 1e-8
    /// For parameters that decay at all, see `WeightDecay`.
    package var weightDecay: Float = 0.1

    package init() {}
  }

  private struct Entry {
    let parameter: Parameter
    let mean: Tensor
    let variance: Tensor
    let weightDecay: Float
  }

  package let options: Options
  private let entries: [Entry]
  /// Updates done.
  package private(set) var steps = 0

  /// Allocates moments of 0 for each parameter.
  package init(_ parameters: [Parameter], options: Options) throws(CLIPError) {
    self.options = options
    var entries: [Entry] = []
    for parameter in parameters {
      entries.append(
        Entry(
          parameter: parameter, mean: try Tensor.zeros(parameter.shape),
          variance: try Tensor.zeros(parameter.shape),
          weightDecay: WeightDecay.applies(to: parameter.name) ? options.weightDecay : 0))
    }
    self.entries = entries
  }

  /// Updates every parameter that has a gradient, and drops the gradients.
  package func update(learningRate: Float) {
    steps += 1
    for entry in entries {
      guard let gradient = entry.parameter.gradient else { continue }
      ck_adamw(
        entry.parameter.value.f32, gradient.f32, entry.mean.f32, entry.variance.f32,
        Int64(gradient.count), learningRate, options.beta1, options.beta2, options.epsilon,
        entry.weightDecay, Int64(steps))
      // Nothing rather than zeros: the next step writes where it would have added.
      entry.parameter.gradient = nil
      entry.parameter.valueDidChange()
    }
  }

  /// Drops the gradients without an update.
  package func clearGradients() {
    for entry in entries { entry.parameter.gradient = nil }
  }

  /// Names of parameters whose gradient holds NaN or infinity.
  package func nonFiniteGradients() -> [String] {
    entries.compactMap { entry in
      (entry.parameter.gradient?.isFinite ?? true) ? nil : entry.parameter.name
    }
  }

  /// The moments by name, for a saved state; they share memory with the optimizer.
  package func state() -> [(name: String, tensor: Tensor)] {
    entries.flatMap {
      [
        ("optimizer.mean." + $0.parameter.name, $0.mean),
        ("optimizer.variance." + $0.parameter.name, $0.variance),
      ]
    }
  }

  /// Goes on after `steps` updates whose moments were written into the tensors of `state()`.
  package func resume(afterSteps steps: Int) { self.steps = steps }
}
