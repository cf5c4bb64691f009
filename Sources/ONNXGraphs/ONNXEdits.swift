package import CleanCLIPFiles
internal import COnnx

/// Where everything is that can be replaced in a copy of an ONNX file.
final class ONNXPlaces: @unchecked Sendable {
  // Sendable: nothing changes the places after they were found.
  let handle: OpaquePointer

  init(_ model: OpaquePointer) throws(CLIPError) {
    guard let handle = connx_model_places(model) else { throw ONNXEdits.outOfMemory }
    self.handle = handle
  }

  deinit { connx_places_free(handle) }
}

/// Replacements in a copy of an ONNX file; every other byte stays as it is.
package final class ONNXEdits {
  /// Appends the bytes of a tensor to the copy.
  package typealias Content = (inout AtomicFile) throws(CLIPError) -> Void

  fileprivate static let outOfMemory = CLIPError(
    .outOfMemory, "onnx: out of memory; expected room for the places of a graph's weights")

  private let model: ONNXModel
  private let handle: OpaquePointer
  private var contents: [Content] = []

  /// - Throws: `outOfMemory`, as all functions.
  package init(_ model: ONNXModel) throws(CLIPError) {
    guard let handle = connx_edits_create(model.places.handle) else { throw Self.outOfMemory }
    self.model = model
    self.handle = handle
  }

  deinit { connx_edits_free(handle) }

  private func check(_ result: Int32, _ what: @autoclosure () -> String) throws(CLIPError) {
    if result == 0 { throw Self.outOfMemory }
    guard result > 0 else {
      throw CLIPError(
        .internal, "'\(model.path)': \(what()) cannot be replaced; expected a field of the file")
    }
  }

  /// Replaces the elements of a tensor by `count` bytes that `content` appends.
  package func replace(
    _ tensor: ONNXTensor, count: Int, _ content: @escaping Content
  ) throws(CLIPError) {
    try check(
      connx_edits_payload(handle, tensor.index, count, contents.count), "tensor '\(tensor.name)'")
    contents.append(content)
  }

  /// Replaces the elements of a tensor that the file lists as packed numbers.
  package func replace(_ tensor: ONNXTensor, patterns: [UInt16]) throws(CLIPError) {
    try check(
      connx_edits_patterns(handle, tensor.index, patterns, patterns.count),
      "tensor '\(tensor.name)'")
  }

  /// Replaces the name of the file that holds a tensor.
  package func replaceLocation(of tensor: ONNXTensor, _ location: String) throws(CLIPError) {
    try check(
      connx_edits_location(handle, tensor.index, location, location.utf8.count),
      "the location of tensor '\(tensor.name)'")
  }

  /// Replaces the float attribute number `position` of a node.
  package func replaceFloat(
    ofNode node: Int, at position: Int, _ value: Float
  ) throws(CLIPError) {
    try check(
      connx_edits_float(handle, node, position, value), "an attribute of \(model.nodes[node].label)"
    )
  }

  /// Replaces the name that a node reads.
  package func replaceInput(at site: InputSite, _ name: String) throws(CLIPError) {
    try check(
      connx_edits_input(handle, site.node, site.input, name, name.utf8.count),
      "an input of \(model.nodes[site.node].label)")
  }

  /// Adds an initializer with the shape and type of another tensor; `content` appends its `count`
  /// bytes.
  package func add(
    _ name: String, like tensor: ONNXTensor, count: Int, _ content: @escaping Content
  ) throws(CLIPError) {
    // Early versions of the format list initializers among the graph's inputs.
    let isInput: Int32 = model.irVersion < 4 ? 1 : 0
    let dimensions = tensor.dimensions.map(Int64.init)
    try check(
      connx_edits_initializer(
        handle, name, name.utf8.count, Int32(tensor.dataType), dimensions, dimensions.count, count,
        contents.count, isInput), "tensor '\(name)'")
    contents.append(content)
  }

  /// Adds free text to the model, which replaces an entry with the same key.
  package func setMetadata(_ key: String, _ value: String) throws(CLIPError) {
    try check(connx_edits_metadata(handle, key, value), "metadata '\(key)'")
  }

  /// Writes the copy with all replacements.
  ///
  /// - Throws: `io`; `state` when the source changes meanwhile; `unsupported` when the file would have
  ///   2 GiB or more; `format` when fields that are replaced overlap.
  package func write(to destination: FileDestination) throws(CLIPError) {
    var pieces = connx_pieces()
    let result = connx_edits_finish(handle, &pieces)
    if result == 0 { throw Self.outOfMemory }
    guard result > 0 else {
      throw CLIPError(
        .format,
        "'\(model.path)': fields of the file overlap; expected each byte once, got byte "
          + "\(pieces.conflict) twice")
    }
    guard pieces.length < 1 << 31 else {
      throw CLIPError(
        .unsupported,
        "'\(destination.name)': the file would be too large for protobuf; expected less than 2 GiB, got "
          + "\(pieces.length) bytes; save the model as safetensors")
    }
    let all = UnsafeBufferPointer(start: pieces.pieces, count: pieces.count)
    try AtomicFile.write(to: destination) { (file) throws(CLIPError) in
      for piece in all { try append(piece, to: &file) }
      // What was read belongs together only if nothing changed meanwhile.
      try model.checkUnchanged()
    }
  }

  private func append(_ piece: connx_piece, to file: inout AtomicFile) throws(CLIPError) {
    switch piece.kind {
    case CONNX_PIECE_SOURCE:
      try file.append(model.file, piece.offset..<piece.offset + piece.length)
    case CONNX_PIECE_BYTES:
      try file.append(UnsafeRawBufferPointer(start: piece.bytes, count: piece.length))
    default:
      let before = file.count
      try contents[piece.content](&file)
      precondition(file.count - before == piece.length, "content has the length that it announced")
    }
  }
}
