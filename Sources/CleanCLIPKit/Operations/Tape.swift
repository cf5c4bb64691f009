/// A value that an operation made, and, after `Tape.backward`, its gradient.
package struct Variable {
  package let value: Tensor
  /// Where the gradient goes. Backward passes keep this, and the value only where they read it.
  let slot: GradientSlot
  /// Computes the value again from what its operation keeps for the backward pass anyway; `nil`
  /// where that would take long.
  let recompute: (() throws(CLIPError) -> Tensor)?

  /// Wraps an input: pixels or a constant.
  package init(_ value: Tensor, requiresGradient: Bool = false) {
    self.init(value, requiresGradient: requiresGradient, recompute: nil)
  }

  init(
    _ value: Tensor, requiresGradient: Bool, recompute: (() throws(CLIPError) -> Tensor)?
  ) {
    self.value = value
    self.recompute = recompute
    slot = GradientSlot(shape: value.shape, requiresGradient: requiresGradient)
  }

  package var shape: Shape { value.shape }
  /// Whether a gradient flows to this value.
  package var requiresGradient: Bool { slot.requiresGradient }
  /// dLoss/dValue, in the value's element type; set while the tape is unwound.
  package var gradient: Tensor? { slot.gradient }

  /// Returns how a backward pass gets at the value later: it is kept, or computed again where that is
  /// cheaper than the memory.
  func reader() -> () throws(CLIPError) -> Tensor {
    if let recompute { return recompute }
    return { [value] () throws(CLIPError) in value }
  }
}

/// The gradient of a variable.
final class GradientSlot {
  let shape: Shape
  let requiresGradient: Bool
  var gradient: Tensor?

  init(shape: Shape, requiresGradient: Bool) {
    self.shape = shape
    self.requiresGradient = requiresGradient
  }
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
  /// Whether the gradient of the step was handed on to be summed over the ranks, so that nothing may be added.
  var isSummed = false
  /// Copies of the value for computation, by their meaning to the operation that made them; locked,
  /// because threads that encode with one model make them.
  let prepared = Locked<[String: PreparedWeight]>([:])

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
    try checkOpen()
    if let gradient { return gradient }
    let zero = try Tensor.zeros(value.shape, .f32)
    gradient = zero
    return zero
  }

  /// Where to put dLoss/dParameter: the memory, and whether it holds a sum to add to.
  func gradientTarget() throws(CLIPError) -> (tensor: Tensor, accumulates: Bool) {
    try checkOpen()
    if let gradient { return (gradient, true) }
    let fresh = try Tensor(value.shape, .f32)
    gradient = fresh
    return (fresh, false)
  }

  private func checkOpen() throws(CLIPError) {
    guard isSummed else { return }
    throw CLIPError(
      .internal,
      "gradient of '\(name)': is summed already; expected no more to add, got a second pass")
  }
}

/// A copy of a weight in the element type and layout of the operation that reads it.
struct PreparedWeight {
  let tensor: Tensor
  /// The factors of its rows, which are no part of the weight's value.
  let scale: Tensor?

  /// Whether the rows were multiplied by just these factors.
  func isScaled(by other: Tensor?) -> Bool {
    guard let scale, let other else { return scale == nil && other == nil }
    return scale.hasSameBits(as: other)
  }
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
  /// Whether copies of trained weights in a product's own layout outlive their use, for another pass
  /// with the same values.
  package let keepsPackedWeights: Bool
  /// The ranks whose parts of a batch make the statistics of a training pass together.
  let statisticsCommunicator: Communicator

  typealias Backward = (Tensor) throws(CLIPError) -> Void

  private struct Record {
    let output: GradientSlot
    /// The trained parameters whose gradients it adds to.
    let parameters: [Parameter]
    let backward: Backward
  }

  private var records: [Record] = []
  /// Called for each parameter once the backward pass has added all to its gradient; `nil` where nobody
  /// waits for it.
  private let didComplete: ((Parameter) throws(CLIPError) -> Void)?

  package init(
    precision: DType = .f32, isTraining: Bool = false, isRecording: Bool = true,
    keepsPackedWeights: Bool = true, statisticsCommunicator: Communicator = .single,
    didComplete: ((Parameter) throws(CLIPError) -> Void)? = nil
  ) {
    precondition(precision != .i32, "activations are f32 or bf16")
    self.precision = precision
    self.isTraining = isTraining
    self.isRecording = isRecording
    self.keepsPackedWeights = keepsPackedWeights
    self.statisticsCommunicator = statisticsCommunicator
    self.didComplete = didComplete
  }

  /// Whether a packed copy of this weight will be asked for again.
  func keepsPacked(_ weight: Parameter) -> Bool { keepsPackedWeights || !weight.isTrainable }

  /// Wraps the result of an operation.
  ///
  /// - Parameters:
  ///   - value: what the operation computed.
  ///   - dependsOnGradient: whether any input or parameter of the operation wants a gradient.
  ///   - parameters: those of the operation.
  ///   - recompute: computes the value again from what the backward pass keeps, if that is cheap.
  ///   - backward: adds the gradients of inputs and parameters, given the output's.
  func record(
    _ value: Tensor, dependsOnGradient: Bool, of parameters: [Parameter] = [],
    recompute: (() throws(CLIPError) -> Tensor)? = nil, backward: @escaping Backward
  ) -> Variable {
    let isRecorded = isRecording && dependsOnGradient
    let output = Variable(
      value, requiresGradient: isRecorded, recompute: isRecording ? recompute : nil)
    if isRecorded {
      records.append(
        Record(
          output: output.slot, parameters: parameters.filter(\.isTrainable), backward: backward))
    }
    return output
  }

  /// Adds `gradient` into the gradient of `variable`, if it wants one.
  func accumulate(_ gradient: Tensor, into slot: GradientSlot) throws(CLIPError) {
    guard slot.requiresGradient else { return }
    if let existing = slot.gradient {
      slot.gradient = try sum(existing, gradient)
    } else {
      slot.gradient = gradient
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
    for (output, gradient) in seeds { try accumulate(gradient, into: output.slot) }
    var uses: [ObjectIdentifier: Int] = [:]
    if didComplete != nil {
      for parameter in records.flatMap(\.parameters) {
        uses[ObjectIdentifier(parameter), default: 0] += 1
      }
    }
    while let record = records.popLast() {
      if let gradient = record.output.gradient {
        record.output.gradient = nil
        try record.backward(gradient)
      }
      guard let didComplete else { continue }
      for parameter in record.parameters {
        uses[ObjectIdentifier(parameter), default: 0] -= 1
        if uses[ObjectIdentifier(parameter)] == 0 { try didComplete(parameter) }
      }
    }
  }
}
