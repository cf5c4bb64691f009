internal import CCleanCLIP
internal import CleanCLIPKit

extension FuzzTarget {
  /// WebDataset shards.
  static let tar = FuzzTarget(name: "tar") { bytes in
    readRows(Scratch.write(bytes, to: "pairs.tar"))
  }

  /// Tables of comma- or tab-separated values, and lists of classes and templates.
  static let table = FuzzTarget(name: "table") { bytes in
    readRows(Scratch.write(bytes, to: "pairs.csv"))
    let list = Scratch.write(bytes, to: "list.txt")
    _ = try? TextList.classes(path: list)
    _ = try? TextList.templates(path: list)
  }

  /// JPEG, PNG and WebP images, decoded and cut to a model's size.
  static let image = FuzzTarget(name: "image") { bytes in
    guard let decoded = try? ImageDecoder.decode(bytes, name: "image") else { return }
    let image = preprocessor.resizedAndCropped(decoded.image)
    if image.width != 8 || image.height != 8 { stop("image is \(image.width) wide") }
  }

  /// NumPy arrays.
  static let array = FuzzTarget(name: "array") { bytes in
    let path = Scratch.write(bytes, to: "array.npy")
    guard let tensor = try? NumPyFile.read(path) else { return }
    if tensor.byteCount > bytes.count * 4 { stop("array is larger than its file") }
  }

  /// Clean banks: read, written and read again.
  static let bank = FuzzTarget(name: "bank") { bytes in
    guard let bank = loadedBank(Scratch.write(bytes, to: "bank.safetensors")) else { return }
    defer { cleanclip_bank_free(bank) }
    let copy = Scratch.path("copy.safetensors")
    guard succeeded(cleanclip_bank_save(bank, copy)) else { return }
    guard let again = loadedBank(copy) else { stop("what was saved is refused") }
    cleanclip_bank_free(again)
  }

  private static func loadedBank(_ path: String) -> OpaquePointer? {
    var bank: OpaquePointer?
    return succeeded(cleanclip_bank_load(path, &bank)) ? bank : nil
  }

  /// Saved triggers: read, applied, written and read again.
  static let trigger = FuzzTarget(name: "trigger") { bytes in
    let path = Scratch.write(bytes, to: "trigger.safetensors")
    guard let trigger = try? Trigger.load(path), let found = trigger.recovered else { return }
    let image = RGBImage(width: found.side, height: found.side, red: 9, green: 90, blue: 200)
    guard (try? trigger.applied(to: image, seed: 1, index: 0)) != nil else {
      stop("a trigger does not fit images of its size")
    }
    let copy = Scratch.path("copy.safetensors")
    guard (try? trigger.save(to: copy)) != nil else { return }
    guard let again = try? Trigger.load(copy), again.recovered == found else {
      stop("what was saved is refused")
    }
  }

  private static let preprocessor = ImagePreprocessor(imageSize: 8, ImagePreprocessing())
}

/// Opens a dataset and reads its first rows.
private func readRows(_ path: String) {
  guard let dataset = try? PairDataset.open([path]) else { return }
  for index in 0..<min(dataset.count, 16) {
    guard let row = try? dataset.row(at: index) else { continue }
    if dataset.key(at: index).isEmpty && row.key.isEmpty { stop("row \(index) has no key") }
    _ = try? row.decoded()
  }
}
