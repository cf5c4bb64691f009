/// Images that stand out together, and what they are: told by the images themselves, where they are at hand,
/// and by their captions.
///
/// Features do not tell copies of one image from different images with a trigger, because a backdoored model makes both
/// alike; descriptors of the pixels do.
package struct ImageCluster: Equatable, Sendable {
  package enum Kind: String, Equatable, Sendable {
    /// One image, or a few, many times, with captions that have nothing in common: no poison by itself.
    case duplicates
    /// One image, or a few, many times with one caption: a shortcut that works like a trigger, planted or not.
    case oneImageOneCaption = "one_image_one_caption"
    /// One image, or a few, many times with captions that have a word in common: likewise.
    case oneImageOneWord = "one_image_one_word"
    /// Images that differ.
    case differentImages = "different_images"
    /// Neither pixels nor equal features tell whether the images differ.
    case imagesNotSeen = "images_not_seen"

    /// Whether it is one image, or a few.
    package var isRepeated: Bool {
      switch self {
      case .duplicates, .oneImageOneCaption, .oneImageOneWord: true
      case .differentImages, .imagesNotSeen: false
      }
    }
  }

  package let kind: Kind
  /// Indices of the images; of pairs, where each has an image of its own.
  package let members: [Int]
  /// Pairs that have these images.
  package let pairs: Int
  /// Images that were looked at, evenly spaced among the members.
  package let imagesSeen: Int
  /// How many of them differ, near-duplicates counted once; `nil` where none could be looked at.
  package let distinctImages: Int?
  /// Median cosine of their features with the mean of their directions; `nil` without features.
  package let cosine: Float?
  /// The most frequent caption, in lower case, and the fraction of pairs that have it; empty without captions.
  package let caption: String
  package let captionFraction: Double
  /// The word that pairs have most in excess of the dataset, and the fraction of pairs that have it; empty
  /// without captions.
  package let word: String
  package let wordFraction: Double

  /// The cluster for machines.
  var json: JSONObject {
    [
      "kind": .string(kind.rawValue), "pairs": .integer(pairs), "images": .integer(members.count),
      "images_seen": .integer(imagesSeen),
      "distinct_images": distinctImages.map { .integer($0) } ?? .null,
      "cosine": cosine.map { .number(Double($0)) } ?? .null,
      "caption": .string(caption), "caption_fraction": .number(captionFraction),
      "word": .string(word), "word_fraction": .number(wordFraction),
    ]
  }
}
