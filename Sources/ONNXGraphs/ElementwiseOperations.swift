internal import Glibc

/// Elementwise functions of two tensors; raw values are ONNX's names.
package enum BinaryOperation: String, Sendable, CaseIterable {
  case add = "Add"
  case subtract = "Sub"
  case multiply = "Mul"
  case divide = "Div"
  case power = "Pow"
  case modulo = "Mod"
  case and = "And"
  case or = "Or"
  case xor = "Xor"
  case equal = "Equal"
  case less = "Less"
  case lessOrEqual = "LessOrEqual"
  case greater = "Greater"
  case greaterOrEqual = "GreaterOrEqual"
  case maximum = "Max"
  case minimum = "Min"

  /// Whether it has a meaning between computed tensors of a CLIP graph; else constants only.
  var isComputed: Bool {
    switch self {
    case .add, .subtract, .multiply, .divide, .power, .equal, .maximum, .minimum: true
    default: false
    }
  }

  /// Whether the results are truth values.
  var isLogical: Bool {
    switch self {
    case .and, .or, .xor, .equal, .less, .lessOrEqual, .greater, .greaterOrEqual: true
    default: false
    }
  }

  /// The second operand that changes nothing.
  var neutralOperand: Double? {
    switch self {
    case .add, .subtract: 0
    case .multiply, .divide: 1
    default: nil
    }
  }

  var isCommutative: Bool { self == .add || self == .multiply }

  /// The function of two integers; `nil` where it is computed in floating point.
  var ofIntegers: ((Int, Int) -> Int)? {
    switch self {
    case .add: { $0 &+ $1 }
    case .subtract: { $0 &- $1 }
    case .multiply: { $0 &* $1 }
    // Division by zero and of the smallest number by -1 would trap.
    case .divide: { $1 == 0 || ($0 == .min && $1 == -1) ? 0 : $0 / $1 }
    case .modulo:
      { x, y in
        if y == 0 || y == -1 { return 0 }
        let rest = x % y
        return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest
      }
    case .maximum: { max($0, $1) }
    case .minimum: { min($0, $1) }
    case .and: { $0 != 0 && $1 != 0 ? 1 : 0 }
    case .or: { $0 != 0 || $1 != 0 ? 1 : 0 }
    case .xor: { ($0 != 0) != ($1 != 0) ? 1 : 0 }
    case .equal: { $0 == $1 ? 1 : 0 }
    case .less: { $0 < $1 ? 1 : 0 }
    case .lessOrEqual: { $0 <= $1 ? 1 : 0 }
    case .greater: { $0 > $1 ? 1 : 0 }
    case .greaterOrEqual: { $0 >= $1 ? 1 : 0 }
    case .power: nil
    }
  }

  /// The comparison of two floating-point numbers; `nil` for other functions.
  var comparison: ((Double, Double) -> Bool)? {
    switch self {
    case .equal: { $0 == $1 }
    case .less: { $0 < $1 }
    case .lessOrEqual: { $0 <= $1 }
    case .greater: { $0 > $1 }
    case .greaterOrEqual: { $0 >= $1 }
    default: nil
    }
  }

  /// The function of two floating-point numbers; `nil` for comparisons and logic.
  var ofFloats: ((Double, Double) -> Double)? {
    switch self {
    case .add: { $0 + $1 }
    case .subtract: { $0 - $1 }
    case .multiply: { $0 * $1 }
    case .divide: { $0 / $1 }
    case .power: { pow($0, $1) }
    case .maximum: { max($0, $1) }
    case .minimum: { min($0, $1) }
    case .modulo: { fmod($0, $1) }
    default: nil
    }
  }
}

/// Elementwise functions of one tensor; raw values are ONNX's names.
package enum UnaryOperation: String, Sendable, CaseIterable {
  case sqrt = "Sqrt"
  case exp = "Exp"
  case log = "Log"
  case erf = "Erf"
  case sigmoid = "Sigmoid"
  case tanh = "Tanh"
  case relu = "Relu"
  case reciprocal = "Reciprocal"
  case negate = "Neg"
  case abs = "Abs"
  case isNaN = "IsNaN"
  case not = "Not"
  case floor = "Floor"
  case ceiling = "Ceil"
  case round = "Round"
  case sign = "Sign"

  /// Whether it has a meaning on computed tensors of a CLIP graph; else constants only.
  var isComputed: Bool {
    switch self {
    case .floor, .ceiling, .round, .sign: false
    default: true
    }
  }

  /// The function of an integer; `nil` where it is computed in floating point.
  var ofInteger: ((Int) -> Int)? {
    switch self {
    case .negate: { 0 &- $0 }
    case .abs: { $0 == .min ? 0 : Swift.abs($0) }
    case .not: { $0 == 0 ? 1 : 0 }
    case .sign: { $0.signum() }
    default: nil
    }
  }

  /// The function of a floating-point number; `nil` for functions of integers and truth values.
  var ofFloat: ((Double) -> Double)? {
    switch self {
    case .negate: { -$0 }
    case .abs: { Swift.abs($0) }
    case .sqrt: { $0.squareRoot() }
    case .exp: { Glibc.exp($0) }
    case .log: { Glibc.log($0) }
    case .reciprocal: { 1 / $0 }
    case .floor: { $0.rounded(.down) }
    case .ceiling: { $0.rounded(.up) }
    case .round: { $0.rounded(.toNearestOrEven) }
    case .erf: { Glibc.erf($0) }
    case .tanh: { Glibc.tanh($0) }
    case .sigmoid: { 1 / (1 + Glibc.exp(-$0)) }
    case .relu: { max($0, 0) }
    case .isNaN, .not, .sign: nil
    }
  }
}

/// Functions that combine the elements of axes; raw values are ONNX's names.
package enum Reduction: String, Sendable, CaseIterable {
  case mean = "ReduceMean"
  case sum = "ReduceSum"
  case euclideanNorm = "ReduceL2"
  case squareSum = "ReduceSumSquare"
  case maximum = "ReduceMax"
  case minimum = "ReduceMin"
  case product = "ReduceProd"

  /// Whether it has a meaning on computed tensors of a CLIP graph; else constants only.
  var isComputed: Bool {
    switch self {
    case .maximum, .minimum, .product: false
    default: true
    }
  }

  /// The function of the elements that become one.
  func callAsFunction(_ values: [Double]) -> Double {
    switch self {
    case .sum: values.reduce(0, +)
    case .maximum: values.max() ?? 0
    case .minimum: values.min() ?? 0
    case .product: values.reduce(1, *)
    case .mean: values.reduce(0, +) / Double(values.count)
    case .squareSum: values.reduce(0) { $0 + $1 * $1 }
    case .euclideanNorm: values.reduce(0) { $0 + $1 * $1 }.squareRoot()
    }
  }
}
