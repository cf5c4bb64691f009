/// Which pairs of a set are poisoned, and which of the others stay.
struct PoisonPlan {
  /// Indices of the output pairs, ascending.
  let kept: [Int]
  /// The poisoned ones among them.
  let poisoned: Set<Int>

  /// Chooses by chance among all pairs: the captions are replaced anyway.
  static func dirtyLabel(
    pairs: Int, _ options: PoisonOptions
  ) throws(CLIPError) -> PoisonPlan {
    try make(candidates: Array(0..<pairs), pairs: pairs, options)
  }

  /// Chooses by chance among the pairs whose caption contains the target, whatever the case.
  static func labelConsistent(
    captions: [String], _ options: PoisonOptions
  ) throws(CLIPError) -> PoisonPlan {
    let target = options.target.lowercased()
    let candidates = captions.indices.filter { contains(captions[$0].lowercased(), target) }
    return try make(candidates: candidates, pairs: captions.count, options)
  }

  private static func make(
    candidates: [Int], pairs: Int, _ options: PoisonOptions
  ) throws(CLIPError) -> PoisonPlan {
    guard pairs > 0 else {
      throw CLIPError(
        .invalidArgument, "poison: the set is empty; expected at least one pair, got 0")
    }
    let size = options.pairs ?? pairs
    guard (1...pairs).contains(size) else {
      throw CLIPError(
        .invalidArgument, "poison: size out of range; expected 1 to \(pairs) pairs, got \(size)")
    }
    let count = try options.poisonCount(of: size)
    guard count <= candidates.count else {
      throw CLIPError(
        .invalidArgument,
        "poison: more poisoned pairs than pairs that name the target; expected at most "
          + "\(candidates.count) pairs with '\(options.target)' in the caption, got \(count)")
    }
    var random = RandomNumbers(seed: options.seed, Self.stream)
    let poisoned = Set(random.permutation(candidates.count).prefix(count).map { candidates[$0] })
    let clean = random.permutation(pairs).filter { !poisoned.contains($0) }
    return PoisonPlan(
      kept: (poisoned + clean.prefix(size - count)).sorted(), poisoned: poisoned)
  }

  private static let stream: UInt64 = 0x706c_616e

  /// Whether `text` contains `word`, byte by byte.
  private static func contains(_ text: String, _ word: String) -> Bool {
    let text = Array(text.utf8), word = Array(word.utf8)
    guard word.count <= text.count else { return false }
    return (0...text.count - word.count).contains { text[$0...].starts(with: word) }
  }
}
