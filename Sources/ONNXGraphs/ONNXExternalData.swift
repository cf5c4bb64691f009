internal import CleanCLIPFiles
internal import COnnx
internal import Glibc

/// A tensor's elements in a file beside the model.
package struct ONNXExternalData: Sendable {
  /// The file as the model names it.
  package let location: String
  package let offset: Int
  package let length: Int
  let file: InputFile

  /// Where the tensor's bytes are in the file.
  var range: Range<Int> { offset..<offset + length }

  /// Finds and opens the file, which must be inside the model's folder.
  ///
  /// - Parameter folder: of the model's file; `nil` for one in memory.
  /// - Throws: `format` for a location that leaves the folder and for numbers that do not fit the
  ///   file; `notFound` when the file is missing.
  init(
    _ info: connx_tensor, tensor: String, modelPath: String, folder: String?, byteCount: Int?,
    _ files: inout [String: InputFile]
  ) throws(CLIPError) {
    let what = "'\(modelPath)': external data of tensor '\(tensor)'"
    location = String(info.location)
    if let known = files[location] {
      file = known
    } else {
      guard let folder else {
        throw CLIPError(
          .notFound,
          "\(what) is in a file of its own; expected weights inside a graph that is given as bytes, got "
            + "'\(location)'; load the graph by its path")
      }
      let path = try Self.resolve(location, folder: folder.isEmpty ? "./" : folder, what: what)
      file = try InputFile(path)
      files[location] = file
    }
    guard let byteCount else {
      throw CLIPError(.format, "\(what) has no size; expected a numeric element type")
    }
    let offsetText = String(info.offset)
    let lengthText = String(info.length)
    guard let offset = offsetText.isEmpty ? 0 : Int(offsetText), offset >= 0,
      let length = lengthText.isEmpty ? byteCount : Int(lengthText), length == byteCount
    else {
      throw CLIPError(
        .format,
        "\(what) has wrong numbers; expected length \(byteCount) for its shape, got offset "
          + "'\(offsetText.prefix(24))' and length '\(lengthText.prefix(24))'")
    }
    guard offset <= file.count, length <= file.count - offset else {
      throw CLIPError(
        .format,
        "\(what) leaves its file; expected at most \(file.count) bytes in '\(location)', got "
          + "offset \(offset) and length \(length)")
    }
    self.offset = offset
    self.length = length
  }

  /// The path of a location: relative, without "..", and still inside the folder when symbolic
  /// links are followed.
  private static func resolve(
    _ location: String, folder: String, what: String
  ) throws(CLIPError) -> String {
    let parts = location.split(separator: "/", omittingEmptySubsequences: false)
    guard !location.isEmpty, !location.hasPrefix("/"), !location.utf8.contains(0),
      !parts.contains(".."), !location.utf8.contains(0x5C)
    else {
      throw CLIPError(
        .format,
        "\(what) leaves the model's folder; expected a file beside the model, got '\(location)'")
    }
    guard let folderPath = realpath(folder, nil) else {
      throw CLIPError.system(folder, "find the folder")
    }
    defer { free(folderPath) }
    guard let filePath = realpath(folder + location, nil) else {
      throw CLIPError(
        .notFound,
        "\(what) is missing; expected the file '\(location)' beside the model; copy it there")
    }
    defer { free(filePath) }
    let root = String(cString: folderPath)
    let prefix = root.hasSuffix("/") ? root : root + "/"
    guard String(cString: filePath).hasPrefix(prefix) else {
      throw CLIPError(
        .format,
        "\(what) leaves the model's folder; expected a file inside it, got a link out of it: "
          + "'\(location)'")
    }
    return folder + location
  }
}
