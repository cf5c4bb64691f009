/// Which pairs of a set are poisoned by which attack, and which of the others stay.
struct PoisonPlan {
  /// Indices of the output pairs, ascending.
  let kept: [Int]
  /// The attack, in the order of the list, on each poisoned one among them.
  let poisoned: [Int: Int]

  /// Chooses by chance: for a dirty-label attack among all pairs, because the captions are replaced
  /// anyway, for a label-consistent one among those whose caption contains the target, whatever the
  /// case. No pair carries two triggers.
  ///
  /// - Parameters:
  ///   - pairs: of the set.
  ///   - caption: of pair `index`; read for label-consistent attacks only.
  static func make(
    _ attacks: [PoisonAttack], pairs: Int, options: PoisonOptions,
    caption: (_ index: Int) throws(CLIPError) -> String
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
    var random = RandomNumbers(seed: options.seed, Self.stream)
    var poisoned: [Int: Int] = [:]
    for (number, attack) in attacks.enumerated() {
      var candidates: [Int] = []
      for index in 0..<pairs where poisoned[index] == nil {
        if attack.trigger.isLabelConsistent {
          guard try caption(index).names(attack.target) else { continue }
        }
        candidates.append(index)
      }
      let count = try attack.poisonCount(of: size)
      guard count <= candidates.count else {
        throw CLIPError(
          .invalidArgument,
          attack.trigger.isLabelConsistent
            ? "poison: more poisoned pairs than pairs that name the target; expected at most "
              + "\(candidates.count) pairs with '\(attack.target)' in the caption, got \(count)"
            : "poison: more poisoned pairs than pairs; expected at most \(candidates.count), which no "
              + "other attack poisons, got \(count)")
      }
      for place in random.permutation(candidates.count).prefix(count) {
        poisoned[candidates[place]] = number
      }
    }
    guard poisoned.count <= size else {
      throw CLIPError(
        .invalidArgument,
        "poison: more poisoned pairs than output pairs; expected at most \(size), got "
          + "\(poisoned.count)")
    }
    let clean = random.permutation(pairs).filter { poisoned[$0] == nil }
    return PoisonPlan(
      kept: (poisoned.keys + clean.prefix(size - poisoned.count)).sorted(), poisoned: poisoned)
  }

  private static let stream: UInt64 = 0x706c_616e
}

extension String {
  /// Whether a caption names a target concept: contains it, whatever the case, byte by byte.
  func names(_ target: String) -> Bool {
    let text = Array(lowercased().utf8), word = Array(target.lowercased().utf8)
    guard word.count <= text.count else { return false }
    return (0...text.count - word.count).contains { text[$0...].starts(with: word) }
  }
}
