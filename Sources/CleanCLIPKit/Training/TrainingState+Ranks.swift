extension TrainingState {
  /// Hands the state that rank 0 has read to every rank, so that one needs the file.
  ///
  /// - Parameter tensors: of this rank, which are written.
  static func share(
    _ tensors: [(name: String, tensor: Tensor)], _ position: inout Position,
    _ history: inout TrainingHistory, _ contents: inout RowContents, _ communicator: Communicator
  ) throws(CLIPError) {
    guard !communicator.isSingle else { return }
    position = try communicator.gather(position, for: .state)[0]
    history.epochs = try communicator.broadcast(history.epochs, for: .state)
    history.steps = try communicator.broadcast(history.steps, for: .state)
    contents = RowContents(
      fingerprints: try communicator.broadcast(contents.fingerprints, for: .state))
    for (_, tensor) in tensors { try communicator.broadcast(tensor, for: .state) }
  }
}

extension RowContents {
  /// Keeps the contents of a batch, the parts of all ranks.
  ///
  /// - Parameter part: what this rank has read.
  /// - Throws: `state` when a row held something else before, whichever rank read it then.
  mutating func add(
    _ part: [RowContent], _ communicator: Communicator
  ) throws(CLIPError) {
    // This rank's first: it knows what the rows are called.
    for content in part { try add(content) }
    guard !communicator.isSingle else { return }
    let words = part.flatMap { [UInt64($0.row), $0.fingerprint] }
    let all = try communicator.gather(words, for: .contents)
    for index in stride(from: 0, to: all.count, by: 2) {
      let row = Int(all[index])
      try add(RowContent(row: row, key: "row \(row)", fingerprint: all[index + 1]))
    }
  }
}
