public import CCleanCLIP
internal import CleanCLIPKit
internal import Glibc

@c @implementation
public func cleanclip_model_load(
  _ path: UnsafePointer<CChar>?, _ out_model: UnsafeMutablePointer<OpaquePointer?>?
) -> cleanclip_status {
  out_model?.pointee = nil
  return guarded("cleanclip_model_load") { (arguments) throws(CLIPError) in
    let path = try arguments.path(path, "path")
    let out = try arguments.required(out_model, "out_model")
    out.pointee = retained(ModelHandle(try LoadedModel.load(path)))
  }
}

@c @implementation
public func cleanclip_model_options_init(
  _ options: UnsafeMutablePointer<cleanclip_model_options>?, _ struct_size: Int
) {
  initialize(options, size: struct_size, with: cleanclip_model_options())
}

@c @implementation
public func cleanclip_model_load_with(
  _ path: UnsafePointer<CChar>?, _ options: UnsafePointer<cleanclip_model_options>?,
  _ out_model: UnsafeMutablePointer<OpaquePointer?>?
) -> cleanclip_status {
  out_model?.pointee = nil
  return guarded("cleanclip_model_load_with") { (arguments) throws(CLIPError) in
    let path = try arguments.path(path, "path")
    let preprocessing = try arguments.preprocessing(options)
    let out = try arguments.required(out_model, "out_model")
    out.pointee = retained(ModelHandle(try LoadedModel.load(path, preprocessing: preprocessing)))
  }
}

@c @implementation
public func cleanclip_model_create(
  _ architecture: UnsafePointer<CChar>?, _ seed: UInt64,
  _ out_model: UnsafeMutablePointer<OpaquePointer?>?
) -> cleanclip_status {
  out_model?.pointee = nil
  return guarded("cleanclip_model_create") { (arguments) throws(CLIPError) in
    let architecture = try arguments.string(architecture, "architecture")
    let out = try arguments.required(out_model, "out_model")
    let configuration = try CLIPConfiguration.architecture(architecture)
    out.pointee = retained(
      ModelHandle(LoadedModel(try CLIPModel(configuration, randomSeed: seed))))
  }
}

@c @implementation
public func cleanclip_model_copy(
  _ model: OpaquePointer?, _ out_model: UnsafeMutablePointer<OpaquePointer?>?
) -> cleanclip_status {
  out_model?.pointee = nil
  return guarded("cleanclip_model_copy") { (arguments) throws(CLIPError) in
    let model = try arguments.handle(model, "model", as: ModelHandle.self)
    let out = try arguments.required(out_model, "out_model")
    out.pointee = retained(ModelHandle(try model.loaded.copy()))
  }
}

@c @implementation
public func cleanclip_model_save(
  _ model: OpaquePointer?, _ path: UnsafePointer<CChar>?
) -> cleanclip_status {
  guarded("cleanclip_model_save") { (arguments) throws(CLIPError) in
    let model = try arguments.handle(model, "model", as: ModelHandle.self)
    try model.loaded.save(to: try arguments.path(path, "path"))
  }
}

@c @implementation
public func cleanclip_model_free(_ model: OpaquePointer?) {
  release(model, as: ModelHandle.self)
}

@c @implementation
public func cleanclip_model_describe(
  _ model: OpaquePointer?, _ out_text: UnsafeMutablePointer<CChar>?, _ out_capacity: Int,
  _ out_length: UnsafeMutablePointer<Int>?
) -> cleanclip_status {
  guarded("cleanclip_model_describe") { (arguments) throws(CLIPError) in
    let model = try arguments.handle(model, "model", as: ModelHandle.self)
    try arguments.write(
      try model.loaded.description().serialized(), to: out_text, capacity: out_capacity,
      length: out_length)
  }
}

@c @implementation
public func cleanclip_model_embed_dim(_ model: OpaquePointer?) -> Int64 {
  borrowed(model, as: ModelHandle.self).map { Int64($0.model.configuration.embedDim) } ?? 0
}

@c @implementation
public func cleanclip_model_image_size(_ model: OpaquePointer?) -> Int64 {
  Int64(borrowed(model, as: ModelHandle.self)?.model.configuration.vision?.imageSize ?? 0)
}

@c @implementation
public func cleanclip_model_context_length(_ model: OpaquePointer?) -> Int64 {
  Int64(borrowed(model, as: ModelHandle.self)?.model.configuration.text?.contextLength ?? 0)
}

@c @implementation
public func cleanclip_model_vocab_size(_ model: OpaquePointer?) -> Int64 {
  Int64(borrowed(model, as: ModelHandle.self)?.model.configuration.text?.vocabularySize ?? 0)
}

@c @implementation
public func cleanclip_model_logit_scale(_ model: OpaquePointer?) -> Float {
  borrowed(model, as: ModelHandle.self).map { expf($0.model.logitScale.value.f32[0]) } ?? 0
}
