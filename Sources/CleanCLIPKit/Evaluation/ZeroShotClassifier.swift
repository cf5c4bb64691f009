/// Classifies images by the class whose prompts are nearest.
///
/// The weight of a class is the mean of the unit features of its prompts, scaled to unit length
/// again: CLIP (Radford et al. 2021, arXiv:2103.00020), section 3.1.4.
package struct ZeroShotClassifier {
  package let classes: [String]
  /// `[classes, E]`, unit rows.
  let weights: Tensor

  /// Encodes the prompts of all classes.
  ///
  /// - Parameters:
  ///   - templates: prompts in which `{}` stands for the class.
  /// - Throws: `invalidArgument` without classes or templates, or for a repeated class; `state` when
  ///   the model's features are not numbers.
  package init(
    model: CLIPModel, tokenizer: Tokenizer, classes: [String], templates: [PromptTemplate],
    precision: DType
  ) throws(CLIPError) {
    try Self.check(classes, templates)
    guard let text = model.configuration.text else {
      throw CLIPError(
        .unsupported,
        "zero-shot: the model has no text tower; expected both towers, got images only")
    }
    let prompts = classes.flatMap { name in templates.map { $0.filled(with: name) } }
    let tokens = TokenBatch(
      prompts.map { tokenizer.encode($0, contextLength: text.contextLength) })
    let features = try model.encodeTexts(tokens, normalize: true, precision: precision)
    self.classes = classes
    weights = try Self.means(of: features, groups: classes.count)
  }

  static func check(_ classes: [String], _ templates: [PromptTemplate]) throws(CLIPError) {
    guard !classes.isEmpty, !templates.isEmpty else {
      throw CLIPError(
        .invalidArgument,
        "zero-shot: nothing to tell apart; expected at least one class and one template, "
          + "got \(classes.count) classes and \(templates.count) templates")
    }
    var seen: Set<String> = []
    for name in classes where !seen.insert(name).inserted {
      throw CLIPError(
        .invalidArgument, "classes: name repeated; expected each class once, got '\(name)' again")
    }
  }

  private static func means(of features: Tensor, groups: Int) throws(CLIPError) -> Tensor {
    let width = features.shape.columns
    let count = features.shape.rows / groups
    let result = try Tensor.zeros([groups, width], .f32)
    let source = features.f32
    let target = result.f32
    for group in 0..<groups {
      let row = target + group * width
      for member in 0..<count {
        let feature = source + (group * count + member) * width
        for index in 0..<width { row[index] += feature[index] }
      }
      var square = 0.0
      for index in 0..<width { square += Double(row[index]) * Double(row[index]) }
      guard square.isFinite, square > 0 else {
        throw CLIPError(
          .state,
          "zero-shot: text features of class \(group) are not usable; expected numbers that do not "
            + "cancel, got \(square) as their squared length")
      }
      let scale = Float(1 / square.squareRoot())
      for index in 0..<width { row[index] *= scale }
    }
    return result
  }

  /// Returns the similarity of each image to each class.
  ///
  /// - Parameter imageFeatures: `[n, E]`, unit rows.
  /// - Returns: `[n, classes]`.
  func scores(_ imageFeatures: Tensor) throws(CLIPError) -> Tensor {
    let result = try Tensor([imageFeatures.shape.rows, classes.count], .f32)
    try LinearAlgebra.multiply(
      imageFeatures, transposeA: false, weights, transposeB: true, into: result, alpha: 1, beta: 0)
    return result
  }
}
