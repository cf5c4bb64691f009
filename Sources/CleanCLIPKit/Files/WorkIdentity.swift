/// What tells one piece of interrupted work from another.
struct WorkIdentity {
  /// Options that must be the same to resume, by the names that users give them.
  let options: [String: String]
  /// What is read, and what is computed of it, mostly as fingerprints.
  let inputs: [String: String]
  /// What may be otherwise, unless an input follows from it: threads change the last digits of features.
  private let surroundings: [String: String]

  init(
    options: [String: String] = [:], inputs: [String: String] = [:],
    surroundings: [String: String] = [:]
  ) {
    self.options = options
    self.inputs = inputs
    self.surroundings = surroundings.merging(["threads": "\(Threads.count)"]) { own, _ in own }
  }

  /// Everything that must be the same.
  var required: [String: String] { options.merging(inputs) { option, _ in option } }

  /// All of it, for a file.
  var members: [String: String] { required.merging(surroundings) { own, _ in own } }

  /// What a saved identity has otherwise.
  ///
  /// Inputs follow options, such as images that a seed draws: where options differ, they alone are named.
  func differences(
    from saved: [String: String], prefix: String
  ) -> (list: [String], areOptions: Bool) {
    func differing(_ values: [String: String]) -> [String] {
      values.sorted { $0.key < $1.key }.compactMap { key, value in
        let other = saved[prefix + key] ?? "none"
        return other == value ? nil : "\(key): expected \(value), got \(other)"
      }
    }
    let options = differing(options)
    guard options.isEmpty else { return (options, true) }
    let inputs = differing(inputs)
    // Older states do not tell their surroundings.
    let known = surroundings.filter { saved[prefix + $0.key] != nil }
    return (inputs + (inputs.isEmpty ? [] : differing(known)), false)
  }
}
