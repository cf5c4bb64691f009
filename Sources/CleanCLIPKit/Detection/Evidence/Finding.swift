/// What one search of a check found, in the same terms for images and captions.
package struct Finding: Sendable {
  /// The trigger's: a `TriggerKind`'s name, or `word`.
  package let kind: String
  /// The class that was searched for; `nil` for an untargeted search.
  package let target: String?
  /// Of the smallest trigger; the largest that a search allows when there is none.
  package let size: Float
  /// What the size measures.
  package let sizeMeaning: String
  package let reference: SizeReference
  /// 1 when there is no trigger, or none that also works on held-out images or captions.
  package let pValue: Double
  /// The verdict of this search alone.
  package let verdict: Verdict
  /// What was recovered; `nil` when nothing was, and for words.
  package let trigger: Trigger?
  /// The word that was found; `nil` for triggers in images, and without a tokenizer.
  package let word: String?
  /// The class, or the noun, that held-out inputs with the trigger move to most; `nil` when unknown.
  package let predictedTarget: String?
  /// Fraction of held-out images with the trigger that are classified as `predictedTarget`, in 0…1; `nil` when
  /// unknown.
  package let attackSuccessRate: Float?
}
