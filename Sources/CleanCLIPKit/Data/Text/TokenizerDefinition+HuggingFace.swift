extension TokenizerDefinition {
  /// Makes the definition that Hugging Face's libraries make from `vocab.json` and `merges.txt`.
  ///
  /// - Throws: `format` when ids are no ids or a merge makes no symbol of the vocabulary.
  static func huggingFace(
    vocabulary: JSONObject, merges: [UInt8], name: String
  ) throws(CLIPError) -> TokenizerDefinition {
    let lines = merges.split { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }
    let pairs = lines.lazy.filter { !$0.starts(with: "#version".utf8) }.map { line in
      line.split(separator: UInt8(ascii: " ")).map { Array($0) }
    }
    let ids = try symbols(vocabulary, name: name)
    let start = try special(["<|startoftext|>", "<start_of_text>"], in: ids, name: name)
    let end = try special(["<|endoftext|>", "<end_of_text>"], in: ids, name: name)
    let specials = [start, end].map {
      AddedToken(bytes: $0.bytes, id: $0.id, isNormalized: false)
    }
    return TokenizerDefinition(
      encoder: try encoder(ids, Array(pairs), unknown: end.id, name: name),
      cleaning: .huggingFace(composes: true, lowers: true), addedTokens: specials,
      startOfText: start.id, endOfText: end.id, vocabularySize: size(ids, specials))
  }

  /// One more than the highest id.
  static func size(_ ids: [[UInt8]: Int32], _ addedTokens: [AddedToken]) -> Int {
    Int(max(ids.values.max() ?? 0, addedTokens.map(\.id).max() ?? 0)) + 1
  }

  /// Returns the vocabulary with checked ids.
  static func symbols(
    _ vocabulary: JSONObject, name: String
  ) throws(CLIPError) -> [[UInt8]: Int32] {
    var ids: [[UInt8]: Int32] = [:]
    ids.reserveCapacity(vocabulary.count)
    for (symbol, value) in vocabulary {
      ids[Array(symbol.utf8)] = try id(value, of: symbol, name: name)
    }
    return ids
  }

  static func id(
    _ value: JSONValue?, of symbol: String, name: String
  ) throws(CLIPError) -> Int32 {
    guard let id = value?.integer, (0..<Int(Int32.max)).contains(id) else {
      throw CLIPError(
        .format,
        "'\(name)': '\(symbol)' has no token id; expected an integer from 0 to \(Int32.max - 1), "
          + "got \(value?.serialized() ?? "nothing")")
    }
    return Int32(id)
  }

  private static func special(
    _ names: [String], in ids: [[UInt8]: Int32], name: String
  ) throws(CLIPError) -> (bytes: [UInt8], id: Int32) {
    for special in names {
      let bytes = Array(special.utf8)
      if let id = ids[bytes] { return (bytes, id) }
    }
    throw CLIPError(
      .format,
      "'\(name)': no start or end of text; expected '\(names[0])' in CLIP's vocabulary, got "
        + "\(ids.count) other symbols")
  }

  /// Builds the encoder of a vocabulary and its merges in order of rank.
  ///
  /// - Parameter unknown: what a byte becomes that the vocabulary lacks; nothing when `nil`.
  static func encoder(
    _ ids: [[UInt8]: Int32], _ pairs: [[[UInt8]]], unknown: Int32?, name: String
  ) throws(CLIPError) -> BytePairEncoder {
    var merges: [UInt64: BytePairEncoder.Merge] = [:]
    merges.reserveCapacity(pairs.count)
    for (rank, pair) in pairs.enumerated() {
      let text = pair.map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ")
      guard pair.count == 2 else {
        throw CLIPError(
          .format,
          "'\(name)': merge \(rank + 1) is '\(text)'; expected two symbols, got \(pair.count)")
      }
      guard let left = ids[pair[0]], let right = ids[pair[1]], let merged = ids[pair[0] + pair[1]]
      else {
        throw CLIPError(
          .format,
          "'\(name)': merge \(rank + 1) is '\(text)'; expected symbols of the vocabulary, and "
            + "their merger too")
      }
      merges[BytePairEncoder.pair(left, right)] = .init(rank: Int32(rank), id: merged)
    }
    return BytePairEncoder(
      byteIDs: byteCharacters.map { ids[$0] ?? unknown ?? -1 },
      lastByteIDs: byteCharacters.map { ids[$0 + wordEnd] ?? unknown ?? -1 }, merges: merges)
  }
}
