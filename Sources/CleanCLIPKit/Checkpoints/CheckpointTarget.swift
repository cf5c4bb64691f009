/// How a model is written, by the path's ending and where the model came from.
enum CheckpointTarget {
  /// New weights in copies of the graphs that the model came from.
  case graphs([(origin: ONNXImport, path: String)])
  /// A new graph.
  case freshGraph(String, FreshGraph.Convention)
  case safetensors(String)

  /// - Throws: `unsupported` for an unknown ending, `invalidArgument` for the wrong number of paths.
  init(_ path: String, source: CheckpointSource?) throws(CLIPError) {
    if path.hasSuffix(".safetensors") {
      self = .safetensors(path)
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
    let paths = origins.count == 1 ? [path] : path.split(separator: ",").map(String.init)
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
    case .freshGraph(let path, _), .safetensors(let path): [path]
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
      for (plan, path) in plans { try plan.write(to: path) }
    case .freshGraph(let path, let convention):
      try FreshGraph.write(configuration, tensors: tensors, to: path, convention: convention)
    case .safetensors(let path):
      let ordered = configuration.tensorSpecifications.compactMap { specification in
        tensors[specification.name].map { (name: specification.name, tensor: $0) }
      }
      try SafeTensors.write(ordered, metadata: ["format": "pt"], to: path)
    }
  }
}
