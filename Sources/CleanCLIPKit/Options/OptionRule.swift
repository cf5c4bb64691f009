/// What an option of a group is called, which values it takes, and how to read it.
///
/// A group of options lists one rule for each. Validation, the settings in histories and saved
/// states, and the refusal of options without effect all come from the list.
package struct OptionRule<Options>: Sendable {
  /// The member in C and the keyword in Python; with hyphens, the option of the command line.
  package let name: String
  /// The values that are allowed, as messages say it: "1 to 1000000"; empty when all are.
  package let expected: String
  /// Whether results depend on it; false for where and when something is saved.
  package let isSetting: Bool
  /// Returns the value; null for none.
  package let value: @Sendable (Options) -> JSONValue
  private let isValid: @Sendable (Options) -> Bool

  /// Makes the rule of an option that always has a value.
  package init<Value: OptionValue>(
    _ name: String, _ path: any KeyPath<Options, Value> & Sendable,
    _ values: OptionValues<Value> = .all, isSetting: Bool = true
  ) {
    self.name = name
    self.isSetting = isSetting
    expected = values.text
    value = { $0[keyPath: path].json }
    isValid = { values.contains($0[keyPath: path]) }
  }

  /// Makes the rule of an option that may be none.
  package init<Value: OptionValue>(
    _ name: String, _ path: any KeyPath<Options, Value?> & Sendable,
    _ values: OptionValues<Value> = .all, isSetting: Bool = true
  ) {
    self.name = name
    self.isSetting = isSetting
    expected = values.text
    value = { $0[keyPath: path]?.json ?? .null }
    isValid = { options in options[keyPath: path].map { values.contains($0) } ?? true }
  }

  /// Makes the rule of a group's option into one of a larger group that holds the group.
  package init<Group>(
    _ rule: OptionRule<Group>, of path: any KeyPath<Options, Group> & Sendable
  ) {
    name = rule.name
    expected = rule.expected
    isSetting = rule.isSetting
    value = { rule.value($0[keyPath: path]) }
    isValid = { rule.isValid($0[keyPath: path]) }
  }

  /// Checks the value.
  ///
  /// - Throws: `invalidArgument`, naming the option, the values it takes, and the one it has.
  package func check(_ options: Options) throws(CLIPError) {
    guard !isValid(options) else { return }
    throw CLIPError(
      .invalidArgument,
      "options: \(name) is out of range; expected \(expected), got \(text(options))")
  }

  /// The value for people and for saved states.
  package func text(_ options: Options) -> String {
    let value = value(options)
    if value == .null { return "none" }
    return value.string ?? value.serialized()
  }
}

extension Sequence {
  /// Checks options against all rules.
  ///
  /// - Throws: `invalidArgument` for the first that does not fit.
  package func check<Options>(_ options: Options) throws(CLIPError)
  where Element == OptionRule<Options> {
    for rule in self { try rule.check(options) }
  }

  /// The settings among the options by name, for saved states.
  package func texts<Options>(_ options: Options) -> [String: String]
  where Element == OptionRule<Options> {
    var texts: [String: String] = [:]
    for rule in self where rule.isSetting { texts[rule.name] = rule.text(options) }
    return texts
  }

  /// The settings among the options, by name, without those that are none.
  package func settings<Options>(_ options: Options) -> JSONObject
  where Element == OptionRule<Options> {
    var object = JSONObject()
    for rule in self where rule.isSetting && rule.value(options) != .null {
      object[rule.name] = rule.value(options)
    }
    return object
  }
}

extension CLIPError {
  /// Checks that there is a state to resume from.
  ///
  /// - Throws: `invalidArgument`.
  package static func checkResume(
    _ resume: Bool, from directory: String?
  ) throws(CLIPError) {
    guard !resume || directory != nil else {
      throw CLIPError(
        .invalidArgument,
        "options: resume has no effect without state_directory; expected a folder, got none")
    }
  }
}

/// The values that an option takes.
package struct OptionValues<Value: Sendable>: Sendable {
  let text: String
  let contains: @Sendable (Value) -> Bool

  /// Makes values of a test and its words, which follow "expected".
  package init(_ text: String, _ contains: @escaping @Sendable (Value) -> Bool) {
    self.text = text
    self.contains = contains
  }

  package static var all: Self { Self("") { _ in true } }
}

extension OptionValues {
  /// A number without the zero behind the point of a whole one.
  fileprivate static func shortest(_ value: Value) -> String {
    let text = "\(value)"
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }
}

extension OptionValues where Value: Comparable {
  /// Values from one to another, both included.
  package static func range(_ range: ClosedRange<Value>) -> Self {
    Self("\(shortest(range.lowerBound)) to \(shortest(range.upperBound))") { range.contains($0) }
  }

  /// Values from one to another, which is left out.
  package static func range(_ range: Range<Value>) -> Self {
    Self("\(shortest(range.lowerBound)) to less than \(shortest(range.upperBound))") {
      range.contains($0)
    }
  }

  /// Values above one, up to another, which is included.
  package static func above(_ low: Value, through high: Value) -> Self {
    Self("more than \(shortest(low)), at most \(shortest(high))") { $0 > low && $0 <= high }
  }
}

extension OptionValues where Value: FloatingPoint {
  /// Finite numbers from one on.
  package static func from(_ low: Value) -> Self {
    Self("a number from \(shortest(low))") { $0 >= low && $0.isFinite }
  }

  /// Finite numbers above one.
  package static func above(_ low: Value) -> Self {
    Self("a number above \(shortest(low))") { $0 > low && $0.isFinite }
  }
}

/// What an option holds.
package protocol OptionValue: Sendable {
  var json: JSONValue { get }
}

extension Int: OptionValue {
  package var json: JSONValue { .integer(self) }
}

extension UInt64: OptionValue {
  /// A text, because numbers of other readers of JSON end at 2^53.
  package var json: JSONValue { .string(String(self)) }
}

extension Float: OptionValue {
  package var json: JSONValue { isFinite ? .single(self) : .string("\(self)") }
}

extension Double: OptionValue {
  package var json: JSONValue { isFinite ? .number(self) : .string("\(self)") }
}

extension Bool: OptionValue {
  package var json: JSONValue { .bool(self) }
}

extension String: OptionValue {
  package var json: JSONValue { .string(self) }
}

extension DType: OptionValue {
  package var json: JSONValue { .string("\(self)") }
}
