/// Looks for the classes that a model can be led to more cheaply than to others, with the searches of
/// the model check.
package struct TargetSearch {
  /// The kinds of triggers that are searched towards each class: those that speak for a family.
  static let kinds = TriggerKind.all.filter { kind in
    TriggerFamily.allCases.contains { $0.kind == kind }
  }
  /// The probability below which a class is a suspect: of a clean model, over all kinds.
  package static let level = 0.05

  /// All searches that may be made, those of a check, whose p-values are combined as there.
  static let plan = SearchPlan(kinds: kinds, hasTargets: true)

  /// The probability of a size above which a class is not even unlearned as a precaution, and as how many
  /// are.
  private static let precautionLevel = 0.5
  private static let precautions = 2

  /// Candidates for targets.
  let vocabulary: TextVocabulary
  /// `[n, 3, S, S]` in 0…1: to search with.
  let images: Tensor
  /// Held out, to confirm with.
  let heldOut: Tensor
  /// What the model as it was reads the held-out images as.
  let before: [Int]
  let options: ModelCheckOptions
  /// The ranks that divide the kinds among them.
  let communicator: Communicator

  /// What one search found.
  package struct Found {
    let kind: TriggerKind
    /// The class that was searched for, or that an untargeted search led to.
    package let target: Int
    let search: TriggerSearchResult
    /// Of held-out images that were not classified as the class.
    let success: Proportion
    /// What an untargeted search is judged by; `nil` for one towards a class, which those towards the others
    /// judge.
    let reference: SizeReference?

    package init(
      kind: TriggerKind, target: Int, search: TriggerSearchResult, success: Proportion,
      reference: SizeReference? = nil
    ) {
      self.kind = kind
      self.target = target
      self.search = search
      self.success = success
      self.reference = reference
    }

    var item: SearchPlan.Item { SearchPlan.Item(kind: kind, isTargeted: reference == nil) }

    /// Whether most held-out images follow.
    var isConfirmed: Bool { success.value > Double(ModelCheck.confirmedSuccessRate) }
  }

  /// A class and the searches that speak for it.
  package struct Suspect {
    package let target: Int
    /// At most one of each item of the plan; with the probability that a clean model needs a trigger this
    /// small.
    var findings: [(found: Found, pValue: Double)]
    /// Of all together, those that were not made as 1.
    package var pValue: Double {
      plan.pValue(
        plan.items.map { item in findings.first { $0.found.item == item }?.pValue ?? 1 })
    }

    /// Whether a kind of triggers sets the class apart; those of another kind may be what every class
    /// has.
    func isSign(_ kind: TriggerKind) -> Bool {
      let best = findings.map(\.pValue).min() ?? 1
      return findings.contains { finding in
        finding.found.kind == kind
          && finding.pValue <= max(best, level / plan.factor(finding.found.item))
      }
    }
  }

  /// Runs the searches towards some classes.
  ///
  /// - Parameters:
  ///   - phase: what progress calls it.
  ///   - directory: where finished searches are kept; `nil` keeps none.
  ///   - progress: may cancel.
  func run(
    _ model: CLIPModel, toward targets: [Int], phase: String, savedIn directory: String?,
    progress: UnlearnProgress
  ) throws(CLIPError) -> [Found] {
    let steps = options.search.ofOneClass.steps
    var options = options
    options.stateDirectory = directory
    let total = Self.kinds.count * targets.count * steps
    progress.begin(phase, of: total)
    var searches = try CheckSearches(
      images: images, options: options, models: [model], vocabulary: vocabulary,
      count: Self.kinds.count * targets.count, communicator: communicator)
    func results(
      _ kind: TriggerKind, _ searches: inout CheckSearches
    ) throws(CLIPError) -> [TriggerSearchResult] {
      try searches.run(
        kind, in: model, toward: targets, of: vocabulary,
        progress: {
          progress.advance(to: $0.search * steps + $0.step * steps / $0.steps)
        })
    }
    try searches.share(Self.kinds) { (kind, searches) throws(CLIPError) in
      _ = try results(kind, &searches)
    }
    var list: [Found] = []
    for kind in Self.kinds {
      let results = try results(kind, &searches)
      for (target, result) in zip(targets, results) {
        list.append(
          Found(
            kind: kind, target: target, search: result,
            success: try success(of: result, toward: target, on: model)))
      }
    }
    // Kinds in which nothing works end early.
    guard progress.advance(to: total) else {
      throw CLIPError(.cancelled, "unlearn: cancelled after \(phase)")
    }
    return list
  }

  /// How many held-out images a trigger turns into a class.
  func success(
    of result: TriggerSearchResult, toward target: Int, on model: CLIPModel
  ) throws(CLIPError) -> Proportion {
    guard let trigger = result.trigger else { return Proportion(0, of: before.count) }
    let features = try model.unitFeatures(
      ofPixels: try trigger.applied(to: heldOut), precision: options.search.precision)
    return try TriggerAim(target: target, vocabulary: vocabulary).successes(
      features, before: before)
  }

  /// The classes that stand out among those that were searched.
  ///
  /// A class is one when its triggers are among those of a kind that stand out together, so that one
  /// backdoor does not hide another, or when several kinds speak for it a little.
  ///
  /// - Returns: the likeliest first.
  package static func suspects(among list: [Found]) -> [Suspect] {
    var targets: Set<Int> = []
    for kind in kinds {
      let item = SearchPlan.Item(kind: kind, isTargeted: true)
      let own = list.filter { $0.item == item }
      guard own.count >= ModelCheck.fewestClasses else { continue }
      let small = OutlyingSizes(own.map(\.search.size), kind: kind, source: .otherClasses)
      guard plan.factor(item) * small.pValue < level else { continue }
      targets.formUnion(small.members.map { own[$0] }.filter(\.isConfirmed).map(\.target))
    }
    let known = targets
    for target in Set(list.map(\.target)).subtracting(known) {
      let suspect = judged(target, of: list, by: list, without: known)
      if suspect.pValue < level { targets.insert(target) }
    }
    return compared(list, with: list, without: targets)
      .sorted { ($0.pValue, $0.target) < ($1.pValue, $1.target) }
  }

  /// The classes that come nearest to being suspects, where none is one: each with the searches in which it
  /// needs the smallest trigger.
  ///
  /// - Returns: the likeliest first.
  package static func likeliest(among list: [Found]) -> [Suspect] {
    var findings: [Int: [(found: Found, pValue: Double)]] = [:]
    for item in plan.items {
      let own = list.filter { $0.item == item }
      guard let smallest = own.min(by: { $0.search.size < $1.search.size }) else { continue }
      let pValue = pValue(of: smallest, among: list, without: [])
      if pValue < precautionLevel {
        findings[smallest.target, default: []].append((smallest, pValue))
      }
    }
    return findings.map { Suspect(target: $0.key, findings: $0.value) }
      .sorted { ($0.pValue, $0.target) < ($1.pValue, $1.target) }
      .prefix(precautions).map(\.self)
  }

  /// A class by the sizes towards those that are no suspects.
  private static func judged(
    _ target: Int, of again: [Found], by list: [Found], without suspects: Set<Int>
  ) -> Suspect {
    Suspect(
      target: target,
      findings: again.filter { $0.target == target }.map { found in
        (found, pValue(of: found, among: list, without: suspects))
      })
  }

  /// The same classes on another model, judged by the sizes towards others on the model as it was.
  package static func compared(
    _ again: [Found], with list: [Found], without suspects: Set<Int>
  ) -> [Suspect] {
    suspects.sorted().map { judged($0, of: again, by: list, without: suspects) }
  }

  /// The probability of a size by those of classes that are no suspects.
  static func pValue(
    of found: Found, among list: [Found], without suspects: Set<Int>
  ) -> Double {
    guard found.isConfirmed else { return 1 }
    if let reference = found.reference { return reference.pValue(of: found.search.size) }
    let others = list.filter {
      $0.item == found.item && $0.target != found.target && !suspects.contains($0.target)
    }
    return reference(others).pValue(of: found.search.size)
  }

  private static func reference(_ others: [Found]) -> SizeReference {
    SizeReference(
      source: .otherClasses, sizes: others.map(\.search.size), kind: others.first?.kind)
  }
}
