import CleanCLIPKit
import Glibc
import Testing

@Suite struct AtomicFileTests {
  let folder = TemporaryFolder()

  @Test func replacesAFileAndKeepsItsMode() throws {
    let path = folder.file("a")
    try AtomicFile.write("old", to: path)
    chmod(path, 0o640)
    try AtomicFile.write("new", to: path)
    #expect(try FileContents.read(path) == Array("new".utf8))
    var status = stat()
    stat(path, &status)
    #expect(status.st_mode & 0o777 == 0o640)
    #expect(folder.names == ["a"])
  }

  @Test func aFailureLeavesTheOldFileAndNothingElse() throws {
    let path = folder.file("a")
    try AtomicFile.write("old", to: path)
    #expect(throws: CLIPError.self) {
      try AtomicFile.write(path) { (file) throws(CLIPError) in
        try file.append([UInt8](repeating: 1, count: 3 << 20))
        throw CLIPError(.cancelled, "stop")
      }
    }
    #expect(try FileContents.read(path) == Array("old".utf8))
    #expect(folder.names == ["a"])
  }

  @Test func writesThroughASymbolicLink() throws {
    try AtomicFile.write("old", to: folder.file("target"))
    symlink("target", folder.file("link"))
    try AtomicFile.write("new", to: folder.file("link"))
    #expect(try FileContents.read(folder.file("target")) == Array("new".utf8))
  }

  @Test func anUnfinishedFileHasNoName() throws {
    try AtomicFile.write("old", to: folder.file("a"))
    try AtomicFile.write(folder.file("a")) { (file) throws(CLIPError) in
      try file.append([UInt8](repeating: 1, count: 3 << 20))
      #expect(folder.names == ["a"])
    }
    #expect(try FileContents.read(folder.file("a")).count == 3 << 20)
  }

  @Test func leftoversOfKilledProcessesGoAway() throws {
    // What a killed process leaves has the name of a temporary file, and no lock.
    for slot in [0, 3] {
      try AtomicFile.write("half", to: folder.file(".a.cleanclip-\(slot)"))
    }
    let held = open(folder.file(".a.cleanclip-1"), O_WRONLY | O_CREAT, 0o600)
    flock(held, LOCK_EX)
    defer { close(held) }
    try AtomicFile.write("new", to: folder.file("a"))
    #expect(Set(folder.names) == ["a", ".a.cleanclip-1"])
    try AtomicFile.write("newer", to: folder.file("a"))
    #expect(Set(folder.names) == ["a", ".a.cleanclip-1"])
  }

  @Test func checkingLeavesNothing() throws {
    try AtomicFile.check(folder.file("a"))
    #expect(folder.names == [])
    try AtomicFile.write("old", to: folder.file("a"))
    try AtomicFile.check(folder.file("a"))
    #expect(try FileContents.read(folder.file("a")) == Array("old".utf8))
    for path in [folder.path, "/dev/full", folder.file("a") + "/b", "/nonexistent-folder/a"] {
      #expect(throws: CLIPError.self) { try AtomicFile.check(path) }
    }
  }

  @Test func largeContentArrivesWhole() throws {
    let content = (0..<(2 << 20) + 12345).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
    try AtomicFile.write(folder.file("a")) { (file) throws(CLIPError) in
      try file.append(Array(content[..<1000]))
      try file.append(Array(content[1000..<1_500_000]))
      try file.append(Array(content[1_500_000...]))
    }
    #expect(try FileContents.read(folder.file("a")) == content)
  }

  @Test(arguments: ["/nonexistent-folder/a", "", "/tmp", "/dev/null", "a\0b"])
  func refusesPathsThatCannotBeFiles(_ path: String) {
    #expect(throws: CLIPError.self) { try AtomicFile.write("x", to: path) }
  }

  @Test func readingRefusesFoldersPipesAndMissingFiles() {
    mkfifo(folder.file("pipe"), 0o600)
    for path in [folder.path, folder.file("pipe"), folder.file("missing"), "/dev/zero"] {
      #expect(throws: CLIPError.self) { try FileContents(path) }
    }
  }

  @Test func anEmptyFileHasNoBytes() throws {
    try AtomicFile.write("", to: folder.file("empty"))
    #expect(try FileContents(folder.file("empty")).bytes.count == 0)
  }
}
