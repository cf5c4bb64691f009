import CleanCLIPKit
import Testing

/// What stands in the registries, against the documentation and the sources.
@Suite struct TriggerRegistryTests {
  @Test func namesAreUnique() {
    #expect(Set(NamedTrigger.all.map(\.name)).count == NamedTrigger.all.count)
    #expect(Set(TriggerKind.all.map(\.name)).count == TriggerKind.all.count)
    #expect(Set(TriggerKind.all.map(\.sizeMeaning)).count == TriggerKind.all.count)
  }

  @Test(arguments: NamedTrigger.all)
  func everyNamedTriggerIsDocumented(trigger: NamedTrigger) throws {
    let row =
      trigger.strength.map { strength in
        let whole = strength.usual == strength.usual.rounded()
        let usual = whole ? "\(Int(strength.usual))" : "\(strength.usual)"
        return "| \(strength.meaning) | \(usual) | \(Int(strength.limit)) |"
      } ?? "| | | |"
    #expect(
      try SourceTree.text("docs/triggers.md").contains(
        "| `\(trigger.name)` | \(trigger.summary) \(row)\n"))
  }

  @Test(arguments: TriggerKind.all)
  func everyKindIsDocumented(kind: TriggerKind) throws {
    #expect(try SourceTree.text("docs/triggers.md").contains("\n| `\(kind.name)` |"))
  }

  @Test func everyConstantIsRegistered() throws {
    let folder = "Sources/CleanCLIPKit/Triggers/"
    #expect(
      try SourceTree.constants(of: "NamedTrigger", in: folder + "Patterns")
        == NamedTrigger.all.count)
    #expect(
      try SourceTree.constants(of: "TriggerKind", in: folder + "Spaces") == TriggerKind.all.count)
  }
}
