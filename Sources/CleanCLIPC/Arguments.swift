internal import CCleanCLIP
internal import CleanCLIPKit
internal import Glibc

/// Checks of what a caller passes; each throws `invalidArgument` naming function and argument.
struct Arguments {
  let function: StaticString

  /// Makes the error of an argument.
  func invalid(_ text: String, code: CLIPError.Code = .invalidArgument) -> CLIPError {
    CLIPError(code, "\(function): \(text)")
  }

  /// Returns a pointer that must not be NULL.
  func required<Pointer>(_ pointer: Pointer?, _ name: StaticString) throws(CLIPError) -> Pointer {
    guard let pointer else {
      throw invalid("\(name) is NULL; expected a valid pointer, got NULL")
    }
    return pointer
  }

  /// Returns a text that must not be NULL.
  func string(
    _ pointer: UnsafePointer<CChar>?, _ name: StaticString
  ) throws(CLIPError) -> String {
    let pointer = try required(pointer, name)
    guard let text = String(validatingCString: pointer) else {
      throw invalid("\(name) is not text; expected UTF-8, got other bytes")
    }
    return text
  }

  /// Returns a path, which must be neither NULL nor empty.
  func path(_ pointer: UnsafePointer<CChar>?, _ name: StaticString) throws(CLIPError) -> String {
    let path = try string(pointer, name)
    guard !path.isEmpty else {
      throw invalid("\(name) is empty; expected a path, got ''")
    }
    return path
  }

  /// Returns a text that may be NULL.
  func optionalString(
    _ pointer: UnsafePointer<CChar>?, _ name: StaticString
  ) throws(CLIPError) -> String? {
    guard pointer != nil else { return nil }
    return try string(pointer, name)
  }

  /// Returns an array of texts, none of which may be NULL.
  func strings(
    _ pointer: UnsafePointer<UnsafePointer<CChar>?>?, count: Int64, _ name: StaticString
  ) throws(CLIPError) -> [String] {
    let pointer = try required(pointer, name)
    var texts: [String] = []
    for index in 0..<(try number(count, in: 0...0x7fff_ffff, "count")) {
      guard let element = pointer[index] else {
        throw invalid("\(name)[\(index)] is NULL; expected a text, got NULL")
      }
      guard let text = String(validatingCString: element) else {
        throw invalid("\(name)[\(index)] is not text; expected UTF-8, got other bytes")
      }
      texts.append(text)
    }
    return texts
  }

  /// Returns an array of texts, of which there may be none.
  func optionalStrings(
    _ pointer: UnsafePointer<UnsafePointer<CChar>?>?, count: Int64, _ name: StaticString
  ) throws(CLIPError) -> [String] {
    count == 0 ? [] : try strings(pointer, count: count, name)
  }

  /// Returns prompt templates, of which there may be none.
  func templates(
    _ pointer: UnsafePointer<UnsafePointer<CChar>?>?, count: Int64, _ name: StaticString
  ) throws(CLIPError) -> [PromptTemplate] {
    try PromptTemplate.list(try optionalStrings(pointer, count: count, name))
  }

  /// Refuses a list beside the file that has it.
  func refuse(
    _ count: Int64, _ list: StaticString, beside path: StaticString
  ) throws(CLIPError) {
    guard count == 0 else {
      throw invalid(
        "\(list) and \(path) are both given; expected one of them, got \(count) and a path")
    }
  }

  /// Returns a number inside a range.
  func number(
    _ value: Int64, in range: ClosedRange<Int64>, _ name: StaticString
  ) throws(CLIPError) -> Int {
    guard range.contains(value) else {
      throw invalid(
        "\(name) is out of range; expected \(range.lowerBound) to \(range.upperBound), got \(value)"
      )
    }
    return Int(value)
  }

  /// Returns whether a flag is set.
  func flag(_ value: Int32, _ name: StaticString) throws(CLIPError) -> Bool {
    try number(Int64(value), in: 0...1, name) == 1
  }

  /// Returns a number that 0 stands for none of.
  func optional(_ value: Int64) -> Int? { value == 0 ? nil : Int(value) }

  /// Returns an index below a count.
  func index(_ value: Int64, count: Int, _ name: StaticString) throws(CLIPError) -> Int {
    guard count > 0 else {
      throw invalid("\(name) is out of range; expected none, because there are none, got \(value)")
    }
    guard value >= 0, value < count else {
      throw invalid("\(name) is out of range; expected 0 to \(count - 1), got \(value)")
    }
    return Int(value)
  }

  /// Returns the product of dimensions, each from 0.
  ///
  /// - Throws: also when the array could not exist in this process.
  func elements(_ factors: Int..., of name: StaticString) throws(CLIPError) -> Int {
    var product = 1
    for factor in factors {
      let (next, overflow) = product.multipliedReportingOverflow(by: factor)
      guard !overflow, next <= 1 << 46 else {
        throw invalid("\(name) is too large; expected at most 2^46 elements, got \(factors)")
      }
      product = next
    }
    return product
  }

  /// Checks the room of an output array, in elements.
  ///
  /// - Parameter reason: how the needed number comes about, such as `3 images x embed_dim 512`.
  func capacity(
    _ capacity: Int, atLeast needed: Int, _ reason: @autoclosure () -> String
  ) throws(CLIPError) {
    // size_t arrives as Int: beyond its half it is negative, and as large as can be.
    guard UInt(bitPattern: capacity) >= UInt(needed) else {
      throw invalid(
        "out_capacity is too small; expected at least \(needed) (\(reason())), got \(capacity)")
    }
  }

