import CleanCLIPKit
import Glibc
import Testing

@Suite struct DensityStatisticsTests {
  /// Points on a line: 0, 1, 3, 7.
  private func line(_ values: [Float] = [0, 1, 3, 7]) throws -> Tensor {
    try Tensor(values, [values.count, 1])
  }

  private func neighbours(_ values: [Float], k: Int) throws -> NearestNeighbours {
    let points = try line(values)
    return try NearestNeighbours.find(
      queries: points, references: points, k: k, selves: values.indices.map(Int32.init))
  }

  @Test func findsNeighboursOtherThanThePointItself() throws {
    let found = try neighbours([0, 1, 3, 7], k: 2)
    #expect(found.indices == [1, 2, 0, 2, 1, 0, 2, 1])
    #expect(found.distances == [1, 3, 1, 2, 2, 3, 4, 6])
  }

  @Test func excludesByIndexAndKeepsDuplicatesOfThePoint() throws {
    let found = try neighbours([5, 5, 9], k: 1)
    #expect(found.indices == [1, 0, 0])
    #expect(found.distances == [0, 0, 4])
  }

  @Test func breaksTiesByTheLowerIndex() throws {
    let found = try neighbours([0, 1, -1, 1], k: 2)
    #expect(Array(found.indices.prefix(2)) == [1, 2])
  }

  @Test func agreesWithASortOfAllDistancesAcrossChunks() throws {
    var random = RandomNumbers(seed: 11)
    let queryValues = (0..<301 * 7).map { _ in random.normal() }
    let referenceValues = (0..<8211 * 7).map { _ in random.normal() }
    let found = try NearestNeighbours.find(
      queries: Tensor(queryValues, [301, 7]), references: Tensor(referenceValues, [8211, 7]), k: 5)
    for row in [0, 255, 256, 300] {
      let distances = (0..<8211).map { other in
        (0..<7).reduce(Float(0)) { sum, column in
          let d = queryValues[row * 7 + column] - referenceValues[other * 7 + column]
          return sum + d * d
        }.squareRoot()
      }
      let expected = distances.indices.sorted { distances[$0] < distances[$1] }.prefix(5)
      #expect(Array(found.indices[row * 5..<row * 5 + 5]) == expected.map(Int32.init))
    }
  }

  @Test func fewerOfTheNeighboursAreThoseOfASmallerSearch() throws {
    var random = RandomNumbers(seed: 12)
    let points = try Tensor((0..<60 * 3).map { _ in random.normal() }, [60, 3])
    let selves = (0..<60).map { Int32($0) }
    let index = try NeighbourIndex(points)
    let many = try index.nearest(9, to: points, selves: selves)
    let few = try index.nearest(4, to: points, selves: selves)
    #expect(many.nearest(4).indices == few.indices)
    #expect(many.nearest(4).distances == few.distances)
    #expect(many.nearest(9).indices == many.indices)
  }

  @Test func duplicatesFarFromTheOriginAreAtDistanceZero() throws {
    let points = try Tensor([1000.1, -2000.2, 1000.1, -2000.2, 0, 0].map(Float.init), [3, 2])
    let found = try NearestNeighbours.find(
      queries: points, references: points, k: 1, selves: [0, 1, 2])
    #expect(found.distances[0] == 0)
    #expect(found.distances[1] == 0)
  }

  @Test func fewerPointsThanNeighboursIsAnError() throws {
    let points = try line()
    let error = #expect(throws: CLIPError.self) {
      try NearestNeighbours.find(queries: points, references: points, k: 4, selves: [0, 1, 2, 3])
    }
    #expect(
      error?.message
        == "nearest neighbours: there are fewer points than neighbours; expected at least 4 other "
        + "references, got 3; use more features or a smaller k")
  }

  @Test func matchesHandComputedStatistics() throws {
    let found = try neighbours([0, 1, 3, 7], k: 2)
    let density = LocalDensity(queries: found, references: found)
    #expect(density.kDistance == [3, 2, 3, 6])
    // Point 7: neighbours 3 and 1 with k-distances 3 and 2, (6/3 + 6/2) / 2.
    expectClose(density.slof, [(1.5 + 1) / 2, (2.0 / 3 + 2.0 / 3) / 2, (1.5 + 1) / 2, 2.5], 1e-6)
    // LID(i) = -2 / (ln(d1/d2 + 1e-4) + ln(1 + 1e-4)).
    let lid = [1.0 / 3, 0.5, 2.0 / 3, 4.0 / 6].map { -2 / (log($0 + 1e-4) + log(1 + 1e-4)) }
    expectClose(density.lid, lid.map(Float.init), 1e-5)
    // DAO of point 7: (LID(3) ln(6/3) + LID(1) ln(6/2)) / 2.
    expectClose(
      [density.dao[3]], [Float((lid[2] * log(2) + lid[1] * log(3)) / 2)], 1e-5)
  }

  @Test func constantFeaturesHaveTheDocumentedValues() throws {
    let found = try neighbours([2, 2, 2, 2], k: 2)
    let density = LocalDensity(queries: found, references: found)
    #expect(density.kDistance == [0, 0, 0, 0])
    #expect(density.slof == [1, 1, 1, 1])
    #expect(density.lid == [0, 0, 0, 0])
    #expect(density.dao == [0, 0, 0, 0])
    #expect(FeatureMatrix.isConstant(try line([2, 2, 2])))
    #expect(!FeatureMatrix.isConstant(try line([2, 2, 3])))
  }

  @Test func aPointBesideDuplicatesHasTheLargestRatio() throws {
    let found = try neighbours([0, 0, 0, 5], k: 2)
    let density = LocalDensity(queries: found, references: found)
    #expect(density.slof[3] == 1000)
    #expect(density.slof[0] == 1)
  }

  @Test func equidistantNeighboursHaveTheLargestDimension() throws {
    let points = try Tensor([1, 0, 0, 0, 1, 0, 0, 0, 1] as [Float], [3, 3])
    let found = try NearestNeighbours.find(
      queries: points, references: points, k: 2, selves: [0, 1, 2])
    #expect(LocalDensity(queries: found, references: found).lid == [1000, 1000, 1000])
  }

  @Test func featuresThatAreNotNumbersAreAnError() throws {
    let features = try Tensor([0, 1, .nan, 2], [2, 2])
    let error = #expect(throws: CLIPError.self) {
      try FeatureMatrix.validate(features, name: "image features", remedy: "remove the pair")
    }
    #expect(
      error?.message
        == "image features: row 1 is not usable; expected finite numbers up to 1e15, got nan; "
        + "remove the pair")
  }

  private func expectClose(_ actual: [Float], _ expected: [Float], _ tolerance: Float) {
    #expect(actual.count == expected.count)
    for (a, e) in zip(actual, expected) {
      #expect(abs(a - e) <= tolerance * max(1, abs(e)), "\(actual) against \(expected)")
    }
  }
}
