/// The tensors of a checkpoint in one safetensors file, or in several with an index.
package struct SafeTensorsSet {
  /// The file, or the index.
  let path: String
  /// Of the file, or of the index; `nil` for a file in memory.
  let folder: String?
  let files: [SafeTensorsFile]
  /// All tensors, each with the file that has it.
  let entries: [(entry: SafeTensorsEntry, file: Int)]

  /// The free text of the first file.
  var metadata: [String: String] { files.first?.metadata ?? [:] }

  /// Opens a single file.
  init(_ input: InputFile) throws(CLIPError) {
    let file = try SafeTensors.read(input)
    path = input.path
    folder = input.folder
    files = [file]
    entries = file.entries.map { ($0, 0) }
  }

  /// Opens the files of an index: `{"weight_map": {tensor: file}}`.
  ///
  /// - Throws: `format` for an index that is none, a file outside the index's folder, a tensor that is not
  ///   where the index says, or is there twice; `notFound` for a missing file.
  init(index path: String) throws(CLIPError) {
    let bytes = try FileContents.read(path, limit: 64 << 20)
    let json = try JSONValue.parse(
      String(decoding: bytes, as: UTF8.self), name: path)
    guard let map = json["weight_map"]?.object, map.count > 0 else {
      throw CLIPError(
        .format,
        "'\(path)': is no index of a checkpoint; expected a member 'weight_map' with the file of "
          + "each tensor, got \(json.object?.keys.prefix(4).joined(separator: ", ") ?? "no object")"
      )
    }
    var named: [String: String] = [:]
    for (tensor, value) in map {
      guard let file = value.string, !file.isEmpty, !file.contains("/"), file != ".." else {
        throw CLIPError(
          .format,
          "'\(path)': tensor '\(tensor)' is in no file beside the index; expected a file name, got "
            + value.serialized())
      }
      named[tensor] = file
    }
    let folder = ModelPaths.folder(of: path)
    let names = Set(named.values).sorted()
    var files: [SafeTensorsFile] = []
    var entries: [(entry: SafeTensorsEntry, file: Int)] = []
    for name in names {
      let file = try SafeTensors.read(folder + name)
      for entry in file.entries {
        guard named.removeValue(forKey: entry.name) == name else {
          throw CLIPError(
            .format,
            "'\(path)': tensor '\(entry.name)' is in '\(name)'; expected it where the index says, and "
              + "once; download the checkpoint again")
        }
        entries.append((entry, files.count))
      }
      files.append(file)
    }
    if let missing = named.sorted(by: { $0.key < $1.key }).first {
      throw CLIPError(
        .format,
        "'\(path)': tensor '\(missing.key)' is missing; expected it in '\(missing.value)', which has "
          + "no such tensor; download the checkpoint again")
    }
    self.path = path
    self.folder = folder
    self.files = files
    self.entries = entries
  }

  /// Returns a copy of a tensor, as `SafeTensorsFile.tensor`.
  func tensor(_ index: Int) throws(CLIPError) -> Tensor {
    try files[entries[index].file].tensor(entries[index].entry.name)
  }
}
