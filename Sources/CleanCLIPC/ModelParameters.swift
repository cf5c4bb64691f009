public import CCleanCLIP
internal import CleanCLIPKit
internal import Glibc

@c @implementation
public func cleanclip_parameter_info_init(
  _ info: UnsafeMutablePointer<cleanclip_parameter_info>?, _ struct_size: Int
) {
  initialize(info, size: struct_size, with: cleanclip_parameter_info())
}

@c @implementation
public func cleanclip_model_parameter_count(_ model: OpaquePointer?) -> Int64 {
  borrowed(model, as: ModelHandle.self).map { Int64($0.parameters.count) } ?? 0
}

@c @implementation
public func cleanclip_model_parameter_info(
  _ model: OpaquePointer?, _ index: Int64,
  _ out_info: UnsafeMutablePointer<cleanclip_parameter_info>?
) -> cleanclip_status {
  guarded("cleanclip_model_parameter_info") { (arguments) throws(CLIPError) in
    let model = try arguments.handle(model, "model", as: ModelHandle.self)
    let count = model.parameters.count
    let parameter = model.parameters[try arguments.index(index, count: count, "index")]
    try arguments.write(parameter.info, to: out_info, "out_info")
  }
}

@c @implementation
public func cleanclip_model_find_parameter(
  _ model: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ out_index: UnsafeMutablePointer<Int64>?
) -> cleanclip_status {
  out_index?.pointee = -1
  return guarded("cleanclip_model_find_parameter") { (arguments) throws(CLIPError) in
    let model = try arguments.handle(model, "model", as: ModelHandle.self)
    let name = try arguments.string(name, "name")
    let out = try arguments.required(out_index, "out_index")
    out.pointee = Int64(try model.index(of: name, arguments))
  }
}

@c @implementation
public func cleanclip_model_read_parameter(
  _ model: OpaquePointer?, _ name: UnsafePointer<CChar>?,
  _ out_values: UnsafeMutablePointer<Float>?, _ out_capacity: Int
) -> cleanclip_status {
  guarded("cleanclip_model_read_parameter") { (arguments) throws(CLIPError) in
    let model = try arguments.handle(model, "model", as: ModelHandle.self)
    let name = try arguments.string(name, "name")
    let values = try arguments.required(out_values, "out_values")
    let tensor = model.parameters[try model.index(of: name, arguments)].tensor
    try arguments.capacity(out_capacity, atLeast: tensor.count, "'\(name)' \(tensor.shape)")
    memcpy(values, tensor.f32, tensor.byteCount)
  }
}

@c @implementation
public func cleanclip_model_write_parameter(
  _ model: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ values: UnsafePointer<Float>?,
  _ count: Int
) -> cleanclip_status {
  guarded("cleanclip_model_write_parameter") { (arguments) throws(CLIPError) in
    let model = try arguments.handle(model, "model", as: ModelHandle.self)
    let name = try arguments.string(name, "name")
    let values = try arguments.required(values, "values")
    let tensor = model.parameters[try model.index(of: name, arguments)].tensor
    guard count == tensor.count else {
      throw arguments.invalid(
        "count does not fit '\(name)'; expected \(tensor.count) for \(tensor.shape), got \(count)",
        code: .shape)
    }
    try model.model.setTensor(name, UnsafeBufferPointer(start: values, count: count))
  }
}
