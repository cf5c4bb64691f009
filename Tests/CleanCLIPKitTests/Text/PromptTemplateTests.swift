import CleanCLIPKit
import Testing

@Suite struct PromptTemplateTests {
  @Test func putsTheNameInEveryPlace() {
    #expect(PromptTemplate("a {} on a {}").filled(with: "cat") == "a cat on a cat")
    #expect(PromptTemplate("{}").filled(with: "{}") == "{}")
    #expect(PromptTemplate("{a} {{}} }{").filled(with: "x") == "{a} {x} }{")
    #expect(PromptTemplate("{{}").filled(with: "x") == "{x")
  }

  @Test func refusesTextsWithoutAPlace() throws {
    #expect(PromptTemplate(exactly: "a photo") == nil)
    #expect(PromptTemplate(exactly: "{ }") == nil)
    #expect(PromptTemplate(exactly: "") == nil)
    expectError(containing: "templates: no place for the class name; expected '{}' in each") {
      _ = try PromptTemplate.list(["a {}", "a photo"])
    }
    #expect(try PromptTemplate.list([]).isEmpty)
  }

  @Test func continuesATemplate() {
    #expect(
      PromptTemplate.standard.map { $0.appending(", at night").filled(with: "cat") }
        == ["a photo of a cat, at night"])
  }
}
