package import CleanCLIPFiles

/// Copies the elements of a tensor between the order of a layout and the order of memory.
package struct StridedCopy {
  /// Extents and strides of all modes, the slowest first.
  private let modes: [(extent: Int, stride: Int)]
  private let offset: Int
  package let count: Int

  package init(_ layout: TensorLayout) {
    // Factors of neighbouring axes join where memory goes on without a step.
    let factors = TensorLayout.merged(Array(layout.axes.joined()))
    modes = factors.map { ($0.extent, $0.stride) }
    offset = layout.offset(.element)
    count = layout.count
  }

  /// Calls `body` with runs of the layout: position in the layout's order, index in memory, stride
  /// in memory and length.
  package func forEachRun(
    _ body: (_ position: Int, _ index: Int, _ stride: Int, _ length: Int) -> Void
  ) {
    guard let inner = modes.last else {
      if count > 0 { body(0, offset, 1, 1) }
      return
    }
    let outer = modes.dropLast()
    var counters = [Int](repeating: 0, count: outer.count)
    var index = offset
    var position = 0
    while true {
      body(position, index, inner.stride, inner.extent)
      position += inner.extent
      var axis = outer.count - 1
      while axis >= 0 {
        counters[axis] += 1
        index += outer[axis].stride
        if counters[axis] < outer[axis].extent { break }
        index -= counters[axis] * outer[axis].stride
        counters[axis] = 0
        axis -= 1
      }
      if axis < 0 { return }
    }
  }

  /// Whether the layout's order is the order of memory, from its start on.
  package var isContiguous: Bool { offset == 0 && isRun }

  /// The elements of memory between the first and the last that the layout has; empty without any.
  package var extent: Range<Int> {
    guard count > 0 else { return 0..<0 }
    var (low, high) = (offset, offset)
    for mode in modes {
      let reach = (mode.extent - 1) * mode.stride
      if reach < 0 { low += reach } else { high += reach }
    }
    return low..<high + 1
  }

  /// Whether the layout's order is the order of memory.
  package var isRun: Bool { modes.count <= 1 && modes.allSatisfy { $0.stride == 1 } }

  /// Reads floating-point elements in the layout's order.
  ///
  /// - Parameter bytes: the elements of `extent`.
  package func read(
    _ bytes: UnsafeRawBufferPointer, _ type: ElementType,
    into target: UnsafeMutableBufferPointer<Float>
  ) {
    guard let base = bytes.baseAddress, let output = target.baseAddress else { return }
    let size = type.byteSize
    let first = extent.lowerBound
    forEachRun { position, index, stride, length in
      let index = index - first
      let source = base + index * size
      let destination = output + position
      if stride == 1 {
        type.convert(
          UnsafeRawBufferPointer(start: source, count: length * size),
          to: UnsafeMutableBufferPointer(start: destination, count: length))
        return
      }
      switch type {
      case .f32:
        for i in 0..<length {
          destination[i] = source.loadUnaligned(fromByteOffset: i * stride * 4, as: Float.self)
        }
      case .f16:
        for i in 0..<length {
          destination[i] = ElementType.single(
            half: source.loadUnaligned(fromByteOffset: i * stride * 2, as: UInt16.self))
        }
      case .bf16:
        for i in 0..<length {
          let bits = source.loadUnaligned(fromByteOffset: i * stride * 2, as: UInt16.self)
          destination[i] = Float(bitPattern: UInt32(bits) << 16)
        }
      default:
        for i in 0..<length {
          destination[i] = Float(type.double(at: index + i * stride, in: bytes))
        }
      }
    }
  }

  /// Writes values in the layout's order, rounded to nearest even; returns the position of the
  /// first value that is too large for the type.
  package func write(
    _ values: UnsafeBufferPointer<Float>, _ type: ElementType,
    into bytes: UnsafeMutableRawBufferPointer
  ) -> Int? {
    var bad: Int?
    forEachRun { position, index, stride, length in
      for i in 0..<length {
        let value = values[position + i]
        let place = index + i * stride
        switch type {
        case .f32:
          bytes.storeBytes(of: value, toByteOffset: place * 4, as: Float.self)
        case .f16:
          let half = ElementType.half(value)
          if half & 0x7C00 == 0x7C00, bad == nil { bad = position + i }
          bytes.storeBytes(of: half, toByteOffset: place * 2, as: UInt16.self)
        case .bf16:
          let brain = ElementType.bfloat16(value)
          if brain & 0x7F80 == 0x7F80, bad == nil { bad = position + i }
          bytes.storeBytes(of: brain, toByteOffset: place * 2, as: UInt16.self)
        default:
          bytes.storeBytes(of: Double(value), toByteOffset: place * 8, as: Double.self)
        }
        if !value.isFinite, bad == nil { bad = position + i }
      }
    }
    return bad
  }
}
