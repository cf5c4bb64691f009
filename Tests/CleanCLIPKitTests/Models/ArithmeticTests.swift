import CleanCLIPKit
import Testing

@Suite struct ArithmeticTests {
  /// One block of width 2 over three tokens, by hand: patches 2·1·12 each, then queries, keys and
  /// values 3·3·4, attention 2·9·2, and for the class token the output 4 and the MLP 2·2·5.
  @Test func countsATransformerByHand() {
    let block = TransformerConfiguration(
      width: 2, layers: 1, heads: 1, mlpWidth: 5, activation: .gelu)
    let configuration = CLIPConfiguration(
      embedDim: 7,
      vision: .transformer(
        VisionTransformerConfiguration(imageSize: 2, patchSize: 2, transformer: block)),
      text: TextConfiguration(contextLength: 3, vocabularySize: 9, transformer: block))
    let patches = 1 * 12 * 2
    let inner = 2 * 3 * 4 + 2 * 4 * 2 + 4 + 20 + 14
    #expect(configuration.arithmeticOfImage.forward == patches + inner)
    #expect(configuration.arithmeticOfImage.training == 2 * patches + 3 * inner)
    let caption = 3 * 3 * 4 + 2 * 6 * 2 + 4 + 20 + 14
    #expect(configuration.arithmeticOfCaption(tokens: 3).forward == caption)
    #expect((configuration.arithmeticOfImage * 2).forward == 2 * (patches + inner))
  }

  /// OpenCLIP's RN50 has 5,367,226,368 multiply-adds in its convolutions (counted by hooks in
  /// PyTorch), and the attention pool has one query and 50 keys and values of 2048.
  @Test func agreesWithPyTorchsCountOfAResNet() throws {
    let resNet = try CLIPConfiguration.architecture("RN50").arithmeticOfImage
    let pool = (1 + 2 * 50) * 2048 * 2048 + 2 * 50 * 2048 + 2048 * 1024
    #expect(resNet.forward == 5_367_226_368 + pool)
    // No gradient of pixels: the first convolution of 112x112 cells, 27 numbers to 32.
    #expect(resNet.training == 3 * resNet.forward - 112 * 112 * 27 * 32)
  }
}
