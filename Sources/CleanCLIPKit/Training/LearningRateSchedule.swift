internal import Glibc

/// Linear warm-up, then half a cosine down to 0, counted from step 0.
///
///     rate(t) = base (t + 1) / warmup                                      t < warmup
///             = base (1 + cos(π (t - warmup) / (total - warmup))) / 2      otherwise
package struct LearningRateSchedule: Equatable, Sendable {
  package let base: Float
  /// Steps of the warm-up; 0 for none.
  package let warmup: Int
  /// Steps of the whole run.
  package let total: Int

  package init(base: Float, warmup: Int, total: Int) {
    self.base = base
    self.warmup = warmup
    self.total = total
  }

  /// Returns the rate of step `step`, which counts from 0.
  package func rate(at step: Int) -> Float {
    if step < warmup {
      return Float(Double(base) * (Double(step) + 1) / Double(warmup))
    }
    let progress = Double(step - warmup) / Double(max(1, total - warmup))
    return Float(Double(base) * 0.5 * (1 + cos(Double.pi * min(1, progress))))
  }
}
