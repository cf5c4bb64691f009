import CleanCLIPKit
import Testing

/// Expects `|actual - expected| <= atol + rtol · |expected|` for each element, NaN where and only
/// where NaN is expected; names the worst element.
func expectClose(
  _ actual: [Float], _ expected: [Float], rtol: Float, atol: Float, _ what: String = "",
  sourceLocation: SourceLocation = #_sourceLocation
) {
  guard actual.count == expected.count else {
    Issue.record(
      "\(what) has \(actual.count) elements, expected \(expected.count)",
      sourceLocation: sourceLocation)
    return
  }
  var failures = 0
  var worst = 0
  var worstExcess: Float = 0
  var maximumError: Float = 0
  for index in actual.indices {
    let (a, e) = (actual[index], expected[index])
    if a.isNaN && e.isNaN || a == e { continue }
    let error = abs(a - e)
    let excess = error.isNaN ? .infinity : error / (atol + rtol * abs(e))
    if !error.isNaN { maximumError = max(maximumError, error) }
    if !(excess <= 1) { failures += 1 }
    if excess > worstExcess { (worst, worstExcess) = (index, excess) }
  }
  if failures > 0 {
    Issue.record(
      """
      \(what): \(failures) of \(actual.count) elements differ; worst at \(worst): \
      \(actual[worst]), expected \(expected[worst]); largest error \(maximumError) \
      (rtol \(rtol), atol \(atol))
      """, sourceLocation: sourceLocation)
  }
}

func expectClose(
  _ actual: Tensor, _ expected: Tensor, rtol: Float, atol: Float, _ what: String = "",
  sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(actual.shape == expected.shape, sourceLocation: sourceLocation)
  expectClose(
    actual.floats(), expected.floats(), rtol: rtol, atol: atol, what,
    sourceLocation: sourceLocation)
}
