extension FeatureMatrix {
  /// Cosines of rows, block by block; see the other `cosines`.
  ///
  /// - Throws: as the other `cosines`; what reading throws.
  static func cosines(
    _ a: FeatureRows, _ b: FeatureRows, name: String
  ) throws(CLIPError) -> [Float] {
    guard a.count == b.count, a.width == b.width else {
      throw CLIPError(
        .shape,
        "\(name) features of images and captions disagree; expected [\(a.count), \(a.width)] for both, "
          + "got [\(b.count), \(b.width)] for captions")
    }
    var cosines: [Float] = []
    cosines.reserveCapacity(a.count)
    for start in stride(from: 0, to: a.count, by: FeatureRows.block) {
      let rows = start..<min(a.count, start + FeatureRows.block)
      cosines += try self.cosines(
        try a.readUsable(rows, name: name + " image features"),
        try b.readUsable(rows, name: name + " text features"), name: name)
    }
    return cosines
  }
}
