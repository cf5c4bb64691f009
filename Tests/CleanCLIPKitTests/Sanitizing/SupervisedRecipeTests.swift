import CleanCLIPKit
import Testing

@Suite struct SupervisedRecipeTests {
  @Test func trainsTheImageTowerAndTheHeadOnly() throws {
    let model = try TinyRun.model(resNet: true)
    let before = Dictionary(
      uniqueKeysWithValues: model.stateDict().map { ($0.name, $0.tensor.floats()) })
    let recipe = try SupervisedRecipe(model, classes: 3, seed: 1)
    let head = recipe.head.map { $0.tensor.floats() }
    var options = TinyRun.options(epochs: 15)
    options.learningRate = 3e-3
    options.adam.weightDecay = 0.01
    let history = try Trainer(
      recipe, source: TinyRun.source(views: 1, size: 32), options: options
    ).run()
    #expect(history.epochs[14].losses.loss < 0.7 * history.epochs[0].losses.loss)
    #expect(recipe.head.map { $0.tensor.shape } == [[3, 6], [3]])
    #expect(recipe.head[0].tensor.floats() != head[0])
    for (name, tensor) in model.stateDict() {
      let isTrained = name.hasPrefix("visual.")
      #expect((tensor.floats() == before[name]) == !isTrained, "\(name)")
    }
  }

  @Test func chunksGiveTheGradientOfTheWholeBatch() throws {
    let batch = try TinyRun.batch(Array(0..<7), views: 1)
    var results: [[[Float]]] = []
    for chunkSize in [nil, 3] {
      let recipe = try SupervisedRecipe(try TinyRun.model(), classes: 3, seed: 1)
      _ = try recipe.accumulateGradients(batch, Pass(chunkSize: chunkSize))
      results.append(recipe.parameters.map { $0.gradient?.floats() ?? [] })
    }
    for (whole, chunked) in zip(results[0], results[1]) {
      #expect(relativeError(chunked, whole, floor: 1e-3) < 1e-5)
    }
  }

  @Test func labelsThatMakeNoTaskAreRefused() throws {
    let model = try TinyRun.model()
    #expect(throws: CLIPError.self) { try SupervisedRecipe(model, classes: 1, seed: 0) }
    let recipe = try SupervisedRecipe(model, classes: 2, seed: 0)
    let error = #expect(throws: CLIPError.self) {
      try Trainer(recipe, source: TinyRun.source(views: 1), options: TinyRun.options()).run()
    }
    #expect(error?.message.contains("a label is out of range") ?? false)
  }
}
