public import CCleanCLIP
internal import CleanCLIPKit

@c @implementation
public func cleanclip_tokenizer_load(
  _ path: UnsafePointer<CChar>?, _ out_tokenizer: UnsafeMutablePointer<OpaquePointer?>?
) -> cleanclip_status {
  out_tokenizer?.pointee = nil
  return guarded("cleanclip_tokenizer_load") { (arguments) throws(CLIPError) in
    let path = try arguments.path(path, "path")
    let out = try arguments.required(out_tokenizer, "out_tokenizer")
    out.pointee = retained(try Tokenizer.load(path: path))
  }
}

@c @implementation
public func cleanclip_tokenizer_find(
  _ model_path: UnsafePointer<CChar>?, _ out_tokenizer: UnsafeMutablePointer<OpaquePointer?>?
) -> cleanclip_status {
  out_tokenizer?.pointee = nil
  return guarded("cleanclip_tokenizer_find") { (arguments) throws(CLIPError) in
    let path = try arguments.optionalString(model_path, "model_path")
    let out = try arguments.required(out_tokenizer, "out_tokenizer")
    out.pointee = retained(try Tokenizer.find(besideModel: path))
  }
}

@c @implementation
public func cleanclip_tokenizer_free(_ tokenizer: OpaquePointer?) {
  release(tokenizer, as: Tokenizer.self)
}

@c @implementation
public func cleanclip_tokenizer_vocab_size(_ tokenizer: OpaquePointer?) -> Int64 {
  borrowed(tokenizer, as: Tokenizer.self).map { Int64($0.vocabularySize) } ?? 0
}

@c @implementation
public func cleanclip_tokenizer_encode(
  _ tokenizer: OpaquePointer?, _ texts: UnsafePointer<UnsafePointer<CChar>?>?, _ count: Int64,
  _ context_length: Int64, _ out_ids: UnsafeMutablePointer<Int32>?, _ out_capacity: Int
) -> cleanclip_status {
  guarded("cleanclip_tokenizer_encode") { (arguments) throws(CLIPError) in
    let tokenizer = try arguments.handle(tokenizer, "tokenizer", as: Tokenizer.self)
    let texts = try arguments.strings(texts, count: count, "texts")
    let length = try arguments.number(context_length, in: 2...65_536, "context_length")
    let ids = try arguments.required(out_ids, "out_ids")
    let needed = try arguments.elements(texts.count, length, of: "out_ids")
    try arguments.capacity(
      out_capacity, atLeast: needed, "\(texts.count) texts x context_length \(length)")
    tokenizer.encode(texts, contextLength: length, into: ids)
  }
}
