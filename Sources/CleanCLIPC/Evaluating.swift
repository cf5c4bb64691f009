public import CCleanCLIP
internal import CleanCLIPKit

/// What a `cleanclip_evaluation` points to.
final class EvaluationHandle {
  let result: EvaluationResult

  init(_ result: EvaluationResult) { self.result = result }
}

@c @implementation
public func cleanclip_evaluate_options_init(
  _ options: UnsafeMutablePointer<cleanclip_evaluate_options>?, _ struct_size: Int
) {
  initialize(options, size: struct_size, with: evaluateDefaults)
}

@c @implementation
public func cleanclip_evaluate(
  _ model: OpaquePointer?, _ tokenizer: OpaquePointer?, _ dataset: OpaquePointer?,
  _ options: UnsafePointer<cleanclip_evaluate_options>?, _ callback: cleanclip_count_callback?,
  _ user_data: UnsafeMutableRawPointer?, _ out_evaluation: UnsafeMutablePointer<OpaquePointer?>?
) -> cleanclip_status {
  out_evaluation?.pointee = nil
  return guarded("cleanclip_evaluate") { (arguments) throws(CLIPError) in
    let model = try arguments.handle(model, "model", as: ModelHandle.self)
    let dataset = try arguments.handle(dataset, "dataset", as: PairDataset.self)
    let given = try arguments.options(
      try arguments.required(options, "options"), defaults: evaluateDefaults, "options")
    let tokenizer =
      given.class_features == nil
      ? try arguments.handle(tokenizer, "tokenizer", as: Tokenizer.self) : nil
    let out = try arguments.required(out_evaluation, "out_evaluation")
    let classes = try classes(given, arguments)
    let evaluator = try Evaluator(
      model: model.model, tokenizer: tokenizer, classes: classes,
      templates: try templates(given, arguments),
      options: try evaluationOptions(given, classCount: classes.count, arguments))
    let total = Int64(dataset.count)
    let result = try evaluator.evaluate(dataset) { done in
      callback.map { $0(Int64(done), total, user_data) == 0 } ?? true
    }
    let unreadable = Omissions(unreadable: result.skipped, examples: result.skippedReasons)
    HostLog.write(unreadable)
    out.pointee = retained(EvaluationHandle(result))
  }
}

private var evaluateDefaults: cleanclip_evaluate_options {
  var options = cleanclip_evaluate_options()
  options.batch_size = Int64(EvaluationOptions().batchSize)
  options.seed = EvaluationOptions().seed
  options.precision = Int32(CLEANCLIP_PRECISION_F32.rawValue)
  return options
}

private func classes(
  _ given: cleanclip_evaluate_options, _ arguments: Arguments
) throws(CLIPError) -> [String] {
  if let path = try arguments.optionalString(given.classes_path, "options->classes_path") {
    try arguments.refuse(given.class_count, "options->class_count", beside: "options->classes_path")
    return try TextList.classes(path: path)
  }
  return try arguments.strings(given.classes, count: given.class_count, "options->classes")
}

private func templates(
  _ given: cleanclip_evaluate_options, _ arguments: Arguments
) throws(CLIPError) -> [PromptTemplate] {
  if let path = try arguments.optionalString(given.templates_path, "options->templates_path") {
    try arguments.refuse(
      given.template_count, "options->template_count", beside: "options->templates_path")
    return try TextList.templates(path: path)
  }
  return try arguments.templates(
    given.templates, count: given.template_count, "options->templates")
}

private func evaluationOptions(
  _ given: cleanclip_evaluate_options, classCount: Int, _ arguments: Arguments
) throws(CLIPError) -> EvaluationOptions {
  var options = EvaluationOptions()
  options.trigger = borrowed(given.trigger, as: TriggerHandle.self)?.trigger
  options.target = try arguments.optionalString(given.target, "options->target")
  options.classFeatures = try classFeatures(
    given.class_features, count: Int64(classCount), embedDim: given.class_embed_dim, arguments)
  options.batchSize = Int(given.batch_size)
  options.seed = given.seed
  options.precision = try arguments.precision(given.precision, "options->precision")
  return options
}

@c @implementation
public func cleanclip_evaluation_free(_ evaluation: OpaquePointer?) {
  release(evaluation, as: EvaluationHandle.self)
}

@c @implementation
public func cleanclip_scores_init(
  _ scores: UnsafeMutablePointer<cleanclip_scores>?, _ struct_size: Int
) {
  initialize(scores, size: struct_size, with: cleanclip_scores())
}

@c @implementation
public func cleanclip_evaluation_scores(
  _ evaluation: OpaquePointer?, _ out_scores: UnsafeMutablePointer<cleanclip_scores>?
) -> cleanclip_status {
  guarded("cleanclip_evaluation_scores") { (arguments) throws(CLIPError) in
    let result = try arguments.handle(evaluation, "evaluation", as: EvaluationHandle.self).result
    var scores = cleanclip_scores()
    scores.images = Int64(result.images)
    scores.attacked_images = Int64(result.attackedImages)
    scores.skipped_images = Int64(result.skipped)
    scores.clean_accuracy = rates(result.cleanAccuracy)
    if result.target != nil { scores.attack_success_rate = rates(result.attackSuccessRate) }
    try arguments.write(scores, to: out_scores, "out_scores")
  }
}

/// Rates at 1, 3, 5 and 10; places that need more classes than there are hold everything.
private func rates(
  _ places: [EvaluationResult.Place]
) -> (cleanclip_rate, cleanclip_rate, cleanclip_rate, cleanclip_rate) {
  func rate(_ k: Int) -> cleanclip_rate {
    guard let place = places.first(where: { $0.place == k }) else {
      return cleanclip_rate(value: 1, low: 1, high: 1)
    }
    let interval = place.rate.interval
    return cleanclip_rate(
      value: place.rate.value, low: interval.lowerBound, high: interval.upperBound)
  }
  return (rate(1), rate(3), rate(5), rate(10))
}

@c @implementation
public func cleanclip_evaluation_json(
  _ evaluation: OpaquePointer?, _ out_text: UnsafeMutablePointer<CChar>?, _ out_capacity: Int,
  _ out_length: UnsafeMutablePointer<Int>?
) -> cleanclip_status {
  guarded("cleanclip_evaluation_json") { (arguments) throws(CLIPError) in
    let result = try arguments.handle(evaluation, "evaluation", as: EvaluationHandle.self).result
    try arguments.write(
      result.json.serialized(), to: out_text, capacity: out_capacity, length: out_length)
  }
}
