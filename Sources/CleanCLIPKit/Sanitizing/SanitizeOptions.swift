/// What is done to a model.
package enum SanitizeMethod: String, CaseIterable, Sendable {
  /// Contrastive and self-supervised losses on captioned images: `CleanCLIPRecipe`.
  case cleanclip
  /// Cross-entropy on labelled images: `SupervisedRecipe`.
  case supervised

  /// - Throws: `invalidArgument` for a name that is none.
  package init(named name: String) throws(CLIPError) {
    guard let method = Self(rawValue: name) else {
      throw CLIPError(
        .invalidArgument,
        "method: not a known one; expected "
          + Self.allCases.map(\.rawValue).joined(separator: " or ") + ", got '\(name)'")
    }
    self = method
  }
}

/// How a model is sanitized.
package struct SanitizeOptions: Sendable {
  package var method = SanitizeMethod.cleanclip
  package var training = TrainingOptions()
  /// λ1, of the contrastive loss between images and captions.
  package var clipWeight: Float = 1
  /// λ2, of the self-supervised loss inside each modality.
  package var inmodalWeight: Float = 1
  /// Classes of the supervised head; `nil` reads all labels for the highest.
  package var classCount: Int?
  /// Where the supervised head is saved; `nil` for nowhere.
  package var headPath: String?

  package init() {}
}
