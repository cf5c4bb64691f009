/// Writes features as one of the parts that a check of a dataset joins.
package struct FeaturePartFile {
  /// `[n, E]`; `nil` without images.
  package var imageFeatures: Tensor?
  /// `[n, E]`; `nil` without texts.
  package var textFeatures: Tensor?
  /// A name for each row.
  package var keys: [String] = []
  /// A caption for each row; `nil` without.
  package var captions: [String]?

  package init() {}

  /// Writes the file.
  ///
  /// - Parameters:
  ///   - model: whose features they are.
  ///   - isNormalized: whether they are L2-normalized.
  /// - Throws: `invalidArgument` for a key or a caption with a zero byte; `io`.
  package func write(
    to path: String, model: CLIPModel, isNormalized: Bool
  ) throws(CLIPError) {
    var tensors: [(name: String, tensor: Tensor)] = []
    if let imageFeatures { tensors.append((FeaturePart.Half.image.rawValue, imageFeatures)) }
    if let textFeatures { tensors.append((FeaturePart.Half.text.rawValue, textFeatures)) }
    var texts = [("keys", try Self.bytes(keys, "keys"))]
    if let captions { texts.append(("captions", try Self.bytes(captions, "captions"))) }
    try SafeTensors.write(
      tensors, bytes: texts,
      metadata: [
        "format": FeaturePart.format,
        "model": Fingerprint.text(of: model.stateDict().map(\.tensor)),
        "normalized": "\(isNormalized)",
      ], to: path)
  }

  private static func bytes(_ texts: [String], _ name: String) throws(CLIPError) -> [UInt8] {
    var bytes: [UInt8] = []
    for (row, text) in texts.enumerated() {
      guard !text.utf8.contains(0) else {
        throw CLIPError(
          .invalidArgument,
          "features: \(name) of row \(row) hold a zero byte; expected text without, got one")
      }
      bytes += Array(text.utf8) + [0]
    }
    return bytes
  }
}
