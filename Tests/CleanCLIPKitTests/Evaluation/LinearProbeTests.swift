import CleanCLIPKit
import Testing

@Suite struct LinearProbeTests {
  /// Features of five classes around five random centres.
  private static func sample(
    _ count: Int, seed: UInt64, spread: Float
  ) throws -> (features: Tensor, labels: [Int32]) {
    var centers = RandomNumbers(seed: 1)
    let means = (0..<5 * 7).map { _ in centers.normal() }
    var random = RandomNumbers(seed: seed)
    let labels = (0..<count).map { _ in Int32(random.integer(below: 5)) }
    let values = labels.flatMap { label in
      (0..<7).map { means[7 * Int(label) + $0] + spread * random.normal() }
    }
    return (try Tensor(values, [count, 7]), labels)
  }

  @Test func learnsSeparableClasses() throws {
    let train = try Self.sample(900, seed: 2, spread: 0.3)
    let test = try Self.sample(300, seed: 3, spread: 0.3)
    let probe = try LinearProbe(features: train.features, labels: train.labels, classes: 5)
    let places = try probe.accuracy(features: test.features, labels: test.labels)
    #expect(places.map(\.place) == [1, 3, 5])
    #expect(places[0].share.value > 0.95)
    #expect(places[2].share.value == 1)
  }

  @Test func repeatsBySeed() throws {
    let train = try Self.sample(200, seed: 2, spread: 2)
    func result(_ seed: UInt64) throws -> [EvaluationResult.Place] {
      var options = LinearProbeOptions()
      options.seed = seed
      return try LinearProbe(
        features: train.features, labels: train.labels, classes: 5, options: options
      ).accuracy(features: train.features, labels: train.labels)
    }
    #expect(try result(4) == result(4))
  }

  @Test func refusesWhatDoesNotAgree() throws {
    let train = try Self.sample(20, seed: 2, spread: 1)
    #expect(throws: CLIPError.self) {
      try LinearProbe(features: train.features, labels: [0, 1], classes: 5)
    }
    #expect(throws: CLIPError.self) {
      try LinearProbe(features: train.features, labels: train.labels, classes: 1)
    }
    #expect(throws: CLIPError.self) {
      try LinearProbe(
        features: train.features, labels: [Int32](repeating: 9, count: 20), classes: 5)
    }
    let probe = try LinearProbe(features: train.features, labels: train.labels, classes: 5)
    #expect(throws: CLIPError.self) {
      try probe.accuracy(features: train.features, labels: [Int32](repeating: -1, count: 20))
    }
  }
}
