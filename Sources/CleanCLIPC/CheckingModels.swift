public import CCleanCLIP
internal import CleanCLIPKit

@c @implementation
public func cleanclip_check_model_options_init(
  _ options: UnsafeMutablePointer<cleanclip_check_model_options>?, _ struct_size: Int
) {
  initialize(options, size: struct_size, with: checkModelDefaults)
}

private var checkModelDefaults: cleanclip_check_model_options {
  let defaults = ModelCheckOptions()
  var options = cleanclip_check_model_options()
  options.image_limit = Int64(defaults.imageLimit)
  options.steps = Int64(defaults.search.steps)
  options.batch_size = Int64(defaults.search.batchSize)
  options.reference_searches = Int64(defaults.referenceSearches)
  options.class_searches = Int64(defaults.classSearches)
  options.precision = Int32(CLEANCLIP_PRECISION_F32.rawValue)
  options.nouns = 1
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
      pixels = try ImageSample.read(
        images, count: check.options.imageLimit,
        imageSize: try FeatureEncoder(handle.model).imageSize(), seed: given.seed)
    }
    func told(_ done: Int, _ all: Int) -> Bool {
      callback.map { $0(Int64(done), Int64(all), user_data) == 0 } ?? true
    }
    var result = try check.run(images: pixels) { state in
      told(state.search * state.steps + state.step, state.searches * state.steps)
    }
    if given.text != 0 {
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
  check.options.imageLimit = Int(given.image_limit)
  check.options.search.steps = Int(given.steps)
  check.options.search.batchSize = Int(given.batch_size)
  check.options.referenceSearches = Int(given.reference_searches)
  check.options.classSearches = Int(given.class_searches)
  check.options.stateDirectory = try arguments.optionalString(
    given.state_directory, "options->state_directory")
  check.options.resume = given.resume != 0
  try check.options.validate()
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
  if given.nouns != 0 {
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
