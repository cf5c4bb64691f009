/// The dimensions of a tensor, row-major: the last one is contiguous.
///
/// Letters of shape comments: **B** batch, **L** tokens, **D** width, **H** heads, **E** embedding,
/// **C** channels, **N** rows in general.
package struct Shape: Equatable, Sendable, CustomStringConvertible, ExpressibleByArrayLiteral {
  package let dimensions: [Int]

  package init(_ dimensions: [Int]) {
    precondition(dimensions.allSatisfy { $0 >= 0 }, "dimensions are not negative")
    self.dimensions = dimensions
  }

  package init(arrayLiteral elements: Int...) {
    self.init(elements)
  }

  package var rank: Int { dimensions.count }

  /// The number of elements; 1 for a scalar.
  package var count: Int { dimensions.reduce(1, *) }

  /// The last dimension; 1 for a scalar.
  package var columns: Int { dimensions.last ?? 1 }

  /// The product of all dimensions but the last.
  package var rows: Int { dimensions.dropLast().reduce(1, *) }

  package subscript(index: Int) -> Int { dimensions[index] }

  package var description: String {
    "[" + dimensions.map(String.init).joined(separator: ", ") + "]"
  }
}
