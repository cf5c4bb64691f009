public import CCleanCLIP
internal import CleanCLIPKit

/// What a `cleanclip_check` points to.
final class CheckHandle {
  enum Result {
    case model(ModelCheckResult)
    case data(DatasetCheckResult, PairDataset?, rows: [Int])
  }

  let result: Result

  init(_ result: Result) { self.result = result }

  var verdict: Verdict {
    switch result {
    case .model(let result): result.verdict
    case .data(let result, _, _): result.verdict
    }
  }

  var json: JSONValue {
    switch result {
    case .model(let result): result.json
    case .data(let result, _, _): result.json
    }
  }

  func html(version: String) throws(CLIPError) -> String {
    switch result {
    case .model(let result): return try result.html(model: "", version: version)
    case .data(let result, let dataset, let rows):
      return try result.contactSheet(
        data: "", version: version, images: dataset.map { ($0, rows) })
    }
  }
}

@c @implementation
public func cleanclip_check_free(_ check: OpaquePointer?) { release(check, as: CheckHandle.self) }

@c @implementation
public func cleanclip_check_verdict(_ check: OpaquePointer?) -> cleanclip_verdict {
  switch borrowed(check, as: CheckHandle.self)?.verdict {
  case .clean: CLEANCLIP_VERDICT_CLEAN
  case .suspicious: CLEANCLIP_VERDICT_SUSPICIOUS
  case .backdoored: CLEANCLIP_VERDICT_BACKDOORED
  case .cannotTell, nil: CLEANCLIP_VERDICT_CANNOT_TELL
  }
}

@c @implementation
public func cleanclip_check_score_count(_ check: OpaquePointer?) -> Int64 {
  guard case .data(let result, _, _) = borrowed(check, as: CheckHandle.self)?.result else {
    return 0
  }
  return Int64(result.pairs.count)
}

@c @implementation
public func cleanclip_check_scores(
  _ check: OpaquePointer?, _ out_scores: UnsafeMutablePointer<Float>?, _ out_capacity: Int
) -> cleanclip_status {
  guarded("cleanclip_check_scores") { (arguments) throws(CLIPError) in
    let handle = try arguments.handle(check, "check", as: CheckHandle.self)
    guard case .data(let result, _, _) = handle.result else { return }
    let out = try arguments.required(out_scores, "out_scores")
    try arguments.capacity(
      out_capacity, atLeast: result.pairs.count, "\(result.pairs.count) pairs")
    for (index, pair) in result.pairs.enumerated() { out[index] = pair.score }
  }
}

@c @implementation
public func cleanclip_check_json(
  _ check: OpaquePointer?, _ out_text: UnsafeMutablePointer<CChar>?, _ out_capacity: Int,
  _ out_length: UnsafeMutablePointer<Int>?
) -> cleanclip_status {
  guarded("cleanclip_check_json") { (arguments) throws(CLIPError) in
    let handle = try arguments.handle(check, "check", as: CheckHandle.self)
    try arguments.write(
      handle.json.serialized(), to: out_text, capacity: out_capacity, length: out_length)
  }
}

@c @implementation
public func cleanclip_check_write(
  _ check: OpaquePointer?, _ path: UnsafePointer<CChar>?
) -> cleanclip_status {
  guarded("cleanclip_check_write") { (arguments) throws(CLIPError) in
    let handle = try arguments.handle(check, "check", as: CheckHandle.self)
    let path = try arguments.path(path, "path")
    if path.hasSuffix(".html") {
      return try AtomicFile.write(
        try handle.html(version: cleanclip_version().map { String(cString: $0) } ?? ""), to: path)
    }
    if path.hasSuffix(".json") {
      return try AtomicFile.write(handle.json.serialized(pretty: true), to: path)
    }
    if case .data(let result, _, _) = handle.result {
      if path.hasSuffix(".csv") { return try AtomicFile.write(result.csv, to: path) }
      if path.hasSuffix(".txt") { return try AtomicFile.write(result.cleanedList, to: path) }
    }
    throw arguments.invalid(
      "path has another ending; expected .html, .json, or for a dataset .csv or .txt, got '\(path)'"
    )
  }
}
