public import CCleanCLIP
internal import CleanCLIPKit
internal import Glibc

/// C strings that live as long as this object.
final class CTexts {
  private var texts: [UnsafeMutablePointer<CChar>] = []

  deinit {
    for text in texts { free(text) }
  }

  /// Returns a copy; NULL for `nil`, and where there is no memory.
  func copy(_ text: String?) -> UnsafePointer<CChar>? {
    guard let text, let copy = strdup(text) else { return nil }
    texts.append(copy)
    return UnsafePointer(copy)
  }
}

extension cleanclip_finding {
  init(_ finding: Finding, _ texts: CTexts) {
    self = cleanclip_finding()
    struct_size = MemoryLayout<cleanclip_finding>.size
    kind = texts.copy(finding.kind)
    target = texts.copy(finding.target)
    word = texts.copy(finding.word)
    size_meaning = texts.copy(finding.sizeMeaning)
    reference_source = texts.copy(finding.reference.source.rawValue)
    predicted_target = texts.copy(finding.predictedTarget)
    reference_count = Int64(finding.reference.sizes.count)
    p_value = finding.pValue
    size = finding.size
    attack_success_rate = finding.attackSuccessRate ?? -1
    verdict = Int32(cleanclip_verdict(finding.verdict).rawValue)
    has_trigger = finding.trigger == nil ? 0 : 1
  }
}

@c @implementation
public func cleanclip_finding_init(
  _ finding: UnsafeMutablePointer<cleanclip_finding>?, _ struct_size: Int
) {
  initialize(finding, size: struct_size, with: cleanclip_finding())
}

@c @implementation
public func cleanclip_check_finding_count(_ check: OpaquePointer?) -> Int64 {
  Int64(borrowed(check, as: CheckHandle.self)?.findings.count ?? 0)
}

@c @implementation
public func cleanclip_check_finding(
  _ check: OpaquePointer?, _ index: Int64, _ out_finding: UnsafeMutablePointer<cleanclip_finding>?
) -> cleanclip_status {
  guarded("cleanclip_check_finding") { (arguments) throws(CLIPError) in
    let handle = try arguments.handle(check, "check", as: CheckHandle.self)
    let index = try arguments.index(index, count: handle.findings.count, "index")
    try arguments.write(handle.findings[index].value, to: out_finding, "out_finding")
  }
}

@c @implementation
public func cleanclip_check_finding_reference(
  _ check: OpaquePointer?, _ index: Int64, _ out_sizes: UnsafeMutablePointer<Float>?,
  _ out_capacity: Int
) -> cleanclip_status {
  guarded("cleanclip_check_finding_reference") { (arguments) throws(CLIPError) in
    let handle = try arguments.handle(check, "check", as: CheckHandle.self)
    let index = try arguments.index(index, count: handle.findings.count, "index")
    let sizes = handle.findings[index].finding.reference.sizes
    try arguments.write(sizes, to: out_sizes, capacity: out_capacity, "out_sizes", of: "sizes")
  }
}

@c @implementation
public func cleanclip_check_finding_trigger(
  _ check: OpaquePointer?, _ index: Int64, _ out_trigger: UnsafeMutablePointer<OpaquePointer?>?
) -> cleanclip_status {
  out_trigger?.pointee = nil
  return guarded("cleanclip_check_finding_trigger") { (arguments) throws(CLIPError) in
    let handle = try arguments.handle(check, "check", as: CheckHandle.self)
    let index = try arguments.index(index, count: handle.findings.count, "index")
    let out = try arguments.required(out_trigger, "out_trigger")
    guard let trigger = handle.findings[index].finding.trigger else {
      throw arguments.invalid(
        "finding \(index) has no trigger; expected one with has_trigger 1, got 0",
        code: .notFound)
    }
    out.pointee = retained(TriggerHandle(trigger, seed: 0))
  }
}
