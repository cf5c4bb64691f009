internal import Glibc

/// Running statistics to come back to: forward passes that are repeated or fail must not count.
struct BatchNormSnapshot {
  private let saved: [(target: Tensor, copy: Tensor)]

  init(_ model: CLIPModel) throws(CLIPError) {
    var saved: [(target: Tensor, copy: Tensor)] = []
    for (_, norm) in model.batchNorms {
      saved.append((norm.runningMean, try norm.runningMean.copy()))
      saved.append((norm.runningVariance, try norm.runningVariance.copy()))
    }
    self.saved = saved
  }

  func restore() {
    for (target, copy) in saved { memcpy(target.bytes, copy.bytes, copy.byteCount) }
  }
}
