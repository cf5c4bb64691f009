public import CCleanCLIP
internal import CleanCLIPKit

/// What a `cleanclip_bank` points to.
final class BankHandle: Sendable {
  private struct Contents {
    var bank: CleanBank
    // Measuring the bank against itself costs more than judging an image, and does not change.
    var latest: (rate: Double, check: InputCheck)?
  }

  private let contents: Locked<Contents>

  init(_ bank: CleanBank) { contents = Locked(Contents(bank: bank)) }

  var bank: CleanBank { contents.withLock { $0.bank } }

  /// Replaces the bank by what becomes of it.
  func change(_ body: (inout CleanBank) throws(CLIPError) -> Void) throws(CLIPError) {
    var changed = bank
    try body(&changed)
    contents.withLock { $0 = Contents(bank: changed) }
  }

  /// Says whose features these are; see `CleanBank.take`.
  func take(_ model: CLIPModel) throws(CLIPError) {
    var changed = bank
    try changed.take(model)
    // What was measured of the features stays.
    contents.withLock { $0.bank = changed }
  }

  /// The check with this false-alarm rate.
  func check(falseAlarmRate: Double) throws(CLIPError) -> InputCheck {
    let current = contents.withLock { $0 }
    if let latest = current.latest, latest.rate == falseAlarmRate { return latest.check }
    let check = try InputCheck(bank: current.bank, falseAlarmRate: falseAlarmRate)
    contents.withLock { $0.latest = (falseAlarmRate, check) }
    return check
  }
}

/// Copies features; of none, the pointer may be NULL.
func copied(
  _ pointer: UnsafePointer<Float>?, count: Int64, embedDim: Int64, _ name: StaticString,
  _ arguments: Arguments
) throws(CLIPError) -> Tensor {
  let rows = try arguments.number(count, in: 0...0x7fff_ffff, "count")
  let columns = try arguments.number(embedDim, in: 1...65_536, name)
  let elements = try arguments.elements(rows, columns, of: "features")
  let tensor = try Tensor([rows, columns])
  guard rows > 0 else { return tensor }
  let pointer = try arguments.required(pointer, "features")
  tensor.f32.update(from: pointer, count: elements)
  return tensor
}

@c @implementation
public func cleanclip_bank_create(
  _ image_features: UnsafePointer<Float>?, _ count: Int64, _ embed_dim: Int64,
  _ out_bank: UnsafeMutablePointer<OpaquePointer?>?
) -> cleanclip_status {
  out_bank?.pointee = nil
  return guarded("cleanclip_bank_create") { (arguments) throws(CLIPError) in
    let out = try arguments.required(out_bank, "out_bank")
    let features = try copied(
      image_features, count: count, embedDim: embed_dim, "embed_dim", arguments)
    out.pointee = retained(BankHandle(try CleanBank(imageFeatures: features, texts: nil)))
  }
}

@c @implementation
public func cleanclip_bank_load(
  _ path: UnsafePointer<CChar>?, _ out_bank: UnsafeMutablePointer<OpaquePointer?>?
) -> cleanclip_status {
  out_bank?.pointee = nil
  return guarded("cleanclip_bank_load") { (arguments) throws(CLIPError) in
    let path = try arguments.path(path, "path")
    let out = try arguments.required(out_bank, "out_bank")
    out.pointee = retained(BankHandle(try CleanBank.load(path)))
  }
}

@c @implementation
public func cleanclip_bank_save(
  _ bank: OpaquePointer?, _ path: UnsafePointer<CChar>?
) -> cleanclip_status {
  guarded("cleanclip_bank_save") { (arguments) throws(CLIPError) in
    let handle = try arguments.handle(bank, "bank", as: BankHandle.self)
    try handle.bank.save(to: try arguments.path(path, "path"))
  }
}

@c @implementation
public func cleanclip_bank_free(_ bank: OpaquePointer?) { release(bank, as: BankHandle.self) }

