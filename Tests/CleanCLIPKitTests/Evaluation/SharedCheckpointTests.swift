import CleanCLIPKit
import Testing

/// Accuracy and attack success of poisoned checkpoints, as PyTorch measured them.
@Suite struct SharedCheckpointTests {
  struct Reference: Sendable {
    let model: String
    let cleanAccuracy: Double
    let attackSuccessRate: Double
  }

  @Test(
    .enabled(if: Shared.url("models/rn-badnets.onnx") != nil, "needs the shared checkpoints"),
    arguments: [
      Reference(model: "rn-badnets", cleanAccuracy: 0.7325, attackSuccessRate: 0.997),
      Reference(model: "rn-badnets-bn", cleanAccuracy: 0.7325, attackSuccessRate: 0.997),
      Reference(model: "rn-clean", cleanAccuracy: 0.7095, attackSuccessRate: 0.035),
    ])
  func agreesWithPyTorch(reference: Reference) throws {
    let folder = try #require(Shared.url("data/cifar10")) + "/"
    let model = try LoadedModel.load(
      try #require(Shared.url("models/\(reference.model).onnx"))
    ).model
    let classes = try TextList.classes(path: folder + "classes.txt")
    var options = EvaluationOptions()
    options.trigger = try Trigger.load(try #require(Shared.url("models/rn-badnets-trigger.png")))
    options.target = "truck"
    let evaluator = try Evaluator(
      model: model, tokenizer: try Tokenizer.load(path: ReferenceCaption.vocabulary),
      classes: classes, templates: try TextList.templates(path: folder + "templates.txt"),
      options: options)
    let result = try evaluator.evaluate(try PairDataset.open([folder + "test.csv"]))
    #expect(result.images == 2000)
    #expect(result.attackedImages == 1817)
    let accuracy = try #require(result.cleanAccuracy.first).rate.value
    let success = try #require(result.attackSuccessRate.first).rate.value
    #expect(abs(accuracy - reference.cleanAccuracy) <= 0.005, "accuracy \(accuracy)")
    // The positions are other random numbers than PyTorch's; rn-clean is at the mercy of them.
    #expect(abs(success - reference.attackSuccessRate) <= 0.005, "attack \(success)")
  }
}
