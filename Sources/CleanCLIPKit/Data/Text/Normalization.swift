/// Unicode normalisation form C as a version of Unicode has it: characters that came later are
/// left as they stand.
///
/// The version is that of a reference tokenizer, so that ids equal its own and do not depend on the
/// Swift release.
struct Normalization {
  /// Python's of the tables, which OpenAI's tokenizer runs on.
  static let python = Normalization(version: 14)
  /// That of the library inside Hugging Face's tokenizers.
  static let huggingFace = Normalization(version: 9)

  private let version: Int

  /// Returns the canonical composition of `text` (Unicode Standard Annex 15).
  func composed(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
    // No character below the first combining mark takes part in normalisation.
    guard text.contains(where: { $0.value >= 0x300 }) else { return text }
    return compose(decompose(text))
  }

  private func decompose(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
    var result: [Unicode.Scalar] = []
    result.reserveCapacity(text.count + 8)
    for character in text { append(character, to: &result) }
    // Canonical order: each run of marks by combining class, equal classes in their order.
    var i = 0
    while i < result.count {
      guard combiningClass(result[i]) != 0 else {
        i += 1
        continue
      }
      var end = i + 1
      var isOrdered = true
      while end < result.count, combiningClass(result[end]) != 0 {
        if combiningClass(result[end]) < combiningClass(result[end - 1]) { isOrdered = false }
        end += 1
      }
      if !isOrdered {
        // The standard library's sort is stable, but does not promise to be.
        let sorted = result[i..<end].enumerated().sorted {
          (combiningClass($0.element), $0.offset) < (combiningClass($1.element), $1.offset)
        }
        result.replaceSubrange(i..<end, with: sorted.map(\.element))
      }
      i = end
    }
    return result
  }

  private func append(_ character: Unicode.Scalar, to result: inout [Unicode.Scalar]) {
    if Self.hangulSyllables.contains(character.value) {
      let index = character.value - Self.hangulSyllables.lowerBound
      let parts = [0x1100 + index / 588, 0x1161 + index % 588 / 28, 0x11A7 + index % 28]
      for part in parts.prefix(index % 28 == 0 ? 2 : 3) {
        if let part = Unicode.Scalar(part) { result.append(part) }
      }
    } else if character.value >= 0xC0, let parts = Self.decompositions[character.value],
      isKnown(character)
    {
      for part in parts { append(part, to: &result) }
    } else {
      result.append(character)
    }
  }

  private func compose(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
    var result: [Unicode.Scalar] = []
    result.reserveCapacity(text.count)
    var starter: Int?
    var lastClass: UInt8 = 0
    for character in text {
      let combining = combiningClass(character)
      if let base = starter {
        // Blocked when a mark of the same or a higher class is between.
        let isAdjacent = base == result.count - 1
        if isAdjacent || (lastClass != 0 && lastClass < combining),
          let composite = composite(result[base], character)
        {
          result[base] = composite
          continue
        }
      }
      if combining == 0 { starter = result.count }
      lastClass = combining
      result.append(character)
    }
    return result
  }

  private func composite(
    _ first: Unicode.Scalar, _ second: Unicode.Scalar
  ) -> Unicode.Scalar? {
    switch (first.value, second.value) {
    case (0x1100...0x1112, 0x1161...0x1175):
      let index = ((first.value - 0x1100) * 21 + second.value - 0x1161) * 28
      return Unicode.Scalar(Self.hangulSyllables.lowerBound + index)
    case (Self.hangulSyllables, 0x11A8...0x11C2)
    where (first.value - Self.hangulSyllables.lowerBound) % 28 == 0:
      return Unicode.Scalar(first.value + second.value - 0x11A7)
    default:
      let composite = Self.compositions[UInt64(first.value) << 32 | UInt64(second.value)]
      return composite.flatMap { isKnown($0) ? $0 : nil }
    }
  }

  private func combiningClass(_ character: Unicode.Scalar) -> UInt8 {
    guard character.value >= 0x300 else { return 0 }
    let combining = character.properties.canonicalCombiningClass.rawValue
    return combining == 0 || isKnown(character) ? combining : 0
  }

  private func isKnown(_ character: Unicode.Scalar) -> Bool {
    (character.properties.age?.major ?? .max) <= version
  }

  private static let hangulSyllables: ClosedRange<UInt32> = 0xAC00...0xD7A3

  private static let decompositions: [UInt32: [Unicode.Scalar]] = {
    var table: [UInt32: [Unicode.Scalar]] = [:]
    for (key, parts) in CharacterTables.entries(of: CharacterTables.decompositions) {
      table[CharacterTables.character(key.drop { $0 == UInt8(ascii: "!") }).value] = parts
    }
    return table
  }()

  /// Composites by the pair they consist of, first character in the upper half.
  private static let compositions: [UInt64: Unicode.Scalar] = {
    var table: [UInt64: Unicode.Scalar] = [:]
    for (key, parts) in CharacterTables.entries(of: CharacterTables.decompositions)
    where key.first != UInt8(ascii: "!") && parts.count == 2 {
      table[UInt64(parts[0].value) << 32 | UInt64(parts[1].value)] = CharacterTables.character(key)
    }
    return table
  }()
}
