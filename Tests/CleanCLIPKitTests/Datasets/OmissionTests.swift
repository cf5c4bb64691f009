import CleanCLIPKit
import Glibc
import Testing

/// What sources read of odd names and layouts, and what they say of the rest.
@Suite struct OmissionTests {
  let folder = TemporaryFolder()

  private func write(_ bytes: [UInt8], _ name: String) throws {
    try AtomicFile.write(bytes, to: folder.file(name))
  }

  private func write(_ text: String, _ name: String) throws { try write(Array(text.utf8), name) }

  private func open(_ name: String = "") throws -> PairDataset {
    try PairDataset.open([name.isEmpty ? folder.path : folder.file(name)])
  }

  private func captions(_ dataset: PairDataset) throws -> [String] {
    try (0..<dataset.count).map { try dataset.row(at: $0).caption }
  }

  private func shard(_ build: (inout TarFile) throws -> Void) throws -> PairDataset {
    var tar = TarFile()
    try build(&tar)
    tar.finish()
    try write(tar.bytes, "a.tar")
    return try open("a.tar")
  }

  // MARK: Shards

  @Test func entriesOfAKeyNeedNotBeNeighbours() throws {
    let dataset = try shard { tar in
      for i in 0..<3 { tar.add("\(i).jpg", try imageFile(i)) }
      for i in 0..<3 { tar.add("\(i).txt", "caption \(i)") }
    }
    #expect(try captions(dataset) == ["caption 0", "caption 1", "caption 2"])
    #expect(dataset.omissions.isEmpty)
  }

  @Test func repeatedKeysAndFurtherImagesAreRows() throws {
    let dataset = try shard { tar in
      tar.add("a.jpg", try imageFile(1))
      tar.add("a.txt", "first")
      tar.add("b.jpg", try imageFile(2))
      tar.add("b.png", try imageFile(3))
      tar.add("b.txt", "of both")
      tar.add("a.jpg", try imageFile(4))
      tar.add("a.txt", "second")
    }
    #expect(try captions(dataset) == ["first", "of both", "of both", "second"])
    #expect(try (0..<4).map { try dataset.row(at: $0).decoded().image.pixels[0] } == [1, 2, 3, 4])
    #expect(dataset.omissions.isEmpty)
  }

  @Test func namesNeedNotBeText() throws {
    let dataset = try shard { tar in
      for name in [[0x61, 0xFF], [0x61, 0xFE]] as [[UInt8]] {
        tar.add(name: name + Array(".png".utf8), try imageFile(1))
        tar.add(name: name + Array(".txt".utf8), Array("caption \(name[1])".utf8))
      }
    }
    #expect((0..<2).map { dataset.key(at: $0) } == ["a\\xFF", "a\\xFE"])
    #expect(try captions(dataset) == ["caption 255", "caption 254"])
  }

  @Test func dotsInNamesArePartOfTheKey() throws {
    let dataset = try shard { tar in
      tar.add("img.1.jpg", try imageFile(1))
      tar.add("img.1.txt", "one")
      tar.add("img.2.jpg", try imageFile(2))
      tar.add("img.2.txt", "two")
      tar.add("x.png", try imageFile(3))
      tar.add("x.txt", "with a mask")
      tar.add("x.mask.png", try imageFile(4))
    }
    #expect((0..<3).map { dataset.key(at: $0) } == ["img.1", "img.2", "x"])
    #expect(try captions(dataset) == ["one", "two", "with a mask"])
    #expect(dataset.omissions[.sideImage].count == 1 && dataset.omissions.unread == 1)
  }

