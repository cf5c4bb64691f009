internal import ONNXGraphs

/// The forms of checkpoints.
package enum CheckpointForm: String, Sendable, CaseIterable {
  case onnx, safetensors
}

/// How a model is written, by the path's ending or the form that is asked for, and where the model came from.
enum CheckpointTarget {
  /// New weights in copies of the graphs that the model came from.
  case graphs([(origin: ONNXImport, destination: FileDestination)])
  /// A new graph.
  case freshGraph(FileDestination, FreshGraph.Convention)
  case safetensors(FileDestination, TensorNames)

  /// - Throws: `unsupported` for an unknown ending, `invalidArgument` for the wrong number of paths.
  init(_ path: String, source: CheckpointSource?) throws(CLIPError) {
    if path.hasSuffix(".safetensors") {
      // The name that the transformers library looks for.
      let isHuggingFace = path == "model.safetensors" || path.hasSuffix("/model.safetensors")
      self = .safetensors(.path(path), isHuggingFace ? .huggingFace : .openCLIP)
      return
    }
    guard path.hasSuffix(".onnx") else {
      throw CLIPError(
        .unsupported,
        "'\(path)': unknown kind of checkpoint; expected a name that ends with .onnx or "
          + ".safetensors")
    }
    guard case .onnx(let origins)? = source else {
      self = .freshGraph(.path(path), .openCLIP)
      return
    }
    let paths = origins.count == 1 ? [path] : try ModelPaths.split(path)
    guard paths.count == origins.count, Set(paths).count == paths.count else {
      throw CLIPError(
        .invalidArgument,
        "'\(path)': model came from an image and a text file; expected 'VISUAL.onnx,TEXTUAL.onnx', "
          + "got \(paths.count) path")
    }
    self = .graphs(zip(origins, paths).map { ($0, .path($1)) })
  }

  /// - Throws: `unsupported` for a model of two graphs that are to be one.
  init(
    _ form: CheckpointForm, in memory: MemoryFile, source: CheckpointSource?
  ) throws(CLIPError) {
    switch (form, source) {
    case (.safetensors, _): self = .safetensors(.memory(memory), .openCLIP)
    case (.onnx, .onnx(let origins)?):
      guard origins.count == 1 else {
        throw CLIPError(
          .unsupported,
          "'\(memory.name)': model came from an image and a text file; expected one graph, got two; save "
            + "it by its paths, or as safetensors")
      }
      self = .graphs([(origins[0], .memory(memory))])
    case (.onnx, _): self = .freshGraph(.memory(memory), .openCLIP)
    }
  }

  /// The files to write.
  var paths: [String] {
    switch self {
    case .graphs(let parts): parts.compactMap(\.destination.path)
    case .freshGraph(let destination, _), .safetensors(let destination, _):
      [destination.path].compactMap(\.self)
    }
  }

  /// Checks, as far as it can be told before training, that changed weights can be written.
  ///
  /// - Throws: `unsupported`, naming the weight that has no tensor to be written to; `state` when the
  ///   graph's file has changed since it was loaded.
  func check() throws(CLIPError) {
    guard case .graphs(let parts) = self else { return }
    for part in parts {
      try part.origin.model.checkUnchanged(remedy: WriteBackPlan.remedy)
      try WriteBackPlan.check(part.origin)
    }
  }

  func write(
    _ configuration: CLIPConfiguration, _ tensors: [String: Tensor]
  ) throws(CLIPError) {
    switch self {
    case .graphs(let parts):
      // Everything is checked before the first file is written.
      var plans: [(plan: WriteBackPlan, destination: FileDestination)] = []
      for part in parts {
        plans.append((try WriteBackPlan(part.origin, tensors), part.destination))
      }
      for (plan, destination) in plans {
        try plan.write(to: destination, configuration.preprocessing)
      }
    case .freshGraph(let destination, let convention):
      try FreshGraph.write(
        configuration, tensors: tensors, to: destination, convention: convention)
    case .safetensors(let destination, let names):
      try SafeTensorsCheckpoint.write(configuration, tensors, to: destination, names: names)
    }
  }
}

extension CLIPError {
  /// The error for weights in a file of their own that are to go to memory.
  static func weightsBeside(_ name: String) -> CLIPError {
    CLIPError(
      .unsupported,
      "'\(name)': the graph has weights in files of their own; expected a graph that holds them; save it "
        + "to a file, or as safetensors")
  }
}
