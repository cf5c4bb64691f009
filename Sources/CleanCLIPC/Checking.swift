public import CCleanCLIP
internal import CleanCLIPKit

/// What a `cleanclip_check` points to.
final class CheckHandle {
  enum Result {
    case model(ModelCheckResult)
    case data(DatasetCheckResult, PairDataset?, rows: [Int])
  }

  let result: Result

  init(_ result: Result) { self.result = result }

  var verdict: Verdict {
    switch result {
    case .model(let result): result.verdict
    case .data(let result, _, _): result.verdict
    }
  }

  var json: JSONValue {
    switch result {
    case .model(let result): result.json
    case .data(let result, _, _): result.json
    }
  }

  func html(version: String) throws(CLIPError) -> String {
    switch result {
    case .model(let result): return try result.html(model: "", version: version)
    case .data(let result, let dataset, let rows):
      return try result.contactSheet(
        data: "", version: version, pictures: dataset.map { ($0, rows) })
    }
  }
}

@c @implementation
public func cleanclip_check_model_options_init(
  _ options: UnsafeMutablePointer<cleanclip_check_model_options>?, _ struct_size: Int
) {
  initialize(options, size: struct_size, with: checkModelDefaults)
}

@c @implementation
public func cleanclip_check_data_options_init(
  _ options: UnsafeMutablePointer<cleanclip_check_data_options>?, _ struct_size: Int
) {
  initialize(options, size: struct_size, with: checkDataDefaults)
}

private var checkModelDefaults: cleanclip_check_model_options {
  var options = cleanclip_check_model_options()
  options.precision = Int32(CLEANCLIP_PRECISION_F32.rawValue)
  options.reads_nouns = 1
  return options
}

private var checkDataDefaults: cleanclip_check_data_options {
  var options = cleanclip_check_data_options()
  options.precision = Int32(CLEANCLIP_PRECISION_F32.rawValue)
  return options
}

@c @implementation
public func cleanclip_check_model(
  _ model: OpaquePointer?, _ options: UnsafePointer<cleanclip_check_model_options>?,
  _ callback: cleanclip_count_callback?, _ user_data: UnsafeMutableRawPointer?,
  _ out_check: UnsafeMutablePointer<OpaquePointer?>?
) -> cleanclip_status {
  out_check?.pointee = nil
  return guarded("cleanclip_check_model") { (arguments) throws(CLIPError) in
    let handle = try arguments.handle(model, "model", as: ModelHandle.self)
    let given = try arguments.options(options, defaults: checkModelDefaults, "options")
    let out = try arguments.required(out_check, "out_check")
    let check = try modelCheck(handle.model, given, arguments)
    var pixels: Tensor?
    if let images = borrowed(given.images, as: PairDataset.self) {
      pixels = try PictureSample.read(
        images, count: check.options.pictures,
        imageSize: try FeatureEncoder(handle.model).imageSize(), seed: given.seed)
    }
    func told(_ done: Int, _ all: Int) -> Bool {
      callback.map { $0(Int64(done), Int64(all), user_data) == 0 } ?? true
    }
    var result = try check.run(images: pixels) { state in
      told(state.search * state.steps + state.step, state.searches * state.steps)
    }
    if given.checks_text != 0 {
      let tokenizer = try arguments.handle(
        given.tokenizer, "options->tokenizer", as: Tokenizer.self)
      var text = textCheck(check)
      text.tokenizer = tokenizer
      result.textTower = try text.run(
        captions: try text.plainCaptions(tokenizer: tokenizer),
        vocabulary: check.classes ?? check.nouns,
        progress: told)
    }
    out.pointee = retained(CheckHandle(.model(result)))
  }
}

