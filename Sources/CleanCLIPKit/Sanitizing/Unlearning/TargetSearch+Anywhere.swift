/// Searches without a target, as those of the model check: for a backdoor whose target is no candidate, or whose
/// triggers towards it stand out too little among those towards the others.
extension TargetSearch {
  /// A trigger that makes all images alike, wherever that is.
  struct Anywhere {
    let search: TriggerSearchResult
    /// Searches away from the place.
    let reference: SizeReference
    /// What most held-out images with it are read as: a row of the texts.
    let text: Int
  }

  /// Runs the searches in the order of their yield, until one stands out.
  ///
  /// - Parameters:
  ///   - texts: to read the place as.
  ///   - directory: where finished searches are kept, beside those towards classes; `nil` keeps none.
  ///   - progress: may cancel.
  /// - Returns: what works on held-out images.
  func anywhere(
    _ model: CLIPModel, of texts: TextVocabulary, savedIn directory: String?,
    progress: UnlearnProgress
  ) throws(CLIPError) -> [Anywhere] {
    var check = ModelCheck(model)
    check.options = options
    // The file is that of this run: the searches towards classes were kept in it.
    check.options.resume = true
    check.options.stateDirectory = directory
    let steps = options.search.steps
    let count = Self.kinds.count * (1 + check.referenceSearches)
    progress.begin("searching without a target", of: count * steps)
    var searches = try CheckSearches(
      images: images, options: check.options, models: [model], vocabulary: vocabulary, count: count,
      communicator: communicator)
    func judged(
      _ kind: TriggerKind, _ searches: inout CheckSearches
    ) throws(CLIPError) -> JudgedSearch {
      try check.compared(kind, &searches) {
        progress.advance(to: $0.search * steps + $0.step * steps / $0.steps)
      }
    }
    try searches.share(Self.kinds) { (kind, searches) throws(CLIPError) in
      _ = try judged(kind, &searches)
    }
    let clean = FeatureMatrix.meanPairwiseCosine(
      try model.unitFeatures(ofPixels: heldOut, precision: options.search.precision))
    var list: [Anywhere] = []
    for kind in Self.kinds {
      let judged = try judged(kind, &searches)
      guard let trigger = judged.search.trigger else { continue }
      let features = try model.unitFeatures(
        ofPixels: try trigger.applied(to: heldOut), precision: options.search.precision)
      guard CollapseLoss.isConfirmed(FeatureMatrix.meanPairwiseCosine(features), from: clean) else {
        continue
      }
      list.append(
        Anywhere(
          search: judged.search, reference: judged.reference,
          text: try texts.mostFrequent(of: features)))
      let item = SearchPlan.Item(kind: kind, isTargeted: false)
      if Self.plan.factor(item) * judged.pValue < Self.level { break }
    }
    guard progress.advance(to: count * steps) else {
      throw CLIPError(.cancelled, "unlearn: cancelled after searching without a target")
    }
    return list
  }
}
