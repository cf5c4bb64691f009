import CleanCLIPKit
import Foundation
import Testing

/// Reads what Tests/Fixtures/images.py wrote.
enum ImageFixtures {
  static let folder = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Fixtures/images")

  /// Expected values by name: images, and planes of floats.
  struct Expected {
    var images: [(name: String, image: RGBImage)] = []
    var planes: [String: [Float]] = [:]

    func image(_ name: String) throws -> RGBImage {
      try #require(images.first { $0.name == name }, "no image '\(name)'").image
    }
  }

  static func bytes(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: folder.appendingPathComponent(name)))
  }

  static func expected(_ name: String) throws -> Expected {
    var rest = try bytes("\(name).images")[...]
    func line() throws -> String {
      let end = try #require(rest.firstIndex(of: 10))
      defer { rest = rest[(end + 1)...] }
      return String(decoding: rest[..<end], as: UTF8.self)
    }
    try #require(
      try line() == "cleanclip-images 1",
      "run Tests/Fixtures/images.py to write the fixtures anew")
    _ = try line()
    var expected = Expected()
    while !rest.isEmpty {
      let words = try line().split(separator: " ")
      try #require(words.count == 4)
      let width = try #require(Int(words[2]))
      let height = try #require(Int(words[3]))
      let size = width * height * 3 * (words[1] == "f32" ? 4 : 1)
      let values = Array(rest.prefix(size))
      rest = rest.dropFirst(size)
      if words[1] == "f32" {
        expected.planes[String(words[0])] = stride(from: 0, to: size, by: 4).map { at in
          Float(
            bitPattern: (0..<4).reduce(UInt32(0)) { $0 | UInt32(values[at + $1]) << (8 * $1) })
        }
      } else {
        expected.images.append(
          (String(words[0]), RGBImage(width: width, height: height, pixels: values)))
      }
    }
    return expected
  }
}

/// Expects the same size, and on every value a difference of at most `tolerance`.
func expectEqual(
  _ actual: RGBImage, _ expected: RGBImage, tolerance: Int = 0, _ name: String,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  guard actual.width == expected.width, actual.height == expected.height else {
    Issue.record(
      "\(name): \(actual.width)x\(actual.height), expected \(expected.width)x\(expected.height)",
      sourceLocation: sourceLocation)
    return
  }
  let differences = zip(actual.pixels, expected.pixels).map { abs(Int($0) - Int($1)) }
  let worst = differences.indices.max { differences[$0] < differences[$1] } ?? 0
  #expect(
    differences[worst] <= tolerance,
    """
    \(name): \(differences.count { $0 > tolerance }) of \(differences.count) values differ, worst \
    at \(worst): \(actual.pixels[worst]), expected \(expected.pixels[worst])
    """, sourceLocation: sourceLocation)
}
