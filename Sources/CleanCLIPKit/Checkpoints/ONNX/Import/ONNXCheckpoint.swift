internal import Glibc
internal import ONNXGraphs

/// Checkpoints in one or two ONNX files.
enum ONNXCheckpoint {
  /// Loads one file, or the files of the two towers in either order.
  ///
  /// - Parameters: as `CheckpointReader.open`.
  static func load(
    _ files: [InputFile], preprocessing: String?, allowsNonFinite: Bool
  ) throws(CLIPError) -> (Checkpoint, [ONNXImport]) {
    var imports: [ONNXImport] = []
    for file in files { imports.append(try ONNXImport(file)) }
    var configuration = imports[0].match.configuration
    if imports.count == 2 {
      configuration = try join(imports[0], imports[1])
      // The towers may come in either order; the image tower's file is the first one from here on.
      if imports[0].match.configuration.vision == nil { imports.swapAt(0, 1) }
    }
    var tensors: [String: Tensor] = [:]
    var facts = CheckpointFacts()
    facts.format = "ONNX"
    if let imageSize = configuration.vision?.imageSize {
      let model = imports[0].model
      let found =
        if let preprocessing {
          try CheckpointPreprocessing.given(preprocessing, imageSize: imageSize)
        } else {
          try CheckpointPreprocessing.ofGraph(
            model.file, metadata: model.metadata, imageSize: imageSize)
        }
      configuration.preprocessing = found.value
      facts.preprocessingSource = found.source
      imports[0].assumesPreprocessing = found.isAssumed
    }
    for part in imports {
      tensors.merge(try part.tensors(allowsNonFinite: allowsNonFinite)) { first, _ in first }
      describe(part, in: &facts)
    }
    if tensors["logit_scale"] == nil {
      facts.hasTemperature = false
      tensors["logit_scale"] = try Tensor([CLIPConfiguration.initialLogitScale], [])
      facts.notes.append(
        "no temperature in the graph: assuming CLIP's initial value, 1/0.07; it is not written back"
      )
    }
    if case .resNet(let vision)? = configuration.vision, vision.batchNorm == .folded {
      facts.notes.append(
        "batch normalisation was folded into the convolutions by the exporter; they are trained as "
          + "convolutions with a bias")
    }
    return (Checkpoint(configuration: configuration, tensors: tensors, facts: facts), imports)
  }

  private static func join(
    _ first: ONNXImport, _ second: ONNXImport
  ) throws(CLIPError) -> CLIPConfiguration {
    let (a, b) = (first.match.configuration, second.match.configuration)
    guard (a.vision == nil) != (b.vision == nil), (a.text == nil) != (b.text == nil) else {
      throw CLIPError(
        .invalidArgument,
        "'\(first.model.path)' and '\(second.model.path)': expected an image tower in one file and "
          + "a text tower in the other, got \(towers(a)) and \(towers(b))")
    }
    guard a.embedDim == b.embedDim else {
      throw CLIPError(
        .shape,
        "'\(first.model.path)' and '\(second.model.path)': towers do not belong together; expected "
          + "one feature width, got \(a.embedDim) and \(b.embedDim)")
    }
    return CLIPConfiguration(
      embedDim: a.embedDim, vision: a.vision ?? b.vision, text: a.text ?? b.text)
  }

  private static func towers(_ configuration: CLIPConfiguration) -> String {
    configuration.vision == nil ? "text" : configuration.text == nil ? "images" : "both"
  }

  private static func describe(_ part: ONNXImport, in facts: inout CheckpointFacts) {
    let model = part.model
    facts.files.append(SourceFile(model.file))
    facts.files += model.externalFiles.values.map { SourceFile($0) }.sorted { $0.path < $1.path }
    facts.producer = model.producer
    if !model.producerVersion.isEmpty { facts.producer += " " + model.producerVersion }
    facts.irVersion = model.irVersion
    facts.opset = model.opset
    facts.nodes = (facts.nodes ?? 0) + model.graphs[0].nodes.count
    let initializers = Set(model.initializers.map(\.name))
    facts.inputs += model.inputs.map(\.name).filter { !initializers.contains($0) }
    facts.outputs += model.outputs.map(\.name)
    for (name, kind) in part.match.outputs { facts.outputKinds[name] = kind.words }
    var types = Set(facts.elementTypes)
    for parameter in part.match.parameters {
      for piece in parameter.pieces {
        guard let index = part.reader.fileTensor(piece.value), let type = model.tensors[index].type
        else { continue }
        types.insert(type.rawValue.lowercased())
      }
    }
    facts.elementTypes = types.sorted()
    describeOrigins(part, in: &facts)
  }

  /// Counts tensors that several weights share, and names weights without a tensor to write to.
  private static func describeOrigins(_ part: ONNXImport, in facts: inout CheckpointFacts) {
    var ends: [Int: Set<[InputSite]>] = [:]
    for parameter in part.match.parameters {
      for piece in parameter.pieces {
        guard let index = piece.value.constant else { continue }
        let source = part.reader.constants[index]
        if case .tensor(let tensor) = source.content {
          ends[tensor, default: []].insert(piece.value.path)
        } else if case .alpha? = source.derivation {
          continue
        } else {
          facts.fixedParameters[parameter.name] =
            "computed or left out by the exporter"
        }
      }
    }
    facts.sharedTensors += ends.values.filter { $0.count > 1 }.count
  }
}
