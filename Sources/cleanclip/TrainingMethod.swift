internal import ArgumentParser
internal import CleanCLIPKit

/// A method that also trains models that know nothing yet.
struct TrainingMethod: ExpressibleByArgument {
  static let all = SanitizeMethod.all.filter(\.trainsFromNothing)

  let method: SanitizeMethod

  init(_ method: SanitizeMethod) { self.method = method }

  init?(argument: String) {
    guard let method = Self.all.first(where: { $0.name == argument }) else { return nil }
    self.method = method
  }

  static var allValueStrings: [String] { all.map(\.name) }
  var defaultValueDescription: String { method.name }

  /// The options of the method as training from nothing has them, but for those of the command.
  var options: SanitizeOptions {
    var options = SanitizeOptions(method)
    // A model that knows nothing yet tells no pair from another.
    options.cleaningSet.checksData = false
    return options
  }

  /// Whether it has the self-supervised loss whose weight --inmodal-weight is.
  var takesInmodalWeight: Bool { method.options.contains { $0.name == "inmodal_weight" } }

  /// The weight of the self-supervised loss, 0 when none is given; methods that do not take it keep theirs.
  func inmodalWeight(_ given: Float?) -> Float {
    takesInmodalWeight ? given ?? 0 : SanitizeOptions(method).cleanclip.inmodalWeight
  }
}
