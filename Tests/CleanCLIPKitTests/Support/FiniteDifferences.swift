import CleanCLIPKit
import Testing

/// Returns seeded numbers of the standard normal distribution, times `scale`.
func randomFloats(_ count: Int, seed: UInt64, scale: Float = 1) -> [Float] {
  var random = RandomNumbers(seed: seed)
  return (0..<count).map { _ in scale * random.normal() }
}

func randomTensor(_ shape: Shape, seed: UInt64, scale: Float = 1) throws -> Tensor {
  try Tensor(randomFloats(shape.count, seed: seed, scale: scale), shape)
}

func randomParameter(
  _ name: String, _ shape: Shape, seed: UInt64, scale: Float = 1, around: Float = 0
) throws -> Parameter {
  Parameter(
    name, try Tensor(randomFloats(shape.count, seed: seed, scale: scale).map { $0 + around }, shape)
  )
}

/// An operation with its inputs and parameters, to be differentiated.
struct Differentiable {
  var inputs: [Tensor]
  var parameters: [Parameter] = []
  var isTraining = false
  let compute: (Tape, [Variable]) throws -> Variable

  /// Returns output and gradients: those of the inputs, then those of the parameters, for the loss
  /// Σ output · seed.
  func gradients(
    precision: DType = .f32
  ) throws -> (output: Tensor, inputs: [Tensor], parameters: [Tensor]) {
    for parameter in parameters { parameter.gradient = nil }
    let tape = Tape(precision: precision, isTraining: isTraining)
    let variables = try inputs.map {
      Variable(
        $0.dtype == .f32 && converts ? try $0.converted(to: precision) : $0,
        requiresGradient: true)
    }
    let output = try compute(tape, variables)
    let seed = try Tensor(seedValues(output.value.count), output.shape)
    try tape.backward(output, gradient: seed.converted(to: output.value.dtype))
    return (
      output.value, try variables.map { try #require($0.gradient) },
      try parameters.map { try #require($0.gradient) }
    )
  }

  /// Whether inputs are brought into the tape's precision; `false` for pixels, which are f32.
  var converts = true

  private func seedValues(_ count: Int) -> [Float] { randomFloats(count, seed: 977) }

  /// Σ output · seed, summed in double precision.
  private func loss() throws -> Double {
    let tape = Tape(precision: .f32, isTraining: isTraining, isRecording: false)
    let output = try compute(tape, inputs.map { Variable($0) })
    let seed = seedValues(output.value.count)
    return zip(output.value.floats(), seed).reduce(0) { $0 + Double($1.0) * Double($1.1) }
  }

  /// Expects every gradient to match central differences of the loss.
  ///
  /// The step balances truncation (h²) against the rounding of single-precision outputs (ε / h);
  /// the tolerance is a few times what remains for sums of this size.
  func expectGradientsMatchFiniteDifferences(
    step: Float = 1e-2, tolerance: Float = 2e-2, most: Int = 60,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let analytic = try gradients()
    let tensors = inputs + parameters.map(\.value)
    for (index, tensor) in tensors.enumerated() {
      let gradient = (analytic.inputs + analytic.parameters)[index].floats()
      let scale = max(1e-2, gradient.map { abs($0) }.max() ?? 0)
      var numeric: [Float] = []
      var checked: [Float] = []
      // An odd stride visits all columns of the small shapes in use.
      var stride = max(1, tensor.count / most)
      if stride % 2 == 0 { stride += 1 }
      for element in Swift.stride(from: 0, to: tensor.count, by: stride) {
        let original = tensor.floats()[element]
        func lossAt(_ value: Float) throws -> Double {
          tensor.set(element, value)
          for parameter in parameters { parameter.valueDidChange() }
          return try loss()
        }
        let above = original + step
        let below = original - step
        let difference = try lossAt(above) - lossAt(below)
        tensor.set(element, original)
        for parameter in parameters { parameter.valueDidChange() }
        numeric.append(Float(difference / Double(above - below)))
        checked.append(gradient[element])
      }
      let name =
        index < inputs.count ? "input \(index)" : parameters[index - inputs.count].name
      expectClose(
        checked, numeric, rtol: tolerance, atol: tolerance * scale, "gradient of \(name)",
        sourceLocation: sourceLocation)
    }
  }

  /// Expects bf16 outputs and gradients to be those of f32 within a fraction of their largest element.
  ///
  /// bf16 has 8 bits of precision: single roundings are within 2⁻⁹ = 0.002 of a value, and errors of
  /// intermediate results add up to several times that.
  func expectHalfPrecisionAgrees(
    tolerance: Float = 3e-2, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let full = try gradients()
    let fullGradients = try (full.inputs + full.parameters).map { try $0.copy() }
    let half = try gradients(precision: .bf16)
    let pairs = zip([half.output] + half.inputs + half.parameters, [full.output] + fullGradients)
    for (index, (actual, expected)) in pairs.enumerated() {
      let largest = expected.floats().map { abs($0) }.max() ?? 0
      expectClose(
        actual.floats(), expected.floats(), rtol: tolerance, atol: tolerance * max(largest, 1e-3),
        "bf16 result \(index)", sourceLocation: sourceLocation)
    }
  }

  /// Expects the same bits from two runs.
  func expectRepeats(
    precision: DType, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let first = try gradients(precision: precision)
    let kept = try ([first.output] + first.inputs + first.parameters).map { try $0.copy().floats() }
    let second = try gradients(precision: precision)
    let again = ([second.output] + second.inputs + second.parameters).map { $0.floats() }
    #expect(
      kept.map { $0.map(\.bitPattern) } == again.map { $0.map(\.bitPattern) },
      sourceLocation: sourceLocation)
  }
}

/// Expects the gradient of a loss by each element of a tensor to match central differences.
///
/// - Parameters:
///   - tolerance: above the rounding of the loss over two steps.
///   - loss: of the tensor as it is.
func expectGradient(
  _ gradient: Tensor, by tensor: Tensor, step: Float = 1e-3, within tolerance: Double,
  sourceLocation: SourceLocation = #_sourceLocation, loss: () throws -> Double
) throws {
  for index in 0..<tensor.count {
    let original = tensor.f32[index]
    tensor.f32[index] = original + step
    let above = try loss()
    tensor.f32[index] = original - step
    let below = try loss()
    tensor.f32[index] = original
    let difference = (above - below) / Double(2 * step)
    #expect(
      abs(difference - Double(gradient.f32[index])) < tolerance, sourceLocation: sourceLocation)
  }
}

extension Tensor {
  /// Overwrites one element.
  fileprivate func set(_ index: Int, _ value: Float) {
    withMutableFloats { $0[index] = value }
  }
}

/// Makes a single-precision tensor of literals, which `Tensor.init` could also take for indices.
func tensor(_ values: [Float], _ shape: Shape) throws -> Tensor { try Tensor(values, shape) }
