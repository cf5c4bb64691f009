/// The names of classes by index, and the classes that names, indices and class folders mean.
package struct ClassNames {
  package let names: [String]
  private let indices: [String: Int]
  private let repeated: Set<String>
  /// The class of each class folder.
  private var folders: [String: Int] = [:]

  package init(_ names: [String]) {
    var indices: [String: Int] = [:]
    var repeated: Set<String> = []
    for (index, name) in names.enumerated() {
      if indices[name] != nil { repeated.insert(name) } else { indices[name] = index }
    }
    self.names = names
    self.indices = indices
    self.repeated = repeated
  }

  /// - Parameter dataset: whose class folders are found: by name where all are names of classes, else
  ///   in their order, as many as there are classes.
  /// - Throws: `invalidArgument` for folders that are neither; for a folder with a name of two classes.
  package init(_ names: [String], of dataset: PairDataset) throws(CLIPError) {
    self.init(names)
    let known = dataset.classFolders.filter { indices[$0] != nil }
    guard known.isEmpty else {
      for folder in dataset.classFolders { folders[folder] = try index(named: folder) }
      return
    }
    guard dataset.classFolders.isEmpty || dataset.classFolders.count == names.count else {
      throw CLIPError(
        .invalidArgument,
        "classes: class folders are others; expected folders with the names of classes, or as many, "
          + "\(names.count), in the order of the classes, got \(dataset.classFolders.count): "
          + dataset.classFolders.prefix(4).map { "'\($0)'" }.joined(separator: ", "))
    }
    for (index, folder) in dataset.classFolders.enumerated() { folders[folder] = index }
  }

  /// Returns the index of a class from its name, or from its number in a text.
  ///
  /// A name goes before a number.
  /// - Throws: `invalidArgument` for neither, and for a name of several classes.
  package func index(named name: String) throws(CLIPError) -> Int {
    guard !repeated.contains(name) else {
      let places = names.indices.filter { names[$0] == name }.prefix(4).map { "\($0)" }
      throw CLIPError(
        .invalidArgument,
        "classes: '\(name)' is the name of several; expected the name of one, got that of "
          + places.joined(separator: " and ") + "; use the index")
    }
    if let index = indices[name] { return index }
    if let index = Int(name), names.indices.contains(index) { return index }
    throw CLIPError(
      .invalidArgument,
      "classes: '\(name.prefix(80))' is no class; expected one of the \(names.count) class names or "
        + "an index below \(names.count)")
  }

  /// Returns the index of the class that a label means.
  ///
  /// - Parameter key: what the image is called.
  /// - Throws: as `index(named:)`.
  package func index(of label: ClassLabel, key: String) throws(CLIPError) -> Int {
    do throws(CLIPError) {
      switch label {
      case .index(let index) where names.indices.contains(Int(index)): return Int(index)
      case .index(let index): return try self.index(named: "\(index)")
      case .text(let text): return try index(named: text)
      case .folder(let name):
        if let index = folders[name] { return index }
        return try index(named: name)
      }
    } catch {
      throw CLIPError(error.code, "'\(key)': \(error.message)")
    }
  }
}
