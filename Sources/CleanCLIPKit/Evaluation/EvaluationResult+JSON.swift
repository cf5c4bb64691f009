extension EvaluationResult {
  /// Reads what `json` wrote.
  ///
  /// - Parameter name: what error messages call the document.
  /// - Throws: `format`.
  package init(json: JSONValue, name: String) throws(CLIPError) {
    func wrong(_ what: String) -> CLIPError {
      CLIPError(
        .format,
        "'\(name)': not an evaluation; expected \(what) as evaluate --json prints it, got another "
          + "JSON document")
    }
    guard let images = json["images"]?.integer, images >= 0,
      let attacked = json["attacked_images"]?.integer, attacked >= 0
    else { throw wrong("images and attacked_images") }
    guard let accuracy = Self.places(json["clean_accuracy"], of: images) else {
      throw wrong("clean_accuracy")
    }
    var success: [Place] = []
    if let rates = json["attack_success_rate"] {
      guard let places = Self.places(rates, of: attacked) else {
        throw wrong("attack_success_rate")
      }
      success = places
    }
    self.init(cleanAccuracy: accuracy, attackSuccessRate: success)
    if let base = json["target_rate_without_trigger"]?.double {
      targetRateWithoutTrigger = Self.proportion(base, of: attacked)
    }
    if let rate = json["triggered_accuracy"]?.double {
      triggeredAccuracy = Self.proportion(rate, of: attacked)
    }
    if let perClass = json["class_accuracy"]?.object {
      classes = perClass.keys
      // The counts of the classes are not kept: a thousandth is as fine as a report shows.
      classAccuracy = perClass.compactMap {
        $0.value.double.flatMap { Self.proportion($0, of: 1000) }
      }
    }
    target = json["target"]?.string.flatMap { classes.firstIndex(of: $0) }
    trigger = json["trigger"]?.string
    templateCount = json["templates"]?.integer ?? 0
    seed = json["seed"]?.string.flatMap { UInt64($0) } ?? 0
    skipped = json["skipped_images"]?.integer ?? 0
  }

  private static func places(_ json: JSONValue?, of total: Int) -> [Place]? {
    guard let object = json?.object, object.count > 0 else { return nil }
    var places: [Place] = []
    for (key, value) in object {
      guard key.hasPrefix("top"), let place = Int(key.dropFirst(3)), let rate = value.double,
        let proportion = proportion(rate, of: total)
      else { return nil }
      places.append(Place(place: place, rate: proportion))
    }
    return places
  }

  private static func proportion(_ rate: Double, of total: Int) -> Proportion? {
    guard rate >= 0, rate <= 1 else { return nil }
    return Proportion(Int((rate * Double(total)).rounded()), of: total)
  }
}
