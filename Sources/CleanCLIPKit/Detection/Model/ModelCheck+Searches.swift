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
      .main, kind, in: model, toward: .anywhere(forbidden: []), progress: progress)
    if !cleanReferences.isEmpty {
      var sizes: [Float] = []
      for (index, reference) in cleanReferences.enumerated() {
        sizes.append(
          try searches.run(
            .cleanReference(index + 1), kind, in: reference, toward: .anywhere(forbidden: []),
            progress: progress
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
          .own(number), kind, in: model, toward: .anywhere(forbidden: found), progress: progress))
    }
    return Self.smallest(of: results, source: .referenceSearches)
  }

  /// The class that a trigger reaches cheapest, and what to judge its size by.
  ///
  /// - Parameter classes: rows of `vocabulary`.
  func comparedClasses(
    _ kind: TriggerKind, _ classes: [Int], of vocabulary: TextVocabulary,
    _ searches: inout CheckSearches, progress: (ModelCheckProgress) -> Bool
  ) throws(CLIPError) -> (target: Int, smallest: TriggerSearchResult, reference: SizeReference) {
    var results: [TriggerSearchResult] = []
    for index in classes {
      results.append(
        try searches.run(
          .ofClass(index), kind, in: model, toward: .text(index, of: vocabulary),
          progress: progress))
    }
    let target = results.indices.min { results[$0].size < results[$1].size } ?? 0
    let (smallest, reference) = Self.smallest(of: results, source: .otherClasses)
    return (classes[target], smallest, reference)
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

  /// The classes with enough images that are not classified as them.
  ///
  /// - Parameter read: the class that each searched image is classified as.
  static func eligible(_ vocabulary: TextVocabulary, read: [Int]) -> [Int] {
    vocabulary.names.indices.filter { index in
      read.count - read.count(where: { $0 == index }) >= fewestImages
    }
  }

  /// The classes to search for, at most `options.classSearches`, in their order.
  ///
  /// Of too many, predicted targets of the found triggers come first, then always the one least like
  /// those chosen before. Classes that most images are classified as anyway are left out; so are all
  /// when fewer than four remain, which would compare too little.
  ///
  /// - Parameters:
  ///   - read: the class that each searched image is classified as.
  ///   - likely: names of classes, the likeliest first.
  func chosenClasses(_ vocabulary: TextVocabulary, read: [Int], likely: [String]) -> [Int] {
    let eligible = Self.eligible(vocabulary, read: read)
    guard min(eligible.count, options.classSearches) >= Self.fewestClasses else { return [] }
    guard eligible.count > options.classSearches else { return eligible }
    var chosen: [Int] = []
    for name in likely.prefix(options.classSearches / 2) {
      guard let index = vocabulary.names.firstIndex(of: name) else { continue }
      if eligible.contains(index) && !chosen.contains(index) { chosen.append(index) }
    }
    if chosen.isEmpty { chosen.append(eligible[0]) }
    var closest = [Float](repeating: -2, count: vocabulary.names.count)
    func account(for index: Int) {
      for other in eligible {
        closest[other] = max(closest[other], vocabulary.cosine(index, other))
      }
    }
    chosen.forEach(account)
    while chosen.count < options.classSearches {
      let rest = eligible.filter { !chosen.contains($0) }
      guard let next = rest.min(by: { closest[$0] < closest[$1] }) else { break }
      chosen.append(next)
      account(for: next)
    }
    return chosen.sorted()
  }
}