@c @implementation
public func cleanclip_check_inputs(
  _ bank: OpaquePointer?, _ image_features: UnsafePointer<Float>?, _ count: Int64,
  _ embed_dim: Int64, _ false_alarm_rate: Double, _ out_scores: UnsafeMutablePointer<Float>?,
  _ out_flags: UnsafeMutablePointer<Int32>?
) -> cleanclip_status {
  guarded("cleanclip_check_inputs") { (arguments) throws(CLIPError) in
    let handle = try arguments.handle(bank, "bank", as: BankHandle.self)
    let features = try copied(
      image_features, count: count, embedDim: embed_dim, "embed_dim", arguments)
    let check = try handle.check(falseAlarmRate: false_alarm_rate)
    for (index, finding) in try check.findings(features).enumerated() {
      if let out_scores { out_scores[index] = finding.score }
      if let out_flags { out_flags[index] = finding.isFlagged ? 1 : 0 }
    }
  }
}

@c @implementation
public func cleanclip_check_input_set(
  _ bank: OpaquePointer?, _ image_features: UnsafePointer<Float>?, _ count: Int64,
  _ embed_dim: Int64, _ false_alarm_rate: Double, _ out_check: UnsafeMutablePointer<OpaquePointer?>?
) -> cleanclip_status {
  out_check?.pointee = nil
  return guarded("cleanclip_check_input_set") { (arguments) throws(CLIPError) in
    let handle = try arguments.handle(bank, "bank", as: BankHandle.self)
    let out = try arguments.required(out_check, "out_check")
    let features = try copied(
      image_features, count: count, embedDim: embed_dim, "embed_dim", arguments)
    let check = try handle.check(falseAlarmRate: false_alarm_rate)
    out.pointee = retained(CheckHandle(try InputReport(features, by: check)))
  }
}

@c @implementation
public func cleanclip_bank_add_classes(
  _ bank: OpaquePointer?, _ model: OpaquePointer?, _ tokenizer: OpaquePointer?,
  _ classes: UnsafePointer<UnsafePointer<CChar>?>?, _ class_count: Int64,
  _ templates: UnsafePointer<UnsafePointer<CChar>?>?, _ template_count: Int64
) -> cleanclip_status {
  guarded("cleanclip_bank_add_classes") { (arguments) throws(CLIPError) in
    let handle = try arguments.handle(bank, "bank", as: BankHandle.self)
    let model = try arguments.handle(model, "model", as: ModelHandle.self).model
    let tokenizer = try arguments.handle(tokenizer, "tokenizer", as: Tokenizer.self)
    let prompts = try arguments.templates(templates, count: template_count, "templates")
    let classes = try arguments.strings(classes, count: class_count, "classes")
    try handle.change { (bank) throws(CLIPError) in
      try bank.take(model)
      try bank.setTexts(
        try CleanBank.ClassTexts(
          classes: classes, templates: prompts, model: model, tokenizer: tokenizer,
          precision: .f32))
    }
  }
}

@c @implementation
public func cleanclip_bank_set_model(
  _ bank: OpaquePointer?, _ model: OpaquePointer?
) -> cleanclip_status {
  guarded("cleanclip_bank_set_model") { (arguments) throws(CLIPError) in
    let handle = try arguments.handle(bank, "bank", as: BankHandle.self)
    try handle.take(try arguments.handle(model, "model", as: ModelHandle.self).model)
  }
}

@c @implementation
public func cleanclip_bank_extend(
  _ bank: OpaquePointer?, _ image_features: UnsafePointer<Float>?, _ count: Int64,
  _ embed_dim: Int64, _ out_added: UnsafeMutablePointer<Int64>?
) -> cleanclip_status {
  guarded("cleanclip_bank_extend") { (arguments) throws(CLIPError) in
    let handle = try arguments.handle(bank, "bank", as: BankHandle.self)
    let features = try copied(
      image_features, count: count, embedDim: embed_dim, "embed_dim", arguments)
    try handle.change { (bank) throws(CLIPError) in
      let before = bank.imageFeatures.shape[0]
      bank = try bank.extended(by: features)
      out_added?.pointee = Int64(bank.imageFeatures.shape[0] - before)
    }
  }
}
