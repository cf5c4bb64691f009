internal import Glibc

/// Features of images that are known to be clean, against which others are judged.
///
/// On disk it is a safetensors file with `image_features` `[n, E]`, unnormalized, and,
/// when classes were given, `class_features` `[C, E]` and `contrast` `[E]`, both L2-normalized or
/// sums of such; its metadata names the model.
package struct CleanBank: Sendable {
  /// `[n, E]`, not normalised.
  package let imageFeatures: Tensor
  /// What is read out of class texts; `nil` without them.
  package private(set) var texts: ClassTexts?
  /// Whose features they are, as `CLIPModel.imageTowerIdentity`; `nil` when that was not said.
  package private(set) var imageTower: String?
  /// What messages call it.
  private let name: String

  /// Features of class texts.
  package struct ClassTexts: Sendable {
    /// `[C, E]`, L2-normalized.
    package let features: Tensor
    /// `[E]`: Σ over classes of a matching description minus a distracted one (BDetCLIP, Niu et al.
    /// 2025, arXiv:2405.15269), a single direction that triggered images lean against.
    package let contrast: [Float]

    package init(features: Tensor, contrast: [Float]) {
      precondition(features.shape.rank == 2 && features.shape[1] == contrast.count)
      self.features = features
      self.contrast = contrast
    }

    /// Sentences that have nothing to do with any class.
    static let distractions = [
      "the meeting was moved to next tuesday", "he forgot to answer the letter",
      "prices rose faster than wages", "the second chapter is the longest",
      "nobody remembered the password", "the choir practises on fridays",
      "it took three hours to get there", "she prefers the other opinion",
    ]

    private static let distractedTemplates = PromptTemplate.standard.flatMap { template in
      distractions.map { template.appending(", " + $0) }
    }

    /// Embeds classes in templates, and in templates with distractions.
    ///
    /// - Throws: see `TextVocabulary`.
    package init(
      classes: [String], templates: [PromptTemplate], model: CLIPModel, tokenizer: Tokenizer,
      precision: DType
    ) throws(CLIPError) {
      let plain = try TextVocabulary(
        names: classes, templates: PromptTemplate.given(templates), model: model,
        tokenizer: tokenizer, precision: precision)
      let distracted = try TextVocabulary(
        names: classes, templates: Self.distractedTemplates, model: model,
        tokenizer: tokenizer, precision: precision)
      let width = plain.features.shape[1]
      var contrast = [Float](repeating: 0, count: width)
      for i in 0..<plain.features.count {
        contrast[i % width] += plain.features.f32[i] - distracted.features.f32[i]
      }
      self.init(features: plain.features, contrast: contrast)
    }
  }

  /// Images below which no threshold is promised.
  static let fewestImages = 50

  private static let remedy = "leave the image out"

  /// The smallest rate of false alarms that so many images are enough for.
  package var smallestFalseAlarmRate: Double { 1 / Double(imageFeatures.shape[0] + 1) }

  /// - Parameters:
  ///   - imageFeatures: `[n, E]` of clean images, unnormalized, at least 50.
  ///   - imageTower: whose they are, as `CLIPModel.imageTowerIdentity`; `nil` when that is not known.
  ///   - name: what messages call the bank.
  /// - Throws: `shape` and `invalidArgument` for features that do not fit; see `FeatureMatrix`.
  package init(
    imageFeatures: Tensor, texts: ClassTexts?, imageTower: String? = nil,
    name: String = "clean bank"
  ) throws(CLIPError) {
    try FeatureMatrix.validate(imageFeatures, name: name, remedy: Self.remedy)
    guard imageFeatures.shape[0] >= Self.fewestImages else {
      throw CLIPError(
        .invalidArgument,
        "\(name): there are too few images; expected at least \(Self.fewestImages), "
          + "got \(imageFeatures.shape[0]); 200 are enough for a false-alarm rate of 1 %")
    }
    try Self.checkNotZero(imageFeatures, name)
    guard !FeatureMatrix.isNormalized(imageFeatures) else {
      throw Self.normalized(name)
    }
    guard !FeatureMatrix.isConstant(imageFeatures) else {
      throw CLIPError(
        .invalidArgument,
        "\(name): all features are equal; expected features of different images")
    }
    self.imageFeatures = imageFeatures
    self.imageTower = imageTower
    self.name = name
    if let texts { try setTexts(texts) }
  }

  private static func checkNotZero(_ features: Tensor, _ name: String) throws(CLIPError) {
    guard let row = FeatureMatrix.lengths(features).firstIndex(of: 0) else { return }
    throw CLIPError(
      .invalidArgument,
      "\(name): row \(row) is all zeros; expected the feature of an image; \(remedy)")
  }

  private static func normalized(_ name: String) -> CLIPError {
    CLIPError(
      .invalidArgument,
      "\(name): features are L2-normalized; expected them as the model gives them, because their length "
        + "tells; encode images with normalize 0")
  }

  /// Checks that further features are not L2-normalized, which those of the bank are not; of a model whose features
  /// are about as long anyway, that cannot be told.
  ///
  /// - Throws: `invalidArgument`.
  func checkLengths(of features: Tensor, name: String) throws(CLIPError) {
    try Self.checkNotZero(features, name)
    guard features.shape[0] > 0, FeatureMatrix.isNormalized(features) else { return }
    let own = FeatureMatrix.lengths(imageFeatures)
    guard let shortest = own.min(), let longest = own.max(), !(shortest...longest).contains(1)
    else { return }
    throw Self.normalized(name)
  }

  /// Replaces the class texts.
  ///
  /// - Throws: `shape` for texts of another width.
  package mutating func setTexts(_ texts: ClassTexts) throws(CLIPError) {
    guard texts.contrast.count == imageFeatures.shape[1] else {
      throw CLIPError(
        .shape,
        "\(name): class texts do not fit; expected width \(imageFeatures.shape[1]), "
          + "got \(texts.contrast.count)")
    }
    self.texts = texts
  }

  /// Says whose features these are, or checks that it is the model that was said before.
  ///
  /// - Throws: `invalidArgument` for another model; `shape` for one of another width.
  package mutating func take(_ model: CLIPModel) throws(CLIPError) {
    let width = imageFeatures.shape[1]
    guard model.configuration.embedDim == width else {
      throw CLIPError(
        .shape,
        "\(name): is of another model; expected an embed_dim of \(width), got "
          + "\(model.configuration.embedDim); make the bank with this model")
    }
    let given = model.imageTowerIdentity
    guard given == imageTower ?? given else {
      throw CLIPError(
        .invalidArgument,
        "\(name): is of another model; expected the weights and preparation of images that it was made "
          + "with, got others; make the bank with this model")
    }
    imageTower = given
  }

  /// The bank with further images in it, but for those that it has.
  ///
  /// - Parameter imageFeatures: `[n, E]` of clean images, unnormalized, by the model of the bank's own.
  /// - Throws: `shape` for features of another width; see `FeatureMatrix.validate`.
  package func extended(by imageFeatures: Tensor) throws(CLIPError) -> CleanBank {
    let width = self.imageFeatures.shape[1]
    guard imageFeatures.shape.rank == 2, imageFeatures.shape[1] == width else {
      throw CLIPError(
        .shape,
        "\(name): further features do not fit; expected [n, \(width)], got \(imageFeatures.shape); "
          + "extend a bank with the model that it was made with")
    }
    try FeatureMatrix.validate(imageFeatures, name: name, remedy: Self.remedy)
    try checkLengths(of: imageFeatures, name: name)
    let new = try FeatureMatrix.distinct(imageFeatures, besides: self.imageFeatures)
    guard !new.isEmpty else { return self }
    return try CleanBank(
      imageFeatures: try Tensor.joined(
        self.imageFeatures, try FeatureMatrix.gather(imageFeatures, new)),
      texts: texts, imageTower: imageTower, name: name)
  }

  /// Writes the bank.
  package func save(to path: String) throws(CLIPError) {
    var tensors = [(name: "image_features", tensor: imageFeatures)]
    if let texts {
      tensors.append((name: "class_features", tensor: texts.features))
      tensors.append(
        (name: "contrast", tensor: try Tensor(texts.contrast, [texts.contrast.count])))
    }
    var metadata = ["format": "cleanclip clean bank"]
    metadata[Self.imageTowerKey] = imageTower
    try SafeTensors.write(tensors, metadata: metadata, to: path)
  }

  private static let imageTowerKey = "image_tower"

  /// Reads a bank.
  ///
  /// - Throws: `format` for another file; what the initialiser throws.
  package static func load(_ path: String) throws(CLIPError) -> CleanBank {
    let file = try SafeTensors.read(path)
    guard file["image_features"] != nil else {
      throw CLIPError(
        .format,
        "'\(path)': is not a clean bank; expected a tensor 'image_features', got "
          + "\(file.entries.count) others")
    }
    var texts: ClassTexts?
    if file["class_features"] != nil {
      let features = try file.tensor("class_features")
      let contrast = try file.tensor("contrast").floats()
      try FeatureMatrix.validate(
        features, name: "'\(path)': 'class_features'", remedy: "make the bank again")
      guard features.shape[1] == contrast.count, contrast.allSatisfy(\.isFinite) else {
        throw CLIPError(
          .shape,
          "'\(path)': 'contrast' does not fit; expected \(features.shape[1]) numbers, "
            + "got \(contrast.count)")
      }
      texts = ClassTexts(features: features, contrast: contrast)
    }
    return try CleanBank(
      imageFeatures: try file.tensor("image_features"), texts: texts,
      imageTower: file.metadata[Self.imageTowerKey], name: "'\(path)'")
  }
}
