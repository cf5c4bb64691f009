internal import Glibc

extension CLIPModel {
  /// The tensors of the model under OpenCLIP's names and in its order, running statistics of batch
  /// norm included.
  ///
  /// The tensors share memory with the model: they change when it is trained.
  package func stateDict() -> [(name: String, tensor: Tensor)] {
    let tensors = tensorsByName
    return configuration.tensorSpecifications.compactMap { specification in
      tensors[specification.name].map { (specification.name, $0) }
    }
  }

  private var tensorsByName: [String: Tensor] {
    var tensors: [String: Tensor] = [:]
    for parameter in parameters { tensors[parameter.name] = parameter.value }
    for (name, norm) in batchNorms {
      tensors[name + ".running_mean"] = norm.runningMean
      tensors[name + ".running_var"] = norm.runningVariance
    }
    return tensors
  }

  /// Overwrites all tensors with those of a checkpoint of the same configuration.
  ///
  /// The model is unchanged when this throws.
  ///
  /// - Throws: `format`, as the initialiser does.
  package func load(
    _ tensors: [String: Tensor], allowsNonFinite: Bool = false
  ) throws(CLIPError) {
    try ParameterTable.check(
      configuration.tensorSpecifications, against: tensors, allowsNonFinite: allowsNonFinite)
    for (name, target) in tensorsByName {
      guard let source = tensors[name] else { continue }
      if source.dtype == .f32 {
        memmove(target.bytes, source.bytes, target.byteCount)
      } else {
        source.floats().withUnsafeBytes { values in
          if let base = values.baseAddress { memcpy(target.bytes, base, values.count) }
        }
      }
    }
    for parameter in parameters { parameter.valueDidChange() }
  }

  /// Overwrites one tensor of the state dict.
  ///
  /// - Throws: `notFound` for another name; `shape` for another number of values; `format` for values
  ///   that are not finite. The model is unchanged then.
  package func setTensor(
    _ name: String, _ values: UnsafeBufferPointer<Float>
  ) throws(CLIPError) {
    guard let target = tensorsByName[name] else {
      throw CLIPError(
        .notFound, "model: has no tensor '\(name)'; expected a name of its state dict")
    }
    guard values.count == target.count, let source = values.baseAddress else {
      throw CLIPError(
        .shape,
        "model: values do not fit '\(name)'; expected \(target.count) for \(target.shape), "
          + "got \(values.count)")
    }
    guard values.allSatisfy(\.isFinite) else { throw CLIPError.nonFinite([name]) }
    guard !ParameterTable.isVariance(name) || values.allSatisfy({ $0 >= 0 }) else {
      throw CLIPError.negativeVariance(name)
    }
    memmove(target.bytes, source, target.byteCount)
    parameters.first { $0.name == name }?.valueDidChange()
  }

  /// The names of tensors with NaN or infinite elements, in state-dict order.
  package func nonFiniteTensors() -> [String] {
    stateDict().filter { !$0.tensor.isFinite }.map(\.name)
  }

  /// The number of trained numbers.
  package var parameterCount: Int { parameters.reduce(0) { $0 + $1.value.count } }
}