  /// Writes numbers to an output array of `capacity` elements.
  ///
  /// - Parameter what: the numbers are of, in the plural, for errors.
  func write(
    _ values: [Float], to pointer: UnsafeMutablePointer<Float>?, capacity: Int,
    _ name: StaticString, of what: StaticString
  ) throws(CLIPError) {
    let out = try required(pointer, name)
    try self.capacity(capacity, atLeast: values.count, "\(values.count) \(what)")
    for (index, value) in values.enumerated() { out[index] = value }
  }

  /// Returns the class behind a handle that must not be NULL.
  func handle<Target: AnyObject>(
    _ pointer: OpaquePointer?, _ name: StaticString, as type: Target.Type = Target.self
  ) throws(CLIPError) -> Target {
    Unmanaged<Target>.fromOpaque(UnsafeRawPointer(try required(pointer, name)))
      .takeUnretainedValue()
  }

  /// Returns the classes behind handles, none of which may be NULL.
  func handles<Target: AnyObject>(
    _ pointer: UnsafePointer<OpaquePointer?>?, _ name: StaticString, count: Int64,
    _ countName: StaticString, as type: Target.Type = Target.self
  ) throws(CLIPError) -> [Target] {
    try (0..<(try number(count, in: 0...1000, countName))).map { (index) throws(CLIPError) in
      guard let element = try required(pointer, name)[index] else {
        throw invalid("\(name)[\(index)] is NULL; expected a handle, got NULL")
      }
      return try handle(element, name, as: type)
    }
  }

  /// Copies a struct whose first member is its `struct_size` over its defaults.
  ///
  /// - Parameter pointer: NULL gives the defaults.
  func options<Options>(
    _ pointer: UnsafePointer<Options>?, defaults: Options, _ name: StaticString
  ) throws(CLIPError) -> Options {
    guard let pointer else { return defaults }
    let size = try structSize(UnsafeRawPointer(pointer), name)
    var options = defaults
    withUnsafeMutableBytes(of: &options) { target in
      if let base = target.baseAddress { memcpy(base, pointer, min(size, target.count)) }
    }
    return options
  }

  /// Copies a struct into one that the caller prepared, as far as it reaches.
  func write<Value>(
    _ value: Value, to pointer: UnsafeMutablePointer<Value>?, _ name: StaticString
  ) throws(CLIPError) {
    let pointer = try required(pointer, name)
    let size = try structSize(UnsafeRawPointer(pointer), name)
    store(value, at: UnsafeMutableRawPointer(pointer), size: size)
  }

  private func structSize(
    _ pointer: UnsafeRawPointer, _ name: StaticString
  ) throws(CLIPError) -> Int {
    let size = pointer.loadUnaligned(as: Int.self)
    // A size of a later version is larger than this library's; stack garbage is larger still. All
    // versions have whole words: another size would cut a pointer in two.
    let word = MemoryLayout<Int>.size
    guard size >= word, size <= 65_536, size % word == 0 else {
      throw invalid(
        "\(name)->struct_size is not a size; expected what its init function writes, got \(size)")
    }
    return size
  }

  /// Writes a text with its NUL, or only its length when `text` is NULL and `capacity` 0.
  func write(
    _ value: String, to text: UnsafeMutablePointer<CChar>?, capacity: Int,
    length: UnsafeMutablePointer<Int>?
  ) throws(CLIPError) {
    let count = value.utf8.count
    length?.pointee = count
    guard let text else {
      guard capacity == 0 else {
        throw invalid("out_text is NULL; expected room for \(capacity) bytes, got NULL")
      }
      _ = try required(length, "out_length")
      return
    }
    try self.capacity(capacity, atLeast: count + 1, "the text and its NUL")
    var value = value
    value.withUTF8 { bytes in
      if let base = bytes.baseAddress { memcpy(text, base, count) }
    }
    text[count] = 0
  }
}

/// Writes a struct over the first `size` bytes of memory and its `struct_size` as `size`; what is
/// beyond the struct becomes 0.
func store<Value>(_ value: Value, at pointer: UnsafeMutableRawPointer, size: Int) {
  withUnsafeBytes(of: value) { source in
    if let base = source.baseAddress { memcpy(pointer, base, min(size, source.count)) }
    if size > source.count { memset(pointer + source.count, 0, size - source.count) }
  }
  if size >= MemoryLayout<Int>.size { pointer.storeBytes(of: size, as: Int.self) }
}

/// Writes the defaults of a struct for its init function.
func initialize<Value>(
  _ pointer: UnsafeMutablePointer<Value>?, size: Int, with defaults: Value
) {
  guard let pointer, size > 0 else { return }
  store(defaults, at: UnsafeMutableRawPointer(pointer), size: size)
}

/// Returns a handle that keeps an object until `release`.
func retained(_ object: some AnyObject) -> OpaquePointer {
  OpaquePointer(Unmanaged.passRetained(object).toOpaque())
}

/// Gives a handle's object up; NULL does nothing.
func release<Target: AnyObject>(_ pointer: OpaquePointer?, as type: Target.Type) {
  guard let pointer else { return }
  Unmanaged<Target>.fromOpaque(UnsafeRawPointer(pointer)).release()
}

/// Returns the object behind a handle that may be NULL.
func borrowed<Target: AnyObject>(_ pointer: OpaquePointer?, as type: Target.Type) -> Target? {
  guard let pointer else { return nil }
  return Unmanaged<Target>.fromOpaque(UnsafeRawPointer(pointer)).takeUnretainedValue()
}
