/// A JSON document or a part of one (RFC 8259).
package enum JSONValue: Equatable, Sendable {
  case null
  case bool(Bool)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object(JSONObject)

  /// The number as an integer; `nil` for other values, fractions and numbers beyond ±2⁵³.
  package var integer: Int? {
    guard case .number(let number) = self, abs(number) <= 0x1p53, number == number.rounded() else {
      return nil
    }
    return Int(number)
  }

  package var double: Double? {
    guard case .number(let number) = self else { return nil }
    return number
  }

  package var bool: Bool? {
    guard case .bool(let bool) = self else { return nil }
    return bool
  }

  package var string: String? {
    guard case .string(let string) = self else { return nil }
    return string
  }

  package var array: [JSONValue]? {
    guard case .array(let array) = self else { return nil }
    return array
  }

  package var object: JSONObject? {
    guard case .object(let object) = self else { return nil }
    return object
  }

  /// The member `key` of an object; `nil` for other values.
  package subscript(key: String) -> JSONValue? { object?[key] }

  /// A number from an integer; exact up to ±2⁵³.
  package static func integer(_ value: Int) -> JSONValue { .number(Double(value)) }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral,
  ExpressibleByDictionaryLiteral
{
  package init(stringLiteral value: String) { self = .string(value) }
  package init(integerLiteral value: Int) { self = .number(Double(value)) }
  package init(floatLiteral value: Double) { self = .number(value) }
  package init(booleanLiteral value: Bool) { self = .bool(value) }
  package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  package init(dictionaryLiteral elements: (String, JSONValue)...) {
    var object = JSONObject()
    for (key, value) in elements { object[key] = value }
    self = .object(object)
  }
}

/// The members of a JSON object in the order in which they were added.
package struct JSONObject: Equatable, Sendable, Sequence, ExpressibleByDictionaryLiteral {
  package private(set) var keys: [String] = []
  private var values: [String: JSONValue] = [:]

  package init() {}

  package init(dictionaryLiteral elements: (String, JSONValue)...) {
    for (key, value) in elements { self[key] = value }
  }

  package var count: Int { keys.count }

  /// The value of a member; setting `nil` removes the member.
  package subscript(key: String) -> JSONValue? {
    get { values[key] }
    set {
      guard let newValue else {
        if values.removeValue(forKey: key) != nil { keys.removeAll { $0 == key } }
        return
      }
      if values.updateValue(newValue, forKey: key) == nil { keys.append(key) }
    }
  }

  package func makeIterator() -> AnyIterator<(key: String, value: JSONValue)> {
    var position = 0
    return AnyIterator {
      guard position < keys.count else { return nil }
      defer { position += 1 }
      return (keys[position], values[keys[position]] ?? .null)
    }
  }
}
