extension TokenizerDefinition {
  /// Reads Hugging Face's `tokenizer.json`, when it describes CLIP's kind of tokenizer.
  ///
  /// - Throws: `unsupported` for another kind of model, cleaning or division into words, naming it;
  ///   `format` for a file that contradicts itself.
  static func tokenizerJSON(_ file: JSONValue, name: String) throws(CLIPError)
    -> TokenizerDefinition
  {
    let (vocabulary, pairs, unknown) = try model(file["model"], name: name)
    let ids = try symbols(vocabulary, name: name)
    let cleaning = try cleaning(file["normalizer"], name: name)
    try checkDivision(file["pre_tokenizer"], name: name)
    let addedTokens = try addedTokens(file["added_tokens"], cleaning: cleaning, name: name)
    let ends = try ends(file, ids: ids, name: name)
    let unknownID: Int32? = try unknown.map { symbol throws(CLIPError) in
      guard let id = ids[Array(symbol.utf8)] else {
        throw CLIPError(
          .format, "'\(name)': unknown token '\(symbol)' has no id; expected it in the vocabulary")
      }
      return id
    }
    return TokenizerDefinition(
      encoder: try encoder(ids, pairs, unknown: unknownID, name: name),
      cleaning: cleaning, addedTokens: addedTokens, startOfText: ends.start, endOfText: ends.end,
      vocabularySize: max(size(ids, addedTokens), Int(max(ends.start, ends.end)) + 1))
  }

  private static func unsupported(
    _ name: String, _ part: String, expected: String, got: JSONValue?
  ) -> CLIPError {
    // Some parts are megabytes of text.
    let text = String((got?.serialized() ?? "nothing").prefix(120))
    return CLIPError(
      .unsupported,
      "'\(name)': \(part) is not CLIP's; expected \(expected), got \(text); "
        + "pass OpenAI's bpe_simple_vocab_16e6.txt.gz, or token ids")
  }

  private static func model(
    _ model: JSONValue?, name: String
  ) throws(CLIPError) -> (vocabulary: JSONObject, pairs: [[[UInt8]]], unknown: String?) {
    let kind = model?["type"]
    guard let model, kind == nil || kind == .null || kind == "BPE" else {
      throw unsupported(name, "tokenizer model", expected: "type BPE", got: kind)
    }
    guard let vocabulary = model["vocab"]?.object, let merges = model["merges"]?.array else {
      throw CLIPError(
        .format, "'\(name)': tokenizer model has no vocabulary; expected 'vocab' and 'merges'")
    }
    guard model["end_of_word_suffix"] == "</w>" else {
      throw unsupported(
        name, "end of words", expected: "suffix </w>", got: model["end_of_word_suffix"])
    }
    if let prefix = model["continuing_subword_prefix"], prefix != .null, prefix != "" {
      throw unsupported(name, "prefix inside words", expected: "none", got: prefix)
    }
    for option in ["byte_fallback", "ignore_merges", "fuse_unk"] where model[option] == true {
      throw unsupported(name, "option '\(option)'", expected: "false", got: model[option])
    }
    if let dropout = model["dropout"], dropout != .null, dropout != 0 {
      throw unsupported(name, "merging at random ('dropout')", expected: "none", got: dropout)
    }
    var pairs: [[[UInt8]]] = []
    pairs.reserveCapacity(merges.count)
    for merge in merges {
      if let text = merge.string {
        pairs.append(text.utf8.split(separator: UInt8(ascii: " ")).map { Array($0) })
      } else {
        pairs.append((merge.array ?? []).map { Array(($0.string ?? "").utf8) })
      }
    }
    return (vocabulary, pairs, model["unk_token"]?.string)
  }

  /// The members of a sequence of components, or the component itself.
  private static func components(_ value: JSONValue?, _ key: String) -> [JSONValue] {
    guard let value, value != .null else { return [] }
    guard value["type"] == "Sequence" else { return [value] }
    return (value[key]?.array ?? []).flatMap { components($0, key) }
  }

  private static func cleaning(
    _ normalizer: JSONValue?, name: String
  ) throws(CLIPError) -> Cleaning {
    var composes = false
    var lowers = false
    for step in components(normalizer, "normalizers") {
      switch step["type"]?.string {
      case "NFC": composes = true
      case "Lowercase": lowers = true
      case "Replace" where step["pattern"]?["Regex"] == #"\s+"# && step["content"] == " ": break
      default:
        throw unsupported(
          name, "normaliser", expected: "NFC, white space as one space, Lowercase", got: step)
      }
    }
    return .huggingFace(composes: composes, lowers: lowers)
  }

  private static let words =
    #"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"#

  private static func checkDivision(_ value: JSONValue?, name: String) throws(CLIPError) {
    let steps = components(value, "pretokenizers")
    let expressions = [words, #"<\|startoftext\|>|<\|endoftext\|>|"# + words]
    let isWords = steps.first.map { step in
      step["type"] == "Split" && step["invert"] == true && step["behavior"] == "Removed"
        && expressions.contains(step["pattern"]?["Regex"]?.string ?? "")
    }
    guard steps.count == 2, isWords == true, steps[1]["type"] == "ByteLevel",
      steps[1]["add_prefix_space"] == false
    else {
      throw unsupported(
        name, "division into words", expected: "a split at \(words), then bytes", got: value)
    }
  }

  private static func addedTokens(
    _ value: JSONValue?, cleaning: Cleaning, name: String
  ) throws(CLIPError) -> [AddedToken] {
    guard case .huggingFace(let composes, let lowers) = cleaning else { return [] }
    var tokens: [AddedToken] = []
    for token in value?.array ?? [] {
      guard let content = token["content"]?.string else {
        throw CLIPError(.format, "'\(name)': an added token has no 'content'; expected its text")
      }
      guard token["single_word"] != true else {
        throw unsupported(
          name, "added token '\(content)'", expected: "single_word false", got: token)
      }
      let isNormalized = token["normalized"] == true
      let bytes = Array(content.utf8)
      tokens.append(
        AddedToken(
          bytes: isNormalized
            ? CaptionCleaning.huggingFace(bytes, composes: composes, lowers: lowers) : bytes,
          id: try id(token["id"], of: content, name: name), isNormalized: isNormalized))
    }
    return tokens
  }

  /// What stands before and after every caption.
  private static func ends(
    _ file: JSONValue, ids: [[UInt8]: Int32], name: String
  ) throws(CLIPError) -> (start: Int32, end: Int32) {
    let processor = file["post_processor"]
    switch processor?["type"]?.string {
    case "RobertaProcessing", "BertProcessing":
      return (
        try id(processor?["cls"]?.array?.last, of: "cls", name: name),
        try id(processor?["sep"]?.array?.last, of: "sep", name: name)
      )
    case "TemplateProcessing":
      let names = (processor?["single"]?.array ?? []).map { $0["SpecialToken"]?["id"]?.string }
      guard names.count == 3, let start = names[0], names[1] == nil, let end = names[2] else {
        break
      }
      let tokens = processor?["special_tokens"]
      return (
        try id(tokens?[start]?["ids"]?.array?.last, of: start, name: name),
        try id(tokens?[end]?["ids"]?.array?.last, of: end, name: name)
      )
    default:
      break
    }
    throw unsupported(
      name, "post-processor", expected: "a start and an end of text around each caption",
      got: processor)
  }
}