private func modelCheck(
  _ model: CLIPModel, _ given: cleanclip_check_model_options, _ arguments: Arguments
) throws(CLIPError) -> ModelCheck {
  var check = ModelCheck(model)
  check.options.search.seed = given.seed
  check.options.search.precision = try arguments.precision(given.precision, "options->precision")
  if given.pictures != 0 {
    check.options.pictures = try arguments.number(
      given.pictures, in: 16...1_000_000, "options->pictures")
  }
  if given.steps != 0 {
    check.options.search.steps = try arguments.number(
      given.steps, in: 1...1_000_000, "options->steps")
  }
  if given.batch_size != 0 {
    check.options.search.batchSize = try arguments.number(
      given.batch_size, in: 2...65_536, "options->batch_size")
  }
  switch given.class_searches {
  case 0: break
  case -1: check.options.classSearches = 0
  default:
    check.options.classSearches = try arguments.number(
      given.class_searches, in: Int64(ModelCheck.fewestClasses)...1000, "options->class_searches")
  }
  check.options.stateDirectory = try arguments.optionalString(
    given.state_directory, "options->state_directory")
  check.options.resume = given.resume != 0
  for index
    in 0..<(try arguments.number(
      given.reference_count, in: 0...1000, "options->reference_count"))
  {
    let list = try arguments.required(given.references, "options->references")
    check.cleanReferences.append(
      try arguments.handle(list[index], "options->references", as: ModelHandle.self).model)
  }
  guard let tokenizer = borrowed(given.tokenizer, as: Tokenizer.self) else { return check }
  if given.class_count != 0 {
    var templates = ["a photo of a {}"]
    if given.template_count != 0 {
      templates = try arguments.strings(
        given.templates, count: given.template_count, "options->templates")
    }
    check.classes = try TextVocabulary(
      names: try arguments.strings(given.classes, count: given.class_count, "options->classes"),
      templates: templates, model: model, tokenizer: tokenizer)
  }
  if given.reads_nouns != 0 {
    check.nouns = try TextVocabulary(names: CommonNouns.all, model: model, tokenizer: tokenizer)
  }
  return check
}

private func textCheck(_ images: ModelCheck) -> TextCheck {
  var check = TextCheck(images.model)
  check.options.seed = images.options.search.seed
  check.options.precision = images.options.search.precision
  check.anchor = images.cleanReferences.first
  return check
}

@c @implementation
public func cleanclip_check_data(
  _ model: OpaquePointer?, _ dataset: OpaquePointer?,
  _ options: UnsafePointer<cleanclip_check_data_options>?, _ callback: cleanclip_count_callback?,
  _ user_data: UnsafeMutableRawPointer?, _ out_check: UnsafeMutablePointer<OpaquePointer?>?
) -> cleanclip_status {
  out_check?.pointee = nil
  return guarded("cleanclip_check_data") { (arguments) throws(CLIPError) in
    let dataset = borrowed(dataset, as: PairDataset.self)
    let given = try arguments.options(options, defaults: checkDataDefaults, "options")
    let out = try arguments.required(out_check, "out_check")
    let total = dataset.map { Int64($0.count) } ?? given.pair_count
    func told(_ done: Int64) -> Bool {
      callback.map { $0(done, 2 * total, user_data) == 0 } ?? true
    }
    var features: DatasetFeatures
    if let dataset {
      features = try datasetReader(model, given, arguments).read(dataset) { told(Int64($0)) }
    } else {
      features = try namedPairs(given, arguments)
    }
    try take(given, count: total, into: &features, arguments)
    var check = DatasetCheck()
    check.options.seed = given.seed
    if given.assumed_poison_rate != 0 {
      check.options.assumedPoisonRate = given.assumed_poison_rate
    }
    let result = try check.run(features) { share in told(total + Int64(share * Double(total))) }
    out.pointee = retained(CheckHandle(.data(result, dataset, rows: features.rows)))
  }
}

/// Pairs that are known by arrays alone.
private func namedPairs(
  _ given: cleanclip_check_data_options, _ arguments: Arguments
) throws(CLIPError) -> DatasetFeatures {
  guard given.image_features != nil || given.trusted_image_features != nil else {
    throw arguments.invalid(
      "dataset is NULL; expected a dataset, or features in the options, got neither")
  }
  let count = try arguments.number(given.pair_count, in: 1...0x7fff_ffff, "options->pair_count")
  var keys = (0..<count).map { "\($0)" }
  var captions: [String]?
  if given.keys != nil {
    keys = try arguments.strings(given.keys, count: given.pair_count, "options->keys")
  }
  if given.captions != nil {
    captions = try arguments.strings(given.captions, count: given.pair_count, "options->captions")
  }
  return DatasetFeatures(keys: keys, captions: captions)
}

/// Copies the features in the options.
private func take(
  _ given: cleanclip_check_data_options, count: Int64, into features: inout DatasetFeatures,
  _ arguments: Arguments
) throws(CLIPError) {
  var trusted: (images: Tensor, texts: Tensor)?
  if let images = given.trusted_image_features {
    let texts = try arguments.required(
      given.trusted_text_features, "options->trusted_text_features")
    func copy(_ pointer: UnsafePointer<Float>) throws(CLIPError) -> Tensor {
      try copied(
        pointer, count: count, embedDim: given.trusted_embed_dim, "options->trusted_embed_dim",
        arguments)
    }
    trusted = (try copy(images), try copy(texts))
  }
  let imageFeatures = try given.image_features.map { (pointer) throws(CLIPError) in
    try copied(
      pointer, count: count, embedDim: given.embed_dim, "options->embed_dim", arguments)
  }
  try features.take(imageFeatures: imageFeatures, trusted: trusted)
}

