internal import Synchronization

/// A value that an operation made, and, after `Tape.backward`, its gradient.
package final class Variable {
  package let value: Tensor
  /// Whether a gradient flows to this value.
  package let requiresGradient: Bool
  /// dLoss/dValue, in the value's element type; set while the tape is unwound.
  package internal(set) var gradient: Tensor?

  /// Wraps an input: pixels, token embeddings or a constant.
  package init(_ value: Tensor, requiresGradient: Bool = false) {
    self.value = value
    self.requiresGradient = requiresGradient
  }

  package var shape: Shape { value.shape }
}

/// A trainable tensor with its checkpoint name.
///
/// The value is single precision and is written only by the optimizer and by loading. Each write
/// must be followed by `valueDidChange()`, which drops copies in other element types and layouts.
package final class Parameter {
  /// The name of the tensor in an OpenCLIP checkpoint.
  package let name: String
  package let value: Tensor
  /// dLoss/dValue, single precision; added to by `Tape.backward`, cleared by the optimizer.
  package var gradient: Tensor?
  /// Whether training changes the value.
  package var isTrainable = true
  /// Copies of the value for computation, by their meaning to the operation that made them; locked,
  /// because threads that encode with one model make them.
  let prepared = Mutex<[String: PreparedWeight]>([:])

  package init(_ name: String, _ value: Tensor) {
    precondition(value.dtype == .f32, "parameters are single precision")
    self.name = name
    self.value = value
  }

  package var shape: Shape { value.shape }

  /// Drops everything derived from the value.
  package func valueDidChange() { prepared.withLock { $0.removeAll(keepingCapacity: true) } }

  /// Returns the gradient to add into, zero at first.
  func accumulatedGradient() throws(CLIPError) -> Tensor {
    if let gradient { return gradient }
    let zero = try Tensor.zeros(value.shape, .f32)
    gradient = zero
    return zero
  }
}

/// A copy of a weight in the element type and layout of the operation that reads it.
struct PreparedWeight {
  let tensor: Tensor
}

/// Records operations and unwinds them for gradients.
///
/// Operations are coarse (a linear layer, an attention, a loss); each saves what its backward pass
/// needs in the closure that it records, and the closure is released as soon as it ran. Operations
/// are methods of the tape, one to a file, forward and backward side by side:
///
/// ```swift
/// let tape = Tape(precision: .bf16, isTraining: true)
/// let hidden = try tape.linear(x, weight: weight, bias: bias)
/// try tape.backward(hidden, gradient: seed)
/// ```
package final class Tape {
  /// Element type of activations: `.f32` or `.bf16`.
  package let precision: DType
  /// Whether batch norm uses, and updates, statistics of the batch.
  package let isTraining: Bool
  /// Whether operations are recorded; `false` for inference.
  package let isRecording: Bool

  typealias Backward = (Tensor) throws(CLIPError) -> Void

  private struct Record {
    let output: Variable
    let backward: Backward
  }

  private var records: [Record] = []

  package init(precision: DType = .f32, isTraining: Bool = false, isRecording: Bool = true) {
    precondition(precision != .i32, "activations are f32 or bf16")
    self.precision = precision
    self.isTraining = isTraining
    self.isRecording = isRecording
  }

  /// Wraps the result of an operation.
  ///
  /// - Parameters:
  ///   - value: what the operation computed.
  ///   - dependsOnGradient: whether any input or parameter of the operation wants a gradient.
  ///   - backward: adds the gradients of inputs and parameters, given the output's.
  func record(
    _ value: Tensor, dependsOnGradient: Bool, backward: @escaping Backward
  ) -> Variable {
    let isRecorded = isRecording && dependsOnGradient
    let output = Variable(value, requiresGradient: isRecorded)
    if isRecorded { records.append(Record(output: output, backward: backward)) }
    return output
  }

  /// Adds `gradient` into the gradient of `variable`, if it wants one.
  func accumulate(_ gradient: Tensor, into variable: Variable) throws(CLIPError) {
    guard variable.requiresGradient else { return }
    if let existing = variable.gradient {
      variable.gradient = try sum(existing, gradient)
    } else {
      variable.gradient = gradient
    }
  }

  /// Unwinds the tape from `output`, whose gradient is `gradient`.
  ///
  /// Parameters collect into `Parameter.gradient`; inputs made with `requiresGradient` keep theirs.
  /// The tape is empty afterwards.
  package func backward(_ output: Variable, gradient: Tensor) throws(CLIPError) {
    try backward([(output, gradient)])
  }

  /// Unwinds the tape from several outputs at once.
  package func backward(_ seeds: [(Variable, Tensor)]) throws(CLIPError) {
    for (output, gradient) in seeds { try accumulate(gradient, into: output) }
    while let record = records.popLast() {
      guard let gradient = record.output.gradient else { continue }
      record.output.gradient = nil
      try record.backward(gradient)
    }
  }
}
