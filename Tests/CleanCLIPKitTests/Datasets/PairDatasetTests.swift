import CleanCLIPKit
import Glibc
import Testing

@Suite struct PairDatasetTests {
  let folder = TemporaryFolder()

  private func write(_ text: String, _ name: String) throws -> String {
    try write(Array(text.utf8), name)
  }

  private func write(_ bytes: [UInt8], _ name: String) throws -> String {
    try AtomicFile.write(bytes, to: folder.file(name))
    return folder.file(name)
  }

  private func shard(_ numbers: Range<Int>, _ name: String) throws -> String {
    var tar = TarFile()
    for number in numbers {
      tar.add("\(number).png", try imageFile(number))
      tar.add("\(number).txt", "image \(number)")
      tar.add("\(number).cls", "\(number % 3)\n")
    }
    tar.finish()
    return try write(tar.bytes, name)
  }

  private func red(_ row: CaptionedImage) throws -> UInt8 { try row.decoded().image.pixels[0] }

  // MARK: Tables

  @Test func readsTableWithPathsRelativeToIt() throws {
    _ = try write(try imageFile(7), "seven.png")
    _ = try write(try imageFile(9), "nine.png")
    let csv = try write(
      "image,caption,extra\nseven.png,\"a \"\"red\"\", old\nhouse\",1\r\n\(folder.path)/nine.png,nine,2",
      "pairs.csv")
    let dataset = try PairDataset.open([csv])
    #expect(dataset.count == 2)
    #expect(dataset.hasCaptions && !dataset.hasLabels)
    let first = try dataset.row(at: 0)
    #expect(first.caption == "a \"red\", old\nhouse")
    #expect(first.key == "seven.png")
    #expect(try red(first) == 7)
    let second = try dataset.row(at: 1)
    #expect(second.caption == "nine")
    #expect(try red(second) == 9)
  }

  @Test(arguments: [
    ("a.tsv", "title\turl\nfirst, one\tx.png\n"),
    ("b.csv", "title\turl\nfirst, one\tx.png\n"),
    ("c.csv", "\u{FEFF}title;url\r\rfirst, one;x.png\r"),
    ("d.csv", "url,title\r\n\r\nx.png,\"first, one\"\r\n\r\n"),
  ])
  func readsDialects(_ name: String, _ text: String) throws {
    _ = try write(try imageFile(3), "x.png")
    let path = try write(text, name)
    let dataset = try PairDataset.open(
      [path], columns: DatasetColumns(image: "url", caption: "title"))
    #expect(dataset.count == 1)
    #expect(try dataset.row(at: 0).caption == "first, one")
  }

