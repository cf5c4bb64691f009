internal import Glibc

/// One search on its way, a step at a time, so that several go through the tower together.
final class RunningSearch {
  let space: any TriggerSpace
  let goal: SearchGoal
  /// Images of one step.
  let batch: Int
  private(set) var random: RandomNumbers
  /// Where the last step led: see `GoalProgress`.
  private(set) var last: GoalProgress?

  /// `[n, 3, S, S]` in 0…1, and the rows that steps draw from.
  private let images: Tensor
  private let rows: [Int]
  private let options: TriggerSearchOptions
  private let optimizer: SearchOptimizer
  /// The images of the step.
  private let clean: Tensor
  private var best: TriggerSearchResult?
  private var lastGain = 0
  private var isEnded = false
  private var step = 0
  private var scores: [Float] = []

  /// - Parameters:
  ///   - space: where the search starts; changed by it.
  ///   - images: `[n, 3, S, S]` in 0…1.
  ///   - rows: of the images, those that steps draw from, at least one; `nil` for all.
  ///   - random: draws the images of the steps.
  init(
    _ space: any TriggerSpace, images: Tensor, rows: [Int]? = nil, goal: SearchGoal,
    options: TriggerSearchOptions, random: RandomNumbers
  ) throws(CLIPError) {
    self.space = space
    self.images = images
    self.rows = rows ?? Array(0..<images.shape[0])
    self.goal = goal
    self.options = options
    self.random = random
    batch = PixelMemory.batch(
      min(options.batchSize, self.rows.count), side: images.shape[2])
    optimizer = try SearchOptimizer(space.values)
    clean = try Tensor(Shape([batch] + images.shape.dimensions.dropFirst()))
  }

  /// Whether all steps are done, or nothing more is to be expected.
  var isFinished: Bool {
    isEnded || step >= options.steps
      || step - lastGain > (best == nil ? options.hopeless : options.patience)
  }

  /// Makes no further step.
  func end() { isEnded = true }

  /// Steps at most.
  var stepLimit: Int { options.steps }

  /// What was found so far.
  var result: TriggerSearchResult {
    var result =
      best
      ?? TriggerSearchResult(
        kind: space.kind, trigger: nil, size: space.largestSize, collapse: 0, direction: [],
        steps: step, searched: step)
    result.searched = step
    return result
  }

  /// The mean score of the second half of the steps so far.
  var meanScore: Float {
    let late = scores.suffix(max(1, scores.count / 2))
    return late.reduce(0, +) / Float(max(1, late.count))
  }

  /// Draws images and writes them with the trigger.
  ///
  /// - Parameter triggered: `[batch, 3, S, S]`.
  func draw(into triggered: Tensor) {
    let inner = images.count / images.shape[0]
    for row in 0..<batch {
      let index = rows[random.integer(below: rows.count)]
      memcpy(clean.f32 + row * inner, images.f32 + index * inner, inner * 4)
    }
    space.apply(to: clean, into: triggered)
  }

  /// Ends a step.
  ///
  /// - Parameters:
  ///   - reached: by the drawn images with the trigger.
  ///   - dPixels: dLoss/dPixels of these, `[batch, 3, S, S]`.
  func learn(_ reached: GoalProgress, dPixels: Tensor) throws(CLIPError) {
    let smallest = best?.size ?? space.largestSize
    if reached.isReached, space.size < smallest {
      if best == nil || space.size < 0.98 * smallest { lastGain = step }
      best = TriggerSearchResult(
        kind: space.kind, trigger: space.snapshot(), size: space.size,
        collapse: reached.collapse, direction: reached.direction, steps: step + 1,
        searched: step + 1)
    }
    let gradient = try Tensor.zeros(space.values.shape)
    space.pullBack(dPixels, images: clean, into: gradient)
    space.adjustPenalty(succeeded: reached.isReached, into: gradient)
    optimizer.step(gradient, learningRate: space.learningRate * rate)
    last = reached
    scores.append(reached.score)
    step += 1
  }

  /// The fraction of the first learning rate: full for half of the search, then a fifth.
  private var rate: Float { step < options.steps / 2 ? 1 : 0.2 }
}
