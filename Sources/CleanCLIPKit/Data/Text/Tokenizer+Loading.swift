internal import Glibc

extension Tokenizer {
  /// Bytes that a vocabulary file may have when decompressed; CLIP's are 4 MB.
  private static let sizeLimit = 16 << 20

  /// Reads a vocabulary: OpenAI's `bpe_simple_vocab_16e6.txt`, plain or compressed with gzip, Hugging
  /// Face's `tokenizer.json`, either of its `vocab.json` and `merges.txt`, or a folder with one of them.
  ///
  /// The form is told from the content, so that any file name will do.
  /// - Throws: `notFound`, `io`, `format`, or `unsupported` for a tokenizer of another kind.
  package static func load(path: String) throws(CLIPError) -> Tokenizer {
    try CLIPError.checkPath(path)
    if ModelPaths.isFolder(path) {
      guard let file = vocabularyFile(in: path) else {
        throw CLIPError(
          .notFound,
          "'\(path)': no tokenizer in this folder; expected one of "
            + fileNames.joined(separator: ", "))
      }
      return try load(path: file)
    }
    let vocabularyPath = path.hasSuffix("merges.txt") ? sibling("vocab.json", of: path) : path
    if vocabularyPath != path, !FileContents.exists(vocabularyPath) {
      throw CLIPError(
        .notFound, "'\(path)': merges without ids; expected vocab.json in the same folder")
    }
    let bytes = try CompressedFile.read(vocabularyPath, limit: sizeLimit)
    let first = bytes.first { !Unicode.Scalar($0).properties.isWhitespace }
    guard first == UInt8(ascii: "{") else {
      return Tokenizer(try TokenizerDefinition.openAI(bytes, name: path))
    }
    let file = try JSONValue.parse(String(decoding: bytes, as: UTF8.self), name: vocabularyPath)
    if file["model"]?.object != nil {
      return Tokenizer(try TokenizerDefinition.tokenizerJSON(file, name: path))
    }
    let merges = sibling("merges.txt", of: vocabularyPath)
    guard let vocabulary = file.object, FileContents.exists(merges) else {
      throw CLIPError(
        .notFound, "'\(path)': ids without merges; expected merges.txt in the same folder")
    }
    return Tokenizer(
      try TokenizerDefinition.huggingFace(
        vocabulary: vocabulary, merges: try CompressedFile.read(merges, limit: sizeLimit),
        name: path))
  }

  /// Finds and reads the vocabulary of a model: the file beside it, else the installed one.
  ///
  /// The installed one is named by the environment variable `CLEANCLIP_TOKENIZER`, or is in
  /// `share/cleanclip` of the prefix that the program or library is installed in, and nowhere else.
  /// - Parameter model: path of the model, or two paths with a comma between.
  /// - Throws: `notFound`, saying where it was looked for; as `load` for the file that was found.
  package static func find(besideModel model: String?) throws(CLIPError) -> Tokenizer {
    var folders: [String] = []
    if let tokenizer = try find(besideModel: model, lookingIn: &folders) { return tokenizer }
    let places =
      folders.isEmpty
      ? "'share/cleanclip' of an installation" : folders.map { "'\($0)'" }.joined(separator: ", ")
    throw CLIPError(
      .notFound,
      "tokenizer: no vocabulary; expected bpe_simple_vocab_16e6.txt.gz, vocab.json or "
        + "tokenizer.json in \(places); name the file, set CLEANCLIP_TOKENIZER, or install cleanclip whole"
    )
  }

  /// Finds and reads the vocabulary of a model as `find` does; `nil` where there is none.
  ///
  /// - Throws: as `load` for the file that was found, or that the environment names.
  package static func findIfThere(besideModel model: String?) throws(CLIPError) -> Tokenizer? {
    var folders: [String] = []
    return try find(besideModel: model, lookingIn: &folders)
  }

  /// - Parameter folders: takes where it was looked for.
  private static func find(
    besideModel model: String?, lookingIn folders: inout [String]
  ) throws(CLIPError) -> Tokenizer? {
    if let model {
      for path in try ModelPaths.split(model) {
        folders.append(ModelPaths.isFolder(path) ? path : sibling("", of: path))
      }
    }
    for folder in folders {
      if let file = vocabularyFile(in: folder) { return try load(path: file) }
    }
    if let path = getenv("CLEANCLIP_TOKENIZER").map({ String(cString: $0) }), !path.isEmpty {
      return try load(path: path)
    }
    let image = loadedFile(containing: UInt(bitPattern: #dsohandle))
    if let folder = image.flatMap({ sharedFolder(ofImage: $0) }) {
      if let file = vocabularyFile(in: folder) { return try load(path: file) }
      folders.append(folder)
    }
    return nil
  }

  /// Names of vocabulary files, the most specific first.
  private static let fileNames = [
    "tokenizer.json", "vocab.json", "bpe_simple_vocab_16e6.txt.gz", "bpe_simple_vocab_16e6.txt",
  ]

  private static func vocabularyFile(in folder: String) -> String? {
    fileNames.map { join(folder, $0) }.first { path in
      // A vocabulary without merges belongs to another kind of tokenizer.
      FileContents.exists(path)
        && (!path.hasSuffix("vocab.json") || FileContents.exists(sibling("merges.txt", of: path)))
    }
  }

  /// The folder for shared files of the prefix that a program or library is installed in.
  ///
  /// A prefix has programs in `bin` and libraries in `lib`, `lib64` or, on Debian, in a folder for the
  /// architecture such as `lib/x86_64-linux-gnu`; so prefixes can be moved.
  /// - Parameter path: of the program or library, absolute.
  /// - Returns: nil for a place that is none of these: what is near it belongs to somebody else.
  package static func sharedFolder(ofImage path: String) -> String? {
    var folders = path.split(separator: "/").dropLast()
    if folders.dropLast().last == "lib", folders.last?.contains("-linux-") == true {
      folders.removeLast()
    }
    guard let last = folders.last, ["bin", "lib", "lib64"].contains(last) else { return nil }
    return "/" + (folders.dropLast() + ["share", "cleanclip"]).joined(separator: "/")
  }

  /// The program or library that is mapped at an address, from `/proc/self/maps`.
  private static func loadedFile(containing address: UInt) -> String? {
    guard let maps = fopen("/proc/self/maps", "re") else { return nil }
    defer { fclose(maps) }
    var line: UnsafeMutablePointer<CChar>?
    var capacity = 0
    defer { free(line) }
    while getline(&line, &capacity, maps) > 0, let text = line.map({ String(cString: $0) }) {
      // start-end permissions offset device inode path
      let fields = text.split(separator: " ", maxSplits: 5)
      let bounds = fields.first?.split(separator: "-").compactMap { UInt($0, radix: 16) } ?? []
      guard bounds.count == 2, fields.count == 6, bounds[0] <= address, address < bounds[1] else {
        continue
      }
      return fields[5].drop { $0 == " " }.split(separator: "\n").first.map(String.init)
    }
    return nil
  }

  private static func sibling(_ name: String, of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return name.isEmpty ? "." : name }
    return name.isEmpty ? String(path[..<slash]) : path[...slash] + name
  }

  private static func join(_ folder: String, _ name: String) -> String {
    folder.hasSuffix("/") ? folder + name : folder + "/" + name
  }
}
