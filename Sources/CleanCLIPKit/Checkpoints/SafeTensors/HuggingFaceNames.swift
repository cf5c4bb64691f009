internal import Glibc

/// Translation between Hugging Face's names and layouts and OpenCLIP's.
package enum HuggingFaceNames {
  /// Whether names are Hugging Face's.
  package static func areUsed(in names: some Sequence<String>) -> Bool {
    names.contains { $0.hasPrefix("vision_model.") || $0.hasPrefix("text_model.") }
  }

  /// Names of one tower saved by itself get the prefix that they have in the whole model.
  static func prefixed(_ names: [String]) -> [String] {
    let prefixes = [
      "embeddings.token_embedding.weight": "text_model.",
      "embeddings.patch_embedding.weight": "vision_model.",
    ]
    guard let prefix = prefixes.first(where: { names.contains($0.key) })?.value else {
      return names
    }
    return names.map { $0.hasSuffix("_projection.weight") ? $0 : prefix + $0 }
  }

  /// Refuses the weights of adapters, which are no model.
  ///
  /// - Throws: `unsupported`.
  static func refuseAdapters(_ names: [String], path: String) throws(CLIPError) {
    let marks = [".lora_A.", ".lora_B.", ".lora_up.", ".lora_down.", "lora_magnitude_vector"]
    guard let name = names.first(where: { name in marks.contains { name.contains($0) } }) else {
      return
    }
    throw CLIPError(
      .unsupported,
      "'\(path)': is a LoRA adapter; expected a whole model, got tensor '\(name)'; merge it with "
        + "merge_and_unload() and save the result")
  }

  /// Leaves out the towers that a file does not have, whatever its configuration says.
  ///
  /// - Throws: `unsupported` for a tower without its projection, as `CLIPTextModel` and
  ///   `CLIPVisionModel` save it.
  static func leaveOutTowers(
    without names: [String], of configuration: inout CLIPConfiguration, path: String
  ) throws(CLIPError) {
    if !names.contains(where: { $0.hasPrefix("vision_model.") }) { configuration.vision = nil }
    if !names.contains(where: { $0.hasPrefix("text_model.") }) { configuration.text = nil }
    for (isThere, kind, projection) in [
      (configuration.text != nil, "Text", "text_projection.weight"),
      (configuration.vision != nil, "Vision", "visual_projection.weight"),
    ] where isThere && !names.contains(projection) {
      throw CLIPError(
        .unsupported,
        "'\(path)': is a CLIP\(kind)Model, which has no projection into the joint space; expected "
          + "'\(projection)', got none; save a CLIP\(kind)ModelWithProjection or the whole CLIPModel"
      )
    }
  }

  /// Names that differ and nothing else: Hugging Face's and OpenCLIP's.
  private static func renamed(_ configuration: CLIPConfiguration) -> [(String, String)] {
    var names: [(String, String)] = [("logit_scale", "logit_scale")]
    func norm(_ theirs: String, _ ours: String) {
      for part in ["weight", "bias"] { names.append(("\(theirs).\(part)", "\(ours).\(part)")) }
    }
    func blocks(_ count: Int, _ tower: String, _ prefix: String) {
      for index in 0..<count {
        let theirs = "\(tower).encoder.layers.\(index)."
        let ours = "\(prefix)transformer.resblocks.\(index)."
        for (a, b) in [
          ("layer_norm1", "ln_1"), ("layer_norm2", "ln_2"), ("mlp.fc1", "mlp.c_fc"),
          ("mlp.fc2", "mlp.c_proj"), ("self_attn.out_proj", "attn.out_proj"),
        ] {
          norm(theirs + a, ours + b)
        }
      }
    }
    if case .transformer(let vision)? = configuration.vision {
      let embeddings = "vision_model.embeddings."
      names.append((embeddings + "class_embedding", "visual.class_embedding"))
      names.append((embeddings + "patch_embedding.weight", "visual.conv1.weight"))
      names.append((embeddings + "position_embedding.weight", "visual.positional_embedding"))
      norm("vision_model.pre_layrnorm", "visual.ln_pre")
      norm("vision_model.post_layernorm", "visual.ln_post")
      blocks(vision.transformer.layers, "vision_model", "visual.")
    }
    if let text = configuration.text {
      let embeddings = "text_model.embeddings."
      names.append((embeddings + "token_embedding.weight", "token_embedding.weight"))
      names.append((embeddings + "position_embedding.weight", "positional_embedding"))
      norm("text_model.final_layer_norm", "ln_final")
      blocks(text.transformer.layers, "text_model", "")
    }
    return names
  }

  /// Projections, transposed: Hugging Face's [E, D] and OpenCLIP's [D, E].
  private static func projections(_ configuration: CLIPConfiguration) -> [(String, String)] {
    (configuration.vision == nil ? [] : [("visual_projection.weight", "visual.proj")])
      + (configuration.text == nil ? [] : [("text_projection.weight", "text_projection")])
  }

  /// Prefixes of attentions with the width, whose queries, keys and values OpenCLIP keeps as one.
  private static func attentions(
    _ configuration: CLIPConfiguration
  ) -> [(theirs: String, ours: String, width: Int)] {
    var result: [(String, String, Int)] = []
    if case .transformer(let vision)? = configuration.vision {
      for index in 0..<vision.transformer.layers {
        result.append(
          (
            "vision_model.encoder.layers.\(index).self_attn.",
            "visual.transformer.resblocks.\(index).attn.", vision.transformer.width
          ))
      }
    }
    if let text = configuration.text {
      for index in 0..<text.transformer.layers {
        result.append(
          (
            "text_model.encoder.layers.\(index).self_attn.",
            "transformer.resblocks.\(index).attn.", text.transformer.width
          ))
      }
    }
    return result
  }

  /// Returns a file's tensors under OpenCLIP's names; those that are missing stay missing.
  package static func translated(
    _ tensors: [String: Tensor], _ configuration: CLIPConfiguration
  ) throws(CLIPError) -> [String: Tensor] {
    var rest = tensors
    var result: [String: Tensor] = [:]
    for (theirs, ours) in renamed(configuration) { result[ours] = rest.removeValue(forKey: theirs) }
    for (theirs, ours) in projections(configuration) {
      guard let tensor = rest.removeValue(forKey: theirs) else { continue }
      result[ours] = tensor.shape.rank == 2 ? try transposed(tensor) : tensor
    }
    for (theirs, ours, width) in attentions(configuration) {
      for kind in ["weight", "bias"] {
        let parts = ["q", "k", "v"].compactMap {
          rest.removeValue(forKey: "\(theirs)\($0)_proj.\(kind)")
        }
        let shape = kind == "weight" ? Shape([width, width]) : Shape([width])
        guard parts.count == 3, parts.allSatisfy({ $0.shape == shape && $0.dtype == .f32 }) else {
          throw CLIPError(
            .format,
            "safetensors: '\(theirs){q,k,v}_proj.\(kind)' do not fit; expected three tensors "
              + "\(shape), got \(parts.map(\.shape))")
        }
        let joined = try Tensor(
          Shape([3 * width] + shape.dimensions.dropFirst()))
        for (index, part) in parts.enumerated() {
          memcpy(joined.bytes + index * part.byteCount, part.bytes, part.byteCount)
        }
        result["\(ours)in_proj_\(kind)"] = joined
      }
    }
    // What is left keeps its name, so that the model names it as unexpected.
    for (name, tensor) in rest where !name.hasSuffix("position_ids") { result[name] = tensor }
    return result
  }

  /// Returns a state dictionary under Hugging Face's names.
  package static func exported(
    _ tensors: [String: Tensor], _ configuration: CLIPConfiguration
  ) throws(CLIPError) -> [(name: String, tensor: Tensor)] {
    var result: [(name: String, tensor: Tensor)] = []
    for (theirs, ours) in renamed(configuration) {
      if let tensor = tensors[ours] { result.append((theirs, tensor)) }
    }
    for (theirs, ours) in projections(configuration) {
      if let tensor = tensors[ours] { result.append((theirs, try transposed(tensor))) }
    }
    for (theirs, ours, width) in attentions(configuration) {
      for kind in ["weight", "bias"] {
        guard let joined = tensors["\(ours)in_proj_\(kind)"] else { continue }
        for (index, letter) in ["q", "k", "v"].enumerated() {
          let part = joined.slice(index * width..<(index + 1) * width)
          result.append(("\(theirs)\(letter)_proj.\(kind)", part))
        }
      }
    }
    return result.sorted { $0.name < $1.name }
  }

  private static func transposed(_ tensor: Tensor) throws(CLIPError) -> Tensor {
    let (rows, columns) = (tensor.shape[0], tensor.shape[1])
    let result = try Tensor(Shape([columns, rows]))
    let (source, target) = (tensor.f32, result.f32)
    for row in 0..<rows {
      for column in 0..<columns { target[column * rows + row] = source[row * columns + column] }
    }
    return result
  }
}
