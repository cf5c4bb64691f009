/// Keys of the random streams of checks: never changed, because what a seed gives depends on them.
///
/// Like all keys of streams they are four letters that no other stream has, which lint checks.
enum DetectionStream {
  /// Which of a dataset's images a check of a model reads.
  static let sample: UInt64 = 0x7361_6D70
  /// Which of too many given images are used.
  static let selection: UInt64 = 0x7365_6C65
  /// Synthetic images, because none were given.
  static let syntheticImages: UInt64 = 0x7379_6E74
  /// Captions that words are tried in.
  static let captions: UInt64 = 0x776F_7264
  /// Short searches that choose candidates for targets.
  static let candidates: UInt64 = 0x6361_6E64
}
