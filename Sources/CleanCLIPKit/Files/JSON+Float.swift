extension JSONValue {
  /// A number from a single-precision one, with its digits: 0.1, not 0.10000000149011612.
  package static func single(_ value: Float) -> JSONValue {
    .number(Double("\(value)") ?? Double(value))
  }
}
