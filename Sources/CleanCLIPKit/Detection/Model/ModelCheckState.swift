internal import Glibc

/// Finished searches of a check of an image tower, kept in a folder so that a check that was stopped
/// resumes without them.
///
/// Searches do not depend on one another but through what is kept here, and each has random numbers
/// of its own, so that a resumed check gives the same result bit by bit.
struct ModelCheckState {
  static let fileName = StateFolder.modelCheckFile
  private static let kind = SavedStateKind(
    format: "cleanclip check state 3", work: "check", name: "the state of a check",
    inputs: "model, images and classes")

  private let directory: String?
  private let identity: WorkIdentity
  /// S and E of the check's model.
  private let side: Int
  private let embedDim: Int
  private var finished: [(name: String, result: TriggerSearchResult)] = []

  /// - Parameters:
  ///   - directory: where the state is kept; `nil` keeps none.
  ///   - resume: whether to resume from a state that is there.
  ///   - identity: what must agree for a state to belong to this check.
  ///   - side: S of the model.
  ///   - embedDim: E of the model.
  /// - Throws: `state` when a state is of another check, naming what differs; `format` when it is
  ///   damaged; `io`.
  init(
    directory: String?, resume: Bool, identity: WorkIdentity, side: Int, embedDim: Int
  ) throws(CLIPError) {
    self.directory = directory
    self.side = side
    self.embedDim = embedDim
    self.identity = identity
    guard let directory else { return }
    try SavedStateKind.checkFolder(directory)
    let path = directory + "/" + Self.fileName
    if resume && access(path, F_OK) == 0 { try load(path) }
  }

  /// The result of a search that is finished.
  func result(of name: String) -> TriggerSearchResult? {
    finished.first { $0.name == name }?.result
  }

  /// Keeps the results of searches that ran together.
  ///
  /// - Throws: what writing the file throws.
  mutating func record(
    _ results: [(name: String, result: TriggerSearchResult)]
  ) throws(CLIPError) {
    finished += results
    guard let directory else { return }
    let (tensors, metadata) = try Self.encoded(finished[...])
    try Self.kind.write(
      tensors, metadata, identity: identity, to: directory + "/" + Self.fileName)
  }

  /// The number of searches that are finished.
  var count: Int { finished.count }

  /// Hands searches to the other ranks and takes theirs, so that every rank has the results of all.
  ///
  /// - Parameter first: the first of this rank's searches that the others do not have.
  /// - Throws: what communication and writing the file throw.
  mutating func exchange(from first: Int, _ communicator: Communicator) throws(CLIPError) {
    let own = "finished searches"
    let (tensors, metadata) = try Self.encoded(finished[first...])
    let memory = try MemoryFile(name: own)
    try SafeTensors.write(tensors, metadata: metadata, to: .memory(memory))
    let parts = try communicator.gatherAny(Array(try memory.bytes()), for: .searches)
    var others: [(name: String, result: TriggerSearchResult)] = []
    for (rank, part) in parts.enumerated() where rank != communicator.rank {
      let copy = try MemoryFile(copying: part, name: "\(own) of rank \(rank)")
      let file = try SafeTensors.read(try InputFile(copy))
      for index in 0..<(file.metadata["searches"].flatMap { Int($0) } ?? 0) {
        let search = try search(index, file)
        if result(of: search.name) == nil { others.append(search) }
      }
    }
    if !others.isEmpty { try record(others) }
  }

  /// Searches as the content of a safetensors file.
  private static func encoded(
    _ finished: ArraySlice<(name: String, result: TriggerSearchResult)>
  ) throws(CLIPError) -> (tensors: [(name: String, tensor: Tensor)], metadata: [String: String]) {
    var metadata = ["searches": "\(finished.count)"]
    var tensors: [(name: String, tensor: Tensor)] = []
    for (index, (name, result)) in finished.enumerated() {
      metadata["\(index).name"] = name
      metadata["\(index).kind"] = result.kind.name
      metadata["\(index).numbers"] =
        "\(result.size) \(result.collapse) \(result.steps) \(result.searched)"
      guard let trigger = result.trigger else { continue }
      let shape = Shape([result.kind.planes, trigger.side, trigger.side])
      tensors.append(("\(index).trigger", try Tensor(trigger.numbers, shape)))
      tensors.append(
        ("\(index).direction", try Tensor(result.direction, [result.direction.count])))
    }
    return (tensors, metadata)
  }

  private mutating func load(_ path: String) throws(CLIPError) {
    let file = try Self.kind.read(path, identity: identity)
    guard let count = file.metadata["searches"].flatMap({ Int($0) }), (0...100_000) ~= count else {
      throw Self.damaged(path, "no number of searches")
    }
    for index in 0..<count { finished.append(try search(index, file)) }
  }

  private func search(
    _ index: Int, _ file: SafeTensorsFile
  ) throws(CLIPError) -> (name: String, result: TriggerSearchResult) {
    let values = (file.metadata["\(index).numbers"] ?? "").split(separator: " ")
    guard let name = file.metadata["\(index).name"],
      let kind = file.metadata["\(index).kind"].flatMap(TriggerKind.init(name:)),
      values.count == 4, let size = Float(values[0]), let collapse = Float(values[1]),
      let steps = Int(values[2]), let searched = Int(values[3]), size.isFinite, collapse.isFinite
    else { throw Self.damaged(file.path, "search \(index) without its numbers") }
    var trigger: FoundTrigger?
    var direction: [Float] = []
    if file["\(index).trigger"] != nil {
      let numbers = try file.tensor("\(index).trigger")
      let vector = try file.tensor("\(index).direction")
      guard vector.dtype == .f32 else {
        throw Self.damaged(file.path, "a direction of \(vector.dtype) in search \(index)")
      }
      direction = vector.floats()
      guard direction.count == embedDim, direction.allSatisfy(\.isFinite) else {
        throw Self.damaged(
          file.path, "a direction of \(direction.count) numbers in search \(index)")
      }
      trigger = try FoundTrigger(
        kind: kind, size: size, side: side, values: numbers, file: file.path)
    }
    return (
      name,
      TriggerSearchResult(
        kind: kind, trigger: trigger, size: size, collapse: collapse, direction: direction,
        steps: steps, searched: searched)
    )
  }

  private static func damaged(_ path: String, _ what: String) -> CLIPError {
    kind.damaged(path, what, expected: "finished searches")
  }
}
