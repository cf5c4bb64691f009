import CleanCLIPKit
import Testing

@Suite struct ZeroShotClassifierTests {
  @Test func targetsAreNamesOrNumbers() throws {
    let classes = ["cat", "dog", "1"]
    #expect(try ZeroShotClassifier.index(of: "dog", in: classes) == 1)
    #expect(try ZeroShotClassifier.index(of: "0", in: classes) == 0)
    // A class of that name goes before the number.
    #expect(try ZeroShotClassifier.index(of: "1", in: classes) == 2)
    for bad in ["bird", "3", "-1", ""] {
      #expect(throws: CLIPError.self) { try ZeroShotClassifier.index(of: bad, in: classes) }
    }
  }
}
