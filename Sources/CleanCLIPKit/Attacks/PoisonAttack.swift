/// One of several attacks on a set: which trigger aims at what, and in how many pairs.
package struct PoisonAttack: Sendable {
  package let trigger: Trigger
  /// Target concept, as in `PoisonOptions`.
  package let target: String
  /// Poisoned pairs; by default `rate` of all, rounded, at least one.
  package let count: Int?
  /// Fraction of the pairs, above 0 and at most 1.
  package let rate: Double

  package init(trigger: Trigger, target: String, count: Int?, rate: Double) {
    self.trigger = trigger
    self.target = target
    self.count = count
    self.rate = rate
  }

  /// Returns the number of poisoned pairs among `pairs`.
  ///
  /// - Throws: `invalidArgument` for numbers out of range.
  func poisonCount(of pairs: Int) throws(CLIPError) -> Int {
    guard rate > 0, rate <= 1 else {
      throw CLIPError(
        .invalidArgument,
        "options: rate is out of range; expected more than 0, at most 1, got \(rate)")
    }
    guard let count else { return max(1, Int((rate * Double(pairs)).rounded())) }
    guard (1...max(1, pairs)).contains(count) else {
      throw CLIPError(
        .invalidArgument,
        "options: count is out of range; expected 1 to \(pairs), the number of pairs, got \(count)")
    }
    return count
  }

  /// What `init(parsing:)` reads, for help.
  package static let form =
    "trigger=NAME;target=CONCEPT[;rate=R|;count=N][;position=P][;patch-size=N][;strength=S]"
    + "[;fixed][;seed=N]"

  /// Reads an attack of a line: the options of `cleanclip poison`, separated by semicolons.
  ///
  /// - Parameter seed: what is drawn depends on it, unless the line has a seed of its own.
  /// - Throws: `invalidArgument` for a line of another form; what `Trigger.load` throws.
  package init(parsing line: String, seed: UInt64) throws(CLIPError) {
    var fields = try Fields(line)
    var options = TriggerOptions()
    options.seed = seed
    if let text = try fields.take("seed") { options.seed = try fields.number(text, of: "seed") }
    if let text = try fields.take("position") {
      options.position = try TriggerPosition(parsing: text)
    }
    if let text = try fields.take("patch-size") {
      options.patchSize = try fields.number(text, of: "patch-size")
    }
    if let text = try fields.take("strength") {
      options.strength = try fields.number(text, of: "strength")
    }
    options.variation = try fields.takeFlag("fixed") ? .fixed : .fresh
    target = try fields.required("target")
    count = try fields.take("count").map { (text) throws(CLIPError) in
      try fields.number(text, of: "count")
    }
    let rate = try fields.take("rate").map { (text) throws(CLIPError) -> Double in
      try fields.number(text, of: "rate")
    }
    guard count == nil || rate == nil else {
      throw fields.error("count and rate are both given; expected one of them")
    }
    self.rate = rate ?? PoisonOptions(target: "").rate
    let name = try fields.required("trigger")
    try fields.finish()
    trigger = try Trigger.load(name, options)
  }

  /// `key=value` parts of a line.
  private struct Fields {
    private let line: String
    private var values: [String: String] = [:]
    /// Parts without a value.
    private var flags: Set<String> = []

    init(_ line: String) throws(CLIPError) {
      self.line = line
      for part in line.split(separator: ";") {
        let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
          .map(String.init)
        guard values[sides[0]] == nil, !flags.contains(sides[0]) else {
          throw error("\(sides[0]) is given twice; expected it once")
        }
        if sides.count == 2 { values[sides[0]] = sides[1] } else { flags.insert(sides[0]) }
      }
    }

    mutating func take(_ key: String) throws(CLIPError) -> String? {
      guard !flags.contains(key) else { throw error("\(key) has no value") }
      guard let value = values.removeValue(forKey: key) else { return nil }
      guard !value.isEmpty else { throw error("\(key) has no value") }
      return value
    }

    mutating func takeFlag(_ key: String) throws(CLIPError) -> Bool {
      if let value = values[key] {
        throw error(
          "\(key) takes no value; expected it alone, or not at all, got '\(key)=\(value)'")
      }
      return flags.remove(key) != nil
    }

    mutating func required(_ key: String) throws(CLIPError) -> String {
      guard let value = try take(key) else { throw error("\(key) is missing") }
      return value
    }

    func number<Value: LosslessStringConvertible>(
      _ text: String, of key: String
    ) throws(CLIPError) -> Value {
      guard let value = Value(text) else {
        throw error("\(key) is not a number; expected one, got '\(text)'")
      }
      return value
    }

    func finish() throws(CLIPError) {
      guard let other = flags.union(values.keys).min() else { return }
      throw error("'\(other)' is not known")
    }

    func error(_ problem: String) -> CLIPError {
      CLIPError(
        .invalidArgument,
        "attack '\(line)': \(problem.printable()); expected \(PoisonAttack.form)".printable())
    }
  }
}
