internal import Glibc
internal import ONNXGraphs

/// What changes in a file when a model's weights are written back into its graph.
///
/// Only payloads of weights change. Tensors that an exporter merged because they were equal, and
/// that are not any more, get initializers of their own, and their readers new names to read.
final class WriteBackPlan {
  let origin: ONNXImport
  private let uses: TensorUses
  private var model: ONNXModel { origin.model }
  /// Keeps the memory of the new values alive.
  private let tensors: [String: Tensor]
  /// New elements of tensors of the file.
  private var contents: [Int: TensorContent] = [:]
  /// New initializers and the places that read them.
  private var added: [(name: String, tensor: Int, content: TensorContent, sites: [InputSite])] = []
  /// New values of float attributes, by their node and their position among its attributes.
  private var attributes: [(node: Int, position: Int, value: Float)] = []

  /// Compares new weights with the file's.
  ///
  /// - Parameter tensors: under OpenCLIP's names, single precision; names that the file does not
  ///   have are left out.
  /// - Throws: `state` when the file has changed since it was loaded; `unsupported` when a changed weight
  ///   has no tensor of its own in the graph; `format` for NaN and infinite weights; `shape`.
  init(_ origin: ONNXImport, _ tensors: [String: Tensor]) throws(CLIPError) {
    self.origin = origin
    self.tensors = tensors
    uses = TensorUses(origin)
    try origin.model.checkUnchanged(remedy: Self.remedy)
    var changes: [Int: [TensorContent.Change]] = [:]
    var pieces: [Int: [TensorContent.Change]] = [:]
    for parameter in origin.match.parameters {
      guard let tensor = tensors[parameter.name] else { continue }
      try check(tensor, parameter)
      let rowLength = parameter.shape.dropFirst().reduce(1, *)
      for piece in parameter.pieces + parameter.copies {
        let values = UnsafeBufferPointer(
          start: tensor.f32 + piece.rows.lowerBound * rowLength,
          count: piece.rows.count * rowLength)
        let change = TensorContent.Change(
          parameter: parameter.name, piece: piece, values: values)
        if let index = origin.reader.fileTensor(piece.value) {
          pieces[index, default: []].append(change)
        }
        guard try isChanged(piece, values, parameter) else { continue }
        if let index = try tensorIndex(change) { changes[index, default: []].append(change) }
      }
    }
    for (index, changes) in changes.sorted(by: { $0.key < $1.key }) {
      try checkTies(pieces[index] ?? [], of: model.tensors[index])
      try plan(model.tensors[index], changes)
    }
    try model.checkUnchanged(remedy: Self.remedy)
  }

  /// What helps when the graph's file has changed.
  static let remedy = "save the model as .safetensors, which does not read it, or load it again"

  private func check(_ tensor: Tensor, _ parameter: MatchedParameter) throws(CLIPError) {
    guard tensor.dtype == .f32, tensor.count == parameter.shape.reduce(1, *) else {
      throw CLIPError(
        .shape,
        "'\(model.path)': weight '\(parameter.name)' has shape \(tensor.shape); expected "
          + "\(parameter.shape) in single precision")
    }
    let values = UnsafeBufferPointer(start: tensor.f32, count: tensor.count)
    guard values.allSatisfy(\.isFinite) else {
      throw CLIPError(
        .format,
        "'\(model.path)': weight '\(parameter.name)' is not a number; expected finite values")
    }
  }

  private func isChanged(
    _ piece: ParameterPiece, _ values: UnsafeBufferPointer<Float>, _ parameter: MatchedParameter
  ) throws(CLIPError) -> Bool {
    // Rows at a time, so that there is no second copy of a large table.
    let rows = piece.value.dimensions.first ?? 1
    let rowLength = values.count / max(1, rows)
    let step = max(1, (1 << 22) / max(1, rowLength))
    guard rows > step, piece.value.layout.sliced(axis: 0, start: 0, count: step) != nil else {
      return try isDifferent(piece, values, parameter)
    }
    for start in stride(from: 0, to: rows, by: step) {
      let count = min(step, rows - start)
      guard let layout = piece.value.layout.sliced(axis: 0, start: start, count: count) else {
        return try isDifferent(piece, values, parameter)
      }
      let part = ParameterPiece(
        rows: 0..<count, value: piece.value.with(layout), transform: piece.transform)
      let new = UnsafeBufferPointer(
        rebasing: values[start * rowLength..<(start + count) * rowLength])
      if try isDifferent(part, new, parameter) { return true }
    }
    return false
  }

