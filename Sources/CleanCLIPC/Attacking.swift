public import CCleanCLIP
internal import CleanCLIPKit
internal import Glibc

/// What a `cleanclip_trigger` points to.
final class TriggerHandle {
  let trigger: Trigger
  /// Draws positions and noise.
  let seed: UInt64

  init(_ trigger: Trigger, seed: UInt64) {
    self.trigger = trigger
    self.seed = seed
  }
}

@c @implementation
public func cleanclip_trigger_options_init(
  _ options: UnsafeMutablePointer<cleanclip_trigger_options>?, _ struct_size: Int
) {
  initialize(options, size: struct_size, with: cleanclip_trigger_options())
}

@c @implementation
public func cleanclip_trigger_load(
  _ name: UnsafePointer<CChar>?, _ options: UnsafePointer<cleanclip_trigger_options>?,
  _ out_trigger: UnsafeMutablePointer<OpaquePointer?>?
) -> cleanclip_status {
  out_trigger?.pointee = nil
  return guarded("cleanclip_trigger_load") { (arguments) throws(CLIPError) in
    let name = try arguments.path(name, "name")
    let given = try arguments.options(options, defaults: cleanclip_trigger_options(), "options")
    let out = try arguments.required(out_trigger, "out_trigger")
    var options = TriggerOptions()
    if let text = try arguments.optionalString(given.position, "options->position") {
      options.position = try TriggerPosition(parsing: text)
    }
    options.variation = try arguments.flag(given.fixed, "options->fixed") ? .fixed : .fresh
    options.patchSize = arguments.optional(Int64(given.patch_size))
    if given.strength != 0 { options.strength = given.strength }
    options.seed = given.seed
    out.pointee = retained(TriggerHandle(try Trigger.load(name, options), seed: given.seed))
  }
}

@c @implementation
public func cleanclip_trigger_names(
  _ out_text: UnsafeMutablePointer<CChar>?, _ out_capacity: Int,
  _ out_length: UnsafeMutablePointer<Int>?
) -> cleanclip_status {
  guarded("cleanclip_trigger_names") { (arguments) throws(CLIPError) in
    try arguments.write(
      NamedTrigger.all.map(\.name).joined(separator: "\n"), to: out_text, capacity: out_capacity,
      length: out_length)
  }
}

@c @implementation
public func cleanclip_trigger_save(
  _ trigger: OpaquePointer?, _ path: UnsafePointer<CChar>?
) -> cleanclip_status {
  guarded("cleanclip_trigger_save") { (arguments) throws(CLIPError) in
    let handle = try arguments.handle(trigger, "trigger", as: TriggerHandle.self)
    try handle.trigger.save(to: try arguments.path(path, "path"))
  }
}

@c @implementation
public func cleanclip_trigger_free(_ trigger: OpaquePointer?) {
  release(trigger, as: TriggerHandle.self)
}

@c @implementation
public func cleanclip_trigger_apply(
  _ trigger: OpaquePointer?, _ pixels: UnsafeMutablePointer<UInt8>?, _ count: Int64,
  _ first_index: Int64, _ height: Int64, _ width: Int64
) -> cleanclip_status {
  guarded("cleanclip_trigger_apply") { (arguments) throws(CLIPError) in
    let handle = try arguments.handle(trigger, "trigger", as: TriggerHandle.self)
    let pixels = try arguments.required(pixels, "pixels")
    let count = try arguments.number(count, in: 0...0x7fff_ffff, "count")
    let first = try arguments.number(first_index, in: 0...0x7fff_ffff_ffff, "first_index")
    let height = try arguments.number(height, in: 1...65_535, "height")
    let width = try arguments.number(width, in: 1...65_535, "width")
    _ = try arguments.elements(count, height, width, 3, of: "pixels")
    let size = height * width * 3
    for index in 0..<count {
      let target = pixels + index * size
      let image = RGBImage(
        width: width, height: height,
        pixels: Array(UnsafeBufferPointer(start: target, count: size)))
      let triggered = try handle.trigger.applied(to: image, seed: handle.seed, index: first + index)
      triggered.pixels.withUnsafeBufferPointer { source in
        if let base = source.baseAddress { target.update(from: base, count: size) }
      }
    }
  }
}

@c @implementation
public func cleanclip_poison_options_init(
  _ options: UnsafeMutablePointer<cleanclip_poison_options>?, _ struct_size: Int
) {
  initialize(options, size: struct_size, with: poisonDefaults)
}

@c @implementation
public func cleanclip_dataset_poison(
  _ dataset: OpaquePointer?, _ trigger: OpaquePointer?,
  _ options: UnsafePointer<cleanclip_poison_options>?, _ output_path: UnsafePointer<CChar>?,
  _ truth_path: UnsafePointer<CChar>?, _ callback: cleanclip_count_callback?,
  _ user_data: UnsafeMutableRawPointer?, _ out_poisoned: UnsafeMutablePointer<Int64>?
) -> cleanclip_status {
  out_poisoned?.pointee = 0
  return guarded("cleanclip_dataset_poison") { (arguments) throws(CLIPError) in
    let dataset = try arguments.handle(dataset, "dataset", as: PairDataset.self)
    let trigger = try arguments.handle(trigger, "trigger", as: TriggerHandle.self)
    let given = try arguments.options(
      try arguments.required(options, "options"), defaults: poisonDefaults, "options")
    let output = try arguments.path(output_path, "output_path")
    let truth = try arguments.optionalString(truth_path, "truth_path")
    let options = try poisonOptions(given, arguments)
    let set = try PoisonedSet(dataset, trigger: trigger.trigger, options: options)
    let total = Int64(given.pair_count == 0 ? Int64(dataset.count) : given.pair_count)
    let summary = try set.write(to: output, truthPath: truth) { done in
      callback.map { $0(Int64(done), total, user_data) == 0 } ?? true
    }
    out_poisoned?.pointee = Int64(summary.poisoned)
  }
}

private var poisonDefaults: cleanclip_poison_options {
  let defaults = PoisonOptions(target: "")
  var options = cleanclip_poison_options()
  options.rate = defaults.rate
  options.image_size = Int64(defaults.imageSize)
  options.seed = defaults.seed
  options.uniform = defaults.isUniform ? 1 : 0
  return options
}

private func poisonOptions(
  _ given: cleanclip_poison_options, _ arguments: Arguments
) throws(CLIPError) -> PoisonOptions {
  var options = PoisonOptions(target: try arguments.string(given.target, "options->target"))
  if given.templates != nil || given.template_count != 0 {
    options.templates = try PromptTemplate.list(
      try arguments.strings(given.templates, count: given.template_count, "options->templates"))
  }
  options.imageSize = Int(given.image_size)
  options.preprocessing = try arguments.optionalString(
    given.preprocessing, "options->preprocessing")
  options.count = arguments.optional(given.count)
  options.pairs = arguments.optional(given.pair_count)
  options.rate = given.rate
  options.seed = given.seed
  options.isUniform = try arguments.flag(given.uniform, "options->uniform")
  return options
}
