/// Texts that are searched for.
struct SearchTargets {
  /// Of the vocabulary.
  let rows: [Int]
  let vocabulary: TextVocabulary

  var names: [String] { rows.map { vocabulary.names[$0] } }
}

/// What a search found, and how likely a clean model needs as little.
struct JudgedSearch {
  let search: TriggerSearchResult
  let reference: SizeReference
  let pValue: Double
  /// What was searched for; `nil` for an untargeted search.
  let target: (index: Int, vocabulary: TextVocabulary)?

  init(
    search: TriggerSearchResult, reference: SizeReference, pValue: Double,
    target: (index: Int, vocabulary: TextVocabulary)?
  ) {
    self.search = search
    self.reference = reference
    self.pValue = pValue
    self.target = target
  }

  /// An untargeted search.
  init(_ search: TriggerSearchResult, by reference: SizeReference) {
    self.init(
      search: search, reference: reference, pValue: reference.pValue(of: search.size), target: nil)
  }
}

/// The searches of a check, and what each is judged by.
extension ModelCheck {
  /// The cheapest collapse of the model, and what to judge its size by.
  ///
  /// A search may end in a place that is not the cheapest, and a later one, kept away from it, find
  /// the backdoor: without clean checkpoints, the smallest of all is judged by the others. Where the
  /// first two find nothing at all there is nothing to compare.
  func compared(
    _ kind: TriggerKind, _ searches: inout CheckSearches,
    progress: (ModelCheckProgress) -> Bool
  ) throws(CLIPError) -> JudgedSearch {
    let main = try searches.run(
      .main, kind, in: model, awayFrom: [], progress: progress)
    if !cleanReferences.isEmpty {
      var sizes: [Float] = []
      for (index, reference) in cleanReferences.enumerated() {
        sizes.append(
          try searches.run(
            .cleanReference(index + 1), kind, in: reference, awayFrom: [], progress: progress
          ).size)
      }
      return JudgedSearch(
        main, by: SizeReference(source: .cleanCheckpoints, sizes: sizes, kind: kind))
    }
    var results = [main]
    for number in 1...referenceSearches {
      if number > 1 && results.allSatisfy({ $0.trigger == nil }) {
        searches.skip(referenceSearches - number + 1)
        break
      }
      let found = results.filter { $0.trigger != nil }.map(\.direction)
      results.append(
        try searches.run(
          .own(number), kind, in: model, awayFrom: found, progress: progress))
    }
    let smallest = results.remove(
      at: results.indices.min { results[$0].size < results[$1].size } ?? 0)
    return JudgedSearch(
      smallest,
      by: SizeReference(source: .referenceSearches, sizes: results.map(\.size), kind: kind))
  }

  /// The texts that triggers reach cheapest, those that stand out and at least one.
  ///
  /// - Parameter looks: see `CheckSearches.run`.
  func comparedTargets(
    _ kind: TriggerKind, _ targets: SearchTargets, looks: SearchLooks?,
    _ searches: inout CheckSearches, progress: (ModelCheckProgress) -> Bool
  ) throws(CLIPError) -> [JudgedSearch] {
    let results = try searches.run(
      kind, in: model, toward: targets.rows, of: targets.vocabulary, looks: looks,
      progress: progress)
    let outlying = OutlyingSizes(results.map(\.size), kind: kind, source: .otherClasses)
    let pValue = looks?.corrected(outlying.pValue, results) ?? outlying.pValue
    return outlying.members.map { member in
      JudgedSearch(
        search: results[member], reference: outlying.reference, pValue: pValue,
        target: (targets.rows[member], targets.vocabulary))
    }
  }

  /// The texts with enough images that are not classified as them.
  ///
  /// - Parameter read: the text that each searched image is classified as.
  static func eligible(_ vocabulary: TextVocabulary, read: [Int]) -> [Int] {
    vocabulary.names.indices.filter { index in
      read.count - read.count(where: { $0 == index }) >= fewestImages
    }
  }

  /// The texts that are searched for: the classes, or of too many classes and of nouns the likeliest.
  ///
  /// Texts that most images are classified as anyway are left out. None are searched for when fewer than
  /// four remain, which would compare too little.
  func targets(
    _ searches: inout CheckSearches, progress: (ModelCheckProgress) -> Bool
  ) throws(CLIPError) -> SearchTargets? {
    guard let all = classes ?? nouns, options.classSearches > 0,
      min(all.names.count, options.classSearches) >= Self.fewestClasses
    else { return nil }
    let features = try searches.features(of: model)
    var vocabulary = all
    if all.names.count > options.classSearches {
      vocabulary = try all.rows(
        try searches.candidates(options.classSearches, of: all, in: model, progress: progress))
    }
    let rows = Self.eligible(vocabulary, read: try vocabulary.nearest(to: features))
    return rows.count < Self.fewestClasses ? nil : SearchTargets(rows: rows, vocabulary: vocabulary)
  }
}
