import CleanCLIPKit
import Testing

@Suite struct WarpSpaceTests {
  @Test func aScanHasSmoothAndRoughWarpsThatAreAlwaysTheSame() throws {
    let warps = try WarpSpace.drawn(imageSize: 32)
    #expect(warps.count == 128)
    func roughness(_ field: [Float]) -> Float {
      // Mean squared difference of neighbours over the mean square.
      let steps = zip(field, field.dropFirst()).map { ($0 - $1) * ($0 - $1) }
      return steps.reduce(0, +) / field.reduce(0) { $0 + $1 * $1 }
    }
    let fields = warps.map { $0.numbers() }
    for field in fields {
      let largest = field.reduce(0) { max($0, abs($1)) }
      #expect(largest > 1 && largest <= 3 * 32 / 16)
    }
    let means = [0, 1].map { first in
      stride(from: first, to: fields.count, by: 2).reduce(0) { $0 + roughness(fields[$1]) } / 64
    }
    #expect(means[0] < 0.6 * means[1])
    #expect(try WarpSpace.drawn(imageSize: 32).map { $0.numbers() } == fields)
  }
}
