/// Sums the gradients of one step over the ranks: those that are complete while others are still computed.
package final class GradientSums {
  private let parameters: [Parameter]
  private let communicator: Communicator
  private let relay = CollectiveRelay()
  /// Gradients that are complete and not handed on.
  private var bucket: [Tensor] = []
  private var bucketCount = 0

  /// Elements that are summed in one call: 16 MiB, where the time of a call no longer counts.
  private static let bucketSize = 4 << 20

  /// - Parameter parameters: those whose gradients are summed.
  package init(_ parameters: [Parameter], _ communicator: Communicator) {
    self.parameters = parameters.filter(\.isTrainable)
    self.communicator = communicator
  }

  /// Computes gradients and returns when they are summed.
  ///
  /// - Parameter body: leaves gradients in the parameters and tells `add` of those that are complete; it runs on a
  ///   thread of its own, and its collectives on the calling one.
  /// - Throws: what a collective or the body throws.
  package func run<Value>(_ body: () throws(CLIPError) -> Value) throws(CLIPError) -> Value {
    defer { for parameter in parameters { parameter.isSummed = false } }
    return try communicator.relaying(relay) { () throws(CLIPError) in
      let value = try body()
      for parameter in parameters { try add(parameter) }
      try flush()
      return value
    }
  }

  /// Takes up a gradient to which nothing more is added in this step.
  package func add(_ parameter: Parameter) throws(CLIPError) {
    guard !parameter.isSummed, let gradient = parameter.gradient else { return }
    if bucketCount + gradient.count > Self.bucketSize { try flush() }
    parameter.isSummed = true
    bucket.append(gradient)
    bucketCount += gradient.count
  }

  private func flush() throws(CLIPError) {
    let full = bucket
    (bucket, bucketCount) = ([], 0)
    guard !full.isEmpty else { return }
    try relay.post { [communicator] () throws(CLIPError) in
      try communicator.sum(together: full, for: .gradients)
    }
  }
}
