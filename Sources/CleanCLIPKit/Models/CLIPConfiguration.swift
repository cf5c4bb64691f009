/// The architecture of a CLIP model: everything about it but the weights.
package struct CLIPConfiguration: Equatable, Sendable {
  /// E, the width of the joint space.
  package var embedDim: Int
  /// The image tower; `nil` when the checkpoint holds text only.
  package var vision: VisionConfiguration?
  /// The text tower; `nil` when the checkpoint holds images only.
  package var text: TextConfiguration?
  /// How images are prepared.
  package var preprocessing = ImagePreprocessing()

  package init(embedDim: Int, vision: VisionConfiguration?, text: TextConfiguration?) {
    self.embedDim = embedDim
    self.vision = vision
    self.text = text
  }

  /// Per-channel mean of pixels in 0…1, red, green, blue.
  package var imageMean: [Float] { preprocessing.mean }
  /// Per-channel standard deviation of pixels in 0…1.
  package var imageStandardDeviation: [Float] { preprocessing.standardDeviation }
}

/// The image tower.
package enum VisionConfiguration: Equatable, Sendable {
  case transformer(VisionTransformerConfiguration)
  case resNet(ModifiedResNetConfiguration)

  /// The largest `imageSize`: far above any CLIP's, and one image of it takes 201 MB.
  static let maximumImageSize = 4_096

  /// Pixels along each side of the input.
  package var imageSize: Int {
    switch self {
    case .transformer(let configuration): configuration.imageSize
    case .resNet(let configuration): configuration.imageSize
    }
  }
}

/// Sizes of a stack of pre-norm residual attention blocks.
package struct TransformerConfiguration: Equatable, Sendable {
  /// D.
  package var width: Int
  package var layers: Int
  /// H; divides the width.
  package var heads: Int
  package var mlpWidth: Int
  package var activation: Activation
  package var layerNormEpsilon: Float = 1e-5

  package init(
    width: Int, layers: Int, heads: Int, mlpWidth: Int, activation: Activation,
    layerNormEpsilon: Float = 1e-5
  ) {
    self.width = width
    self.layers = layers
    self.heads = heads
    self.mlpWidth = mlpWidth
    self.activation = activation
    self.layerNormEpsilon = layerNormEpsilon
  }
}

/// A Vision Transformer with a class token (Dosovitskiy et al. 2021; CLIP's form).
package struct VisionTransformerConfiguration: Equatable, Sendable {
  package var imageSize: Int
  package var patchSize: Int
  package var transformer: TransformerConfiguration

  package init(imageSize: Int, patchSize: Int, transformer: TransformerConfiguration) {
    self.imageSize = imageSize
    self.patchSize = patchSize
    self.transformer = transformer
  }

  /// Patches along each side.
  package var gridSize: Int { imageSize / patchSize }
  /// L: patches and the class token.
  package var tokens: Int { gridSize * gridSize + 1 }
}

/// CLIP's ResNet: three-convolution stem, anti-aliased strides, attention pooling
/// (Radford et al. 2021, section 2.4).
package struct ModifiedResNetConfiguration: Equatable, Sendable {
  package var imageSize: Int
  /// Channels after the stem; the last stage has 32 times as many.
  package var width: Int
  /// Bottleneck blocks of each of the four stages.
  package var layers: [Int]
  /// H of the attention pool.
  package var heads: Int
  /// Whether normalisation layers exist, or were folded into the convolutions by an exporter.
  package var batchNorm: BatchNormForm

  package init(
    imageSize: Int, width: Int, layers: [Int], heads: Int, batchNorm: BatchNormForm
  ) {
    self.imageSize = imageSize
    self.width = width
    self.layers = layers
    self.heads = heads
    self.batchNorm = batchNorm
  }

  /// C of the last feature map.
  package var featureWidth: Int { width * 32 }
  /// Cells along each side of the last feature map.
  package var gridSize: Int { imageSize / 32 }
}

/// Where a ResNet's normalisation is.
package enum BatchNormForm: Equatable, Sendable {
  /// Layers of their own.
  case separate(epsilon: Float)
  /// Folded into convolutions with a bias: `visual.conv1.weight` and `visual.conv1.bias`.
  case folded
}

/// The causal text transformer.
package struct TextConfiguration: Equatable, Sendable {
  /// L, the longest caption in tokens, start and end included.
  package var contextLength: Int
  package var vocabularySize: Int
  package var transformer: TransformerConfiguration
  package var endOfText: EndOfText = .highestID

  package init(
    contextLength: Int, vocabularySize: Int, transformer: TransformerConfiguration,
    endOfText: EndOfText = .highestID
  ) {
    self.contextLength = contextLength
    self.vocabularySize = vocabularySize
    self.transformer = transformer
    self.endOfText = endOfText
  }
}

/// How the graph finds the token whose feature stands for the caption.
package enum EndOfText: Equatable, Sendable {
  /// The first position of the highest id (OpenAI, OpenCLIP).
  case highestID
  /// The first position of this id (Hugging Face).
  case id(Int32)
}
