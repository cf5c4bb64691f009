internal import Glibc

/// One of the files that features were made in: a NumPy array, with a text file of keys beside it, or a
/// safetensors file with `image_features`, `text_features`, `keys` and `captions`.
struct FeaturePart {
  /// Which features of a pair.
  enum Half: String, CaseIterable {
    case image = "image_features"
    case text = "text_features"
  }

  let path: String
  /// The features, by half. A NumPy array is whichever is asked for.
  private let halves: [Half: StoredArray]
  private let array: StoredArray?
  let keys: [String]?
  let captions: [String]?
  /// The fingerprint of the model that made them, and whether they are L2-normalized; `nil` when unknown.
  let model: String?
  let isNormalized: Bool?

  /// The members of the metadata.
  static let format = "cleanclip features 1"

  /// - Throws: `notFound`, `io`, `format`, `unsupported` for files that are no such part.
  init(_ path: String) throws(CLIPError) {
    self.path = path
    guard try SafeTensors.isUsed(in: path) else {
      let array = try NumPyFile.open(path)
      try Self.check(array)
      self.array = array
      halves = [:]
      keys = try Self.lines(beside: path, count: array.shape[0])
      captions = nil
      model = nil
      isNormalized = nil
      return
    }
    let file = try SafeTensors.read(path)
    array = nil
    var halves: [Half: StoredArray] = [:]
    for half in Half.allCases where file[half.rawValue] != nil {
      let array = try file.array(half.rawValue)
      try Self.check(array)
      halves[half] = array
    }
    guard let any = halves.values.first else {
      throw CLIPError(
        .format,
        "'\(path)': has no features; expected a tensor 'image_features' or 'text_features', got "
          + "\(file.entries.count) others")
    }
    let count = any.shape[0]
    guard halves.values.allSatisfy({ $0.shape[0] == count }) else {
      throw CLIPError(
        .shape,
        "'\(path)': image and text features disagree; expected as many rows, got "
          + "\(halves[.image]?.shape[0] ?? 0) and \(halves[.text]?.shape[0] ?? 0)")
    }
    self.halves = halves
    keys = try Self.texts("keys", in: file, count: count)
    captions = try Self.texts("captions", in: file, count: count)
    model = file.metadata["model"]
    isNormalized = file.metadata["normalized"].map { $0 == "true" }
  }

  /// The features of a half; `nil` when they are not there.
  func features(_ half: Half) -> StoredArray? { array ?? halves[half] }

  /// Whether the file says which halves it has.
  var isNamed: Bool { array == nil }

  /// What kind of file it is.
  var kind: String { isNamed ? "safetensors file" : "NumPy array" }

  /// The number of rows.
  var count: Int { (array ?? halves.values.first)?.shape[0] ?? 0 }

  private static func check(_ array: StoredArray) throws(CLIPError) {
    guard array.shape.rank == 2, array.shape[1] > 0, array.type.isFloat else {
      throw CLIPError(
        .shape,
        "'\(array.name)': is no matrix of features; expected floating-point numbers [count, width], got "
          + "\(array.type.rawValue) \(array.shape)")
    }
  }

  /// Where the keys of an array are.
  static func keyList(of path: String) -> String {
    (path.hasSuffix(".npy") ? String(path.dropLast(4)) : path) + ".txt"
  }

  /// The keys in `name.txt` beside `name.npy`; `nil` without the file.
  private static func lines(beside path: String, count: Int) throws(CLIPError) -> [String]? {
    let list = keyList(of: path)
    guard FileContents.exists(list) else { return nil }
    let keys = try TextList.rows(path: list)
    guard keys.count == count else {
      throw CLIPError(
        .shape,
        "'\(list)': keys and features disagree; expected \(count) lines for the rows of '\(path)', got "
          + "\(keys.count)")
    }
    return keys
  }

  /// Texts of UTF-8, each ended by a zero byte.
  private static func texts(
    _ name: String, in file: SafeTensorsFile, count: Int
  ) throws(CLIPError) -> [String]? {
    guard file[name] != nil else { return nil }
    let array = try file.array(name)
    guard array.type == .u8 else {
      throw CLIPError(
        .format,
        "'\(array.name)': is no text; expected U8, UTF-8 with a zero byte behind each of \(count) texts, "
          + "got \(array.type.rawValue)")
    }
    let bytes = try array.bytes()
    var texts: [String] = []
    texts.reserveCapacity(count)
    var start = bytes.startIndex
    while start < bytes.endIndex, let end = bytes[start...].firstIndex(of: 0) {
      guard let text = String(validating: bytes[start..<end], as: UTF8.self) else {
        throw CLIPError(
          .format,
          "'\(array.name)': text \(texts.count) is not UTF-8; expected UTF-8, got other bytes")
      }
      texts.append(text)
      start = end + 1
    }
    guard texts.count == count, start == bytes.endIndex else {
      throw CLIPError(
        .shape,
        "'\(array.name)': texts and features disagree; expected \(count) with a zero byte behind each, "
          + "got \(texts.count)\(start == bytes.endIndex ? "" : " and one without")")
    }
    return texts
  }
}
