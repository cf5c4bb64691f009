public import CCleanCLIP
internal import CleanCLIPKit

@c @implementation
public func cleanclip_check_model_options_init(
  _ options: UnsafeMutablePointer<cleanclip_check_model_options>?, _ struct_size: Int
) {
  initialize(options, size: struct_size, with: checkModelDefaults)
}

private var checkModelDefaults: cleanclip_check_model_options {
  var options = cleanclip_check_model_options()
  options.precision = Int32(CLEANCLIP_PRECISION_F32.rawValue)
  options.reads_nouns = 1
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
    let check = try checkpointCheck(handle.model, given, arguments)
    func report(_ done: Int, _ total: Int) -> Bool {
      callback.map { $0(Int64(done), Int64(total), user_data) == 0 } ?? true
    }
    let result = try check.run { state in
      switch state {
      case .nouns: true
      case .images(let state):
        report(state.search * state.steps + state.step, state.searches * state.steps)
      case .words(let done, let total): report(done, total)
      }
    }
    out.pointee = retained(CheckHandle(result))
  }
}

private func checkpointCheck(
  _ model: CLIPModel, _ given: cleanclip_check_model_options, _ arguments: Arguments
) throws(CLIPError) -> CheckpointCheck {
  var check = CheckpointCheck(model)
  check.images = borrowed(given.images, as: PairDataset.self)
  check.tokenizer = borrowed(given.tokenizer, as: Tokenizer.self)
  check.usesNouns = given.reads_nouns != 0
  check.checksText = given.checks_text != 0
  check.options.search.seed = given.seed
  check.options.search.precision = try arguments.precision(given.precision, "options->precision")
  if given.image_limit != 0 {
    check.options.imageLimit = try arguments.number(
      given.image_limit, in: 16...1_000_000, "options->image_limit")
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
  if given.class_count != 0 {
    var templates = PromptTemplate.standard
    if given.template_count != 0 {
      templates = try PromptTemplate.list(
        try arguments.strings(
          given.templates, count: given.template_count, "options->templates"))
    }
    check.classes = (
      try arguments.strings(given.classes, count: given.class_count, "options->classes"), templates
    )
  }
  return check
}
