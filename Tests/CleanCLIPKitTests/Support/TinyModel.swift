import CleanCLIPKit

/// A random CLIP of one layer a tower that takes milliseconds.
func tinyModel(
  imageSize: Int = 32, embedDim: Int = 24, vocabularySize: Int? = 300, seed: UInt64 = 1
) throws -> CLIPModel {
  let tower = TransformerConfiguration(
    width: 64, layers: 1, heads: 1, mlpWidth: 64, activation: .quickGELU)
  return try CLIPModel(
    CLIPConfiguration(
      embedDim: embedDim,
      vision: .transformer(
        VisionTransformerConfiguration(imageSize: imageSize, patchSize: 8, transformer: tower)),
      text: vocabularySize.map {
        TextConfiguration(contextLength: 16, vocabularySize: $0, transformer: tower)
      }),
    randomSeed: seed)
}
