public import CCleanCLIP
internal import CleanCLIPKit

@c @implementation
public func cleanclip_dataset_options_init(
  _ options: UnsafeMutablePointer<cleanclip_dataset_options>?, _ struct_size: Int
) {
  initialize(options, size: struct_size, with: cleanclip_dataset_options())
}

@c @implementation
public func cleanclip_dataset_open(
  _ sources: UnsafePointer<UnsafePointer<CChar>?>?, _ count: Int64,
  _ options: UnsafePointer<cleanclip_dataset_options>?,
  _ out_dataset: UnsafeMutablePointer<OpaquePointer?>?
) -> cleanclip_status {
  out_dataset?.pointee = nil
  return guarded("cleanclip_dataset_open") { (arguments) throws(CLIPError) in
    _ = try arguments.number(count, in: 1...65_536, "count")
    let sources = try arguments.strings(sources, count: count, "sources")
    let options = try arguments.options(
      options, defaults: cleanclip_dataset_options(), "options")
    let out = try arguments.required(out_dataset, "out_dataset")
    var columns = DatasetColumns()
    if let name = try arguments.optionalString(options.image_column, "options->image_column") {
      columns.image = name
    }
    if let name = try arguments.optionalString(options.caption_column, "options->caption_column") {
      columns.caption = name
    }
    if let name = try arguments.optionalString(options.label_column, "options->label_column") {
      columns.label = name
    }
    let dataset = try PairDataset.open(
      sources, columns: columns, keep: try arguments.optionalString(options.keep, "options->keep"))
    HostLog.write(dataset.omissions)
    out.pointee = retained(dataset)
  }
}

@c @implementation
public func cleanclip_dataset_create(
  _ count: Int64, _ callback: cleanclip_pair_callback?, _ user_data: UnsafeMutableRawPointer?,
  _ out_dataset: UnsafeMutablePointer<OpaquePointer?>?
) -> cleanclip_status {
  out_dataset?.pointee = nil
  return guarded("cleanclip_dataset_create") { (arguments) throws(CLIPError) in
    let count = try arguments.number(count, in: 1...0x7fff_ffff, "count")
    let host = HostPairs(
      callback: try arguments.required(callback, "callback"), userData: user_data)
    let out = try arguments.required(out_dataset, "out_dataset")
    out.pointee = retained(
      try PairDataset(count: count) { (index) throws(CLIPError) in try host.pair(index) })
  }
}

@c @implementation
public func cleanclip_dataset_free(_ dataset: OpaquePointer?) {
  release(dataset, as: PairDataset.self)
}

@c @implementation
public func cleanclip_dataset_count(_ dataset: OpaquePointer?) -> Int64 {
  borrowed(dataset, as: PairDataset.self).map { Int64($0.count) } ?? 0
}

@c @implementation
public func cleanclip_dataset_describe(
  _ dataset: OpaquePointer?, _ out_text: UnsafeMutablePointer<CChar>?, _ out_capacity: Int,
  _ out_length: UnsafeMutablePointer<Int>?
) -> cleanclip_status {
  guarded("cleanclip_dataset_describe") { (arguments) throws(CLIPError) in
    let dataset = try arguments.handle(dataset, "dataset", as: PairDataset.self)
    try arguments.write(
      dataset.json.serialized(), to: out_text, capacity: out_capacity, length: out_length)
  }
}

/// The pairs of a host, behind its callback.
private struct HostPairs: @unchecked Sendable {
  // Sendable: the dataset calls from one thread at a time, and the header says so to the host.
  let callback: cleanclip_pair_callback
  let userData: UnsafeMutableRawPointer?

  /// Asks for a pair and copies it.
  func pair(_ index: Int) throws(CLIPError) -> CaptionedImage {
    var pair = cleanclip_pair()
    pair.struct_size = MemoryLayout<cleanclip_pair>.size
    let name = PairDataset.hostKey(index)
    guard callback(Int64(index), &pair, userData) == 0 else {
      let reason = pair.problem.map { RawText.text(cString: $0) }
      throw CLIPError(
        .notFound,
        "'\(name)': cannot be handed over; expected a pair from the callback, got "
          + (reason ?? "another result than 0, and no problem that says why"))
    }
    guard let image = pair.image, pair.image_byte_count > 0 else {
      throw CLIPError(
        .format,
        "'\(name)': no image; expected bytes or pixels, got \(pair.image_byte_count) bytes")
    }
    var caption = ""
    if let text = pair.caption {
      guard let valid = String(validatingCString: text) else {
        throw CLIPError(.format, "'\(name)': caption is not text; expected UTF-8, got other bytes")
      }
      caption = valid
    }
    let bytes = UnsafeRawBufferPointer(start: image, count: pair.image_byte_count)
    return CaptionedImage(
      key: name, image: try imageData(of: pair, bytes, name), caption: caption,
      label: pair.has_label != 0 ? .index(pair.label) : nil)
  }

  private func imageData(
    of pair: cleanclip_pair, _ bytes: UnsafeRawBufferPointer, _ name: String
  ) throws(CLIPError) -> ImageData {
    guard pair.width != 0 || pair.height != 0 else { return .file(Array(bytes)) }
    let sides = 1...Int32(RGBImage.maximumSide)
    guard sides.contains(pair.width), sides.contains(pair.height),
      Int(pair.width) * Int(pair.height) * 3 == bytes.count
    else {
      throw CLIPError(
        .shape,
        "'\(name)': pixels do not fit their size; expected \(pair.height) x \(pair.width) x 3 "
          + "bytes, got \(bytes.count)")
    }
    return .pixels(
      RGBImage(width: Int(pair.width), height: Int(pair.height), pixels: Array(bytes)))
  }
}
