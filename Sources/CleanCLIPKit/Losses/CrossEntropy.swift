internal import Glibc

/// Mean cross-entropy of logits, and its gradient.
package enum CrossEntropy {
  /// Whether each row or each column of the logits is a distribution.
  enum Direction {
    case rows
    case columns
  }

  /// Evaluates the classification loss of supervised training.
  ///
  ///     loss = weight/B Σ_i (ln Σ_k exp(x_ik) - x_i,label(i))
  ///
  /// - Parameters:
  ///   - logits: `[B, K]` single precision.
  ///   - labels: `[B]` in `0 ..< K`.
  ///   - weight: what these rows count for, when they are part of a larger batch.
  /// - Returns: the loss and dLoss/dLogits, `[B, K]`.
  /// - Throws: `invalidArgument` naming a label outside the classes.
  package static func evaluate(
    logits: Tensor, labels: [Int32], weight: Double = 1
  ) throws(CLIPError) -> (loss: Double, gradient: Tensor) {
    let (rows, columns) = (logits.shape[0], logits.shape[1])
    guard labels.count == rows else {
      throw CLIPError(
        .shape, "cross entropy: labels do not fit; expected \(rows), got \(labels.count)")
    }
    for label in labels where label < 0 || Int(label) >= columns {
      throw CLIPError(
        .invalidArgument,
        "cross entropy: a label is out of range; expected 0 to \(columns - 1), got \(label)")
    }
    let gradient = try Tensor.zeros(logits.shape, .f32)
    let loss = add(
      logits, .rows, target: { Int(labels[$0]) }, weight: weight / Double(max(1, rows)),
      into: gradient)
    return (loss, gradient)
  }

  /// Adds the gradient of `weight · Σ_i CE(line i, target(i))` into `gradient` and returns the value.
  ///
  /// - Parameters:
  ///   - logits: `[B, K]`; a line is a row, or a column.
  ///   - target: the position along line `i` of the right answer.
  ///   - gradient: `[B, K]`, added to.
  static func add(
    _ logits: Tensor, _ direction: Direction, target: (Int) -> Int, weight: Double,
    into gradient: Tensor
  ) -> Double {
    let (rows, columns) = (logits.shape[0], logits.shape[1])
    let x = logits.f32
    let dLogits = gradient.f32
    let lines = direction == .rows ? rows : columns
    // By columns, line by line would jump through memory; the sums of all columns are kept instead.
    var highest = [Float](repeating: -.infinity, count: lines)
    var sums = [Double](repeating: 0, count: lines)
    func line(_ row: Int, _ column: Int) -> Int { direction == .rows ? row : column }
    for row in 0..<rows {
      for column in 0..<columns {
        let index = line(row, column)
        highest[index] = max(highest[index], x[row * columns + column])
      }
    }
    for row in 0..<rows {
      for column in 0..<columns {
        let index = line(row, column)
        sums[index] += Double(expf(x[row * columns + column] - highest[index]))
      }
    }
    for row in 0..<rows {
      for column in 0..<columns {
        let index = line(row, column)
        let probability = Double(expf(x[row * columns + column] - highest[index])) / sums[index]
        dLogits[row * columns + column] += Float(weight * probability)
      }
    }
    var loss = 0.0
    for index in 0..<lines {
      let position = target(index)
      let element =
        direction == .rows ? index * columns + position : position * columns + index
      loss += log(sums[index]) + Double(highest[index]) - Double(x[element])
      dLogits[element] -= Float(weight)
    }
    return weight * loss
  }
}
