/// The names of rows of features that were made in parts.
package struct FeatureKeys: Sendable {
  package let names: [String]
  /// The parts and the first row of each.
  private let parts: [(path: String, start: Int)]

  init(_ names: [String], parts: [(path: String, start: Int)]) {
    self.names = names
    self.parts = parts
  }

  private func path(of row: Int) -> String {
    parts.last { $0.start <= row }.map { "'\($0.path)'" } ?? "a part"
  }

  /// Checks that no two rows have one name.
  ///
  /// - Throws: `invalidArgument` naming the first that is there twice and the parts that have it.
  func checkDistinct() throws(CLIPError) {
    var rows: [String: Int32] = [:]
    rows.reserveCapacity(names.count)
    for (row, name) in names.enumerated() {
      if let other = rows.updateValue(Int32(row), forKey: name) {
        throw duplicate(name, Int(other), row, wanted: 1)
      }
    }
  }

  private func duplicate(_ name: String, _ first: Int, _ second: Int, wanted: Int) -> CLIPError {
    CLIPError(
      .invalidArgument,
      "features: key '\(name.printable())' is in \(path(of: first)) and again in \(path(of: second)); "
        + "expected it \(wanted == 1 ? "once" : "\(wanted) times"); make one of the parts again "
        + "without it, or name the pairs with data or keys")
  }

  /// Returns the row of each of the pairs, -1 for a pair without one; a name that several pairs have is for as
  /// many rows, in order.
  ///
  /// - Parameters:
  ///   - pairs: names of the pairs.
  ///   - unread: rows of other pairs that there may be, because they could not be read.
  /// - Returns: `nil` when rows and pairs are in one order.
  /// - Throws: `invalidArgument` naming a row without a pair, and how many.
  func order(of pairs: [String], unread: Int) throws(CLIPError) -> [Int32]? {
    if pairs == names { return nil }
    var first: [String: Int32] = [:]
    first.reserveCapacity(names.count)
    // The next row of the same name.
    var next = [Int32](repeating: -1, count: names.count)
    for row in names.indices.reversed() {
      next[row] = first.updateValue(Int32(row), forKey: names[row]) ?? -1
    }
    let order = pairs.map { name -> Int32 in
      guard let row = first[name], row >= 0 else { return -1 }
      first[name] = next[Int(row)]
      return row
    }
    try checkNoOthers(order, pairs: pairs, unread: unread)
    return order
  }

  private func checkNoOthers(
    _ order: [Int32], pairs: [String], unread: Int
  ) throws(CLIPError) {
    guard names.count > order.count(where: { $0 >= 0 }) + unread else { return }
    let used = Set(order)
    let rest = names.indices.filter { !used.contains(Int32($0)) }
    let name = names[rest[0]]
    if let other = names.firstIndex(of: name), other != rest[0] {
      throw duplicate(name, other, rest[0], wanted: pairs.count { $0 == name })
    }
    throw CLIPError(
      .invalidArgument,
      "features: \(rest.count) rows of the parts belong to no pair, the first of them "
        + "'\(name.printable())' in \(path(of: rest[0])); expected rows of the \(pairs.count) pairs "
        + "alone; leave out parts of other data")
  }
}

/// Features that were computed before, with what their files say of them.
package struct GivenFeatures: Sendable {
  package let rows: FeatureRows
  /// The names of the rows; `nil` when they are in the order of the pairs.
  package let keys: FeatureKeys?
  /// Captions of the rows; `nil` when there are none.
  package let captions: [String]?

  package init(_ rows: FeatureRows, keys: FeatureKeys? = nil, captions: [String]? = nil) {
    self.rows = rows
    self.keys = keys
    self.captions = captions
  }

  /// - Parameter features: `[N, E]`, unnormalized.
  /// - Throws: as `FeatureRows.init`.
  package init(_ features: Tensor) throws(CLIPError) { self.init(try FeatureRows(features)) }

  /// Returns the row of each of the pairs, -1 for a pair without one.
  ///
  /// - Parameters:
  ///   - pairs: names of the pairs that could be read.
  ///   - numbers: their rows among all, of which there are `count`.
  /// - Returns: `nil` when rows and pairs are in one order.
  /// - Throws: as `FeatureKeys.order`.
  func order(
    of pairs: [String], numbers: [Int], among count: Int
  ) throws(CLIPError) -> [Int32]? {
    if let keys { return try keys.order(of: pairs, unread: count - pairs.count) }
    guard rows.count == count, numbers.count < count else { return nil }
    return numbers.map { Int32($0) }
  }
}
