import CleanCLIPKit
import Testing

@Suite struct RetrievalTests {
  @Test func countsEveryQuery() throws {
    // Captions 0, 1 of image 0; 2 of image 1; 3 of image 2, nearest to image 1.
    let images = try Tensor([1, 0, 0, 1, -1, 0] as [Float], [3, 2])
    let texts = try Tensor([0.6, 0.8, 0.8, -0.6, 0, 1, 0.28, 0.96] as [Float], [4, 2])
    let result = try Retrieval(
      imageFeatures: images, textFeatures: texts, imageOfText: [0, 0, 1, 2])
    #expect(result.imageToText.map(\.place) == [1, 3])
    // Image 2 finds caption 2 (0) and 3 (−0.28) before 0 (−0.6): its own is second.
    #expect(result.imageToText.map(\.rate) == [Proportion(2, of: 3), Proportion(3, of: 3)])
    // Caption 0 is nearer to image 1, caption 3 too.
    #expect(result.textToImage.map(\.rate) == [Proportion(2, of: 4), Proportion(4, of: 4)])
  }

  @Test func randomFeaturesFindByChance() throws {
    var random = RandomNumbers(seed: 3)
    func features() throws -> Tensor {
      try Tensor((0..<600 * 8).map { _ in random.normal() }, [600, 8])
    }
    let result = try Retrieval(
      imageFeatures: try features(), textFeatures: try features(), imageOfText: Array(0..<600))
    #expect(result.imageToText.allSatisfy { $0.rate.value < 0.05 })
    #expect(result.textToImage.allSatisfy { $0.rate.value < 0.05 })
  }

  @Test func refusesWhatDoesNotAgree() throws {
    let two = try Tensor([1, 0, 0, 1] as [Float], [2, 2])
    let three = try Tensor([1, 0, 0] as [Float], [1, 3])
    #expect(throws: CLIPError.self) {
      try Retrieval(imageFeatures: two, textFeatures: three, imageOfText: [0])
    }
    #expect(throws: CLIPError.self) {
      try Retrieval(imageFeatures: two, textFeatures: two, imageOfText: [0, 2])
    }
    #expect(throws: CLIPError.self) {
      try Retrieval(imageFeatures: two, textFeatures: two, imageOfText: [0, 0])
    }
    let broken = try Tensor([.nan, 0, 0, 1] as [Float], [2, 2])
    #expect(throws: CLIPError.self) {
      try Retrieval(imageFeatures: broken, textFeatures: two, imageOfText: [0, 1])
    }
  }
}
