import CleanCLIPKit
import Glibc
import Testing

/// Files that other processes change while the library has them open.
@Suite struct ChangedFileTests {
  let folder = TemporaryFolder()

  /// Opens a copy of a checkpoint whose time of change is long ago, so that any change shows.
  private func copy(of name: String) throws -> String {
    let path = folder.file("model.onnx")
    try AtomicFile.write(try FileContents.read(CheckpointFixture.path(name)), to: path)
    var times = [timespec(tv_sec: 1_000_000, tv_nsec: 0), timespec(tv_sec: 1_000_000, tv_nsec: 0)]
    #expect(utimensat(AT_FDCWD, path, &times, 0) == 0)
    return path
  }

  enum Change: CaseIterable {
    case shortened, emptied, longer, sameSize
  }

  /// Changes a file in place, as an editor or a download does.
  private func change(_ path: String, _ change: Change) throws {
    let size = try FileContents.read(path).count
    switch change {
    case .shortened: #expect(truncate(path, off_t(size / 2)) == 0)
    case .emptied: #expect(truncate(path, 0) == 0)
    case .longer: #expect(truncate(path, off_t(size + 4096)) == 0)
    case .sameSize:
      let file = open(path, O_WRONLY)
      #expect(pwrite(file, "other bytes", 11, off_t(size / 2)) == 11)
      close(file)
    }
  }

  @Test(arguments: Change.allCases, ["vit.onnx", "vit-f16.onnx"])
  func aModelIsNotSavedIntoAGraphThatChanged(_ kind: Change, _ name: String) throws {
    let path = try copy(of: name)
    let loaded = try LoadedModel.load(path)
    loaded.model.perturb(seed: 3)
    try change(path, kind)
    let target = folder.file("clean.onnx")
    for attempt in [loaded.checkSaving, loaded.save] {
      let error = #expect(throws: CLIPError.self) { try attempt(target) }
      #expect(error?.code == .state)
      #expect(error?.message.contains("has changed since it was opened") == true)
    }
    #expect(!FileContents.exists(target))
    // What was trained is not lost: safetensors needs nothing of the file.
    let error = #expect(throws: CLIPError.self) { try loaded.saveOrRescue(to: target) }
    let rescue = folder.file("clean.rescued.safetensors")
    #expect(error?.message.hasSuffix("; the weights are in '\(rescue)'") == true)
    let again = try LoadedModel.load(rescue).model.tensorsByName
    for (name, tensor) in loaded.model.tensorsByName {
      #expect(try #require(again[name]).floats() == tensor.floats(), "\(name)")
    }
    // A second rescue leaves the first where it is.
    #expect(throws: CLIPError.self) { try loaded.saveOrRescue(to: target) }
    #expect(FileContents.exists(folder.file("clean.rescued-2.safetensors")))
  }

  @Test func aFileThatWasReplacedByRenamingIsStillThere() throws {
    let path = try copy(of: "vit.onnx")
    let loaded = try LoadedModel.load(path)
    loaded.model.perturb(seed: 4)
    try AtomicFile.write("another file", to: path)
    try loaded.save(to: folder.file("clean.onnx"))
    let again = try LoadedModel.load(folder.file("clean.onnx")).model.tensorsByName
    for (name, tensor) in loaded.model.tensorsByName {
      #expect(relativeDifference(try #require(again[name]), tensor) < 1e-6)
    }
    #expect(unlink(path) == 0)
    try loaded.save(to: folder.file("again.onnx"))
  }

  @Test func inspectGivesNoHashOfOtherBytes() throws {
    let path = try copy(of: "vit.onnx")
    let loaded = try LoadedModel.load(path)
    #expect(try loaded.description()["files"]?.array?[0]["sha256"] != nil)
    try change(path, .sameSize)
    let file = try #require(try loaded.description()["files"]?.array?[0])
    #expect(file["sha256"] == nil && file["changed_since_loaded"] == true)
  }

  @Test(arguments: [Change.shortened, .emptied, .sameSize])
  func aTableThatChangedIsAnErrorOfItsRows(_ kind: Change) throws {
    let path = folder.file("pairs.csv")
    try AtomicFile.write("image,caption\na.png,one\nb.png,two\n", to: path)
    var times = [timespec(tv_sec: 1_000_000, tv_nsec: 0), timespec(tv_sec: 1_000_000, tv_nsec: 0)]
    #expect(utimensat(AT_FDCWD, path, &times, 0) == 0)
    let dataset = try PairDataset.open([path])
    try change(path, kind)
    let error = #expect(throws: CLIPError.self) { try dataset.row(at: 1) }
    #expect(error?.code == .state)
  }

  @Test func partsAreReadWhereTheyAre() throws {
    let path = folder.file("bytes")
    let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 * 7 + $0 >> 8) }
    try AtomicFile.write(bytes, to: path)
    let file = try InputFile(path)
    #expect(file.count == bytes.count)
    #expect(try file.read(31_000..<31_007) == Array(bytes[31_000..<31_007]))
    #expect(try file.read(5..<5).isEmpty)
    #expect(try file.head(10) == Array(bytes[..<10]))
    #expect(try file.head(1 << 20) == bytes)
    var joined: [UInt8] = []
    try file.forEachPiece(of: 3..<99_999) { (piece) throws(CLIPError) in joined += piece }
    #expect(joined == Array(bytes[3..<99_999]))
  }
}
