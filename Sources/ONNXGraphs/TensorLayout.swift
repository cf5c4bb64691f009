internal import CleanCLIPFiles

/// What an index of a tensor in a CLIP graph counts.
package enum AxisLabel: Int, Sendable, CaseIterable {
  case batch, token, feature, row, column
  /// The token that is attended to, in the scores of an attention.
  case key
  /// Elements of a constant in memory order.
  case element
  /// Anything else; a broadcast axis has stride 0.
  case other
}

/// A stride factor of an axis: `extent` steps of `stride` along the index `label`.
package struct StrideFactor: Hashable, Sendable {
  package var label: AxisLabel
  package var stride: Int
  package var extent: Int

  package init(label: AxisLabel, stride: Int, extent: Int) {
    self.label = label
    self.stride = stride
    self.extent = extent
  }
}

/// How the axes of a tensor count the indices of the computation that made it.
///
/// Every axis is a mode, a product of stride factors, the slowest first; of size 1 it has none. Reshaping
/// regroups factors, transposing reorders axes, slicing moves offsets: whatever way an exporter takes
/// from one arrangement to another, the result is the same layout. So is a constant's: its factors
/// count elements of its tensor, which gives every weight its strides.
package struct TensorLayout: Hashable, Sendable {
  package private(set) var axes: [[StrideFactor]]
  /// Where each index starts, by `AxisLabel.rawValue`.
  package var offsets: [Int]

  package init(axes: [[StrideFactor]], offsets: [Int]? = nil) {
    self.axes = axes.map(Self.merged)
    self.offsets = offsets ?? [Int](repeating: 0, count: AxisLabel.allCases.count)
  }

  /// The layout of a whole contiguous constant.
  package init(contiguous dimensions: [Int]) {
    var stride = 1
    var axes: [[StrideFactor]] = []
    for dimension in dimensions.reversed() {
      axes.append([StrideFactor(label: .element, stride: stride, extent: dimension)])
      stride *= dimension
    }
    self.init(axes: axes.reversed())
  }

  package var rank: Int { axes.count }
  package var dimensions: [Int] { axes.map(Self.extent) }

  /// The number of elements; `Int.max` when it overflows.
  package var count: Int { ElementType.elementCount(dimensions) ?? .max }

  package func offset(_ label: AxisLabel) -> Int { offsets[label.rawValue] }

  /// All stride factors of one index, the slowest first.
  package func factors(_ label: AxisLabel) -> [StrideFactor] {
    axes.joined().filter { $0.label == label }.sorted { $0.stride > $1.stride }
  }

  /// Whether the axes are those of images or feature maps, [n, C, H, W].
  package var isImage: Bool {
    let labels: [AxisLabel] = [.batch, .feature, .row, .column]
    return axes.count == labels.count
      && zip(axes, labels).allSatisfy { axis, label in axis.allSatisfy { $0.label == label } }
  }

  /// Whether the last axis has all features and nothing else.
  package var endsWithFeatures: Bool {
    axes.last.map { $0.allSatisfy { $0.label == .feature } && $0.count == factors(.feature).count }
      ?? false
  }

  package static func extent(_ axis: [StrideFactor]) -> Int {
    axis.count == 1 ? axis[0].extent : ElementType.elementCount(axis.map(\.extent)) ?? .max
  }

  /// Joins neighbouring stride factors that count as one, and drops those that do not count.
  package static func merged(_ axis: [StrideFactor]) -> [StrideFactor] {
    var result: [StrideFactor] = []
    for factor in axis where factor.extent != 1 {
      if let last = result.last, last.label == factor.label,
        last.stride == factor.stride * factor.extent
      {
        result[result.count - 1].stride = factor.stride
        result[result.count - 1].extent *= factor.extent
      } else {
        result.append(factor)
      }
    }
    return result
  }

  /// Regroups the factors under new dimensions; `nil` when one would have to be cut unevenly.
  package func reshaped(to dimensions: [Int]) -> TensorLayout? {
    var rest = Array(axes.joined().reversed())
    var result: [[StrideFactor]] = []
    for dimension in dimensions {
      guard dimension > 0 else { return nil }
      var needed = dimension
      var axis: [StrideFactor] = []
      while needed > 1 {
        guard var factor = rest.popLast(), factor.extent > 0 else { return nil }
        if needed % factor.extent == 0 {
          needed /= factor.extent
        } else if factor.extent % needed == 0 {
          let inner = factor.extent / needed
          rest.append(StrideFactor(label: factor.label, stride: factor.stride, extent: inner))
          factor = StrideFactor(label: factor.label, stride: factor.stride * inner, extent: needed)
          needed = 1
        } else {
          return nil
        }
        axis.append(factor)
      }
      result.append(axis)
    }
    return rest.isEmpty ? TensorLayout(axes: result, offsets: offsets) : nil
  }

  package func transposed(_ order: [Int]) -> TensorLayout {
    TensorLayout(axes: order.map { axes[$0] }, offsets: offsets)
  }

  package func swapping(_ first: Int, _ second: Int) -> TensorLayout {
    var result = self
    result.axes.swapAt(first, second)
    return result
  }

  package func inserting(at position: Int, _ axis: [StrideFactor] = []) -> TensorLayout {
    var result = self
    result.axes.insert(axis, at: position)
    return result
  }

  package func removing(at position: Int) -> TensorLayout {
    var result = self
    result.axes.remove(at: position)
    return result
  }

  package func replacing(_ position: Int, with axis: [StrideFactor]) -> TensorLayout {
    var result = self
    result.axes[position] = Self.merged(axis)
    return result
  }

  /// Keeps `count` places of an axis from `start`, every `step`-th one; `nil` when the factors of the
  /// axis do not allow it.
  package func sliced(axis: Int, start: Int, count: Int, step: Int = 1) -> TensorLayout? {
    let factors = axes[axis]
    let extent = Self.extent(factors)
    precondition(start >= 0 && count > 0 && step > 0 && start + (count - 1) * step < extent)
    if count == extent { return self }
    var result = self
    if count == 1 {
      var index = start
      for factor in factors.reversed() {
        result.offsets[factor.label.rawValue] += index % factor.extent * factor.stride
        index /= factor.extent
      }
      result.axes[axis] = []
      return result
    }
    guard var first = factors.first else { return nil }
    let inner = extent / first.extent
    guard inner == 1 || (step == 1 && start % inner == 0 && count % inner == 0) else { return nil }
    result.offsets[first.label.rawValue] += start / inner * first.stride
    first.stride *= step
    first.extent = count / inner
    result.axes[axis] = Self.merged([first] + factors.dropFirst())
    return result
  }

  /// Repeats axes of size 1 along new sizes; `nil` when another size would have to change.
  package func expanded(to target: [Int], label: AxisLabel) -> TensorLayout? {
    var result = self
    while result.rank < target.count { result = result.inserting(at: 0) }
    let extra = result.rank - target.count
    for (position, dimension) in result.dimensions.enumerated() where position >= extra {
      let wanted = target[position - extra]
      if dimension == wanted || wanted == 1 { continue }
      guard dimension == 1 else { return nil }
      result.axes[position] = [StrideFactor(label: label, stride: 0, extent: wanted)]
    }
    return result
  }

  /// For each place, in order, its offset along the one index of a constant.
  package func elementOffsets() -> [Int] {
    if axes.joined().contains(where: { $0.extent == 0 }) { return [] }
    var result = [offset(.element)]
    for factor in axes.joined() {
      var next: [Int] = []
      next.reserveCapacity(result.count * factor.extent)
      for base in result {
        for index in 0..<factor.extent { next.append(base + index * factor.stride) }
      }
      result = next
    }
    return result
  }
}
