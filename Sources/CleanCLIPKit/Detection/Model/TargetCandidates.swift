/// The texts of a long list that may be the target of a backdoor: those that short searches reach
/// cheapest.
///
/// Successive halving (Jamieson and Talwalkar 2016, arXiv:1502.07943): texts that images resemble, and
/// others that lie far apart, each get a few steps of a search towards them; of the better half, with the
/// texts that the found triggers led to beside them, each gets more. A search towards a text near the target
/// slides into the backdoor, so that the target need not be among the first.
struct TargetCandidates {
  let model: CLIPModel
  /// `[n, 3, S, S]` in 0…1.
  let images: Tensor
  /// Of the images, `[n, E]`, L2-normalized.
  let features: Tensor
  let options: TriggerSearchOptions
  /// The ranks that divide the kinds of searches among them.
  var communicator = Communicator.single

  /// Texts that are chosen, unless there is a reason for another number: each costs a search of every kind.
  static let count = 12
  /// Texts of the first round, steps of its searches, and those of the second.
  private static let pool = 48
  private static let firstSteps = 12
  private static let secondSteps = 24
  /// Batch size of these searches.
  private static let batch = 4
  /// Cosine above which two texts are one candidate.
  private static let same: Float = 0.95
  /// What is searched with: patches and patterns reach what the other kinds do.
  private static let kinds: [TriggerKind] = [.patch, .additive]

  /// Steps that the choice takes at most, as many as one search has with the options' batch size.
  static func cost(_ options: TriggerSearchOptions) -> Int {
    let steps = pool * firstSteps + (pool / 2 + pool / 4) * secondSteps
    return max(1, kinds.count * steps * batch / options.batchSize)
  }

  /// Chooses among texts: all when there are few.
  ///
  /// - Parameter progress: called after each step of all searches with the number of images that went
  ///   through the tower, over the options' batch size; `false` cancels.
  /// - Returns: rows of the vocabulary, the likeliest first.
  func chosen(
    _ count: Int = Self.count, of texts: TextVocabulary, progress: (Int) -> Bool
  ) throws(CLIPError) -> [Int] {
    guard texts.names.count > count else { return Array(texts.names.indices) }
    let first = try pool(of: texts)
    // Of texts that are mostly alike to the model there may be fewer.
    guard first.count > count else { return first }
    var done = 0
    var rankings = Self.kinds.map { _ in [Int]() }
    for (index, kind) in Self.kinds.enumerated()
    where index % communicator.size == communicator.rank {
      let round = try ranked(first, of: texts, kind, steps: Self.firstSteps, &done, progress)
      var second = round.prefix(Self.pool / 2).map(\.text)
      let leads = try TextPool(texts, second)
      for entry in round.prefix(Self.pool / 2) where leads.chosen.count < 3 * Self.pool / 4 {
        try leads.add(entry.lead)
      }
      second = leads.chosen
      rankings[index] = try ranked(
        second, of: texts, kind, steps: Self.secondSteps, &done, progress
      ).map(\.text)
    }
    rankings = try shared(rankings)
    let chosen = try TextPool(texts, [])
    for place in 0..<Self.pool {
      for ranking in rankings where place < ranking.count && chosen.chosen.count < count {
        try chosen.add(ranking[place])
      }
    }
    return chosen.chosen
  }

  /// The rankings of all kinds, each from the rank that made it.
  private func shared(_ rankings: [[Int]]) throws(CLIPError) -> [[Int]] {
    guard !communicator.isSingle else { return rankings }
    // As many numbers on every rank: a place without a text is -1.
    let padded = rankings.flatMap { ranking in
      ranking + [Int](repeating: -1, count: Self.pool - ranking.count)
    }
    let all = try communicator.gather(padded, for: .searches)
    return rankings.indices.map { kind in
      let start = kind % communicator.size * padded.count + kind * Self.pool
      return all[start..<start + Self.pool].filter { $0 >= 0 }
    }
  }

