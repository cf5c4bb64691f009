extension TokenizerDefinition {
  /// Reads OpenAI's `bpe_simple_vocab_16e6.txt`: a title line, then one merge a line, from which
  /// the vocabulary follows.
  ///
  /// - Throws: `format` when a line is no merge, or merges what does not exist.
  static func openAI(_ text: [UInt8], name: String) throws(CLIPError) -> TokenizerDefinition {
    var ids: [[UInt8]: Int32] = [:]
    var byteIDs = [Int32](repeating: 0, count: 256)
    var lastByteIDs = byteIDs
    // Bytes that stand for themselves come first.
    let order = (0..<256).filter(isPrintable) + (0..<256).filter { !isPrintable($0) }
    for (index, byte) in order.enumerated() {
      byteIDs[byte] = Int32(index)
      lastByteIDs[byte] = Int32(index + 256)
      ids[byteCharacters[byte]] = byteIDs[byte]
      ids[byteCharacters[byte] + wordEnd] = lastByteIDs[byte]
    }

    // The file continues after the merges that CLIP uses.
    let mergeLimit = 49152 - 256 - 2
    var merges: [UInt64: BytePairEncoder.Merge] = [:]
    let lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    for (number, line) in lines.enumerated().dropFirst().prefix(mergeLimit) {
      let parts = line.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\r") }
      if parts.isEmpty, number == lines.count - 1 { break }
      guard parts.count == 2 else {
        throw CLIPError(
          .format,
          "'\(name)': line \(number + 1) is no merge; expected two symbols, got \(parts.count)")
      }
      guard let left = ids[Array(parts[0])], let right = ids[Array(parts[1])] else {
        throw CLIPError(
          .format,
          "'\(name)': line \(number + 1) merges '\(String(decoding: line, as: UTF8.self))'; "
            + "expected symbols that earlier lines make")
      }
      let merged = Array(parts[0] + parts[1])
      let id = Int32(512 + merges.count)
      guard ids.updateValue(id, forKey: merged) == nil else {
        throw CLIPError(
          .format,
          "'\(name)': line \(number + 1) makes '\(String(decoding: merged, as: UTF8.self))'; "
            + "expected a symbol that no earlier line makes")
      }
      merges[BytePairEncoder.pair(left, right)] = .init(rank: Int32(merges.count), id: id)
    }
    guard !merges.isEmpty else {
      throw CLIPError(
        .format,
        "'\(name)': no merges; expected the lines of OpenAI's bpe_simple_vocab_16e6.txt")
    }
    let startOfText = Int32(512 + merges.count)
    return TokenizerDefinition(
      encoder: BytePairEncoder(byteIDs: byteIDs, lastByteIDs: lastByteIDs, merges: merges),
      cleaning: .openAI,
      addedTokens: [
        AddedToken(bytes: Array("<start_of_text>".utf8), id: startOfText, isNormalized: true),
        AddedToken(bytes: Array("<end_of_text>".utf8), id: startOfText + 1, isNormalized: true),
      ],
      startOfText: startOfText, endOfText: startOfText + 1, vocabularySize: Int(startOfText) + 2)
  }
}
