extension AutoAugment {
  /// What a step does, before its magnitude is looked up.
  package enum Kind: String, Sendable {
    case shearX = "ShearX"
    case rotate = "Rotate"
    case color = "Color"
    case contrast = "Contrast"
    case sharpness = "Sharpness"
    case posterize = "Posterize"
    case solarize = "Solarize"
    case autoContrast = "AutoContrast"
    case equalize = "Equalize"
    case invert = "Invert"
  }

  /// One half of a sub-policy: an operation, how often, how strong.
  package struct Step: Sendable {
    package let kind: Kind
    package let probability: Float
    /// 0 ... 9; of no meaning to operations without a magnitude.
    package let magnitude: Int

    init(_ kind: Kind, _ probability: Float, _ magnitude: Int = 0) {
      self.kind = kind
      self.probability = probability
      self.magnitude = magnitude
    }

    /// The operation at this step's magnitude.
    /// - Parameter isNegative: flips shear, rotation, colour, contrast and sharpness.
    package func operation(isNegative: Bool) -> Operation {
      let sign: Float = isNegative ? -1 : 1
      switch kind {
      case .shearX: return .shearX(sign * Self.level(magnitude, from: 0, to: 0.3))
      case .rotate: return .rotate(sign * Self.level(magnitude, from: 0, to: 30))
      case .color: return .color(sign * Self.level(magnitude, from: 0, to: 0.9))
      case .contrast: return .contrast(sign * Self.level(magnitude, from: 0, to: 0.9))
      case .sharpness: return .sharpness(sign * Self.level(magnitude, from: 0, to: 0.9))
      case .posterize:
        // torch.round goes to even at one half.
        return .posterize(bits: 8 - Int((Float(magnitude) / (9 / 4)).rounded(.toNearestOrEven)))
      case .solarize: return .solarize(threshold: Self.level(magnitude, from: 255, to: 0))
      case .autoContrast: return .autoContrast
      case .equalize: return .equalize
      case .invert: return .invert
      }
    }

    /// Entry `index` of `torch.linspace(start, end, 10)`, which counts from the nearer end.
    private static func level(_ index: Int, from start: Float, to end: Float) -> Float {
      let step = (end - start) / 9
      return index < 5 ? start + step * Float(index) : end - step * Float(9 - index)
    }
  }

  /// The 25 sub-policies in torchvision's order, of which 20 ... 24 repeat earlier ones.
  package static let policies: [(Step, Step)] = [
    (Step(.posterize, 0.4, 8), Step(.rotate, 0.6, 9)),
    (Step(.solarize, 0.6, 5), Step(.autoContrast, 0.6)),
    (Step(.equalize, 0.8), Step(.equalize, 0.6)),
    (Step(.posterize, 0.6, 7), Step(.posterize, 0.6, 6)),
    (Step(.equalize, 0.4), Step(.solarize, 0.2, 4)),
    (Step(.equalize, 0.4), Step(.rotate, 0.8, 8)),
    (Step(.solarize, 0.6, 3), Step(.equalize, 0.6)),
    (Step(.posterize, 0.8, 5), Step(.equalize, 1.0)),
    (Step(.rotate, 0.2, 3), Step(.solarize, 0.6, 8)),
    (Step(.equalize, 0.6), Step(.posterize, 0.4, 6)),
    (Step(.rotate, 0.8, 8), Step(.color, 0.4, 0)),
    (Step(.rotate, 0.4, 9), Step(.equalize, 0.6)),
    (Step(.equalize, 0.0), Step(.equalize, 0.8)),
    (Step(.invert, 0.6), Step(.equalize, 1.0)),
    (Step(.color, 0.6, 4), Step(.contrast, 1.0, 8)),
    (Step(.rotate, 0.8, 8), Step(.color, 1.0, 2)),
    (Step(.color, 0.8, 8), Step(.solarize, 0.8, 7)),
    (Step(.sharpness, 0.4, 7), Step(.invert, 0.6)),
    (Step(.shearX, 0.6, 5), Step(.equalize, 1.0)),
    (Step(.color, 0.4, 0), Step(.equalize, 0.6)),
    (Step(.equalize, 0.4), Step(.solarize, 0.2, 4)),
    (Step(.solarize, 0.6, 5), Step(.autoContrast, 0.6)),
    (Step(.invert, 0.6), Step(.equalize, 1.0)),
    (Step(.color, 0.6, 4), Step(.contrast, 1.0, 8)),
    (Step(.equalize, 0.8), Step(.equalize, 0.6)),
  ]
}
