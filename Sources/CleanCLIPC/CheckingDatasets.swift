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
    var check = DatasetCheck()
    check.options.seed = given.seed
    check.options.assumedPoisonRate = given.assumed_poison_rate
    check.options.unread.allowed = given.allow_unread
    check.options.memoryBudget = arguments.optional(given.memory_budget)
    check.stateDirectory = try arguments.optionalString(
      given.state_directory, "options->state_directory")
    check.resume = try arguments.flag(given.resume, "options->resume")
    try check.options.validate()
    let count = dataset.map { Int64($0.count) } ?? given.pair_count
    let before = try GivenHalves(given, count: count, arguments)
    try arguments.checkEffect(
      of: [
        (
          "model", model != nil && before.images != nil,
          "image features, which are taken for its own"
        ),
        ("model", model != nil && dataset == nil, "features alone"),
        (
          "options->trusted", given.trusted != nil && before.trusted != nil,
          "trusted features, which are taken for its own"
        ),
        ("options->trusted", given.trusted != nil && dataset == nil, "features alone"),
        ("options->patches", given.patches != 0 && dataset == nil, "features alone"),
        ("options->keys", given.keys != nil && dataset != nil, "a dataset, which has keys"),
        (
          "options->captions", given.captions != nil && dataset != nil,
          "a dataset, which has captions"
        ),
      ])
    let total = count > 0 ? count : Int64(before.count)
    func told(_ done: Int64) -> Bool {
      callback.map { $0(done, 2 * total, user_data) == 0 } ?? true
    }
    let result = try check.stateFolder.running { () throws(CLIPError) in
      var features: DatasetFeatures
      if let dataset {
        let reader = try datasetReader(model, given, arguments, check)
        features = try reader.read(dataset) { told(Int64($0)) }
      } else {
        features = try namedPairs(before, given, arguments)
      }
      try features.take(imageFeatures: before.images, trusted: before.trusted)
      HostLog.write(features.unread)
      let result = try check.run(features, dataset: dataset) {
        told(total + Int64($0 * Double(total)))
      }
      return CheckedDataset(result, dataset: dataset, rows: features.rows)
    }
    out.pointee = retained(CheckHandle(result))
  }
}

/// Pairs that are known by their features alone.
private func namedPairs(
  _ before: GivenHalves, _ given: cleanclip_check_data_options, _ arguments: Arguments
) throws(CLIPError) -> DatasetFeatures {
  guard let features = before.images ?? before.trusted?.images else {
    throw arguments.invalid(
      "dataset is NULL; expected a dataset, or features in the options, got neither")
  }
  var keys: [String]?
  var captions: [String]?
  if given.keys != nil {
    keys = try arguments.strings(given.keys, count: given.pair_count, "options->keys")
  }
  if given.captions != nil {
    captions = try arguments.strings(given.captions, count: given.pair_count, "options->captions")
  }
  return try DatasetFeatures(features, keys: keys, captions: captions)
}

/// Features in the options: arrays, which are copied, or files.
private struct GivenHalves {
  var images: GivenFeatures?
  var trusted: (images: GivenFeatures, texts: GivenFeatures)?

  /// - Parameter count: rows of arrays.
  init(
    _ given: cleanclip_check_data_options, count: Int64, _ arguments: Arguments
  ) throws(CLIPError) {
    func copy(
      _ pointer: UnsafePointer<Float>, _ embedDim: Int64, _ name: StaticString
    ) throws(CLIPError) -> GivenFeatures {
      _ = try arguments.number(count, in: 1...0x7fff_ffff, "options->pair_count")
      return try GivenFeatures(
        try copied(pointer, count: count, embedDim: embedDim, name, arguments))
    }
    func files(
      _ paths: UnsafePointer<UnsafePointer<CChar>?>?, _ count: Int64, _ name: StaticString,
      orArrays isArray: Bool
    ) throws(CLIPError) -> FeatureParts? {
      guard count != 0 else { return nil }
      guard !isArray else {
        throw arguments.invalid("\(name) are given beside arrays; expected one of them, got both")
      }
      return try FeatureParts(try arguments.strings(paths, count: count, name))
    }
    let imageFiles = try files(
      given.image_feature_files, given.image_feature_file_count, "options->image_feature_files",
      orArrays: given.image_features != nil)
    if let imageFiles {
      images = try imageFiles.imageFeatures()
    } else if let pointer = given.image_features {
      images = try copy(pointer, given.embed_dim, "options->embed_dim")
    }
    let trustedFiles = try files(
      given.trusted_feature_files, given.trusted_feature_file_count,
      "options->trusted_feature_files", orArrays: given.trusted_image_features != nil)
    if let trustedFiles {
      trusted = try trustedFiles.trustedHalves()
    } else if let images = given.trusted_image_features {
      let texts = try arguments.required(
        given.trusted_text_features, "options->trusted_text_features")
      trusted = (
        try copy(images, given.trusted_embed_dim, "options->trusted_embed_dim"),
        try copy(texts, given.trusted_embed_dim, "options->trusted_embed_dim")
      )
    }
  }

  /// The number of rows; 0 without features.
  var count: Int { (images ?? trusted?.images)?.rows.count ?? 0 }
}

private func datasetReader(
  _ model: OpaquePointer?, _ given: cleanclip_check_data_options, _ arguments: Arguments,
  _ check: DatasetCheck
) throws(CLIPError) -> DatasetReader {
  var reader = DatasetReader(model: borrowed(model, as: ModelHandle.self)?.model)
  if let other = borrowed(given.trusted, as: ModelHandle.self) {
    reader.trusted = (
      other.model,
      try arguments.handle(
        given.trusted_tokenizer, "options->trusted_tokenizer", as: Tokenizer.self)
    )
  }
  reader.findsPatches = try arguments.flag(given.patches, "options->patches")
  reader.precision = try arguments.precision(given.precision, "options->precision")
  reader.stateDirectory = check.stateDirectory
  reader.resume = check.resume
  return reader
}

extension Arguments {
  /// Refuses what was given and would not be used.
  ///
  /// - Parameter given: names, whether each is given to no effect, and what there is in its place.
  fileprivate func checkEffect(of given: [(name: String, isVain: Bool, reason: String)])
    throws(CLIPError)
  {
    guard let vain = given.first(where: \.isVain) else { return }
    throw invalid("\(vain.name) has no effect with \(vain.reason); expected one of them, got both")
  }
}
