/// Multiply-adds of matrix products, convolutions and attention; what is left out is small beside
/// them. Benchmarks compare with the machine's own rate by these.
package struct Arithmetic: Equatable, Sendable {
  /// Of a forward pass.
  package var forward = 0
  /// Of a training pass: the gradients of inputs and of weights take as much as the forward pass
  /// each, but pixels want none.
  package var training = 0

  package static func + (a: Arithmetic, b: Arithmetic) -> Arithmetic {
    Arithmetic(forward: a.forward + b.forward, training: a.training + b.training)
  }

  package static func * (a: Arithmetic, count: Int) -> Arithmetic {
    Arithmetic(forward: a.forward * count, training: a.training * count)
  }

  fileprivate static func inner(_ forward: Int) -> Arithmetic {
    Arithmetic(forward: forward, training: 3 * forward)
  }

  fileprivate static func first(_ forward: Int) -> Arithmetic {
    Arithmetic(forward: forward, training: 2 * forward)
  }
}

extension CLIPConfiguration {
  /// The arithmetic of one image in the image tower.
  package var arithmeticOfImage: Arithmetic {
    switch vision {
    case .transformer(let vision):
      let width = vision.transformer.width
      let patches = vision.gridSize * vision.gridSize
      return .first(patches * 3 * vision.patchSize * vision.patchSize * width)
        + vision.transformer.arithmetic(tokens: vision.tokens, isCausal: false)
        + .inner(width * embedDim)
    case .resNet(let vision): return vision.arithmetic(embedDim: embedDim)
    case nil: return Arithmetic()
    }
  }

  /// The arithmetic of one caption, which is computed up to its end-of-text token.
  package func arithmeticOfCaption(tokens: Int) -> Arithmetic {
    guard let text else { return Arithmetic() }
    return text.transformer.arithmetic(tokens: tokens, isCausal: true)
      + .inner(text.transformer.width * embedDim)
  }
}

extension TransformerConfiguration {
  /// Of a sequence of which one row is wanted, so that the last block ends with that row alone.
  fileprivate func arithmetic(tokens: Int, isCausal: Bool) -> Arithmetic {
    guard layers > 0 else { return Arithmetic() }
    let pairs = isCausal ? tokens * (tokens + 1) / 2 : tokens * tokens
    let attention = 3 * tokens * width * width + 2 * pairs * width
    let rest = width * width + 2 * width * mlpWidth
    return .inner(layers * attention + ((layers - 1) * tokens + 1) * rest)
  }
}

extension ModifiedResNetConfiguration {
  fileprivate func arithmetic(embedDim: Int) -> Arithmetic {
    var side = imageSize / 2
    var total = Arithmetic()
    for (index, layer) in stem.enumerated() {
      let count = side * side * 9 * layer.inputs * layer.outputs
      total = total + (index == 0 ? .first(count) : .inner(count))
    }
    side /= 2
    for block in blocks {
      let before = side * side
      side /= block.stride
      let after = side * side
      var count = before * block.planes * (block.inputs + 9 * block.planes)
      count += after * block.planes * 4 * block.planes
      if block.stride > 1 || block.inputs != 4 * block.planes {
        count += after * block.inputs * 4 * block.planes
      }
      total = total + .inner(count)
    }
    let tokens = gridSize * gridSize + 1
    let pool = (1 + 2 * tokens) * featureWidth * featureWidth + 2 * tokens * featureWidth
    return total + .inner(pool + featureWidth * embedDim)
  }
}
