extension Trainer {
  /// What must agree for a state to belong to this run.
  static func identity(
    _ recipe: any Recipe, _ source: BatchSource, _ options: TrainingOptions,
    _ settings: [String: String]
  ) -> WorkIdentity {
    let training = TrainingOptions.rules.texts(options).merging(settings) { _, own in own }
    return WorkIdentity(
      options: training.merging(["recipe": recipe.name]) { _, own in own },
      inputs: [
        "data": source.identity, "pairs": "\(source.pairs)",
        "model": "\(recipe.model.configuration)",
        "initial_weights": Fingerprint.text(of: recipe.state.map(\.tensor)),
      ])
  }

  /// What must agree among ranks besides: when the state is saved, and what rows hold.
  static func facts(_ source: BatchSource, _ options: TrainingOptions) throws(CLIPError) -> [String:
    String]
  {
    var facts = ["save_every": "\(options.saveEvery)"]
    guard let content = source.content else { return facts }
    var fingerprint = Fingerprint()
    let count = min(source.pairs, agreedRows)
    for index in 0..<count {
      do throws(CLIPError) {
        let row = try content(index * source.pairs / count)
        fingerprint.add(Int(truncatingIfNeeded: row.fingerprint))
      } catch {
        // A row that cannot be read is one for the loader; it is on the others too.
        guard error.code != .outOfMemory, error.code != .cancelled else { throw error }
        fingerprint.add(0)
      }
    }
    facts["rows"] = "\(count) of them with the fingerprint \(fingerprint.text)"
    return facts
  }

  /// Rows that ranks compare before the first step; the others when they come again on another rank.
  private static let agreedRows = 16

  /// Rows whose content is compared before a run is resumed; the others are when they are read again.
  private static let comparedRows = 256

  /// Compares rows that were trained on with what they hold now.
  ///
  /// - Throws: `state` for a row that has changed; what reading it throws.
  static func compared(
    _ contents: RowContents, _ source: BatchSource
  ) throws(CLIPError) -> RowContents {
    guard let content = source.content else { return contents }
    var contents = contents
    let rows = contents.rows
    let count = min(rows.count, comparedRows)
    for index in 0..<count { try contents.add(try content(rows[index * rows.count / count])) }
    return contents
  }
}
