public import CCleanCLIP
internal import CleanCLIPKit

@c @implementation
public func cleanclip_encode_options_init(
  _ options: UnsafeMutablePointer<cleanclip_encode_options>?, _ struct_size: Int
) {
  initialize(options, size: struct_size, with: encodeDefaults)
}

@c @implementation
public func cleanclip_model_encode_images_f32(
  _ model: OpaquePointer?, _ pixels: UnsafePointer<Float>?, _ count: Int64, _ height: Int64,
  _ width: Int64, _ options: UnsafePointer<cleanclip_encode_options>?,
  _ out_features: UnsafeMutablePointer<Float>?, _ out_capacity: Int
) -> cleanclip_status {
  guarded("cleanclip_model_encode_images_f32") { (arguments) throws(CLIPError) in
    let call = try EncodeCall(arguments, model, count, options, out_features, out_capacity)
    let pixels = try arguments.required(pixels, "pixels")
    let size = try call.encoder.imageSize()
    guard height == size, width == size else {
      throw arguments.invalid(
        "pixels do not fit the model; expected [\(count), 3, \(size), \(size)], "
          + "got [\(count), 3, \(height), \(width)]; pass bytes to have them resized",
        code: .shape)
    }
    try call.encoder.images(unit: pixels, count: call.count, into: call.features)
  }
}

@c @implementation
public func cleanclip_model_encode_images_u8(
  _ model: OpaquePointer?, _ pixels: UnsafePointer<UInt8>?, _ count: Int64, _ height: Int64,
  _ width: Int64, _ options: UnsafePointer<cleanclip_encode_options>?,
  _ out_features: UnsafeMutablePointer<Float>?, _ out_capacity: Int
) -> cleanclip_status {
  guarded("cleanclip_model_encode_images_u8") { (arguments) throws(CLIPError) in
    let call = try EncodeCall(arguments, model, count, options, out_features, out_capacity)
    let pixels = try arguments.required(pixels, "pixels")
    let height = try arguments.number(height, in: 1...65_535, "height")
    let width = try arguments.number(width, in: 1...65_535, "width")
    _ = try arguments.elements(call.count, height, width, 3, of: "pixels")
    try call.encoder.images(
      bytes: pixels, count: call.count, height: height, width: width, into: call.features)
  }
}

@c @implementation
public func cleanclip_model_encode_image_files(
  _ model: OpaquePointer?, _ paths: UnsafePointer<UnsafePointer<CChar>?>?, _ count: Int64,
  _ options: UnsafePointer<cleanclip_encode_options>?,
  _ out_features: UnsafeMutablePointer<Float>?, _ out_capacity: Int
) -> cleanclip_status {
  guarded("cleanclip_model_encode_image_files") { (arguments) throws(CLIPError) in
    let call = try EncodeCall(arguments, model, count, options, out_features, out_capacity)
    let paths = try arguments.strings(paths, count: count, "paths")
    try call.encoder.images(files: paths, into: call.features)
  }
}

@c @implementation
public func cleanclip_model_encode_image_inputs(
  _ model: OpaquePointer?, _ inputs: UnsafePointer<Float>?, _ count: Int64,
  _ options: UnsafePointer<cleanclip_encode_options>?,
  _ out_features: UnsafeMutablePointer<Float>?, _ out_capacity: Int
) -> cleanclip_status {
  guarded("cleanclip_model_encode_image_inputs") { (arguments) throws(CLIPError) in
    let call = try EncodeCall(arguments, model, count, options, out_features, out_capacity)
    let inputs = try arguments.required(inputs, "inputs")
    try call.encoder.images(inputs: inputs, count: call.count, into: call.features)
  }
}

