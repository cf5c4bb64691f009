public import CCleanCLIP
internal import CleanCLIPKit

@c @implementation
public func cleanclip_model_load_buffer(
  _ bytes: UnsafeRawPointer?, _ size: Int, _ text_bytes: UnsafeRawPointer?, _ text_size: Int,
  _ options: UnsafePointer<cleanclip_model_options>?,
  _ out_model: UnsafeMutablePointer<OpaquePointer?>?
) -> cleanclip_status {
  out_model?.pointee = nil
  return guarded("cleanclip_model_load_buffer") { (arguments) throws(CLIPError) in
    var parts = [try arguments.bytes(bytes, "bytes", size: size, "size")]
    if text_bytes != nil || text_size != 0 {
      parts.append(try arguments.bytes(text_bytes, "text_bytes", size: text_size, "text_size"))
    }
    let preprocessing = try arguments.preprocessing(options)
    let out = try arguments.required(out_model, "out_model")
    let files = try parts.map { (part) throws(CLIPError) in
      try MemoryFile(copying: part, name: bufferName)
    }
    out.pointee = retained(ModelHandle(try LoadedModel.load(files, preprocessing: preprocessing)))
  }
}

@c @implementation
public func cleanclip_model_save_buffer(
  _ model: OpaquePointer?, _ form: UnsafePointer<CChar>?,
  _ out_buffer: UnsafeMutablePointer<OpaquePointer?>?
) -> cleanclip_status {
  out_buffer?.pointee = nil
  return guarded("cleanclip_model_save_buffer") { (arguments) throws(CLIPError) in
    let model = try arguments.handle(model, "model", as: ModelHandle.self)
    let text = try arguments.string(form, "form")
    let out = try arguments.required(out_buffer, "out_buffer")
    guard let form = CheckpointForm(rawValue: text) else {
      throw arguments.invalid(
        "form is not a known one; expected "
          + CheckpointForm.allCases.map(\.rawValue).joined(separator: " or ") + ", got '\(text)'")
    }
    out.pointee = retained(
      try BufferHandle(try model.loaded.saved(as: form, name: bufferName)))
  }
}

@c @implementation
public func cleanclip_buffer_bytes(_ buffer: OpaquePointer?) -> UnsafeRawPointer? {
  borrowed(buffer, as: BufferHandle.self)?.bytes.baseAddress
}

@c @implementation
public func cleanclip_buffer_size(_ buffer: OpaquePointer?) -> Int {
  borrowed(buffer, as: BufferHandle.self)?.bytes.count ?? 0
}

@c @implementation
public func cleanclip_buffer_free(_ buffer: OpaquePointer?) {
  release(buffer, as: BufferHandle.self)
}

/// What messages call a host's bytes.
private let bufferName = "<buffer>"

/// What a `cleanclip_buffer` points to.
private final class BufferHandle {
  private let file: MemoryFile
  let bytes: UnsafeRawBufferPointer

  init(_ file: MemoryFile) throws(CLIPError) {
    bytes = try file.bytes()
    self.file = file
  }
}

extension Arguments {
  /// Returns bytes of which there must be some.
  fileprivate func bytes(
    _ pointer: UnsafeRawPointer?, _ name: StaticString, size: Int, _ sizeName: StaticString
  ) throws(CLIPError) -> UnsafeRawBufferPointer {
    let pointer = try required(pointer, name)
    guard size > 0 else {
      throw invalid("\(sizeName) is out of range; expected the bytes of a checkpoint, got \(size)")
    }
    return UnsafeRawBufferPointer(start: pointer, count: size)
  }

  /// Returns what options say of the preprocessing; `nil` for nothing.
  func preprocessing(
    _ options: UnsafePointer<cleanclip_model_options>?
  ) throws(CLIPError) -> String? {
    try optionalString(
      try self.options(options, defaults: cleanclip_model_options(), "options").preprocessing,
      "options->preprocessing")
  }
}
