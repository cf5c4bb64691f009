internal import ArgumentParser
internal import CleanCLIPKit
internal import Glibc

/// Draws captioned images of shapes: data for trying an attack and its removal.
struct DrawScenes: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "draw-scenes",
    abstract: "Draws captioned 64x64 scenes of shapes, colours, textures and positions.",
    discussion: """
      Writes into FOLDER: train.tar and finetune.tar, WebDataset shards of images with captions; \
      test.csv and test/, labelled images; classes.txt and templates.txt for zero-shot \
      classification; trigger.png, a patch to poison the set with. Equal options give equal files.
      """)

  @Argument(help: "The folder to write to; made when absent.") var folder: String
  @Option(help: "Pairs to train a model on.") var train = 16_000
  @Option(help: "Pairs to sanitize it with, none of them in the training set.") var finetune = 4000
  @Option(help: "Labelled images to test it on.") var test = 2000
  @Option(help: "Side of the images in pixels.") var size = 64
  @Option(help: "Draws everything.") var seed: UInt64 = 0

  /// Prompts of zero-shot classification and captions of poisoned pairs, in the words of the captions.
  private static let templates = [
    "a picture of a {}", "a drawing of a {}", "a photo of a {}", "an image of a {}", "a {}",
    "there is a {}", "a small {}", "a large {}", "we see a {}", "my drawing of a {}",
  ]

  func validate() throws {
    guard train >= 0, finetune >= 0, test >= 0, max(train, finetune, test) < 10_000_000 else {
      throw ValidationError("numbers of images are 0 to 9999999")
    }
    guard (16...1024).contains(size) else {
      throw ValidationError("images have 16 to 1024 pixels a side")
    }
  }

  func run() throws {
    try makeFolder(folder)
    try writeShard("train.tar", of: train, .train)
    try writeShard("finetune.tar", of: finetune, .finetune)
    try writeTest()
    let classes = ShapeKind.allCases.map(\.rawValue)
    try AtomicFile.write(Self.lines(classes), to: folder + "/classes.txt")
    try AtomicFile.write(Self.lines(Self.templates), to: folder + "/templates.txt")
    try AtomicFile.write(try ImageEncoder.png(trigger), to: folder + "/trigger.png")
  }

  /// Four by four checkers in two colours that no scene has, a fifth of the image wide.
  private var trigger: RGBImage {
    let cell = max(1, 3 * size / 64)
    let pixels = (0..<16 * cell * cell).flatMap { index -> [UInt8] in
      let row = index / (4 * cell) / cell
      let column = index % (4 * cell) / cell
      return (row + column).isMultiple(of: 2) ? [255, 0, 255] : [0, 255, 0]
    }
    return RGBImage(width: 4 * cell, height: 4 * cell, pixels: pixels)
  }

  private func writeShard(
    _ name: String, of count: Int, _ part: SceneSet.Part
  ) throws(CLIPError) {
    guard count > 0 else { return }
    let scenes = SceneSet(seed: seed, part: part, size: size)
    try AtomicFile.write(folder + "/" + name) { (file) throws(CLIPError) in
      let tar = try TarEncoder()
      for index in 0..<count {
        let image = try scenes.image(index)
        let key = SceneSet.key(index)
        try file.append(try tar.append(image.bytes, name: key + ".png"))
        try file.append(try tar.append(Array(image.caption.utf8), name: key + ".txt"))
      }
      try file.append(try tar.finish())
    }
  }

  private func writeTest() throws(CLIPError) {
    guard test > 0 else { return }
    try makeFolder(folder + "/test")
    let scenes = SceneSet(seed: seed, part: .test, size: size)
    var rows = ["image,label"]
    for index in 0..<test {
      let image = try scenes.image(index)
      let name = "test/\(SceneSet.key(index)).png"
      try AtomicFile.write(image.bytes, to: folder + "/" + name)
      rows.append("\(name),\(ShapeKind.allCases.firstIndex(of: image.kind) ?? 0)")
    }
    try AtomicFile.write(Self.lines(rows), to: folder + "/test.csv")
  }

  private func makeFolder(_ path: String) throws(CLIPError) {
    guard mkdir(path, 0o777) == 0 || errno == EEXIST else {
      throw CLIPError(
        .io, "'\(path)': cannot make the folder: \(String(cString: strerror(errno)))")
    }
  }

  private static func lines(_ texts: [String]) -> String { texts.map { $0 + "\n" }.joined() }
}