  /// Groups of the images themselves, for image towers without a text tower.
  func groups() throws(CLIPError) -> TextVocabulary {
    let groups = try SphericalMeans(features, count: Self.count, seed: options.seed)
    return try TextVocabulary(
      names: groups.sizes.indices.map { "group \($0 + 1) of the images" }, features: groups.centres)
  }

  /// Texts that images resemble, the most frequent first, and those least like the ones before.
  private func pool(of texts: TextVocabulary) throws(CLIPError) -> [Int] {
    var counts = [Float](repeating: 0, count: texts.names.count)
    for index in try texts.nearest(to: features) { counts[index] += 1 }
    let pool = try TextPool(texts, [])
    for index in Ranking.descending(counts) where counts[index] > 0 {
      guard pool.chosen.count < 3 * Self.pool / 4 else { break }
      try pool.add(index)
    }
    while pool.chosen.count < Self.pool, try pool.add(pool.farthest) {}
    return pool.chosen
  }

  /// Searches towards each of some texts, with the others as rivals.
  ///
  /// - Returns: the texts, that which was reached cheapest first, and where each search led.
  private func ranked(
    _ pool: [Int], of texts: TextVocabulary, _ kind: TriggerKind, steps: Int, _ done: inout Int,
    _ progress: (Int) -> Bool
  ) throws(CLIPError) -> [(text: Int, lead: Int)] {
    var settings = options
    settings.steps = steps
    settings.batchSize = Self.batch
    settings.patience = steps
    settings.hopeless = steps
    let vocabulary = try texts.rows(pool)
    let read = try vocabulary.nearest(to: features)
    var searches: [RunningSearch] = []
    for index in pool.indices {
      var random = RandomNumbers(
        seed: options.seed, DetectionStream.candidates, kind.space.streamKey, UInt64(index))
      let others = read.indices.filter { read[$0] != index }
      searches.append(
        try RunningSearch(
          try kind.space.init(imageSize: images.shape[2], random: &random),
          images: images, rows: others.isEmpty ? nil : others,
          goal: .text(index, of: vocabulary), options: settings, random: random))
    }
    let before = done
    let perStep = pool.count * Self.batch
    try model.withFrozenParameters { () throws(CLIPError) in
      try JointSearch(
        model: model, cleanMean: FeatureMatrix.mean(features), precision: options.precision
      ).run(searches) { step in
        progress(before + step * perStep / options.batchSize)
      }
    }
    done += steps * perStep / options.batchSize
    let costs = searches.map { search in
      // Where nothing was found, what came nearest.
      search.result.size + (search.result.trigger == nil ? max(0, -search.meanScore) : 0)
    }
    let directions = try Tensor(
      searches.flatMap { $0.last?.direction ?? [] }, [pool.count, features.shape[1]])
    let leads = try texts.nearest(to: directions)
    return Ranking.descending(costs.map { -$0 }).map { (pool[$0], leads[$0]) }
  }

  /// Texts of a vocabulary, no two of them alike.
  private final class TextPool {
    private let texts: TextVocabulary
    private(set) var chosen: [Int] = []
    /// Of each text, the largest cosine with a chosen one.
    private var closest: [Float]

    init(_ texts: TextVocabulary, _ first: [Int]) throws(CLIPError) {
      self.texts = texts
      closest = [Float](repeating: -2, count: texts.names.count)
      for index in first { try add(index) }
    }

    /// The text that is least like the chosen ones.
    var farthest: Int { closest.indices.min { closest[$0] < closest[$1] } ?? 0 }

    /// Adds a text unless one like it is there.
    @discardableResult
    func add(_ index: Int) throws(CLIPError) -> Bool {
      guard closest[index] < TargetCandidates.same else { return false }
      chosen.append(index)
      let cosines = try texts.similarities(try FeatureMatrix.gather(texts.features, [index]))
      for other in closest.indices { closest[other] = max(closest[other], cosines.f32[other]) }
      return true
    }
  }
}
