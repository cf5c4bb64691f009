internal import CCleanCLIP
internal import CleanCLIPKit

extension FuzzTarget {
  /// Saved training states, edited by the input: see `edited`.
  static let state = FuzzTarget(name: "state") { bytes in
    _ = Scratch.write(edited(goodState, by: bytes), to: stateName)
    train(resume: true)
  }

  /// Returns a file with bytes replaced: offset (two bytes, little endian), count (one byte), and so
  /// many bytes, over and over. A state of another run is refused before it is read, so that inputs
  /// of their own would not get far; its checksum is right whatever the edits.
  static func edited(_ good: [UInt8], by edits: some Sequence<UInt8>) -> [UInt8] {
    var file = good
    var edits = Array(edits)[...]
    while edits.count >= 3 {
      let offset = Int(edits[edits.startIndex]) | Int(edits[edits.startIndex + 1]) << 8
      let count = min(Int(edits[edits.startIndex + 2]), edits.count - 3)
      for (index, byte) in edits.dropFirst(3).prefix(count).enumerated()
      where offset + index < file.count { file[offset + index] = byte }
      edits = edits.dropFirst(3 + count)
    }
    return FileSeal.sealed(file)
  }

  private static let stateName = "training-state.safetensors"

  private static let goodState: [UInt8] = {
    train(resume: false)
    guard let bytes = try? FileContents.read(Scratch.path(stateName)), !bytes.isEmpty else {
      stop("training leaves no state")
    }
    return bytes
  }()
}

/// Trains a tiny model on four pairs for two epochs at most, with its state in the scratch folder.
private func train(resume: Bool) {
  let vocabulary = Scratch.write("#version: 0.2\nr e\nre d</w>\nb l\no x</w>\n".utf8, to: "bpe.txt")
  var model: OpaquePointer?
  var tokenizer: OpaquePointer?
  var dataset: OpaquePointer?
  defer {
    cleanclip_dataset_free(dataset)
    cleanclip_tokenizer_free(tokenizer)
    cleanclip_model_free(model)
  }
  guard succeeded(cleanclip_model_create(tinyArchitecture, 1, &model)),
    succeeded(cleanclip_tokenizer_load(vocabulary, &tokenizer)),
    succeeded(cleanclip_dataset_create(4, fillPair, nil, &dataset))
  else { stop("a tiny model cannot be made: \(String(cString: cleanclip_last_error()))") }
  var options = cleanclip_sanitize_options()
  cleanclip_sanitize_options_init(&options, MemoryLayout.size(ofValue: options))
  options.epochs = 2
  options.batch_size = 2
  options.precision = Int32(CLEANCLIP_PRECISION_F32.rawValue)
  options.resume = resume ? 1 : 0
  Scratch.folder.withCString { folder in
    options.state_directory = folder
    _ = succeeded(cleanclip_sanitize(model, tokenizer, dataset, &options, nil, nil, nil))
  }
}

/// A CLIP that takes no time.
let tinyArchitecture = """
  {"embed_dim": 4, "vision_cfg": {"image_size": 4, "layers": 1, "width": 4, "head_width": 2,
   "patch_size": 2}, "text_cfg": {"context_length": 4, "vocab_size": 520, "width": 4, "heads": 2,
   "layers": 1}}
  """

/// Hands over an image of 4 by 4 pixels, red, green and blue in turn.
let fillPair: cleanclip_pair_callback = { _, pair, _ in
  let pixels: StaticString = "The 48 bytes of this text are the image's pixels"
  let text: StaticString = "a red box"
  pair?.pointee.image = UnsafeRawPointer(pixels.utf8Start)
  pair?.pointee.image_byte_count = 48
  pair?.pointee.width = 4
  pair?.pointee.height = 4
  pair?.pointee.caption = UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
  return 0
}