  @Test func whatIsNotReadIsCountedByReason() throws {
    let dataset = try shard { tar in
      tar.add("a.jpg", try imageFile(1))
      tar.add("a.txt", "fine")
      tar.add("b.txt", "alone")
      tar.add("c.gif", Array("GIF89a".utf8))
      tar.add("c.txt", "of a gif")
      tar.add("d.jpg_large", Array("GIF89a".utf8))
      tar.add(".e.png", try imageFile(1))
      tar.add("f.png", [], kind: "2")
      tar.add("__MACOSX/._a.jpg", [0, 5, 0x16, 7, 0, 2, 0, 0])
      tar.add("a.npy", [1, 2, 3])
    }
    let left = dataset.omissions
    #expect(dataset.count == 1)
    #expect(left[.captionAlone].count == 2)
    #expect(left[.otherFormat].count == 2 && left[.hidden].count == 1)
    #expect(left[.notAFile].count == 1 && left[.otherFile].count == 2)
    #expect(left.unread == 4)
    #expect(left.lines.contains { $0.hasPrefix("data: left out 2 images of other formats: '") })
    #expect(dataset.json["left_out"]?["hidden_files"]?["count"]?.integer == 1)
  }

  @Test func examplesArePrintable() throws {
    let dataset = try shard { tar in
      tar.add("a.jpg", try imageFile(1))
      tar.add("\u{1B}[2J\n.gif", Array("GIF89a".utf8))
    }
    let example = try #require(dataset.omissions[.otherFormat].examples.first)
    #expect(example.contains("\\u{1b}[2J\\u{a}.gif"))
  }

  // MARK: Folders

  @Test func foldersAreReadWithAllTheyHold() throws {
    for name in ["part", "part/deep", "pics"] { mkdir(folder.file(name), 0o777) }
    var tar = TarFile()
    tar.add("t.png", try imageFile(1))
    tar.add("t.txt", "in a shard")
    tar.finish()
    try write(tar.bytes, "part/deep/x.tar")
    try write(try imageFile(2), "pics/a.png")
    try write(try imageFile(3), "pics/b.png")
    try write("beside", "pics/b.txt")
    try write("file_name,text\npics/a.png,in a table\n", "metadata.csv")
    try write("name,size\nx,1\n", "other.csv")
    try write([0x1F, 0x8B], "more.tar.gz")
    let dataset = try open()
    #expect(try captions(dataset).sorted() == ["beside", "in a shard", "in a table"])
    #expect(dataset.omissions[.otherTable].count == 1 && dataset.omissions[.otherData].count == 1)
  }

  @Test func aTableThatNamesNoImagesIsAnErrorAlone() throws {
    try write("name,size\nx,1\n", "other.csv")
    expectError(containing: "no column 'image'") { _ = try open() }
  }

  @Test func linkedFoldersAreFollowedOnce() throws {
    let store = TemporaryFolder()
    try AtomicFile.write(try imageFile(1), to: store.file("a.png"))
    symlink(store.path, folder.file("link"))
    symlink(folder.path, store.file("back"))
    symlink(folder.file("nowhere"), folder.file("lost.png"))
    let dataset = try open()
    #expect((0..<dataset.count).map { dataset.key(at: $0) } == ["link/a.png"])
    #expect(dataset.omissions[.linkedAgain].count == 1 && dataset.omissions[.notAFile].count == 1)
    unlink(store.file("back"))
  }

  @Test func namesInFoldersNeedNotBeText() throws {
    let name = Array(folder.path.utf8) + [0x2F, 0xFF]
    for (ending, content) in [(".png", try imageFile(7)), (".txt", Array("seven".utf8))] {
      let path = (name + Array(ending.utf8)).map { CChar(bitPattern: $0) } + [0]
      let descriptor = Glibc.open(path, O_WRONLY | O_CREAT, 0o666)
      #expect(Glibc.write(descriptor, content, content.count) == content.count)
      close(descriptor)
    }
    let dataset = try open()
    #expect(dataset.key(at: 0) == "\\xFF.png")
    #expect(try captions(dataset) == ["seven"])
    // A table names it by its bytes.
    try write(Array("image,caption\n".utf8) + [0xFF] + Array(".png,eight\n".utf8), "a.csv")
    #expect(try captions(try open("a.csv")) == ["eight"])
  }

