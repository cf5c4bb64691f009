/// What an evaluation counted.
package struct EvaluationResult: Sendable {
  /// A rate at one place: the class is among the first k.
  package struct Place: Equatable, Sendable {
    /// k.
    package let place: Int
    package let rate: Proportion

    package init(place: Int, rate: Proportion) {
      self.place = place
      self.rate = rate
    }
  }

  /// Images whose class is among the first k, by k.
  package var cleanAccuracy: [Place]
  /// Triggered images of other classes with the target among the first k; empty without attack.
  package var attackSuccessRate: [Place]
  /// The same images without the trigger that have the target first: what the attack adds to.
  package var targetRateWithoutTrigger: Proportion?
  /// Top-1 accuracy of the triggered images of other classes.
  package var triggeredAccuracy: Proportion?
  /// Top-1 accuracy of each class, in the order of the classes.
  package var classAccuracy: [Proportion]
  package var classes: [String]
  package var templateCount: Int
  package var target: Int?
  /// What the trigger is.
  package var trigger: String?
  package var seed: UInt64
  /// Rows that could not be read and were left out, with the reasons of the first ones.
  package var skipped: Int
  package var skippedReasons: [String] = []
  /// What was left out of the data, by reason, rows that could not be read among it.
  package var omissions = Omissions()

  package init(
    cleanAccuracy: [Place], attackSuccessRate: [Place] = [],
    targetRateWithoutTrigger: Proportion? = nil, classAccuracy: [Proportion] = [],
    classes: [String] = [], templateCount: Int = 0, target: Int? = nil, trigger: String? = nil,
    seed: UInt64 = 0, skipped: Int = 0
  ) {
    self.cleanAccuracy = cleanAccuracy
    self.attackSuccessRate = attackSuccessRate
    self.targetRateWithoutTrigger = targetRateWithoutTrigger
    self.classAccuracy = classAccuracy
    self.classes = classes
    self.templateCount = templateCount
    self.target = target
    self.trigger = trigger
    self.seed = seed
    self.skipped = skipped
  }

  /// Images that were classified.
  package var images: Int { cleanAccuracy.first?.rate.total ?? 0 }
  /// Images that carried the trigger: those of other classes than the target.
  package var attackedImages: Int { attackSuccessRate.first?.rate.total ?? 0 }

  /// Returns the result under the documented keys, `clean_accuracy` and, after an attack,
  /// `attack_success_rate`; rates are 0…1.
  package var json: JSONValue {
    var object: JSONObject = ["clean_accuracy": Self.values(cleanAccuracy)]
    if !attackSuccessRate.isEmpty { object["attack_success_rate"] = Self.values(attackSuccessRate) }
    object["images"] = .integer(images)
    object["attacked_images"] = .integer(attackedImages)
    var intervals: JSONObject = ["clean_accuracy": Self.intervals(cleanAccuracy)]
    if !attackSuccessRate.isEmpty {
      intervals["attack_success_rate"] = Self.intervals(attackSuccessRate)
    }
    object["intervals_95"] = .object(intervals)
    if let rate = targetRateWithoutTrigger {
      object["target_rate_without_trigger"] = .number(rate.value)
    }
    if let rate = triggeredAccuracy { object["triggered_accuracy"] = .number(rate.value) }
    if let target, classes.indices.contains(target) {
      object["target"] = .string(classes[target])
    }
    if let trigger { object["trigger"] = .string(trigger) }
    object["classes"] = .integer(classes.count)
    object["templates"] = .integer(templateCount)
    object["seed"] = .string(String(seed))
    object["skipped_images"] = .integer(skipped)
    object["left_out"] = omissions.json
    var perClass = JSONObject()
    for (index, rate) in classAccuracy.enumerated() where index < classes.count {
      // Of two classes with one name, the later one says which it is.
      let name = classes[index]
      perClass[perClass[name] == nil ? name : "\(name) [\(index)]"] = .number(rate.value)
    }
    object["class_accuracy"] = .object(perClass)
    return .object(object)
  }

  private static func values(_ places: [Place]) -> JSONValue {
    var object = JSONObject()
    for place in places { object["top\(place.place)"] = .number(place.rate.value) }
    return .object(object)
  }

  private static func intervals(_ places: [Place]) -> JSONValue {
    var object = JSONObject()
    for place in places {
      let interval = place.rate.interval
      object["top\(place.place)"] = [.number(interval.lowerBound), .number(interval.upperBound)]
    }
    return .object(object)
  }
}
