import CleanCLIPKit
import Testing

@Suite struct ConcurrentEncodingTests {
  /// The model is only read, but the copies of its weights are made by whoever comes first.
  private struct Shared: @unchecked Sendable {
    // Sendable: encoding with one model in several threads is what the test is about.
    let model: CLIPModel
  }

  @Test func threadsThatEncodeWithOneModelAgree() async throws {
    let batch = try TinyRun.batch(Array(0..<9))
    let expected = try TinyRun.model(resNet: false).encodeImages(
      batch.pixels, normalize: true, precision: .f32
    ).floats()
    let words = try TinyRun.model(resNet: false).encodeTexts(
      batch.tokens, normalize: true, precision: .f32
    ).floats()
    for _ in 0..<10 {
      let shared = Shared(model: try TinyRun.model())
      await withTaskGroup(of: Bool.self) { group in
        for _ in 0..<4 {
          group.addTask {
            let images = try? shared.model.encodeImages(
              batch.pixels, normalize: true, precision: .f32
            ).floats()
            let texts = try? shared.model.encodeTexts(
              batch.tokens, normalize: true, precision: .f32
            ).floats()
            return images == expected && texts == words
          }
        }
        for await agrees in group { #expect(agrees) }
      }
    }
  }
}
