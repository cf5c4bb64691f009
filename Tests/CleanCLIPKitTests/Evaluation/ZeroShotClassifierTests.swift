import CleanCLIPKit
import Testing

@Suite struct ZeroShotClassifierTests {
  @Test func templatesAreFilled() {
    #expect(ZeroShotClassifier.fill("a photo of a {}", with: "cat") == "a photo of a cat")
    #expect(ZeroShotClassifier.fill("{} and {}", with: "{}") == "{} and {}")
    #expect(ZeroShotClassifier.fill("{{}", with: "x") == "{x")
    #expect(ZeroShotClassifier.fill("{", with: "x") == "{")
    #expect(ZeroShotClassifier.fill("{ }", with: "x") == "{ }")
    #expect(ZeroShotClassifier.fill("", with: "x") == "")
  }
}
