extension CLIPModel {
  /// The parameters of the text tower, in state-dict order.
  var textParameters: [Parameter] {
    parameters.filter { !$0.name.hasPrefix("visual.") && $0 !== logitScale }
  }

  /// Returns a copy of the text tower alone, which is not trained.
  func textTowerCopy() throws(CLIPError) -> CLIPModel {
    let copy = try towerCopy(image: false)
    for parameter in copy.parameters { parameter.isTrainable = false }
    return copy
  }

  /// Returns a copy of the image tower alone.
  func imageTowerCopy() throws(CLIPError) -> CLIPModel { try towerCopy(image: true) }

  private func towerCopy(image: Bool) throws(CLIPError) -> CLIPModel {
    var configuration = configuration
    if image { configuration.text = nil } else { configuration.vision = nil }
    let names = Set(configuration.tensorSpecifications.map(\.name))
    var tensors: [String: Tensor] = [:]
    for (name, tensor) in stateDict() where names.contains(name) { tensors[name] = tensor }
    return try CLIPModel(configuration, tensors: tensors)
  }

  /// Tells the image tower, and how its images are prepared, from others: a fingerprint of some weights of each of its
  /// tensors, which takes well under the time of encoding an image.
  package var imageTowerIdentity: String {
    var fingerprint = Fingerprint()
    for (name, tensor) in stateDict() where name.hasPrefix("visual.") {
      fingerprint.add(name)
      fingerprint.add(sampleOf: tensor)
    }
    fingerprint.add(configuration.preprocessing.json.serialized())
    return fingerprint.text
  }
}
