import CleanCLIPKit
import Testing

@Suite struct ShapeTests {
  @Test func countsElements() {
    let shape: Shape = [2, 3, 4]
    #expect(shape.count == 24)
    #expect(shape.rows == 6)
    #expect(shape.columns == 4)
  }
}
