/// Keys of the random streams of checks: never changed, because what a seed gives depends on them.
///
/// Two are also keys of streams of attacks, `captions` and `syntheticImages`, which no check draws from.
enum DetectionStream {
  /// Which of a dataset's images a check of a model reads.
  static let sample: UInt64 = 0x7361_6D70
  /// Which of too many given images are used.
  static let selection: UInt64 = 0x7365_6C65
  /// Images that are drawn because none were given.
  static let syntheticImages: UInt64 = 0x7069_6374
  /// Captions that words are tried in.
  static let captions: UInt64 = 0x6361_7074
}
