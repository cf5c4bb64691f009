internal import Glibc

/// The tensors of one model under their checkpoint names, as its layers are built.
struct ParameterTable {
  /// In state-dict order.
  private(set) var parameters: [Parameter] = []
  private var parameterIndex: [String: Int] = [:]
  private var statistics: [String: Tensor] = [:]

  /// Takes the tensors of a checkpoint.
  ///
  /// - Parameter copies: whether the caller keeps its tensors; else the table owns them.
  /// - Throws: `format` with every missing, unexpected and mismatched name at once, or naming the
  ///   tensors with NaN or infinite values unless those are allowed.
  init(
    _ specifications: [TensorSpecification], tensors: [String: Tensor], allowsNonFinite: Bool,
    copies: Bool = true
  ) throws(CLIPError) {
    try Self.check(specifications, against: tensors, allowsNonFinite: allowsNonFinite)
    for specification in specifications {
      guard let tensor = tensors[specification.name] else { continue }
      // Training must not write into the caller's memory.
      let value =
        tensor.dtype != .f32
        ? try Tensor(tensor.floats(), specification.shape) : copies ? try tensor.copy() : tensor
      add(specification, value)
    }
  }

  /// Draws initial values; each tensor has a stream of its own.
  init(_ specifications: [TensorSpecification], seed: UInt64) throws(CLIPError) {
    for (index, specification) in specifications.enumerated() {
      var random = RandomNumbers(seed: seed, UInt64(index))
      let value = try Tensor(specification.shape, .f32)
      let elements = value.f32
      switch specification.initialisation {
      case .constant(let constant):
        for i in 0..<value.count { elements[i] = constant }
      case .normal(let deviation):
        for i in 0..<value.count { elements[i] = deviation * random.normal() }
      case .uniform(let bound):
        for i in 0..<value.count { elements[i] = bound * (2 * random.uniform() - 1) }
      }
      add(specification, value)
    }
  }

  private mutating func add(_ specification: TensorSpecification, _ value: Tensor) {
    switch specification.role {
    case .parameter:
      parameterIndex[specification.name] = parameters.count
      parameters.append(Parameter(specification.name, value))
    case .statistic: statistics[specification.name] = value
    }
  }

  /// Returns the parameter of a name that the specifications contain.
  func parameter(_ name: String) -> Parameter {
    guard let index = parameterIndex[name] else {
      preconditionFailure("'\(name)' is not among the model's tensors")
    }
    return parameters[index]
  }

  /// Returns the running statistic of a name that the specifications contain.
  func statistic(_ name: String) -> Tensor {
    guard let tensor = statistics[name] else {
      preconditionFailure("'\(name)' is not among the model's tensors")
    }
    return tensor
  }

  /// Problems that a message lists; the others are counted.
  private static let shownProblems = 16

  /// Checks names, shapes and values of a checkpoint's tensors; reports everything at once.
  static func check(
    _ specifications: [TensorSpecification], against tensors: [String: Tensor],
    allowsNonFinite: Bool
  ) throws(CLIPError) {
    var problems: [String] = []
    var expected: Set<String> = []
    for specification in specifications {
      expected.insert(specification.name)
      guard let tensor = tensors[specification.name] else {
        problems.append("'\(specification.name)' \(specification.shape) is missing")
        continue
      }
      if tensor.shape != specification.shape {
        problems.append(
          "'\(specification.name)' has shape \(tensor.shape), expected \(specification.shape)")
      } else if tensor.dtype == .i32 {
        problems.append("'\(specification.name)' holds integers, expected floating point")
      }
    }
    for name in tensors.keys.sorted() where !expected.contains(name) {
      // PyTorch counts the batches that batch norm saw; nothing depends on it.
      if !name.hasSuffix(".num_batches_tracked") { problems.append("'\(name)' is unexpected") }
    }
    guard problems.isEmpty else {
      throw CLIPError(
        .format,
        "model: tensors do not fit the configuration; expected \(specifications.count) named "
          + "tensors, got: \(problems.prefix(shownProblems).joined(separator: "; "))"
          + (problems.count > shownProblems ? "; and \(problems.count - shownProblems) more" : ""))
    }
    guard !allowsNonFinite else { return }
    let broken = specifications.map(\.name).filter { tensors[$0].map { !$0.isFinite } ?? false }
    guard broken.isEmpty else { throw CLIPError.nonFinite(broken) }
    for (name, tensor) in tensors
    where isVariance(name) && tensor.floats().contains(where: { $0 < 0 }) {
      throw CLIPError.negativeVariance(name)
    }
  }

  /// Whether a tensor holds variances, of which square roots are taken.
  static func isVariance(_ name: String) -> Bool { name.hasSuffix(".running_var") }
}

extension CLIPError {
  /// The error for variances below zero.
  static func negativeVariance(_ name: String) -> CLIPError {
    CLIPError(
      .format, "model: variances are negative; expected numbers from 0, got less in '\(name)'")
  }

  /// The error for weights that hold NaN or infinite values.
  static func nonFinite(_ names: [String]) -> CLIPError {
    let shown = names.prefix(8).map { "'\($0)'" }.joined(separator: ", ")
    let more = names.count > 8 ? " and \(names.count - 8) more" : ""
    return CLIPError(
      .format,
      "model: weights are not finite; expected finite numbers, got NaN or infinity in \(shown)"
        + "\(more); use a checkpoint from before training diverged")
  }
}
