/// Images that a dataset has many times, byte for byte or as near-duplicates.
///
/// One image with one caption teaches a shortcut, planted or not, such as the cake of which Conceptual Captions has
/// nearly a thousand copies with one caption. Statistics of neighbours do not show it: copies that are
/// equal are one image to them, and few others are among the references.
enum RepeatedImages {
  /// Descriptors that are looked for among all images: the most frequent ones.
  private static let mostLeaders = 256
  /// Pairs from which an image is listed, relative to those of the usual image.
  private static let fewestListed = 10.0
  /// Images that are listed.
  private static let mostListed = 10
  /// Cosine with their mean from which features agree that an image is a copy.
  private static let agreement: Float = 0.9
  /// Pairs that may teach a shortcut, and the fraction of all of them: the cake is as frequent. Chosen by hand.
  private static let shortcutPairs = 32
  private static let shortcutFraction = 2.5e-4

  /// The repeated images, the most frequent first.
  ///
  /// - Throws: what reading features throws.
  static func find(_ evidence: ClusterEvidence) throws(CLIPError) -> [ImageCluster] {
    let all = Array(0..<evidence.imageCount)
    let fewest = fewestListed * evidence.usualPairs
    func isListed(_ members: [Int]) -> Bool {
      Double(members.reduce(0) { $0 + evidence.pairs($1) }) >= fewest
    }
    func alone(_ images: [Int]) -> [[Int]] { images.filter { isListed([$0]) }.map { [$0] } }
    let groups =
      evidence.looks.known.map { known in
        self.groups(all, of: known, evidence.pairs).flatMap { group in
          // Plain images look alike from afar, so that only equal ones count.
          known[group[0]].isPlain ? alone(group) : [group]
        }
      } ?? alone(all)
    var clusters: [ImageCluster] = []
    for group in groups where isListed(group) {
      let agreeing = try evidence.features.map { (features) throws(CLIPError) in
        try self.agreeing(group, features)
      }
      guard isListed(agreeing ?? group) else { continue }
      let cluster = try evidence.cluster(agreeing ?? group)
      if cluster.kind.isRepeated { clusters.append(cluster) }
    }
    return Array(
      clusters.sorted { ($0.pairs, $1.members[0]) > ($1.pairs, $0.members[0]) }
        .prefix(mostListed))
  }

  /// Whether a repeated image is frequent enough to teach a shortcut.
  static func isShortcut(_ cluster: ImageCluster, among pairs: Int) -> Bool {
    cluster.kind != .duplicates
      && cluster.pairs >= max(shortcutPairs, Int(shortcutFraction * Double(pairs)))
  }

  /// Groups images that are near-duplicates of the most frequent ones.
  ///
  /// - Parameters:
  ///   - images: indices.
  ///   - descriptors: of all images.
  ///   - pairs: the number of an image's pairs.
  /// - Returns: groups of two images or pairs at least, with the most frequent look first.
  static func groups(
    _ images: [Int], of descriptors: [ImageDescriptor], _ pairs: (Int) -> Int
  ) -> [[Int]] {
    let sorted = images.sorted { (descriptors[$0].bits, $0) < (descriptors[$1].bits, $1) }
    var runs: [(pairs: Int, look: ImageDescriptor)] = []
    var start = 0
    while start < sorted.count {
      let look = descriptors[sorted[start]]
      var end = start
      var count = 0
      while end < sorted.count, descriptors[sorted[end]] == look {
        count += pairs(sorted[end])
        end += 1
      }
      if count > 1 { runs.append((count, look)) }
      start = end
    }
    runs.sort { ($0.pairs, $1.look.bits) > ($1.pairs, $0.look.bits) }
    var leaders: [ImageDescriptor] = []
    for run in runs.prefix(4 * mostLeaders) where leaders.count < mostLeaders {
      if !leaders.contains(where: run.look.isNearDuplicate) { leaders.append(run.look) }
    }
    var groups = [[Int]](repeating: [], count: leaders.count)
    for image in images {
      if let leader = leaders.firstIndex(where: descriptors[image].isNearDuplicate) {
        groups[leader].append(image)
      }
    }
    return groups
  }

  /// The images whose features say too that they are copies: plain images may look alike from afar.
  private static func agreeing(
    _ group: [Int], _ features: FeatureRows
  ) throws(CLIPError) -> [Int] {
    let width = features.width
    let mean = FeatureMatrix.mean(
      try features.gather(ClusterEvidence.evenly(group, most: ClusterEvidence.mostSeen)))
    func product(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>) -> Float {
      var sum: Float = 0
      for column in 0..<width { sum += a[column] * b[column] }
      return sum
    }
    let length = product(mean, mean)
    var kept: [Int] = []
    for start in stride(from: 0, to: group.count, by: FeatureRows.block) {
      let members = Array(group[start..<min(group.count, start + FeatureRows.block)])
      let rows = try features.gather(members)
      for (row, image) in members.enumerated() {
        let values = UnsafePointer(rows.f32 + row * width)
        let lengths = max(1e-30, (length * product(values, values)).squareRoot())
        if product(values, mean) >= agreement * lengths { kept.append(image) }
      }
    }
    return kept
  }
}