private func datasetReader(
  _ model: OpaquePointer?, _ given: cleanclip_check_data_options, _ arguments: Arguments
) throws(CLIPError) -> DatasetReader {
  var reader = DatasetReader()
  if given.image_features == nil { reader.model = borrowed(model, as: ModelHandle.self)?.model }
  if let other = borrowed(given.trusted, as: ModelHandle.self) {
    reader.trusted = (
      other.model,
      try arguments.handle(
        given.trusted_tokenizer, "options->trusted_tokenizer", as: Tokenizer.self)
    )
  }
  reader.findsPatches = given.finds_patches != 0
  reader.precision = try arguments.precision(given.precision, "options->precision")
  reader.stateDirectory = try arguments.optionalString(
    given.state_directory, "options->state_directory")
  reader.resume = given.resume != 0
  return reader
}

@c @implementation
public func cleanclip_check_free(_ check: OpaquePointer?) { release(check, as: CheckHandle.self) }

@c @implementation
public func cleanclip_check_verdict(_ check: OpaquePointer?) -> cleanclip_verdict {
  switch borrowed(check, as: CheckHandle.self)?.verdict {
  case .clean: CLEANCLIP_VERDICT_CLEAN
  case .suspicious: CLEANCLIP_VERDICT_SUSPICIOUS
  case .backdoored: CLEANCLIP_VERDICT_BACKDOORED
  case .cannotTell, nil: CLEANCLIP_VERDICT_CANNOT_TELL
  }
}

@c @implementation
public func cleanclip_check_score_count(_ check: OpaquePointer?) -> Int64 {
  guard case .data(let result, _, _) = borrowed(check, as: CheckHandle.self)?.result else {
    return 0
  }
  return Int64(result.pairs.count)
}

@c @implementation
public func cleanclip_check_scores(
  _ check: OpaquePointer?, _ out_scores: UnsafeMutablePointer<Float>?, _ out_capacity: Int
) -> cleanclip_status {
  guarded("cleanclip_check_scores") { (arguments) throws(CLIPError) in
    let handle = try arguments.handle(check, "check", as: CheckHandle.self)
    guard case .data(let result, _, _) = handle.result else { return }
    let out = try arguments.required(out_scores, "out_scores")
    try arguments.capacity(
      out_capacity, atLeast: result.pairs.count, "\(result.pairs.count) pairs")
    for (index, pair) in result.pairs.enumerated() { out[index] = pair.score }
  }
}

@c @implementation
public func cleanclip_check_json(
  _ check: OpaquePointer?, _ out_text: UnsafeMutablePointer<CChar>?, _ out_capacity: Int,
  _ out_length: UnsafeMutablePointer<Int>?
) -> cleanclip_status {
  guarded("cleanclip_check_json") { (arguments) throws(CLIPError) in
    let handle = try arguments.handle(check, "check", as: CheckHandle.self)
    try arguments.write(
      handle.json.serialized(), to: out_text, capacity: out_capacity, length: out_length)
  }
}

@c @implementation
public func cleanclip_check_write(
  _ check: OpaquePointer?, _ path: UnsafePointer<CChar>?
) -> cleanclip_status {
  guarded("cleanclip_check_write") { (arguments) throws(CLIPError) in
    let handle = try arguments.handle(check, "check", as: CheckHandle.self)
    let path = try arguments.path(path, "path")
    if path.hasSuffix(".html") {
      return try AtomicFile.write(
        try handle.html(version: cleanclip_version().map { String(cString: $0) } ?? ""), to: path)
    }
    if path.hasSuffix(".json") {
      return try AtomicFile.write(handle.json.serialized(pretty: true), to: path)
    }
    if case .data(let result, _, _) = handle.result {
      if path.hasSuffix(".csv") { return try AtomicFile.write(result.csv, to: path) }
      if path.hasSuffix(".txt") { return try AtomicFile.write(result.cleanedList, to: path) }
    }
    throw arguments.invalid(
      "path has another ending; expected .html, .json, or for a dataset .csv or .txt, got '\(path)'"
    )
  }
}
