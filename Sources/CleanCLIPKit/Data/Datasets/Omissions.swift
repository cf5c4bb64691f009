/// What a dataset holds and does not give: counted by reason, with the first examples of each.
///
/// Sources fill it while they index, readers while they read.
package struct Omissions: Equatable, Sendable {
  /// Why something is not used. Raw values are the names in JSON.
  package enum Reason: String, CaseIterable, Sendable {
    /// Rows whose image or caption cannot be read.
    case unreadable = "unreadable_rows"
    /// Rows that have none among the features that were computed before.
    case withoutFeatures = "rows_without_features"
    /// Images in formats that are not read.
    case otherFormat = "images_of_other_formats"
    /// Compressed shards, archives and tables of other formats inside a folder.
    case otherData = "data_of_other_formats"
    /// Tables inside a folder that name no images.
    case otherTable = "tables_without_images"
    /// `KEY.more.png` without a caption beside an image of KEY.
    case sideImage = "further_images_of_a_key"
    /// Images, tables and shards whose name or folder begins with a dot.
    case hidden = "hidden_files"
    /// Links inside a shard, links to nothing, pipes and devices.
    case notAFile = "entries_that_are_no_files"
    /// Entries of a shard with holes or without a name.
    case damaged = "damaged_entries"
    /// Folders that a link repeats.
    case linkedAgain = "folders_linked_again"
    /// Captions and labels without an image.
    case captionAlone = "captions_without_image"
    /// Neither images nor captions.
    case otherFile = "other_files"

    /// Whether what is left out may be a pair that another program would train on.
    package var mayBePair: Bool {
      switch self {
      case .linkedAgain, .captionAlone, .otherFile: false
      default: true
      }
    }

    fileprivate var words: String { rawValue.split(separator: "_").joined(separator: " ") }
  }

  /// How often, and the first few in words, printable.
  package struct Entry: Equatable, Sendable {
    package fileprivate(set) var count = 0
    package fileprivate(set) var examples: [String] = []
  }

  private var entries: [Reason: Entry] = [:]

  /// Examples that are kept of each reason.
  static let exampleLimit = 5

  package init() {}

  /// Rows that a reading could not read, with the first reasons.
  package init(unreadable count: Int, examples: [String]) {
    add(unreadable: count, examples: examples)
  }

  /// What is counted under a reason.
  package subscript(reason: Reason) -> Entry { entries[reason] ?? Entry() }

  package var isEmpty: Bool { entries.isEmpty }

  /// The number of all that may be pairs: what a verdict on the rest does not cover.
  package var unread: Int {
    entries.reduce(0) { $0 + ($1.key.mayBePair ? $1.value.count : 0) }
  }

  /// Counts something.
  package mutating func add(_ reason: Reason, _ example: @autoclosure () -> String) {
    entries[reason, default: Entry()].count += 1
    if self[reason].examples.count < Self.exampleLimit {
      entries[reason]?.examples.append(example().printable(limit: 400))
    }
  }

  package mutating func add(_ other: Omissions) {
    for (reason, entry) in other.entries {
      let room = Self.exampleLimit - self[reason].examples.count
      entries[reason, default: Entry()].count += entry.count
      entries[reason]?.examples += entry.examples.prefix(room)
    }
  }

  /// Counts rows that an earlier reading could not read.
  mutating func add(unreadable count: Int, examples: [String]) {
    guard count > 0 else { return }
    entries[.unreadable, default: Entry()].count += count
    let room = Self.exampleLimit - self[.unreadable].examples.count
    entries[.unreadable]?.examples += examples.prefix(room).map { $0.printable(limit: 400) }
  }

  /// A line for each reason, for logs and terminals.
  package var lines: [String] {
    Reason.allCases.compactMap { reason in
      guard let entry = entries[reason] else { return nil }
      return "data: left out \(reason.words) (\(entry.count)): "
        + entry.examples.joined(separator: "; ")
        + (entry.count > entry.examples.count ? "; …" : "")
    }
  }

  /// What may be pairs, in a few words; empty when there is nothing.
  package var summary: String {
    Reason.allCases.compactMap { reason in
      guard reason.mayBePair, let entry = entries[reason] else { return nil }
      return "\(reason.words) (\(entry.count))"
    }.joined(separator: ", ")
  }

  /// Counts and examples by reason.
  package var json: JSONValue {
    var object = JSONObject()
    for reason in Reason.allCases {
      guard let entry = entries[reason] else { continue }
      object[reason.rawValue] = [
        "count": .integer(entry.count), "examples": .array(entry.examples.map { .string($0) }),
      ]
    }
    return .object(object)
  }
}
