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
  ) throws(CLIPError) -> (smallest: TriggerSearchResult, reference: SizeReference) {
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
      return (main, SizeReference(source: .cleanCheckpoints, sizes: sizes, kind: kind))
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
    return Self.smallest(of: results, source: .referenceSearches)
  }

  /// The text that a trigger reaches cheapest, and what to judge its size by.
  func comparedTargets(
    _ kind: TriggerKind, _ targets: (rows: [Int], vocabulary: TextVocabulary),
    _ searches: inout CheckSearches, progress: (ModelCheckProgress) -> Bool
  ) throws(CLIPError) -> (target: Int, smallest: TriggerSearchResult, reference: SizeReference) {
    let results = try searches.run(
      kind, in: model, toward: targets.rows, of: targets.vocabulary, progress: progress)
    let target = results.indices.min { results[$0].size < results[$1].size } ?? 0
    let (smallest, reference) = Self.smallest(of: results, source: .otherClasses)
    return (targets.rows[target], smallest, reference)
  }

  private static func smallest(
    of results: [TriggerSearchResult], source: SizeReference.Source
  ) -> (smallest: TriggerSearchResult, reference: SizeReference) {
    var others = results
    let index = results.indices.min { results[$0].size < results[$1].size } ?? 0
    let smallest = others.remove(at: index)
    return (
      smallest,
      SizeReference(source: source, sizes: others.map(\.size), kind: smallest.kind)
    )
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
  ) throws(CLIPError) -> (rows: [Int], vocabulary: TextVocabulary)? {
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
    return rows.count < Self.fewestClasses ? nil : (rows, vocabulary)
  }
}
