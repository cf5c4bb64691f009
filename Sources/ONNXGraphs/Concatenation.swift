internal import CleanCLIPFiles

extension GraphReader {
  /// The one constant that a piece of concatenated constants belongs to; `nil` when the piece
  /// spans several or is no such piece.
  package func resolvingConcatenation(_ value: GraphValue) -> GraphValue? {
    guard let index = value.constant,
      case .concatenation(let parts, let joined) = constants[index].content
    else { return value }
    let dimensions = constants[index].dimensions
    guard !dimensions.contains(0) else { return nil }
    var strides = [Int](repeating: 1, count: dimensions.count)
    for axis in dimensions.indices.dropLast().reversed() {
      strides[axis] = strides[axis + 1] * dimensions[axis + 1]
    }
    let axis = { (stride: Int) -> Int? in
      dimensions.indices.first {
        dimensions[$0] > 1 && stride >= strides[$0] && stride < strides[$0] * dimensions[$0]
      }
    }
    // The range along the joined axis decides on the part.
    let offset = value.layout.offset(.element)
    let start = offset / strides[joined] % dimensions[joined]
    var last = start
    for factor in value.layout.axes.joined() where factor.stride > 0 {
      guard let touched = axis(factor.stride),
        factor.stride * (factor.extent - 1) < strides[touched] * dimensions[touched]
      else { return nil }
      if touched == joined { last += (factor.extent - 1) * (factor.stride / strides[joined]) }
    }
    var first = 0
    for part in parts {
      let length = part.dimensions[joined]
      defer { first += length }
      guard start >= first, last < first + length else { continue }
      return remap(value, to: part, strides: strides, dimensions: dimensions, axis: axis) {
        $0 == joined ? -first : 0
      }
    }
    return nil
  }

  private func remap(
    _ value: GraphValue, to part: GraphValue, strides: [Int], dimensions: [Int],
    axis: (Int) -> Int?, shift: (Int) -> Int
  ) -> GraphValue? {
    var steps: [Int] = []
    for factors in part.layout.axes {
      guard factors.count <= 1 else { return nil }
      steps.append(factors.first?.stride ?? 0)
    }
    var offset = part.layout.offset(.element)
    for index in dimensions.indices {
      let place = value.layout.offset(.element) / strides[index] % dimensions[index]
      offset += (place + shift(index)) * steps[index]
    }
    var axes: [[StrideFactor]] = []
    for factors in value.layout.axes {
      var moved: [StrideFactor] = []
      for factor in factors {
        guard factor.stride > 0, let touched = axis(factor.stride) else { return nil }
        moved.append(
          StrideFactor(
            label: .element, stride: factor.stride / strides[touched] * steps[touched],
            extent: factor.extent))
      }
      axes.append(moved)
    }
    var layout = TensorLayout(axes: axes)
    layout.offsets[AxisLabel.element.rawValue] = offset
    var result = part.with(layout)
    result.path += value.path
    return resolvingConcatenation(result)
  }
}
