/// Byte-pair encoding (Sennrich et al. 2016) over bytes, with CLIP's end-of-word mark.
struct BytePairEncoder: Sendable {
  /// What two neighbouring symbols become.
  struct Merge: Sendable {
    /// Order of application; low ranks first.
    let rank: Int32
    /// The id of the merged symbol.
    let id: Int32
  }

  /// The id of each byte inside a word; -1 for what is left out.
  let byteIDs: [Int32]
  /// The id of each byte at the end of a word; -1 for what is left out.
  let lastByteIDs: [Int32]
  /// Merges by pair of ids.
  let merges: [UInt64: Merge]

  static func pair(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  /// Returns the ids of a word of UTF-8 bytes.
  ///
  /// Of all pairs the one of lowest rank is merged, the leftmost first, until none is left.
  /// - Complexity: O(n log n) in the bytes of the word, so that a caption of one huge word is harmless.
  func encode(_ word: UnsafeBufferPointer<UInt8>) -> [Int32] {
    guard let last = word.last else { return [] }
    var ids = word.map { byteIDs[Int($0)] }
    ids[ids.count - 1] = lastByteIDs[Int(last)]
    ids.removeAll { $0 < 0 }
    guard ids.count > 1 else { return ids }
    // A list of symbols linked through `next`; -1 marks a symbol that was merged into its left one.
    var next = Array(1...ids.count)
    var previous = Array(-1..<ids.count - 1)
    var candidates = CandidateHeap()
    func propose(_ left: Int) {
      let right = next[left]
      guard right < ids.count, let merge = merges[Self.pair(ids[left], ids[right])] else { return }
      candidates.insert(Candidate(rank: merge.rank, position: Int32(left), id: merge.id))
    }
    for i in 0..<ids.count - 1 { propose(i) }
    while let candidate = candidates.removeFirst() {
      let left = Int(candidate.position)
      guard ids[left] >= 0, next[left] < ids.count else { continue }
      let right = next[left]
      // Stale when either symbol has changed since.
      guard let merge = merges[Self.pair(ids[left], ids[right])], merge.id == candidate.id else {
        continue
      }
      ids[left] = merge.id
      ids[right] = -1
      next[left] = next[right]
      if next[left] < ids.count { previous[next[left]] = left }
      propose(left)
      if previous[left] >= 0 { propose(previous[left]) }
    }
    return ids.filter { $0 >= 0 }
  }

  /// Returns the bytes that a symbol stands for; empty for ids of none.
  ///
  /// - Complexity: O(merges) for each byte.
  func bytes(of id: Int32) -> [UInt8] {
    unmerged(id).compactMap { symbol in
      (byteIDs.firstIndex(of: symbol) ?? lastByteIDs.firstIndex(of: symbol)).map { UInt8($0) }
    }
  }

  /// Whether a symbol is the end of a word, or a word.
  ///
  /// - Complexity: as `bytes(of:)`.
  func endsWord(_ id: Int32) -> Bool {
    unmerged(id).last.map { lastByteIDs.contains($0) } ?? false
  }

  /// The symbols of single bytes that a symbol was merged from.
  private func unmerged(_ id: Int32) -> [Int32] {
    var single: [Int32] = []
    var symbols = [id]
    // A file with the same id twice may describe symbols without end.
    for _ in 0..<1000 {
      guard let symbol = symbols.popLast() else { break }
      if byteIDs.contains(symbol) || lastByteIDs.contains(symbol) {
        single.append(symbol)
      } else if let pair = merges.first(where: { $0.value.id == symbol })?.key {
        symbols.append(Int32(truncatingIfNeeded: pair))
        symbols.append(Int32(truncatingIfNeeded: pair >> 32))
      }
    }
    return single
  }
}

/// A pair that may be merged.
private struct Candidate {
  let rank: Int32
  let position: Int32
  let id: Int32

  static func < (a: Candidate, b: Candidate) -> Bool {
    (a.rank, a.position) < (b.rank, b.position)
  }
}

/// A binary heap; the lowest rank is first, then the leftmost position.
private struct CandidateHeap {
  private var elements: [Candidate] = []

  mutating func insert(_ candidate: Candidate) {
    elements.append(candidate)
    var child = elements.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard elements[child] < elements[parent] else { return }
      elements.swapAt(child, parent)
      child = parent
    }
  }

  mutating func removeFirst() -> Candidate? {
    guard let first = elements.first, let last = elements.popLast() else { return nil }
    guard !elements.isEmpty else { return first }
    elements[0] = last
    var parent = 0
    while true {
      var child = 2 * parent + 1
      guard child < elements.count else { break }
      if child + 1 < elements.count, elements[child + 1] < elements[child] { child += 1 }
      guard elements[child] < elements[parent] else { break }
      elements.swapAt(child, parent)
      parent = child
    }
    return first
  }
}