@c @implementation
public func cleanclip_model_encode_dataset(
  _ model: OpaquePointer?, _ dataset: OpaquePointer?,
  _ options: UnsafePointer<cleanclip_encode_options>?, _ callback: cleanclip_count_callback?,
  _ user_data: UnsafeMutableRawPointer?, _ out_features: UnsafeMutablePointer<Float>?,
  _ out_capacity: Int
) -> cleanclip_status {
  guarded("cleanclip_model_encode_dataset") { (arguments) throws(CLIPError) in
    let dataset = try arguments.handle(dataset, "dataset", as: PairDataset.self)
    let call = try EncodeCall(
      arguments, model, Int64(dataset.count), options, out_features, out_capacity)
    try call.encoder.images(of: dataset, into: call.features) { done in
      callback.map { $0(Int64(done), Int64(dataset.count), user_data) == 0 } ?? true
    }
  }
}

@c @implementation
public func cleanclip_model_encode_texts(
  _ model: OpaquePointer?, _ tokenizer: OpaquePointer?,
  _ texts: UnsafePointer<UnsafePointer<CChar>?>?, _ count: Int64,
  _ options: UnsafePointer<cleanclip_encode_options>?,
  _ out_features: UnsafeMutablePointer<Float>?, _ out_capacity: Int
) -> cleanclip_status {
  guarded("cleanclip_model_encode_texts") { (arguments) throws(CLIPError) in
    let call = try EncodeCall(arguments, model, count, options, out_features, out_capacity)
    let tokenizer = try arguments.handle(tokenizer, "tokenizer", as: Tokenizer.self)
    let texts = try arguments.strings(texts, count: count, "texts")
    try call.encoder.texts(texts, tokenizer: tokenizer, into: call.features)
  }
}

@c @implementation
public func cleanclip_model_encode_tokens(
  _ model: OpaquePointer?, _ ids: UnsafePointer<Int32>?, _ count: Int64, _ length: Int64,
  _ options: UnsafePointer<cleanclip_encode_options>?,
  _ out_features: UnsafeMutablePointer<Float>?, _ out_capacity: Int
) -> cleanclip_status {
  guarded("cleanclip_model_encode_tokens") { (arguments) throws(CLIPError) in
    let call = try EncodeCall(arguments, model, count, options, out_features, out_capacity)
    let ids = try arguments.required(ids, "ids")
    let length = try arguments.number(length, in: 1...65_536, "length")
    _ = try arguments.elements(call.count, length, of: "ids")
    try call.encoder.tokens(ids, count: call.count, length: length, into: call.features)
  }
}

/// What all encoding functions have in common, checked.
private struct EncodeCall {
  let encoder: FeatureEncoder
  let count: Int
  let features: UnsafeMutablePointer<Float>

  init(
    _ arguments: Arguments, _ model: OpaquePointer?, _ count: Int64,
    _ options: UnsafePointer<cleanclip_encode_options>?,
    _ out_features: UnsafeMutablePointer<Float>?, _ out_capacity: Int
  ) throws(CLIPError) {
    let model = try arguments.handle(model, "model", as: ModelHandle.self)
    self.count = try arguments.number(count, in: 0...0x7fff_ffff, "count")
    features = try arguments.required(out_features, "out_features")
    let options = try arguments.options(options, defaults: encodeDefaults, "options")
    var encoder = FeatureEncoder(model.model)
    encoder.normalize = try arguments.flag(options.normalize, "options->normalize")
    encoder.precision = try arguments.precision(options.precision, "options->precision")
    encoder.batchSize = Int(options.batch_size)
    self.encoder = encoder
    let needed = try arguments.elements(self.count, encoder.embedDim, of: "out_features")
    try arguments.capacity(
      out_capacity, atLeast: needed, "count \(count) x embed_dim \(encoder.embedDim)")
  }
}

var encodeDefaults: cleanclip_encode_options {
  var options = cleanclip_encode_options()
  options.batch_size = Int64(FeatureEncoder.defaultBatchSize)
  options.normalize = 1
  options.precision = Int32(CLEANCLIP_PRECISION_F32.rawValue)
  return options
}
