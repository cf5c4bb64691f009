internal import ONNXGraphs

/// How a model is written, by the path's ending and where the model came from.
enum CheckpointTarget {
  /// New weights in copies of the graphs that the model came from.
  case graphs([(origin: ONNXImport, path: String)])
  /// A new graph.
  case freshGraph(String, FreshGraph.Convention)
  case safetensors(String, TensorNames)

  /// - Throws: `unsupported` for an unknown ending, `invalidArgument` for the wrong number of paths.
  init(_ path: String, source: CheckpointSource?) throws(CLIPError) {
    if path.hasSuffix(".safetensors") {
      // The name that the transformers library looks for.
      let isHuggingFace = path == "model.safetensors" || path.hasSuffix("/model.safetensors")
      self = .safetensors(path, isHuggingFace ? .huggingFace : .openCLIP)
      return
    }
    guard path.hasSuffix(".onnx") else {
      throw CLIPError(
        .unsupported,
        "'\(path)': unknown kind of checkpoint; expected a name that ends with .onnx or "
          + ".safetensors")
    }
    guard case .onnx(let origins)? = source else {
      self = .freshGraph(path, .openCLIP)
      return
    }
    let paths = origins.count == 1 ? [path] : try ModelPaths.split(path)
    guard paths.count == origins.count, Set(paths).count == paths.count else {
      throw CLIPError(
        .invalidArgument,
        "'\(path)': model came from an image and a text file; expected 'VISUAL.onnx,TEXTUAL.onnx', "
          + "got \(paths.count) path")
    }
    self = .graphs(zip(origins, paths).map { ($0, $1) })
  }

  /// The files to write.
  var paths: [String] {
    switch self {
    case .graphs(let parts): parts.map(\.path)
    case .freshGraph(let path, _), .safetensors(let path, _): [path]
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
      var plans: [(plan: WriteBackPlan, path: String)] = []
      for part in parts { plans.append((try WriteBackPlan(part.origin, tensors), part.path)) }
      for (plan, path) in plans { try plan.write(to: path, configuration.preprocessing) }
    case .freshGraph(let path, let convention):
      try FreshGraph.write(configuration, tensors: tensors, to: path, convention: convention)
    case .safetensors(let path, let names):
      try SafeTensorsCheckpoint.write(configuration, tensors, to: path, names: names)
    }
  }
}
