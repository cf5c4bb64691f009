internal import ONNXGraphs

/// The choice of sizes that a graph leaves free.
extension ONNXImport {
  /// Reads a graph under every size that it may have, and recognises the model.
  ///
  /// A size that was guessed counts only when the tower that was found under it reads a whole table of
  /// positions: under a shorter one, a graph is a model too, which would cut captions.
  /// - Throws: `unsupported` for graphs that are not a CLIP model, for sizes that no table of positions
  ///   confirms, and for two sizes that fit alike.
  static func recognise(_ model: ONNXModel) throws(CLIPError) -> (GraphReader, CLIPMatch) {
    var failure: CLIPError?
    var unconfirmed: CLIPError?
    var found: [(reader: GraphReader, match: CLIPMatch)] = []
    for sizes in try GraphSizes.candidates(model) {
      do throws(CLIPError) {
        let reader = try GraphReader(model, sizes: sizes)
        let match = try GraphMatcher(reader).match()
        if let refusal = refusal(of: sizes, match, reader) {
          if unconfirmed == nil { unconfirmed = refusal }
        } else if !found.contains(where: { $0.match.configuration == match.configuration }) {
          found.append((reader, match))
        }
      } catch {
        if failure == nil { failure = error }
      }
    }
    if found.count > 1 {
      throw CLIPError(
        .unsupported,
        "'\(model.path)': graph fits several sizes of images or captions; expected one, got "
          + found.map { self.sizes($0.match.configuration) }.joined(separator: " and ") + remedy)
    }
    guard let only = found.first else {
      throw unconfirmed ?? failure
        ?? CLIPError(.unsupported, "'\(model.path)': graph has no inputs; expected a CLIP model")
    }
    return only
  }

  private static let remedy = "; export the model with fixed sizes of images and captions"

  private static func sizes(_ configuration: CLIPConfiguration) -> String {
    let image = configuration.vision.map { "\($0.imageSize) pixels" }
    let text = configuration.text.map { "\($0.contextLength) tokens" }
    return [image, text].compactMap { $0 }.joined(separator: " with ")
  }

  /// Says which guessed size the matched tower's table of positions does not confirm; `nil` when
  /// every one is confirmed.
  private static func refusal(
    of sizes: AssumedSizes, _ match: CLIPMatch, _ reader: GraphReader
  ) -> CLIPError? {
    let guesses: [(what: String, size: Int?, table: String)] = [
      ("context length", sizes.contextLength, "positional_embedding"),
      ("image size", sizes.imageSize, "visual.positional_embedding"),
      ("image size", sizes.imageSize, "visual.attnpool.positional_embedding"),
    ]
    for (what, size, table) in guesses {
      guard let size, let parameter = match.parameters.first(where: { $0.name == table }),
        let positions = parameter.pieces.first?.value, !isWhole(positions, reader)
      else { continue }
      return CLIPError(
        .unsupported,
        "'\(reader.model.path)': graph leaves the \(what) free and has no table of positions that "
          + "tells it; expected positions that are read as a whole, got a part "
          + "\(positions.dimensions) of a constant at \(what) \(size)\(remedy)")
    }
    return nil
  }

  /// Whether a value has every element of its constant once.
  private static func isWhole(_ value: GraphValue, _ reader: GraphReader) -> Bool {
    guard let index = value.constant else { return false }
    return ElementType.elementCount(reader.constants[index].dimensions) == value.count
      && !value.layout.axes.joined().contains { $0.stride == 0 }
  }
}
