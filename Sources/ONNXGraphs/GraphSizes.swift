package import CleanCLIPFiles

/// Sizes for graphs that leave the images' or captions' size free: positions tell them.
package enum GraphSizes {
  /// Sizes to try, the likeliest first; one entry without sizes when the graph fixes them.
  package static func candidates(_ model: ONNXModel) throws(CLIPError) -> [AssumedSizes] {
    let initializers = Set(model.initializers.map(\.name))
    let inputs = model.inputs.filter { !initializers.contains($0.name) }
    let hasFreeImage = inputs.contains { input in
      guard let sizes = input.dimensions, sizes.count == 4 else { return false }
      return sizes[2] < 0 || sizes[3] < 0
    }
    let hasFreeText = inputs.contains { input in
      guard let sizes = input.dimensions, sizes.count == 2 else { return false }
      return sizes[1] < 0
    }
    let images: [Int?] = hasFreeImage ? imageSizes(model) : [nil]
    let lengths: [Int?] = hasFreeText ? try textLengths(model) : [nil]
    let all = images.flatMap { image in
      lengths.map { AssumedSizes(imageSize: image, contextLength: $0) }
    }
    return Array(all.prefix(maximumTries))
  }

  private static let maximumTries = 12

  /// Tables [T, D] of positions, perhaps with axes of size 1 between: T and D.
  private static func tables(_ model: ONNXModel) -> [(rows: Int, width: Int)] {
    model.tensors.compactMap { tensor in
      let sizes = tensor.dimensions.filter { $0 != 1 }
      guard tensor.type?.isFloat == true, sizes.count == 2, sizes[0] <= 1 << 14 else { return nil }
      return (sizes[0], sizes[1])
    }
  }

  private static func imageSizes(_ model: ONNXModel) -> [Int?] {
    var sizes: [Int] = []
    let byName = Dictionary(
      model.tensors.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    let kernels = model.nodes.compactMap { node -> (width: Int, kernel: Int, stride: Int)? in
      guard node.operation == "Conv" || node.operation == "FusedConv", node.inputs.count > 1,
        let weight = byName[node.inputs[1]]?.dimensions, weight.count == 4, weight[1] == 3
      else { return nil }
      return (weight[0], weight[2], node.integers("strides")?.first ?? 1)
    }
    for kernel in kernels {
      for table in tables(model) {
        let grid = Int(Double(table.rows - 1).squareRoot().rounded())
        guard grid > 0, grid * grid == table.rows - 1 else { continue }
        if kernel.kernel == kernel.stride {
          let (size, overflow) = grid.multipliedReportingOverflow(by: kernel.stride)
          if table.width == kernel.width, !overflow { sizes.append(size) }
        } else {
          sizes.append(grid * 32)
        }
      }
    }
    return unique(sizes + [224])
  }

  private static func textLengths(_ model: ONNXModel) throws(CLIPError) -> [Int?] {
    // Position ids 0, 1, 2 … are the surest sign.
    var lengths: [Int] = []
    for tensor in model.tensors
    where tensor.type == .i64 && tensor.count > 4 && tensor.dimensions.last == tensor.count {
      guard let bytes = try model.bytes(of: tensor) else { continue }
      let areIDs = bytes.withUnsafeBytes { bytes in
        (0..<tensor.count).allSatisfy { ElementType.i64.integer(at: $0, in: bytes) == $0 }
      }
      if areIDs { lengths.append(tensor.count) }
    }
    let tables = tables(model)
    lengths += tables.filter { $0.rows == $0.width }.map(\.rows).filter { $0 == 77 }
    // Positions have the width of the token table, which is the table with the most rows.
    let width = tables.max { $0.rows < $1.rows }?.width
    lengths += tables.filter { $0.width == width && $0.rows <= 4096 }.map(\.rows)
    return unique(lengths + [77])
  }

  private static func unique(_ sizes: [Int]) -> [Int?] {
    var seen: Set<Int> = []
    return sizes.filter { seen.insert($0).inserted }.map { $0 }
  }
}
