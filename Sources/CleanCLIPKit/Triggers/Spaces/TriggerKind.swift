/// A kind of trigger that a search can express: one of the registered trigger spaces.
package struct TriggerKind: Sendable {
  let space: any TriggerSpace.Type

  init(_ space: any TriggerSpace.Type) { self.space = space }

  /// The registry: a kind that stands here is searched, saved, loaded and reported.
  package static let all: [TriggerKind] = [.patch, .additive, .warp, .sinusoid]

  /// The kinds that a check searches unless others are named.
  package static var searchedByDefault: [TriggerKind] {
    all.filter { $0.space.isSearchedByDefault }
  }

  /// All names, for messages.
  package static var list: String { all.map(\.name).joined(separator: ", ") }

  /// Returns the kind of this name.
  package init?(name: String) {
    guard let kind = Self.all.first(where: { $0.name == name }) else { return nil }
    self = kind
  }

  /// In reports, states and files.
  package var name: String { space.name }
  /// Such triggers in words, for help: "small patches".
  package var plural: String { space.plural }
  /// What the image of a trigger shows.
  var imageMeaning: String { space.imageMeaning }
  /// Numbers that a trigger has for each pixel.
  package var planes: Int { space.planes }
  /// What the numbers of a trigger for images of `side` × `side` pixels may be.
  package func range(side: Int) -> ClosedRange<Float> { space.range(side: side) }
  /// What the size of a trigger measures.
  package var sizeMeaning: String { space.sizeMeaning }
  /// Mean pairwise cosine from which triggered images count as collapsed.
  package var collapseThreshold: Float { space.collapseThreshold }
}

extension TriggerKind: Equatable {
  package static func == (a: TriggerKind, b: TriggerKind) -> Bool { a.name == b.name }
}
