public import CCleanCLIP
internal import CleanCLIPKit

/// What a `cleanclip_check` points to.
final class CheckHandle {
  let result: any CheckResult
  /// The findings, whose texts live as long as the handle.
  let findings: [(finding: Finding, value: cleanclip_finding)]
  private let texts = CTexts()

  init(_ result: any CheckResult) {
    self.result = result
    let texts = texts
    findings = result.findings.map { ($0, cleanclip_finding($0, texts)) }
  }
}

extension cleanclip_verdict {
  /// The verdict; that nothing can be told for `nil`.
  init(_ verdict: Verdict?) {
    self =
      switch verdict {
      case .clean: CLEANCLIP_VERDICT_CLEAN
      case .suspicious: CLEANCLIP_VERDICT_SUSPICIOUS
      case .backdoored: CLEANCLIP_VERDICT_BACKDOORED
      case .cannotTell, nil: CLEANCLIP_VERDICT_CANNOT_TELL
      }
  }
}

@c @implementation
public func cleanclip_check_free(_ check: OpaquePointer?) { release(check, as: CheckHandle.self) }

@c @implementation
public func cleanclip_check_verdict(_ check: OpaquePointer?) -> cleanclip_verdict {
  cleanclip_verdict(borrowed(check, as: CheckHandle.self)?.result.verdict)
}

@c @implementation
public func cleanclip_check_score_count(_ check: OpaquePointer?) -> Int64 {
  Int64(borrowed(check, as: CheckHandle.self)?.result.scores.count ?? 0)
}

@c @implementation
public func cleanclip_check_scores(
  _ check: OpaquePointer?, _ out_scores: UnsafeMutablePointer<Float>?, _ out_capacity: Int
) -> cleanclip_status {
  guarded("cleanclip_check_scores") { (arguments) throws(CLIPError) in
    let handle = try arguments.handle(check, "check", as: CheckHandle.self)
    let scores = handle.result.scores
    guard !scores.isEmpty else { return }
    try arguments.write(scores, to: out_scores, capacity: out_capacity, "out_scores", of: "pairs")
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
      handle.result.json.serialized(), to: out_text, capacity: out_capacity, length: out_length)
  }
}

@c @implementation
public func cleanclip_check_write(
  _ check: OpaquePointer?, _ path: UnsafePointer<CChar>?
) -> cleanclip_status {
  guarded("cleanclip_check_write") { (arguments) throws(CLIPError) in
    let handle = try arguments.handle(check, "check", as: CheckHandle.self)
    let path = try arguments.path(path, "path")
    try handle.result.write(
      to: path, version: cleanclip_version().map { String(cString: $0) } ?? "")
  }
}
