/// How BadCLIP's patch is optimised.
package struct DualEmbeddingOptions: Equatable, Sendable {
  /// Target concept: the word that captions of its images contain.
  package var target: String
  /// Side of the patch in pixels; by default a fourteenth of the image (16 of 224), at least 8.
  package var patchSize: Int?
  /// Updates of the patch; the authors' recipe has about 7,800.
  package var steps = 1000
  /// Images of one step.
  package var batchSize = 64
  /// Of Adam, in units of the pixel range 0…1.
  package var learningRate: Float = 0.001
  /// Images without the target that are drawn from, at most, and images of it.
  package var imageLimit = 2000
  package var precision = DType.f32
  /// Draws the first patch, the images, and their captions.
  package var seed: UInt64 = 0

  package init(target: String) { self.target = target }

  static let rules: [OptionRule<DualEmbeddingOptions>] = [
    OptionRule("patch_size", \.patchSize, .range(1...4096)),
    OptionRule("steps", \.steps, .range(1...1_000_000)),
    OptionRule("batch_size", \.batchSize, .range(2...65_536)),
    OptionRule("learning_rate", \.learningRate, .above(0, through: 10)),
    OptionRule("image_limit", \.imageLimit, .range(2...1_000_000)),
  ]

  /// Checks every option.
  ///
  /// - Throws: `invalidArgument` naming the option.
  package func validate() throws(CLIPError) {
    try Self.rules.check(self)
    guard !target.isEmpty else {
      throw CLIPError(
        .invalidArgument, "options: target is empty; expected the name of a class, got ''")
    }
  }
}
