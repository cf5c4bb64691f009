internal import CCleanCLIP
internal import CleanCLIPKit

extension FuzzTarget {
  /// What unfinished checks keep. The first byte chooses a check of a model or of a dataset, the rest
  /// edits a good file.
  static let check = FuzzTarget(name: "check") { bytes in
    let kept = (bytes.first ?? 0) & 1 == 0 ? modelCheck : datasetCheck
    _ = Scratch.write(edited(kept.good, by: bytes.dropFirst()), to: kept.file)
    kept.run(true)
  }

  private static let modelCheck = KeptCheck(file: "check-state.safetensors", run: checkModel)
  private static let datasetCheck = KeptCheck(file: "pairs-000000.safetensors", run: checkDataset)
}

/// A check whose state is in the scratch folder.
private struct KeptCheck: Sendable {
  let file: String
  /// Runs the check; `true` resumes from the file.
  let run: @Sendable (Bool) -> Void
  /// The file as the check writes it.
  let good: [UInt8]

  init(file: String, run: @escaping @Sendable (Bool) -> Void) {
    self.file = file
    self.run = run
    run(false)
    guard let bytes = try? FileContents.read(Scratch.path(file)), !bytes.isEmpty else {
      stop("a check leaves no '\(file)'")
    }
    good = bytes
  }
}

private func checkModel(resume: Bool) {
  withTinyModel { model in
    var options = cleanclip_check_model_options()
    cleanclip_check_model_options_init(&options, MemoryLayout.size(ofValue: options))
    options.image_limit = 24
    options.steps = 1
    options.batch_size = 2
    options.nouns = 0
    options.resume = resume ? 1 : 0
    Scratch.folder.withCString { folder in
      options.state_directory = folder
      finish { cleanclip_check_model(model, &options, nil, nil, &$0) }
    }
  }
}

private func checkDataset(resume: Bool) {
  withTinyModel { model in
    var dataset: OpaquePointer?
    defer { cleanclip_dataset_free(dataset) }
    guard succeeded(cleanclip_dataset_create(80, fillPair, nil, &dataset)) else {
      stop("a tiny dataset cannot be made: \(String(cString: cleanclip_last_error()))")
    }
    var options = cleanclip_check_data_options()
    cleanclip_check_data_options_init(&options, MemoryLayout.size(ofValue: options))
    options.resume = resume ? 1 : 0
    Scratch.folder.withCString { folder in
      options.state_directory = folder
      finish { cleanclip_check_data(model, dataset, &options, nil, nil, &$0) }
    }
  }
}

private func withTinyModel(_ body: (OpaquePointer?) -> Void) {
  var model: OpaquePointer?
  defer { cleanclip_model_free(model) }
  guard succeeded(cleanclip_model_create(tinyArchitecture, 1, &model)) else {
    stop("a tiny model cannot be made: \(String(cString: cleanclip_last_error()))")
  }
  body(model)
}

/// Makes a check and looks at what it says.
private func finish(_ make: (inout OpaquePointer?) -> cleanclip_status) {
  var check: OpaquePointer?
  defer { cleanclip_check_free(check) }
  guard succeeded(make(&check)) else { return }
  _ = cleanclip_check_verdict(check)
  var length = 0
  guard succeeded(cleanclip_check_json(check, nil, 0, &length)), length > 0 else {
    stop("a check says nothing")
  }
}
