/// Classifies images by the class whose prompts are nearest.
///
/// The weight of a class is the mean of the L2-normalized features of its prompts, L2-normalized
/// again: CLIP (Radford et al. 2021, arXiv:2103.00020), section 3.1.4.
package struct ZeroShotClassifier {
  package let classes: [String]
  /// `[different names, E]`, L2-normalized.
  private let weights: Tensor
  /// The row of each class in the weights: classes of one name have one, so that they tie exactly.
  private let rowOfClass: [Int]

  /// Encodes the prompts of all classes.
  ///
  /// - Parameters:
  ///   - templates: prompts in which `{}` stands for the class.
  /// - Throws: `invalidArgument` without classes or templates; `state` when the model's features are not
  ///   numbers.
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
    var rows: [String: Int] = [:]
    var names: [String] = []
    rowOfClass = classes.map { name in
      if let row = rows[name] { return row }
      rows[name] = names.count
      names.append(name)
      return names.count - 1
    }
    let prompts = names.flatMap { name in templates.map { $0.filled(with: name) } }
    let tokens = TokenBatch(
      prompts.map { tokenizer.encode($0, contextLength: text.contextLength) })
    let features = try model.encodeTexts(tokens, normalize: true, precision: precision)
    self.classes = classes
    weights = try Self.means(of: features, groups: names.count)
  }

  /// Takes the classes' features, `[classes, E]`, as they are but for their lengths.
  ///
  /// - Throws: see `TextVocabulary`.
  package init(
    model: CLIPModel, classes: [String], features: Tensor, templates: [PromptTemplate]
  ) throws(CLIPError) {
    _ = try TextVocabulary(
      classes: classes, templates: templates, features: features, model: model, tokenizer: nil)
    self.classes = classes
    // Classes of one name may have features of their own.
    weights = try TextVocabulary(names: classes, features: features).features
    rowOfClass = Array(classes.indices)
  }

  static func check(_ classes: [String], _ templates: [PromptTemplate]) throws(CLIPError) {
    guard !classes.isEmpty, !templates.isEmpty else {
      throw CLIPError(
        .invalidArgument,
        "zero-shot: nothing to tell apart; expected at least one class and one template, "
          + "got \(classes.count) classes and \(templates.count) templates")
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
  /// - Parameter imageFeatures: `[n, E]`, L2-normalized.
  /// - Returns: `[n, classes]`.
  func scores(_ imageFeatures: Tensor) throws(CLIPError) -> Tensor {
    let images = imageFeatures.shape.rows
    let names = weights.shape.rows
    let scores = try Tensor([images, names], .f32)
    try LinearAlgebra.multiply(
      imageFeatures, transposeA: false, weights, transposeB: true, into: scores, alpha: 1, beta: 0)
    guard names < classes.count else { return scores }
    let result = try Tensor([images, classes.count], .f32)
    for image in 0..<images {
      for (index, row) in rowOfClass.enumerated() {
        result.f32[image * classes.count + index] = scores.f32[image * names + row]
      }
    }
    return result
  }
}
