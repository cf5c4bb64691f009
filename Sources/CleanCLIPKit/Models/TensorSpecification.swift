/// A tensor that a configuration calls for: its checkpoint name, its shape, how training starts it.
package struct TensorSpecification: Equatable, Sendable {
  /// What the tensor is to training.
  package enum Role: Equatable, Sendable {
    /// Changed by the optimizer.
    case parameter
    /// A running statistic of batch norm, changed by forward passes in training.
    case statistic
  }

  /// The values of a model that was not trained yet.
  package enum Initialisation: Equatable, Sendable {
    case constant(Float)
    /// Normal distribution with mean 0.
    case normal(standardDeviation: Float)
    /// Uniform distribution on `-bound ... bound`.
    case uniform(bound: Float)
  }

  /// The name in an OpenCLIP state dict.
  package let name: String
  package let shape: Shape
  package let role: Role
  package let initialisation: Initialisation

  init(
    _ name: String, _ dimensions: [Int], _ initialisation: Initialisation,
    role: Role = .parameter
  ) {
    self.name = name
    self.shape = Shape(dimensions)
    self.role = role
    self.initialisation = initialisation
  }
}

extension TensorSpecification.Initialisation {
  static let zeros = Self.constant(0)
  static let ones = Self.constant(1)

  /// PyTorch's default for a layer with so many inputs: U(-1/sqrt(n), 1/sqrt(n)), for its weight
  /// (Kaiming uniform with a = sqrt(5)) and its bias.
  static func layer(inputs: Int) -> Self {
    .uniform(bound: 1 / Float(max(1, inputs)).squareRoot())
  }

  /// Glorot and Bengio 2010, uniform.
  static func xavier(inputs: Int, outputs: Int) -> Self {
    .uniform(bound: (6 / Float(max(1, inputs + outputs))).squareRoot())
  }
}