  @Test func readsLabelsOfTables() throws {
    _ = try write(try imageFile(3), "x.png")
    let path = try write("image,label\nx.png, 4 \nx.png,\nx.png,four\nx.png,-1\n", "a.csv")
    let dataset = try PairDataset.open([path])
    #expect(dataset.hasLabels && !dataset.hasCaptions)
    #expect(
      try (0..<4).map { try dataset.row(at: $0).label }
        == [.text("4"), nil, .text("four"), .text("-1")])
    #expect(try (0..<4).map { try dataset.label(at: $0) }.first == .text("4"))
    #expect(try dataset.classIndex(of: .text("4"), key: "x.png") == 4)
    for label in ["four", "-1"] {
      expectError(containing: "label is no class index; expected an integer from 0, got '\(label)'")
      {
        _ = try dataset.classIndex(of: .text(label), key: "x.png")
      }
    }
  }

  @Test func listsColumnsWhenOneIsMissing() throws {
    let path = try write("path,text\na,b\n", "a.csv")
    expectError(containing: "no column 'image'; expected it in the header, got 'path', 'text'") {
      _ = try PairDataset.open([path])
    }
    let other = try write("image,words\na,b\n", "b.csv")
    #expect(try !PairDataset.open([other]).hasCaptions)
    expectError(containing: "no column 'sentence'") {
      _ = try PairDataset.open([other], columns: DatasetColumns(caption: "sentence"))
    }
    #expect(try PairDataset.open([other], columns: DatasetColumns(caption: "words")).hasCaptions)
  }

  @Test(arguments: [
    ("", "table is empty"),
    ("image,caption\n", "dataset is empty"),
    ("image,caption,image\nx,y,z\n", "column 'image' occurs twice"),
    ("image,caption\nx.png,\"never closed\n", "a quote is not closed"),
    ("\u{0}", "no column 'image'"),
  ])
  func refusesBrokenTables(_ text: String, _ message: String) throws {
    let path = try write(text, "a.csv")
    expectError(containing: message) { _ = try PairDataset.open([path]) }
  }

  @Test func refusesUTF16Table() throws {
    let path = try write([0xFF, 0xFE, 0x69, 0x00], "a.csv")
    expectError(containing: "text is UTF-16") { _ = try PairDataset.open([path]) }
  }

  @Test func refusesHeaderWithoutEnd() throws {
    let path = try write([UInt8](repeating: UInt8(ascii: ","), count: 17 << 20), "a.csv")
    expectError(containing: "header is too long") { _ = try PairDataset.open([path]) }
  }

  @Test func reportsBrokenRowsOneByOne() throws {
    let path = try write("image,caption\nabsent.png,a\nonly\n,b\n.,c\n", "a.csv")
    let dataset = try PairDataset.open([path])
    #expect(dataset.count == 4)
    for (row, message) in [
      "absent.png", "row 2 has too few fields; expected 2, got 1", "row 3 names no image",
      "is not a file",
    ].enumerated() {
      expectError(containing: message) { _ = try dataset.row(at: row) }
    }
    #expect(dataset.key(at: 0) == "absent.png")
    #expect(dataset.key(at: 2) == "row 3")
  }

  // MARK: Shards

  @Test func readsShardsOfAPattern() throws {
    _ = try shard(0..<3, "pairs-000.tar")
    _ = try shard(3..<8, "pairs-001.tar")
    for pattern in ["pairs-*.tar", "pairs-{000..001}.tar", "pairs-00{0,1}.tar", "pairs-00[01].tar"]
    {
      let dataset = try PairDataset.open([folder.file(pattern)])
      #expect(dataset.count == 8)
      for index in 0..<8 {
        let row = try dataset.row(at: index)
        #expect(row.key == "\(index)")
        #expect(row.caption == "image \(index)")
        #expect(row.label == .index(Int32(index % 3)))
        #expect(try dataset.label(at: index) == row.label)
        #expect(try red(row) == UInt8(index))
      }
    }
    #expect(try PairDataset.open([folder.path]).count == 8)
  }

  @Test func readsFormatsOfOtherTarPrograms() throws {
    // Written by Python's tarfile: long names, names in Chinese, folders.
    for format in ["ustar", "gnu", "pax"] {
      let dataset = try PairDataset.open(
        ["\(ReferenceCaption.packageFolder)/Tests/Fixtures/text/\(format).tar"])
      #expect(dataset.count == 3)
      for index in 0..<3 {
        let row = try dataset.row(at: index)
        #expect(row.caption == "caption \(index)")
        #expect(try red(row) == UInt8(10 * index))
      }
      #expect(dataset.key(at: 1).hasPrefix("folder/"))
      #expect(dataset.key(at: 2) == "folder/\u{72D7}")
    }
  }

  @Test func takesCaptionsFromJSON() throws {
    var tar = TarFile()
    tar.add("a.JPG", try imageFile(1))
    tar.add("a.json", #"{"caption": "from json", "other": "by name"}"#)
    tar.add("b.c.json", "{}")
    tar.add("d.json", "{")
    tar.add("d.png", try imageFile(2))
    tar.finish()
    let path = try write(tar.bytes, "a.tar")
    let dataset = try PairDataset.open([path])
    #expect(dataset.count == 2)
    #expect(try dataset.row(at: 0).caption == "from json")
    expectError(containing: "d.json': text is not JSON") { _ = try dataset.row(at: 1) }
    let other = try PairDataset.open([path], columns: DatasetColumns(caption: "other"))
    #expect(try other.row(at: 0).caption == "by name")
  }

  @Test func namesWhatIsNoRow() throws {
    var tar = TarFile()
    tar.add("../../etc/a.png", try imageFile(1))
    tar.add("../../etc/a.txt", "kept as a name only")
    tar.add("b.txt", "no image")
    tar.add("c.png", try imageFile(2))
    tar.add("c.jpg", try imageFile(3))
    tar.add("../../etc/a.png", try imageFile(4))
    tar.add("e.png", [])
    tar.add("f.png", [], kind: "2")
    tar.add("._g.png", try imageFile(4))
    tar.add("h", try imageFile(4))
    tar.finish()
    let dataset = try PairDataset.open([try write(tar.bytes, "a.tar")])
    // Both of each repeated key, the empty image, which fails when it is read, and the one without an
    // ending.
    #expect(
      (0..<dataset.count).map { dataset.key(at: $0) }
        == ["../../etc/a", "c", "c", "../../etc/a", "e", "h"])
    #expect(try dataset.row(at: 3).caption == "kept as a name only")
    let left = dataset.omissions
    #expect(left[.captionAlone].count == 1 && left[.notAFile].count == 1)
    #expect(left[.hidden].examples == ["'\(folder.file("a.tar"))': '._g.png'"])
    #expect(left.unread == 2)
    expectError(containing: "e") { _ = try dataset.row(at: 4).decoded() }
  }

  @Test func refusesTarThatEndsEarly() throws {
    var tar = TarFile()
    tar.add("a.png", try imageFile(1))
    let whole = tar.bytes.count
    tar.add("b.png", [UInt8](repeating: 1, count: 5000))
    for count in [whole + 512, whole + 700, whole + 5000] {
      let path = try write(Array(tar.bytes[..<count]), "a.tar")
      expectError(containing: "a.tar': ") { _ = try PairDataset.open([path]) }
    }
  }

  @Test func refusesTarWhoseSizesLie() throws {
    for size in [1 << 32, 0o77777777777, 4000] {
      var tar = TarFile()
      tar.add("a.png", [1, 2, 3], size: size)
      let path = try write(tar.bytes, "a.tar")
      expectError(containing: "a.tar': ") { _ = try PairDataset.open([path]) }
    }
  }

  @Test func refusesWhatIsNoTar() throws {
    let noise = try write((0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 11) }, "a.tar")
    expectError(containing: "cannot be read") { _ = try PairDataset.open([noise]) }
    let gzip = try write([0x1F, 0x8B, 8, 0] + [UInt8](repeating: 0, count: 600), "b.tar")
    expectError(containing: "tar is compressed") { _ = try PairDataset.open([gzip]) }
    let empty = try write([], "c.tar")
    expectError(containing: "c.tar") { _ = try PairDataset.open([empty]) }
    let zeros = try write([UInt8](repeating: 0, count: 10240), "d.tar")
    expectError(containing: "dataset is empty") { _ = try PairDataset.open([zeros]) }
  }

  @Test func noticesThatAShardHasChanged() throws {
    let path = try shard(0..<3, "a.tar")
    let dataset = try PairDataset.open([path])
    _ = try shard(0..<4, "a.tar")
    expectError(containing: "has changed since it was opened") { _ = try dataset.row(at: 0) }
  }

  // MARK: Folders, hosts, identity

  @Test func readsFolderOfImages() throws {
    _ = try write(try imageFile(1), "b.png")
    _ = try write(try imageFile(2), "a.JPEG")
    _ = try write("second", "b.txt")
    let dataset = try PairDataset.open([folder.path])
    #expect(dataset.count == 2)
    #expect(dataset.key(at: 0) == "a.JPEG")
    #expect(try dataset.row(at: 0).caption == "")
    #expect(try dataset.row(at: 1).caption == "second")
  }

  @Test func classFoldersAreLabelsInTheOrderOfTheirNames() throws {
    for name in ["n02/a", "n01/deep/b", "n10/c", "N05/d"] {
      let path = name.split(separator: "/").dropLast().reduce(folder.path) { path, part in
        mkdir("\(path)/\(part)", 0o777)
        return "\(path)/\(part)"
      }
      #expect(path.hasPrefix(folder.path))
      _ = try write(try imageFile(1), name + ".png")
    }
    let dataset = try PairDataset.open([folder.path])
    #expect(dataset.hasLabels)
    #expect(dataset.classFolders == ["N05", "n01", "n02", "n10"])
    #expect(try dataset.row(at: 0).label == .folder("N05"))
    let labels = try (0..<4).map { try #require(try dataset.label(at: $0)) }
    #expect(try labels.map { try dataset.classIndex(of: $0, key: "") } == [0, 1, 2, 3])
  }

  @Test func asksHostForRows() throws {
    let dataset = try PairDataset(count: 3) { index throws(CLIPError) in
      if index == 1 { throw CLIPError(.notFound, "row 1: gone") }
      let image = RGBImage(width: 2, height: 2, red: UInt8(index))
      return CaptionedImage(key: "k\(index)", image: .pixels(image), caption: "c", label: 5)
    }
    #expect(try red(try dataset.row(at: 2)) == 2)
    expectError(containing: "gone") { _ = try dataset.row(at: 1) }
    expectError(containing: "dataset is empty") { _ = try PairDataset([]) }
  }

  @Test func identityTellsDataSetsApart() throws {
    let first = try shard(0..<3, "a.tar")
    let second = try shard(0..<4, "b.tar")
    let a = try PairDataset.open([first]).identity
    #expect(try PairDataset.open([first]).identity == a)
    #expect(try PairDataset.open([second]).identity != a)
    #expect(try PairDataset.open([first, second]).identity != a)
  }

  @Test func refusesOtherSources() throws {
    let text = try write("x", "a.parquet")
    expectError(containing: "got .parquet") {
      _ = try PairDataset.open([text])
    }
    expectError(containing: "*.tar': matches no file; expected images") {
      _ = try PairDataset.open([folder.file("*.tar")])
    }
    expectError(containing: "no such file") { _ = try PairDataset.open([folder.file("x.csv")]) }
    expectError(containing: "nothing to open") { _ = try PairDataset.open([]) }
    expectError(containing: "range is too long") {
      _ = try PairDataset.open([folder.file("{0..4000000000}.tar")])
    }
    expectError(containing: "too many alternatives") {
      _ = try PairDataset.open([String(repeating: "{a,b}", count: 64)])
    }
    expectError(containing: "NUL character") { _ = try PairDataset.open(["a\u{0}b.csv"]) }
  }

  // MARK: Lists

  @Test func readsClassesAndTemplates() throws {
    let classes = try write("\u{FEFF}cat\r\n dog \r\ncat\n\n\n", "classes.txt")
    #expect(try TextList.classes(path: classes) == ["cat", "dog", "cat"])
    let blank = try write("cat\n\ndog\n", "blank.txt")
    expectError(containing: "line 2 is blank; expected the name of class 1") {
      _ = try TextList.classes(path: blank)
    }
    let templates = try write("a photo of a {}.\n{}\n", "templates.txt")
    #expect(try TextList.templates(path: templates) == ["a photo of a {}.", "{}"])
    let bad = try write("a photo\n", "bad.txt")
    expectError(
      containing: "template 1 has no place for the class name; expected '{}', got 'a photo'"
    ) {
      _ = try TextList.templates(path: bad)
    }
    let empty = try write("\n\n", "empty.txt")
    expectError(containing: "no class names") { _ = try TextList.classes(path: empty) }
    let binary = try write([0xFF, 0x00], "binary.txt")
    expectError(containing: "not text") { _ = try TextList.classes(path: binary) }
  }
}
