public import CCleanCLIP
internal import CleanCLIPKit

@c @implementation
public func cleanclip_evaluate_retrieval(
  _ model: OpaquePointer?, _ tokenizer: OpaquePointer?, _ dataset: OpaquePointer?,
  _ options: UnsafePointer<cleanclip_encode_options>?, _ callback: cleanclip_count_callback?,
  _ user_data: UnsafeMutableRawPointer?, _ out_text: UnsafeMutablePointer<CChar>?,
  _ out_capacity: Int, _ out_length: UnsafeMutablePointer<Int>?
) -> cleanclip_status {
  guarded("cleanclip_evaluate_retrieval") { (arguments) throws(CLIPError) in
    let model = try arguments.handle(model, "model", as: ModelHandle.self).model
    let tokenizer = try arguments.handle(tokenizer, "tokenizer", as: Tokenizer.self)
    let dataset = try arguments.handle(dataset, "dataset", as: PairDataset.self)
    let given = try arguments.options(options, defaults: encodeDefaults, "options")
    let text = try arguments.required(out_text, "out_text")
    // Before the work, not after it.
    try arguments.capacity(out_capacity, atLeast: 512, "the text and its NUL")
    var encoder = FeatureEncoder(model)
    encoder.batchSize = Int(given.batch_size)
    encoder.precision = try arguments.precision(given.precision, "options->precision")
    let evaluator = try RetrievalEvaluator(encoder, tokenizer: tokenizer)
    let total = Int64(dataset.count)
    let result = try evaluator.evaluate(dataset) { done in
      callback.map { $0(Int64(done), total, user_data) == 0 } ?? true
    }
    try arguments.write(
      result.json.serialized(), to: text, capacity: out_capacity, length: out_length)
  }
}
