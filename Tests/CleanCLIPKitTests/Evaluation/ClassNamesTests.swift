import CleanCLIPKit
import Glibc
import Testing

@Suite struct ClassNamesTests {
  @Test func namesGoBeforeNumbers() throws {
    let names = ClassNames(["cat", "dog", "1"])
    #expect(try names.index(named: "dog") == 1)
    #expect(try names.index(named: "0") == 0)
    #expect(try names.index(named: "1") == 2)
    // An index is one: a class of that name is another.
    #expect(try names.index(of: .index(1), key: "x") == 1)
    #expect(try names.index(of: .text("1"), key: "x") == 2)
    for bad in ["bird", "3", "-1", ""] {
      expectError(containing: "is no class; expected one of the 3 class names or an index below 3")
      {
        _ = try names.index(named: bad)
      }
    }
    expectError(containing: "'x.png': classes: '7' is no class") {
      _ = try names.index(of: .index(7), key: "x.png")
    }
  }

  @Test func aNameOfTwoClassesMustBeAnIndex() throws {
    let names = ClassNames(["tench", "missile", "missile"])
    #expect(try names.index(of: .text("2"), key: "x") == 2)
    let message = "'missile' is the name of several; expected the name of one, got that of 1 and 2"
    expectError(containing: message) {
      _ = try names.index(named: "missile")
    }
  }

  private func folders(_ names: [String]) throws -> (PairDataset, TemporaryFolder) {
    let folder = TemporaryFolder()
    for name in names {
      mkdir(folder.file(name), 0o777)
      try AtomicFile.write(try imageFile(1), to: folder.file("\(name)/x.png"))
    }
    return (try PairDataset.open([folder.path]), folder)
  }

  @Test func classFoldersAreFoundByName() throws {
    let (dataset, folder) = try folders(["dog", "cat"])
    let names = try ClassNames(["horse", "dog", "cat"], of: dataset)
    #expect(try names.index(of: .folder("dog"), key: "x") == 1)
    #expect(try names.index(of: .folder("cat"), key: "x") == 2)
    expectError(containing: "'dog' is no class") {
      _ = try ClassNames(["horse", "cat"], of: dataset)
    }
    _ = folder
  }

  @Test func classFoldersOfOtherNamesCountInOrder() throws {
    let (dataset, folder) = try folders(["n02", "n01"])
    let names = try ClassNames(["tench", "goldfish"], of: dataset)
    #expect(try names.index(of: .folder("n01"), key: "x") == 0)
    #expect(try names.index(of: .folder("n02"), key: "x") == 1)
    let message = "expected folders with the names of classes, or as many, 3"
    expectError(containing: message) {
      _ = try ClassNames(["tench", "goldfish", "shark"], of: dataset)
    }
    _ = folder
  }
}
