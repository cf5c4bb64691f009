public import CCleanCLIP
internal import CleanCLIPKit

@c @implementation
public func cleanclip_check_data_options_init(
  _ options: UnsafeMutablePointer<cleanclip_check_data_options>?, _ struct_size: Int
) {
  initialize(options, size: struct_size, with: checkDataDefaults)
}

private var checkDataDefaults: cleanclip_check_data_options {
  var options = cleanclip_check_data_options()
  options.assumed_poison_rate = DatasetCheckOptions().assumedPoisonRate
  options.precision = Int32(CLEANCLIP_PRECISION_F32.rawValue)
  options.allow_unread = DatasetCheckOptions().unread.allowed
  return options
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
    var check = DatasetCheck()
    check.options.seed = given.seed
    check.options.assumedPoisonRate = given.assumed_poison_rate
    check.options.unread.allowed = given.allow_unread
    try check.options.validate()
    var features: DatasetFeatures
    if let dataset {
      features = try datasetReader(model, given, arguments).read(dataset) { told(Int64($0)) }
    } else {
      features = try namedPairs(given, arguments)
    }
    try take(given, count: total, into: &features, arguments)
    let unreadable = Omissions(unreadable: features.skipped, examples: features.skippedReasons)
    HostLog.write(unreadable)
    let result = try check.run(features) { fraction in told(total + Int64(fraction * Double(total)))
    }
    out.pointee = retained(
      CheckHandle(CheckedDataset(result, dataset: dataset, rows: features.rows)))
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
  reader.findsPatches = given.patches != 0
  reader.precision = try arguments.precision(given.precision, "options->precision")
  reader.stateDirectory = try arguments.optionalString(
    given.state_directory, "options->state_directory")
  reader.resume = given.resume != 0
  return reader
}
