internal import CCleanCLIP
internal import CleanCLIPKit
internal import Glibc
internal import Synchronization

/// What a `cleanclip_model` points to.
final class ModelHandle {
  let loaded: LoadedModel
  /// The state dictionary; tensors share memory with the model.
  let parameters: [NamedTensor]
  private let positions: [String: Int]
  private let isTraining = Atomic<Bool>(false)

  init(_ loaded: LoadedModel) {
    self.loaded = loaded
    let trainable = Set(loaded.model.parameters.lazy.filter(\.isTrainable).map(\.name))
    parameters = loaded.model.stateDict().map {
      NamedTensor($0.name, $0.tensor, isTrainable: trainable.contains($0.name))
    }
    positions = Dictionary(
      parameters.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  var model: CLIPModel { loaded.model }

  /// Marks the model as in training, until `endTraining`.
  ///
  /// - Throws: `state` when it is already: a progress callback called back, or another thread.
  func beginTraining(_ arguments: Arguments) throws(CLIPError) {
    guard !isTraining.exchange(true, ordering: .acquiring) else {
      throw arguments.invalid(
        "the model is being trained; expected one call at a time, got a second one", code: .state)
    }
  }

  func endTraining() { isTraining.store(false, ordering: .releasing) }

  /// Finds a tensor.
  ///
  /// - Throws: `notFound`.
  func index(of name: String, _ arguments: Arguments) throws(CLIPError) -> Int {
    guard let index = positions[name] else {
      throw arguments.invalid(
        "the model has no such tensor; expected one of \(parameters.count) names such as "
          + "'\(parameters.first?.name ?? "")', got '\(name)'", code: .notFound)
    }
    return index
  }
}

/// A tensor of the state dictionary with its name as a C string.
final class NamedTensor {
  let name: String
  let tensor: Tensor
  private let isTrainable: Bool
  private let nameBytes: UnsafeMutablePointer<CChar>?

  init(_ name: String, _ tensor: Tensor, isTrainable: Bool) {
    self.name = name
    self.tensor = tensor
    self.isTrainable = isTrainable
    nameBytes = strdup(name)
  }

  deinit { free(nameBytes) }

  var info: cleanclip_parameter_info {
    var info = cleanclip_parameter_info()
    info.name = nameBytes.map { UnsafePointer($0) } ?? staticText("")
    info.element_count = Int64(tensor.count)
    info.rank = Int32(tensor.shape.rank)
    info.is_trainable = isTrainable ? 1 : 0
    withUnsafeMutableBytes(of: &info.dimensions) { bytes in
      let dimensions = bytes.bindMemory(to: Int64.self)
      for (index, dimension) in tensor.shape.dimensions.prefix(dimensions.count).enumerated() {
        dimensions[index] = Int64(dimension)
      }
    }
    return info
  }
}
