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
      try text("docs/triggers.md").contains("| `\(trigger.name)` | \(trigger.summary) \(row)\n"))
  }

  @Test(arguments: TriggerKind.all)
  func everyKindIsDocumented(kind: TriggerKind) throws {
    #expect(try text("docs/triggers.md").contains("\n| `\(kind.name)` |"))
  }

  @Test func everyConstantIsRegistered() throws {
    #expect(try constants(of: "NamedTrigger", in: "Patterns") == NamedTrigger.all.count)
    #expect(try constants(of: "TriggerKind", in: "Spaces") == TriggerKind.all.count)
  }

  /// The number of constants of a type in the files of a folder of `Triggers`.
  private func constants(of type: String, in folder: String) throws -> Int {
    let path = "Sources/CleanCLIPKit/Triggers/" + folder
    var count = 0
    for name in Self.names(in: Self.root + "/" + path) where name.hasSuffix(".swift") {
      count += try text(path + "/" + name).ranges(of: ": \(type) = ").count
      count += try text(path + "/" + name).ranges(of: " = \(type)(").count
    }
    return count
  }

  private static func names(in path: String) -> [String] {
    guard let folder = opendir(path) else { return [] }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
      names.append(
        withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        })
    }
    return names
  }
}
