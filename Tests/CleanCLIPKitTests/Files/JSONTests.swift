import CleanCLIPKit
import Testing

@Suite struct JSONTests {
  @Test func readsEveryKindOfValue() throws {
    let value = try JSONValue.parse(
      #" {"a": [1, -2.5, true, null, "é\n😀"], "b": {"c": 1e3}} "#, name: "test")
    #expect(value["a"]?.array?[0].integer == 1)
    #expect(value["a"]?.array?[1].double == -2.5)
    #expect(value["a"]?.array?[2].bool == true)
    #expect(value["a"]?.array?[3] == .null)
    #expect(value["a"]?.array?[4].string == "é\n😀")
    #expect(value["b"]?["c"]?.integer == 1000)
  }

  @Test func keepsTheOrderOfMembersAndReadsItsOwnText() throws {
    let value: JSONValue = [
      "z": 1, "a": [0.1, 2, "q\"\\\u{1}"], "m": ["x": true], "n": [[1], [2]],
    ]
    #expect(
      value.serialized() == #"{"z":1,"a":[0.1,2,"q\"\\\u0001"],"m":{"x":true},"n":[[1],[2]]}"#)
    #expect(try JSONValue.parse(value.serialized(), name: "test") == value)
    #expect(try JSONValue.parse(value.serialized(pretty: true), name: "test") == value)
    #expect(value.object?.keys == ["z", "a", "m", "n"])
  }

  @Test func numbersThatAreNotIntegersHaveNoIntegerValue() throws {
    for text in ["0.5", "1e300", "-1e300", "\"1\""] {
      #expect(try JSONValue.parse(text, name: "test").integer == nil)
    }
    #expect(JSONValue.number(.nan).serialized() == "null")
  }

  @Test(arguments: [
    "", "{", "[1,]", "{\"a\":1,\"a\":2}", "1 2", "\"\\u0000\"", "\"a\\\\\\u0000\"", "nul",
    "{\"a\"}",
  ])
  func refusesWhatIsNotJSON(_ text: String) {
    #expect(throws: CLIPError.self) { try JSONValue.parse(text, name: "test") }
  }

  @Test func acceptsABackslashBeforeUZeroes() throws {
    #expect(try JSONValue.parse(#""\\u0000""#, name: "test").string == #"\u0000"#)
  }

  @Test func refusesMoreValuesThanMemoryIsFor() {
    let text = "[0" + String(repeating: ",0", count: 1 << 22) + "]"
    let error = #expect(throws: CLIPError.self) { try JSONValue.parse(text, name: "bomb") }
    #expect(error?.message.contains("too many values") == true)
  }

  @Test func refusesDeepNesting() {
    for depth in [65, 5000] {
      let text = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
      #expect(throws: CLIPError.self) { try JSONValue.parse(text, name: "test") }
    }
  }

  @Test func refusesTextThatIsNotUTF8() {
    let bytes: [UInt8] = [0x22, 0xFF, 0xFE, 0x22]
    #expect(throws: CLIPError.self) {
      try bytes.withUnsafeBytes { try JSONValue.parse($0, name: "test") }
    }
  }
}