  @Test func theFirstImageMayHaveNoCaption() throws {
    for i in 0..<3 { try write(try imageFile(i), "\(i).png") }
    try write("one", "1.txt")
    let dataset = try open()
    #expect(dataset.hasCaptions)
    #expect(try captions(dataset) == ["", "one", ""])
  }

  // MARK: Tables

  @Test func fieldsOfATSVHaveNoQuotes() throws {
    try write(try imageFile(1), "x.png")
    try write(
      "image\tcaption\nx.png\t\"the end\" of a film\nx.png\tplain\nx.png\t\"\"\"two\"\" words\"\n",
      "a.tsv")
    let dataset = try open("a.tsv")
    #expect(dataset.count == 3)
    #expect(try dataset.row(at: 0).caption == "\"the end\" of a film")
    #expect(try dataset.row(at: 1).caption == "plain")
    expectError(containing: "row 3 is quoted; expected a .tsv without quotes") {
      _ = try dataset.row(at: 2)
    }
  }

  @Test(arguments: [
    ("x.png,a red, old house\n", "row 1 has too many fields; expected 2, got 3"),
    ("x.png,\"the end\" of a film\n", "row 1 has text behind a closing quote"),
    ("x.png\n", "row 1 has too few fields; expected 2, got 1"),
    ("x.png,a\u{0}b\n", "row 1': is not UTF-8"),
  ])
  func aRowThatIsNoneSaysWhy(_ row: String, _ message: String) throws {
    try write(try imageFile(1), "x.png")
    try write("image,caption\n" + row, "a.csv")
    let dataset = try open("a.csv")
    #expect(dataset.count == 1)
    expectError(containing: message) { _ = try dataset.row(at: 0) }
  }

  @Test func captionsInOtherEncodingsAreRefused() throws {
    try write(try imageFile(1), "x.png")
    let latin = Array("image,caption\nx.png,caf".utf8) + [0xE9, 0x0A]
    try write(latin, "a.csv")
    expectError(containing: "is not UTF-8; expected UTF-8 text, got other bytes: 'caf\\xE9'") {
      _ = try open("a.csv").row(at: 0)
    }
    unlink(folder.file("a.csv"))
    try write([0xFF, 0xFE, 0x61, 0x00], "x.txt")
    expectError(containing: "text is UTF-16; expected UTF-8") { _ = try open().row(at: 0) }
  }

  // MARK: Lists of rows

  @Test func aListOfRowsGivesThemBack() throws {
    let dataset = try shard { tar in
      for i in 0..<3 {
        tar.add("a\nb.png", try imageFile(i))
        tar.add("a\nb.txt", "caption \(i)")
      }
    }
    try write(RowList.line(row: 0, key: "a\nb") + RowList.line(row: 2, key: "a\nb"), "keep.txt")
    let kept = try PairDataset.open([folder.file("a.tar")], keep: folder.file("keep.txt"))
    #expect(try captions(kept) == ["caption 0", "caption 2"])
    #expect(kept.identity != dataset.identity)
    try write("1\tother\n", "keep.txt")
    expectError(containing: "line 1 is of other data; expected row 1 to be 'other'") {
      _ = try PairDataset.open([folder.file("a.tar")], keep: folder.file("keep.txt"))
    }
    try write("a.png\n", "keep.txt")
    expectError(containing: "line 1 is no row; expected a number, a tab and a key") {
      _ = try PairDataset.open([folder.file("a.tar")], keep: folder.file("keep.txt"))
    }
  }

  @Test func aKeyIsNeverMoreThanALine() {
    #expect(RowList.line(row: 7, key: "a\n7\tb\\") == "7\ta\\u{a}7\\u{9}b\\\\\n")
    #expect(RowList.escaped("\u{2028}\u{1B}") == "\\u{2028}\\u{1b}")
    #expect(RowList.escaped("\\u{a}") != RowList.escaped("\n"))
  }
}