  private func isDifferent(
    _ piece: ParameterPiece, _ values: UnsafeBufferPointer<Float>, _ parameter: MatchedParameter
  ) throws(CLIPError) -> Bool {
    // Not from the pool, which would keep a block of every size.
    let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: values.count)
    defer { buffer.deallocate() }
    try origin.read(piece, into: buffer, name: parameter.name)
    guard let new = values.baseAddress, let old = buffer.baseAddress else { return false }
    return memcmp(old, new, values.count * 4) != 0
  }

  /// The tensor of the file that a change belongs to; `nil` for an attribute.
  private func tensorIndex(_ change: TensorContent.Change) throws(CLIPError) -> Int? {
    if let index = change.piece.value.constant {
      let source = origin.reader.constants[index]
      if case .tensor(let tensor) = source.content { return tensor }
      if case .alpha(let node)? = source.derivation,
        case .float(_, let position?)? = model.nodes[node].attributes["alpha"]
      {
        let value = ONNXImport.exponential(change.values[0])
        guard value.isFinite else {
          throw CLIPError(
            .unsupported, "'\(model.path)': temperature \(change.values[0]) is too large")
        }
        attributes.append((node, position, value))
        return nil
      }
    }
    throw CLIPError(
      .unsupported,
      "'\(model.path)': weight '\(change.parameter)' was computed when the file was made and has "
        + "no tensor of its own; expected one to write to; save the model as safetensors or to a "
        + "new graph")
  }

  // MARK: - Shared tensors

  private func plan(
    _ tensor: ONNXTensor, _ changes: [TensorContent.Change]
  ) throws(CLIPError) {
    let whole = try TensorContent(model, tensor, changes)
    let uses = uses.uses(of: tensor)
    let ends = uses.flatMap(\.ends)
    let places = Set(ends.map(\.path))
    if let lost = changes.first(where: { !places.contains($0.piece.value.path) }) {
      throw CLIPError(
        .unsupported,
        "'\(model.path)': weight '\(lost.parameter)' reaches its layer in a way that cannot be "
          + "followed back; expected moves of data only; save the model to a new graph")
    }
    guard ends.count > 1 else {
      contents[tensor.index] = whole
      return
    }
    let shared = try SharedTensor(origin, tensor, ends, changes)
    if shared.satisfies(ends, try whole.bytes()) {
      contents[tensor.index] = whole
      return
    }
    // Outputs of the graph can only read the tensor itself; else whatever did not change stays.
    let base =
      uses.first { $0.site == nil } ?? uses.first { shared.changes(of: [$0]).isEmpty } ?? uses[0]
    let kept = shared.changes(of: [base])
    let content = try TensorContent(model, tensor, kept)
    if !kept.isEmpty { contents[tensor.index] = content }
    try settle(uses, shared, base: try content.bytes())
  }

  /// Gives readers whose elements differ from the tensor's new ones a tensor of their own.
  private func settle(
    _ uses: [TensorUses.Use], _ shared: SharedTensor, base: [UInt8]
  ) throws(CLIPError) {
    for use in uses where !shared.satisfies(use.ends, base) {
      let changes = shared.changes(of: [use])
      let content = try TensorContent(model, shared.tensor, changes)
      if let site = use.site, shared.satisfies(use.ends, try content.bytes()) {
        added.append((uniqueName(shared.tensor.name), shared.tensor.index, content, [site]))
        continue
      }
      guard let site = use.site, model.nodes[site.node].operation == "Identity" else {
        throw CLIPError(
          .unsupported,
          "'\(model.path)': weights \(Set(changes.map(\.parameter)).sorted()) share tensor "
            + "'\(shared.tensor.name)' behind one node and differ; expected one value for all of "
            + "them; save the model as safetensors or to a new graph")
      }
      try settle(use.further, shared, base: base)
    }
  }

  private lazy var names: Set<String> = {
    var names = Set(model.tensors.map(\.name))
    for node in model.nodes { names.formUnion(node.outputs) }
    names.formUnion(model.inputs.map(\.name))
    return names
  }()

  private func uniqueName(_ base: String) -> String {
    var number = 1
    while !names.insert("\(base).own_\(number)").inserted { number += 1 }
    return "\(base).own_\(number)"
  }

  // MARK: - Writing

  /// Writes the graph with the new weights; external data goes to the file's path + `.data`. Preprocessing
  /// that is not assumed becomes a part of the graph's metadata.
  ///
  /// - Throws: `io`; `unsupported` for values that the element type cannot hold, and for external data that
  ///   is to go to memory.
  func write(
    to destination: FileDestination, _ preprocessing: ImagePreprocessing
  ) throws(CLIPError) {
    let edits = try ONNXEdits(model)
    let locations = try writeExternalFiles(beside: destination)
    for tensor in model.tensors {
      if case .external(let external) = tensor.payload {
        if let location = locations[external.location], location != external.location {
          try edits.replaceLocation(of: tensor, location)
        }
      } else if let content = contents[tensor.index] {
        try replace(tensor, by: content, in: edits)
      }
    }
    for attribute in attributes {
      try edits.replaceFloat(
        ofNode: attribute.node, at: attribute.position, attribute.value)
    }
    for (name, index, content, sites) in added {
      let bytes = try content.bytes()
      try edits.add(name, like: model.tensors[index], count: bytes.count) {
        (file) throws(CLIPError) in try file.append(bytes)
      }
      for site in sites { try edits.replaceInput(at: site, name) }
    }
    if origin.match.configuration.vision != nil, !origin.hasInMetadata(preprocessing) {
      try edits.setMetadata(
        CheckpointPreprocessing.metadataKey, preprocessing.json.serialized())
    }
    try edits.write(to: destination)
  }

  private func replace(
    _ tensor: ONNXTensor, by content: TensorContent, in edits: ONNXEdits
  ) throws(CLIPError) {
    if case .numbers = tensor.payload {
      try edits.replace(tensor, patterns: try content.patterns())
    } else {
      try edits.replace(tensor, count: content.byteCount) { (file) throws(CLIPError) in
        try content.append(to: &file)
      }
    }
  }

  /// Writes the files of external data with the new elements; returns their new locations.
  private func writeExternalFiles(
    beside destination: FileDestination
  ) throws(CLIPError) -> [String: String] {
    guard !model.externalFiles.isEmpty else { return [:] }
    guard let path = destination.path else { throw CLIPError.weightsBeside(destination.name) }
    let base = path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
    let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
    var locations: [String: String] = [:]
    for (number, location) in model.externalFiles.keys.sorted().enumerated() {
      let name = number == 0 ? base + ".data" : "\(base).\(number).data"
      locations[location] = name
      try writeExternalFile(location, to: folder + name)
    }
    return locations
  }

  private func writeExternalFile(_ location: String, to path: String) throws(CLIPError) {
    guard let source = model.externalFiles[location] else { return }
    var ranges: [(range: Range<Int>, content: TensorContent?)] = []
    for tensor in model.tensors {
      guard case .external(let external) = tensor.payload, external.location == location else {
        continue
      }
      ranges.append((external.offset..<external.offset + external.length, contents[tensor.index]))
    }
    ranges.sort { $0.range.lowerBound < $1.range.lowerBound }
    for (first, second) in zip(ranges, ranges.dropFirst())
    where first.range.overlaps(second.range) && (first.content != nil || second.content != nil) {
      throw CLIPError(
        .unsupported,
        "'\(source.path)': tensors share bytes; expected each weight's own, got offset "
          + "\(second.range.lowerBound) twice; save the model again with onnx.save")
    }
    try AtomicFile.write(path) { (file) throws(CLIPError) in
      var position = 0
      for (range, content) in ranges {
        guard let content else { continue }
        try file.append(source, position..<range.lowerBound)
        try content.append(to: &file)
        position = range.upperBound
      }
      try file.append(source, position..<source.count)
      try source.checkUnchanged()
    }
  }
}
