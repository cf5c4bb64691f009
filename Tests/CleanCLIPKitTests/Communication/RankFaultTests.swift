import CleanCLIPKit
import Testing

/// What ends ranks, and what is left of a run then.
@Suite struct RankFaultTests {
  private static func errors<Value>(_ results: [Result<Value, CLIPError>]) -> [CLIPError?] {
    results.map { result in
      if case .failure(let error) = result { error } else { nil }
    }
  }

  @Test func differentOptionsAreRefusedBeforeTheFirstStep() {
    let results = ThreadRanks(3).run { (communicator) throws(CLIPError) in
      var options = RanksTests.options()
      if communicator.rank == 2 { options.learningRate = 0.5 }
      return try RanksTests.run(.cleanclip, resNet: false, options, communicator)
    }
    for error in Self.errors(results) {
      #expect(error?.code == .invalidArgument)
      #expect(
        error?.message.contains("rank 2: learning_rate: expected 0.0001 as on rank 0, got 0.5")
          == true)
      #expect(error?.message.contains("rank 1") == false)
    }
  }

  @Test func differentModelsAreRefused() {
    let results = ThreadRanks(2).run { (communicator) throws(CLIPError) in
      let model = try TinyRun.model()
      if communicator.rank == 1 { model.parameters[4].value.f32[2] += 1e-3 }
      let recipe = try CleanCLIPRecipe(model, loss: TinyRun.loss)
      let source = TinyRun.source(shard: Shard(rank: communicator.rank, count: 2))
      _ = try Trainer(
        recipe, source: source, options: TinyRun.options(), communicator: communicator)
    }
    for error in Self.errors(results) {
      #expect(error?.message.contains("rank 1: initial_weights: expected") == true)
    }
  }

  /// The exit code of a tool depends on it.
  @Test func whatAnErrorSaysOfAStateReachesEveryRank() {
    let results = ThreadRanks(3).run { (communicator) throws(CLIPError) in
      try communicator.together { () throws(CLIPError) in
        guard communicator.rank != 1 else {
          throw CLIPError(.state, "of another run", savedState: .foreign)
        }
      }
    }
    #expect(Self.errors(results).map { $0?.savedState } == [.foreign, .foreign, .foreign])
    #expect(Self.errors(results)[2]?.message == "rank 1 of 3: of another run")
  }

  /// The names and the number of rows are the same, one row is not.
  @Test func rowsThatHoldSomethingElseAreRefused() {
    let results = ThreadRanks(2).run { (communicator) throws(CLIPError) in
      try Self.sanitize(try Self.dataset(red: communicator.rank == 1 ? 9 : 8), communicator)
    }
    for error in Self.errors(results) {
      #expect(error?.message.contains("rank 1: rows: expected 14 of them") == true)
    }
  }

  private static func dataset(
    count: Int = 14, red: UInt8 = 8, bad: Set<Int> = []
  ) throws(CLIPError) -> PairDataset {
    try PairDataset(count: count) { (index) throws(CLIPError) in
      guard !bad.contains(index) else { throw CLIPError(.format, "row \(index) is bad") }
      return CaptionedImage(
        key: "pair \(index)",
        image: .pixels(
          RGBImage(width: 8, height: 8, red: index == 13 ? red : 3, green: UInt8(index), blue: 7)),
        caption: "image \(index)", label: .index(Int32(index % 2)))
    }
  }

  @discardableResult
  private static func sanitize(
    _ dataset: PairDataset, _ communicator: Communicator, method: SanitizeMethod = .standard,
    batchSize: Int = 4, epochs: Int = 2
  ) throws(CLIPError) -> SanitizeHistory {
    var options = SanitizeOptions(method)
    options.training.batchSize = batchSize
    options.training.epochs = method.name == "unlearn" ? options.training.epochs : epochs
    let vision = TinyRun.configuration().vision
    let text = TextConfiguration(
      contextLength: 7, vocabularySize: 49408,
      transformer: TransformerConfiguration(
        width: 12, layers: 1, heads: 3, mlpWidth: 20, activation: .quickGELU))
    let model = try CLIPModel(
      CLIPConfiguration(embedDim: 6, vision: vision, text: text), randomSeed: 7)
    let sanitizer = try Sanitizer(
      model, tokenizer: try Tokenizer.load(path: ReferenceCaption.vocabulary), dataset: dataset,
      options: options, communicator: communicator)
    try sanitizer.run()
    return sanitizer.history
  }

  /// The pairs of all ranks are those of one process, augmentations included.
  @Test func aDatasetIsDividedAmongRanks() throws {
    let whole = try Self.sanitize(try Self.dataset(), .single)
    let ranks = ThreadRanks(4).run { (communicator) throws(CLIPError) in
      try Self.sanitize(try Self.dataset(), communicator)
    }
    for result in ranks {
      let history = try result.get()
      #expect(history.settings["ranks"]?.integer == 4 && history.steps.count == 6)
      for (step, expected) in zip(history.steps, whole.steps) {
        #expect(abs(step.losses.loss - expected.losses.loss) < 1e-4 * expected.losses.loss)
      }
    }
  }

  @Test func badRowsAreReplacedByOthersOnEachRank() throws {
    let dataset = try Self.dataset(count: 40, bad: [0, 5, 11, 17, 23])
    let tokenizer = try Tokenizer.load(path: ReferenceCaption.vocabulary)
    var rows: [[Int]] = []
    for rank in 0..<2 {
      var options = PairLoaderOptions(batchSize: 20)
      options.shard = Shard(rank: rank, count: 2)
      options.badRowLimit = 10
      let loader = try PairLoader(
        dataset, tokenizer: tokenizer,
        preprocessor: ImagePreprocessor(imageSize: 8, ImagePreprocessing()),
        augmenter: TextAugmenter(synonyms: nil), contextLength: 7, options: options)
      let stream = try loader.open(epoch: 0)
      var number = 0
      while let batch = try stream.next() {
        #expect(batch.count == 10)
        if rank == 0 { rows.append([]) }
        rows[number] += batch.keys.compactMap { Int($0.dropFirst(5)) }
        number += 1
      }
    }
    #expect(rows.count == 2 && rows.allSatisfy { $0.count == 20 && Set($0).count == 20 })
    #expect(Set(rows.joined()).isDisjoint(with: [0, 5, 11, 17, 23]))
  }

  @Test func aBatchThatCannotBeDividedIsRefused() {
    let results = ThreadRanks(3).run { (communicator) throws(CLIPError) in
      try Self.sanitize(try Self.dataset(), communicator)
    }
    for error in Self.errors(results) {
      #expect(error?.message.contains("expected a multiple of 3, got 4") == true)
    }
  }

  @Test func anUnlearningBatchThatCannotBeDividedIsRefused() {
    let results = ThreadRanks(3).run { (communicator) throws(CLIPError) in
      try Self.sanitize(try Self.dataset(), communicator, method: .named("unlearn"), batchSize: 64)
    }
    for error in Self.errors(results) {
      #expect(error?.message.contains("expected a multiple of 3, got 64") == true)
    }
  }

  /// An error of one rank ends all, in the middle of a step as well.
  @Test func anErrorOfOneRankEndsAllWithItsText() {
    let ranks = ThreadRanks(3)
    let results = ranks.run { (communicator) throws(CLIPError) in
      let recipe = try CleanCLIPRecipe(try TinyRun.model(resNet: true), loss: TinyRun.loss)
      let whole = TinyRun.source(
        pairs: 13, batchSize: 6, size: 32, shard: Shard(rank: communicator.rank, count: 3))
      let source = BatchSource(pairs: 13, batchesPerEpoch: 2, identity: "tiny") {
        (epoch, first) throws(CLIPError) in
        let stream = try whole.open(epoch, first)
        return BatchStream { () throws(CLIPError) in
          if epoch == 1, communicator.rank == 1 { throw CLIPError(.format, "'a.tar': broken") }
          return try stream.next()
        }
      }
      var options = TinyRun.options()
      options.batchSize = 6
      return try Trainer(recipe, source: source, options: options, communicator: communicator).run()
    }
    let errors = Self.errors(results)
    #expect(errors[1]?.message == "'a.tar': broken")
    for rank in [0, 2] {
      #expect(errors[rank]?.code == .format)
      #expect(errors[rank]?.message == "rank 1 of 3: 'a.tar': broken")
    }
  }

  @Test func ranksThatDoDifferentThingsAreToldSo() {
    let results = ThreadRanks(2).run { (communicator) throws(CLIPError) in
      let recipe = try CleanCLIPRecipe(try TinyRun.model(), loss: TinyRun.loss)
      // One rank has a pair more.
      let batch = try TinyRun.batch(Array(0..<3 + communicator.rank))
      _ = try recipe.accumulateGradients(batch, Pass(communicator: communicator))
    }
    for error in Self.errors(results) {
      #expect(error?.code == .state)
      #expect(error?.message.contains("out of step; expected features of size 144") == true)
    }
  }

  @Test func oneRankCancelsAllAndRankZeroKeepsTheState() throws {
    let folder = TemporaryFolder()
    let path = folder.path
    let results = ThreadRanks(2).run { (communicator) throws(CLIPError) in
      try Self.train(communicator, path) { step in
        step < 5 || communicator.rank == 0
      }
    }
    for error in Self.errors(results) {
      #expect(error?.code == .cancelled)
      #expect(error?.message.contains("cancelled after step 5 of 12 by rank 1") == true)
    }
    #expect(try FileContents.read(folder.file("training-state.safetensors")).count > 1000)
  }

  /// Trains with a state that is saved every other step.
  @discardableResult
  private static func train(
    _ communicator: Communicator, _ directory: String?, resume: Bool = false,
    progress: (Int) -> Bool = { _ in true }
  ) throws(CLIPError) -> [StepLosses] {
    var options = RanksTests.options()
    // Only rank 0 has the folder.
    options.stateDirectory = communicator.rank == 0 ? directory : nil
    options.resume = communicator.rank == 0 && resume
    options.saveEvery = 2
    let recipe = try CleanCLIPRecipe(try TinyRun.model(resNet: true), loss: TinyRun.loss)
    let source = TinyRun.source(
      pairs: 26, batchSize: 8, size: 32,
      shard: Shard(rank: communicator.rank, count: communicator.size))
    let trainer = try Trainer(recipe, source: source, options: options, communicator: communicator)
    return try trainer.run { progress($0.step) }.steps.map(\.losses)
  }

  /// A rank vanishes in step 6; the state of step 5's end is whole, and one, two or four ranks resume it.
  @Test(arguments: [1, 2, 4])
  func aLostRankIsNamedAndAnotherNumberOfRanksResumes(size: Int) throws {
    let folder = TemporaryFolder()
    let path = folder.path
    let expected = try Self.train(.single, nil)
    let ranks = ThreadRanks(4)
    let results = ranks.run { (communicator) throws(CLIPError) in
      try Self.train(communicator, path) { step in
        if step == 5, communicator.rank == 3 {
          ranks.lose(3)
        }
        return true
      }
    }
    for error in Self.errors(results) {
      #expect(error?.code == .io)
      #expect(error?.message.contains("rank 3 does not answer") == true)
    }
    let resumed = ThreadRanks(size).run { (communicator) throws(CLIPError) in
      try Self.train(communicator, path, resume: true)
    }
    for result in resumed {
      let losses = try result.get()
      #expect(losses.count == expected.count)
      for (loss, other) in zip(losses, expected) {
        #expect(abs(loss.loss - other.loss) <= 1e-4 * other.loss)
      }
    }
  }

  @Test func aRankOutsideOfTheRanksIsRefused() {
    struct Host: Collectives {
      let (rank, size): (Int, Int)
      func allReduceSum(_ values: UnsafeMutableBufferPointer<Float>) throws(CLIPError) {}
      func allGather(
        _ sent: UnsafeRawBufferPointer, into received: UnsafeMutableRawBufferPointer
      ) throws(CLIPError) {}
      func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from root: Int) throws(CLIPError) {}
    }
    for (rank, size) in [(-1, 2), (2, 2), (0, 0), (0, -1), (0, 70_000)] {
      let error = #expect(throws: CLIPError.self) {
        try Communicator(Host(rank: rank, size: size))
      }
      #expect(error?.message.contains("got rank \(rank) of \(size)") == true)
    }
  }
}
