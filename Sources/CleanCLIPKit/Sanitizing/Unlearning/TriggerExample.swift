/// An image with and without a trigger that a method recovered, as the model sees them.
package struct TriggerExample: Equatable, Sendable {
  /// Which trigger it is and what it does.
  package let caption: String
  package let clean: EmbeddedImage
  package let triggered: EmbeddedImage

  package init(caption: String, clean: EmbeddedImage, triggered: EmbeddedImage) {
    self.caption = caption
    self.clean = clean
    self.triggered = triggered
  }

  /// Reads what `json` wrote; `nil` for anything else.
  package init?(json: JSONValue) {
    guard let caption = json["caption"]?.string,
      let clean = json["clean"]?.string.flatMap(EmbeddedImage.init(base64:)),
      let triggered = json["triggered"]?.string.flatMap(EmbeddedImage.init(base64:))
    else { return nil }
    self.init(caption: caption, clean: clean, triggered: triggered)
  }

  /// For histories.
  package var json: JSONValue {
    [
      "caption": .string(caption), "clean": .string(clean.base64),
      "triggered": .string(triggered.base64),
    ]
  }
}
