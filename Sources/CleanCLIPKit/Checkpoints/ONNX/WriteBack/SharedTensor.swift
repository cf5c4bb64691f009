internal import ONNXGraphs

/// A tensor that the graph computes with at several places, and what each of them wants of it.
struct SharedTensor {
  let tensor: ONNXTensor
  private let size: Int
  private let changesByEnd: [[InputSite]: [TensorContent.Change]]
  /// The elements that an end reads and the bytes that they should have.
  private let wanted: [[InputSite]: (elements: [Int], bytes: [UInt8])]

  init(
    _ origin: ONNXImport, _ tensor: ONNXTensor, _ ends: [TensorUses.Use],
    _ changes: [TensorContent.Change]
  ) throws(CLIPError) {
    self.tensor = tensor
    size = tensor.type?.byteSize ?? 1
    var byEnd: [[InputSite]: [TensorContent.Change]] = [:]
    for change in changes { byEnd[change.piece.value.path, default: []].append(change) }
    var wanted: [[InputSite]: (elements: [Int], bytes: [UInt8])] = [:]
    for end in ends {
      let content = try TensorContent(origin.model, tensor, byEnd[end.path] ?? [])
      wanted[end.path] = (Self.elements(origin, tensor, end), try content.bytes())
    }
    changesByEnd = byEnd
    self.wanted = wanted
  }

  /// The elements that a place reads: a part of the tensor behind a split, else all.
  private static func elements(
    _ origin: ONNXImport, _ tensor: ONNXTensor, _ end: TensorUses.Use
  ) -> [Int] {
    if let site = end.site,
      let value = origin.reader.values[origin.model.nodes[site.node].inputs[site.input]],
      origin.reader.fileTensor(value) == tensor.index
    {
      return value.layout.elementOffsets()
    }
    return Array(0..<tensor.count)
  }

  /// Changes that places behind some readers ask for.
  func changes(of uses: [TensorUses.Use]) -> [TensorContent.Change] {
    uses.flatMap(\.ends).flatMap { changesByEnd[$0.path] ?? [] }
  }

  /// Whether places find what they want in the tensor's new bytes.
  func satisfies(_ ends: [TensorUses.Use], _ bytes: [UInt8]) -> Bool {
    ends.allSatisfy { end in
      guard let (elements, own) = wanted[end.path] else { return true }
      return elements.allSatisfy { element in
        (element * size..<(element + 1) * size).allSatisfy { bytes[$0] == own[$0] }
      }
    }
  }
}
