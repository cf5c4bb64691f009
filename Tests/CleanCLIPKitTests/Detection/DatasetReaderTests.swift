import CleanCLIPKit
import Testing

@Suite struct DatasetReaderTests {
  /// Three pieces of rows, of which a few have no image.
  private let count = 1200

  private func model(seed: UInt64 = 1) throws -> CLIPModel {
    try tinyModel(imageSize: 16, embedDim: 16, vocabularySize: nil, seed: seed)
  }

  private func dataset() throws -> PairDataset {
    try PairDataset(count: count) { (index) throws(CLIPError) in
      guard index % 97 != 5 else { throw CLIPError(.format, "'row \(index)': no image") }
      var random = RandomNumbers(seed: UInt64(index))
      var image = RGBImage(width: 16, height: 16)
      for i in image.pixels.indices { image.pixels[i] = UInt8(random.integer(below: 256)) }
      return CaptionedImage(
        key: "key \(index)", image: .pixels(image), caption: "caption \(index)\nof two lines")
    }
  }

  private func reader(_ model: CLIPModel?, state: String?, resume: Bool) -> DatasetReader {
    var reader = DatasetReader(model: model)
    reader.findsPatches = true
    reader.stateDirectory = state
    reader.resume = resume
    return reader
  }

  private func expectSame(_ a: DatasetFeatures, _ b: DatasetFeatures) throws {
    #expect(a.keys == b.keys)
    #expect(a.captions == b.captions)
    #expect(a.rows == b.rows)
    #expect(try a.allImageFeatures()?.floats() == b.allImageFeatures()?.floats())
    #expect(a.patchPairs == b.patchPairs)
    #expect(a.descriptors == b.descriptors && a.descriptors?.count == a.keys.count)
    #expect(a.skipped == b.skipped)
    #expect(a.skippedReasons == b.skippedReasons)
  }

  @Test func leavesOutRowsThatCannotBeRead() throws {
    let read = try reader(try model(), state: nil, resume: false).read(try dataset())
    #expect(read.skipped == 13)
    #expect(read.skippedReasons.first == "'row 5': no image")
    #expect(read.skippedReasons.count == 10)
    #expect(read.keys.count == count - 13)
    #expect(try read.allImageFeatures()?.shape == [count - 13, 16])
    #expect(!read.rows.contains(5) && read.rows.last == count - 1)
    #expect(read.patchPairs?.count == count - 13)
  }

  @Test func aCancelledReadingGoesOnWhereItStoppedBitByBit() throws {
    let folder = TemporaryFolder()
    let model = try model()
    let whole = try reader(model, state: nil, resume: false).read(try dataset())
    let error = #expect(throws: CLIPError.self) {
      try reader(model, state: folder.path, resume: false).read(try dataset()) { $0 < 1100 }
    }
    #expect(error?.code == .cancelled)
    // What a killed process leaves of a file it was writing has another name.
    try AtomicFile.write("half", to: folder.file(".pairs-000002.safetensors.a1B2c3"))
    var heard: [Int] = []
    let resumed = try reader(model, state: folder.path, resume: true).read(try dataset()) { done in
      heard.append(done)
      return true
    }
    #expect(heard == [512, 1024, 1088, 1152, 1200])
    try expectSame(resumed, whole)
    // All pairs are kept now.
    let again = try reader(model, state: folder.path, resume: true).read(try dataset())
    try expectSame(again, whole)
  }

  @Test func theStateOfAnotherCheckIsRefused() throws {
    let folder = TemporaryFolder()
    _ = try reader(try model(), state: folder.path, resume: false).read(try dataset())
    let other = #expect(throws: CLIPError.self) {
      try reader(try model(seed: 2), state: folder.path, resume: true).read(try dataset())
    }
    #expect(other?.code == .state)
    #expect(other?.message.contains("is the state of another check; model: expected") == true)
    var changed = reader(try model(), state: folder.path, resume: true)
    changed.findsPatches = false
    let settings = #expect(throws: CLIPError.self) { try changed.read(try dataset()) }
    #expect(settings?.message.contains("patches: expected false, got true") == true)
    let rows = try PairDataset(count: 5) { (_) throws(CLIPError) in
      CaptionedImage(key: "", image: .pixels(RGBImage(width: 16, height: 16)), caption: "")
    }
    let data = #expect(throws: CLIPError.self) {
      try reader(try model(), state: folder.path, resume: true).read(rows)
    }
    #expect(data?.message.contains("data: expected host, 5 rows, got host, 1200 rows") == true)
  }

  @Test func startingAnewForgetsWhatWasThere() throws {
    let folder = TemporaryFolder()
    _ = try reader(try model(), state: folder.path, resume: false).read(try dataset())
    let other = try model(seed: 2)
    #expect(throws: CLIPError.self) {
      try reader(other, state: folder.path, resume: false).read(try dataset()) { $0 < 600 }
    }
    let resumed = try reader(other, state: folder.path, resume: true).read(try dataset())
    try expectSame(resumed, try reader(other, state: nil, resume: false).read(try dataset()))
  }

  @Test func aDamagedPieceIsAnErrorThatSaysSo() throws {
    let folder = TemporaryFolder()
    _ = try reader(try model(), state: folder.path, resume: false).read(try dataset())
    func refused(_ change: (String, inout [UInt8]) -> Void) throws -> CLIPError? {
      let path = folder.file("pairs-000001.safetensors")
      let sound = try FileContents.read(path)
      var bytes = sound
      change(path, &bytes)
      try AtomicFile.write(bytes, to: path)
      defer { try? AtomicFile.write(sound, to: path) }
      return #expect(throws: CLIPError.self) {
        try reader(try model(), state: folder.path, resume: true).read(try dataset())
      }
    }
    #expect(try refused { _, bytes in bytes.removeLast(9) }?.code == .format)
    let first = try FileContents.read(folder.file("pairs-000000.safetensors"))
    let swapped = try refused { _, bytes in bytes = first }
    #expect(swapped?.code == .format)
    #expect(swapped?.message.contains("expected the pairs of rows 512..<1024") == true)
    // A state of an earlier version has no descriptors.
    let old = try refused { _, bytes in
      guard let start = bytes.firstRange(of: Array("cleanclip dataset state 4".utf8)) else {
        return
      }
      bytes[start.upperBound - 1] = UInt8(ascii: "3")
      bytes = FileSeal.sealed(bytes)
    }
    #expect(old?.code == .format)
    // 512 rows of the second piece, 5 of which could not be read.
    let miscounted = try refused { _, bytes in
      let text = String(decoding: bytes, as: UTF8.self)
      #expect(text.contains("\"skipped\":\"5\""))
      guard let start = bytes.firstRange(of: Array("\"skipped\":\"5\"".utf8)) else { return }
      bytes[start.upperBound - 2] = UInt8(ascii: "6")
      bytes = FileSeal.sealed(bytes)
    }
    #expect(miscounted?.message.contains("is damaged") == true)
  }
}
