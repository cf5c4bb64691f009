/// Checks of features of classes that a user gives in place of prompts.
package enum ClassFeatures {
  /// Checks that there are names for the features and no templates, before anything is read or computed.
  ///
  /// - Throws: `invalidArgument`.
  package static func checkGiven(names: Int, templates: Int) throws(CLIPError) {
    guard names > 0 else {
      throw CLIPError(
        .invalidArgument,
        "options: class_features have no effect without classes; expected a name for each row, got "
          + "none; give classes too")
    }
    guard templates == 0 else {
      throw CLIPError(
        .invalidArgument,
        "options: templates have no effect with class_features, which are taken as they are; "
          + "expected one of them, got both")
    }
  }

  /// Checks that every class has a direction of its own.
  ///
  /// - Parameter features: `[names, E]` of any length.
  /// - Throws: `shape`; `invalidArgument` naming the class of a row that is not finite or all zeros, or two
  ///   classes whose rows are equal, so that nothing tells them apart.
  package static func validate(
    _ features: Tensor, names: [String], templates: [PromptTemplate], embedDim: Int
  ) throws(CLIPError) {
    try checkGiven(names: names.count, templates: templates.count)
    let expected = Shape([names.count, embedDim])
    guard features.shape == expected, features.dtype == .f32 else {
      throw CLIPError(
        .shape,
        "class_features: the features do not fit; expected \(expected) of f32, a row for each name, got "
          + "\(features.shape) of \(features.dtype)")
    }
    try FeatureMatrix.validate(
      features, name: "class_features", remedy: "compute the features of the class again")
    var known: [[Float]: Int] = [:]
    for (row, name) in names.enumerated() {
      let values = Array(
        UnsafeBufferPointer(start: features.f32 + row * embedDim, count: embedDim))
      guard values.contains(where: { $0 != 0 }) else {
        throw CLIPError(
          .invalidArgument,
          "class_features: row \(row) ('\(name)') is all zeros; expected a direction, got none; "
            + "compute the features of the class again")
      }
      // A name that stands twice may have its row twice.
      if let other = known.updateValue(row, forKey: values), names[other] != name {
        throw CLIPError(
          .invalidArgument,
          "class_features: rows \(other) ('\(names[other])') and \(row) ('\(name)') are equal; "
            + "expected a direction for each class, got one for both; compute the features again")
      }
    }
  }
}
