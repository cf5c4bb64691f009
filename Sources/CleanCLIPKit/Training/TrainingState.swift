internal import Glibc

/// What is needed to resume a run as if it had not stopped: a safetensors file with the weights,
/// the optimizer's moments, the position, and what tells this run from another.
struct TrainingState {
  /// Where the run is.
  struct Position: Equatable, BitwiseCopyable {
    /// From 0.
    var epoch = 0
    /// Batches done of that epoch.
    var batch = 0
    /// Updates done of the whole run.
    var step = 0
    /// Sums of the losses of the epoch so far.
    var sums = StepLosses(loss: 0)
    /// Seconds spent in the epoch so far.
    var seconds = 0.0
    /// The plan under the memory budget, which a measurement after resuming might not repeat.
    var plan: MemoryPlan?
  }

  static let fileName = StateFolder.trainingFile
  private static let stepsName = "history.steps"
  private static let contentsName = "data.contents"
  private static let kind = SavedStateKind(
    format: "cleanclip training state 3", work: "run", name: "a training state",
    inputs: "model and data")

  /// Saves a state, replacing an older one atomically.
  ///
  /// - Parameters:
  ///   - tensors: weights, statistics and moments.
  ///   - contents: what the rows that were trained on hold.
  ///   - identity: options, model and data of the run.
  static func save(
    _ tensors: [(name: String, tensor: Tensor)], position: Position, history: TrainingHistory,
    contents: RowContents, identity: WorkIdentity, in directory: String
  ) throws(CLIPError) {
    try SavedStateKind.makeDirectory(directory)
    var metadata = ["position.epoch": "\(position.epoch)"]
    metadata["position.batch"] = "\(position.batch)"
    metadata["position.step"] = "\(position.step)"
    metadata["position.sums"] = text(position.sums)
    metadata["position.seconds"] = "\(position.seconds)"
    metadata["position.plan"] = position.plan?.text
    metadata["history.epochs"] = "\(history.epochs.count)"
    for (index, epoch) in history.epochs.enumerated() {
      metadata["history.\(index)"] =
        "\(epoch.steps) \(text(epoch.losses)) \(epoch.logitScale) \(epoch.seconds)"
    }
    var tensors = tensors
    if let steps = try history.stepTensor() { tensors.append((stepsName, steps)) }
    if let contents = try contents.tensor() { tensors.append((contentsName, contents)) }
    try kind.write(tensors, metadata, identity: identity, to: path(in: directory))
  }

  static func path(in directory: String) -> String { directory + "/" + fileName }

  static func exists(in directory: String) -> Bool { access(path(in: directory), F_OK) == 0 }

  /// Reads a state into `tensors`.
  ///
  /// - Parameters:
  ///   - end: the position after the last step of the last epoch, which none exceeds.
  ///   - checking: compares what the rows hold before anything is changed.
  /// - Throws: `state` when it is of another run, naming what differs; `format` when it is no state;
  ///   `tensors` are unchanged then.
  static func load(
    into tensors: [(name: String, tensor: Tensor)], identity: WorkIdentity, end: Position,
    from directory: String, checking: (RowContents) throws(CLIPError) -> RowContents
  ) throws(CLIPError) -> (position: Position, history: TrainingHistory, contents: RowContents) {
    let path = path(in: directory)
    let file = try kind.read(path, identity: identity)
    var loaded: [Tensor] = []
    for (name, tensor) in tensors {
      let value = try file.tensor(name)
      guard value.shape == tensor.shape, value.dtype == tensor.dtype else {
        throw kind.damaged(
          path, "\(value.shape) of \(value.dtype)",
          expected: "\(tensor.shape) of \(tensor.dtype) as '\(name)'")
      }
      loaded.append(value)
    }
    let position = try Self.position(file)
    guard position.epoch <= end.epoch, position.batch <= end.batch, position.step <= end.step else {
      throw damaged(file)
    }
    let history = try Self.history(file, steps: position.step)
    var contents = RowContents()
    if file[contentsName] != nil {
      guard let known = RowContents(try file.tensor(contentsName)) else { throw damaged(file) }
      contents = try checking(known)
    }
    for (target, value) in zip(tensors, loaded) {
      memcpy(target.tensor.bytes, value.bytes, value.byteCount)
    }
    return (position, history, contents)
  }

  private static func text(_ losses: StepLosses) -> String {
    "\(losses.loss) \(losses.crossmodalLoss) \(losses.inmodalLoss)"
  }

  private static func position(_ file: SafeTensorsFile) throws(CLIPError) -> Position {
    guard let epoch = count(file, "position.epoch"), let batch = count(file, "position.batch"),
      let step = count(file, "position.step"),
      let sums = numbers(file, "position.sums", 3),
      let seconds = numbers(file, "position.seconds", 1)
    else { throw damaged(file) }
    var position = Position(
      epoch: epoch, batch: batch, step: step,
      sums: StepLosses(loss: sums[0], crossmodalLoss: sums[1], inmodalLoss: sums[2]),
      seconds: seconds[0])
    if let text = file.metadata["position.plan"] {
      position.plan = MemoryPlan(text: text)
      guard position.plan != nil else { throw damaged(file) }
    }
    return position
  }

  private static func history(
    _ file: SafeTensorsFile, steps: Int
  ) throws(CLIPError) -> TrainingHistory {
    var history = TrainingHistory()
    if steps > 0 {
      guard let known = TrainingHistory.steps(of: try file.tensor(stepsName)), known.count == steps
      else { throw damaged(file) }
      history.steps = known
    }
    guard let epochs = count(file, "history.epochs"), epochs <= file.metadata.count else {
      throw damaged(file)
    }
    for index in 0..<epochs {
      guard let values = numbers(file, "history.\(index)", 6), let steps = Int(exactly: values[0])
      else { throw damaged(file) }
      history.epochs.append(
        TrainingHistory.Epoch(
          epoch: index + 1, steps: steps,
          losses: StepLosses(
            loss: values[1], crossmodalLoss: values[2], inmodalLoss: values[3]),
          logitScale: Float(values[4]), seconds: values[5]))
    }
    return history
  }

  private static func count(_ file: SafeTensorsFile, _ key: String) -> Int? {
    guard let value = file.metadata[key].flatMap({ Int($0) }), value >= 0, value < 1 << 53 else {
      return nil
    }
    return value
  }

  private static func numbers(_ file: SafeTensorsFile, _ key: String, _ count: Int) -> [Double]? {
    guard let text = file.metadata[key] else { return nil }
    let values = text.split(separator: " ").compactMap { Double(String($0)) }
    return values.count == count && values.allSatisfy(\.isFinite) ? values : nil
  }

  private static func damaged(_ file: SafeTensorsFile) -> CLIPError {
    kind.damaged(file.path, "others", expected: "the position and history of a run")
  }
}
