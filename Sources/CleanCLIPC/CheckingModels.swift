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
    let check = try checkpointCheck(handle.loaded, given, arguments)
    for notice in check.notices { HostLog.write(LogMessage(.warning, notice)) }
    func report(_ done: Int, _ total: Int) -> Bool {
      callback.map { $0(Int64(done), Int64(total), user_data) == 0 } ?? true
    }
    let result = try check.run { state in
      switch state {
      case .nouns(let done, let total): report(done, total)
      case .reading(let done, let total): report(done, total)
      case .images(let state):
        report(state.search * state.steps + state.step, state.searches * state.steps)
      case .words(let done, let total): report(done, total)
      }
    }
    out.pointee = retained(CheckHandle(result))
  }
}

private func checkpointCheck(
  _ model: LoadedModel, _ given: cleanclip_check_model_options, _ arguments: Arguments
) throws(CLIPError) -> CheckpointCheck {
  var check = CheckpointCheck(model)
  check.communicator = try hostCommunicator(given.communicator, arguments)
  check.images = borrowed(given.images, as: PairDataset.self)
  check.tokenizer = borrowed(given.tokenizer, as: Tokenizer.self)
  check.usesNouns = try arguments.flag(given.nouns, "options->nouns")
  check.checksText = try arguments.flag(given.text, "options->text")
  check.options.search.seed = given.seed
  check.options.search.precision = try arguments.precision(given.precision, "options->precision")
  check.options.imageLimit = Int(given.image_limit)
  check.options.search.steps = Int(given.steps)
  check.options.search.batchSize = Int(given.batch_size)
  check.options.referenceSearches = Int(given.reference_searches)
  check.options.classSearches = Int(given.class_searches)
  check.options.stateDirectory = try arguments.optionalString(
    given.state_directory, "options->state_directory")
  check.options.resume = try arguments.flag(given.resume, "options->resume")
  check.options.isExhaustive = try arguments.flag(given.exhaustive, "options->exhaustive")
  check.cleanReferences = try arguments.handles(
    given.references, "options->references", count: given.reference_count,
    "options->reference_count", as: ModelHandle.self
  ).map(\.model)
  check.classes = try arguments.optionalStrings(
    given.classes, count: given.class_count, "options->classes")
  check.templates = try arguments.templates(
    given.templates, count: given.template_count, "options->templates")
  check.classFeatures = try classFeatures(
    given.class_features, count: given.class_count, embedDim: given.class_embed_dim, arguments)
  return check
}

/// Copies the features of classes, of which there may be none.
func classFeatures(
  _ pointer: UnsafePointer<Float>?, count: Int64, embedDim: Int64, _ arguments: Arguments
) throws(CLIPError) -> Tensor? {
  try pointer.map { (pointer) throws(CLIPError) in
    try copied(
      pointer, count: count, embedDim: embedDim, "options->class_embed_dim", arguments)
  }
}
