import CleanCLIPKit
import Testing

/// The number of threads changes all the time while others compute; with address sanitizer, what a
/// kernel writes past its partition shows.
@Suite struct ThreadStormTests {
  private struct Shared: @unchecked Sendable {
    // Sendable: encoding with one model in several threads is what the test is about.
    let model: CLIPModel
  }

  @Test func threadsMayBeSetWhileOthersCompute() async {
    await #expect(processExitsWith: .success) {
      let batch = try TinyRun.batch(Array(0..<9))
      let shared = Shared(model: try TinyRun.model())
      func features() throws -> [Float] {
        Threads.beginCall()
        defer { Threads.endCall() }
        return try shared.model.encodeImages(
          batch.pixels, normalize: true, precision: .f32
        ).floats()
      }
      let expected = try features()
      await withTaskGroup(of: Bool.self) { group in
        for storm in 0..<2 {
          group.addTask {
            for count in 0..<2000 { Threads.set(1 + (count * 7 + storm) % 8) }
            return true
          }
        }
        for _ in 0..<3 {
          group.addTask {
            for _ in 0..<60 {
              guard let found = try? features(), found.count == expected.count,
                zip(found, expected).allSatisfy({ abs($0 - $1) < 1e-5 })
              else { return false }
            }
            return true
          }
        }
        for await agrees in group { #expect(agrees) }
      }
    }
  }
}
