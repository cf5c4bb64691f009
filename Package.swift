// swift-tools-version: 6.3
import Glibc
import PackageDescription

let swiftSettings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

// Of the static library, the linker keeps tar and gzip and what needs zlib; the shared one would bring
// libxml2 and ICU along. Builds for debugging keep unused sections, and need all of it.
let archive: [LinkerSetting] = [
  .linkedLibrary(":libarchive.a", .when(configuration: .release)),
  .linkedLibrary("z", .when(configuration: .release)),
  .linkedLibrary("archive", .when(configuration: .debug)),
]

// Programs that are given away carry the Swift run time, as the library does.
let tool: [LinkerSetting] =
  [
    .unsafeFlags(
      ["-static-stdlib", "-use-ld=lld"], .when(platforms: [.linux], configuration: .release))
  ]
  + ["_FoundationCollections", "_FoundationCShims", "swiftSynchronization"].map {
    .linkedLibrary($0, .when(platforms: [.linux], configuration: .release))
  }

// Source archives bring their packages along.
let argumentParser = "Dependencies/swift-argument-parser"
let isArchive = access("\(Context.packageDirectory)/\(argumentParser)/Package.swift", R_OK) == 0

let package = Package(
  name: "cleanclip",
  products: [
    .library(name: "cleanclip", type: .dynamic, targets: ["CleanCLIPC", "CleanCLIPLink"]),
    .library(name: "CleanCLIPKit", targets: ["CleanCLIPKit"]),
    .executable(name: "cleanclip-tool", targets: ["cleanclip-tool"]),
    .executable(name: "onnx-import", targets: ["onnx-import"]),
  ],
  dependencies: [
    isArchive
      ? .package(path: argumentParser)
      : .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
  ],
  targets: [
    // System libraries.
    .systemLibrary(name: "CCleanCLIP", path: "include"),
    .systemLibrary(
      name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(name: "CJSON", pkgConfig: "libcjson", providers: [.apt(["libcjson-dev"])]),
    .systemLibrary(name: "CArchive", providers: [.apt(["libarchive-dev"])]),

    // System calls that Glibc's module leaves out.
    .target(name: "CSystem"),

    // C and C++: oneDNN calls and vector loops, image files, ONNX protobuf.
    .target(
      name: "CKernels",
      linkerSettings: [.linkedLibrary("dnnl")]),
    .target(
      name: "CImages",
      linkerSettings: [
        .linkedLibrary("jpeg"), .linkedLibrary("png"), .linkedLibrary("webp"),
        .linkedLibrary("webpdemux"),
      ]),
    .target(
      name: "COnnx",
      linkerSettings: [.linkedLibrary("protobuf-lite")]),

    // Errors and files; ONNX graphs read by what their operators mean, whatever model they hold.
    .target(name: "CleanCLIPFiles", dependencies: ["CSystem"], swiftSettings: swiftSettings),
    .target(
      name: "ONNXGraphs", dependencies: ["CleanCLIPFiles", "COnnx"], swiftSettings: swiftSettings),

    // The engine, and the C boundary around it.
    .target(
      name: "CleanCLIPKit",
      dependencies: [
        "CleanCLIPFiles", "ONNXGraphs", "CKernels", "CImages", "COnnx", "COpenBLAS", "CJSON",
        "CArchive",
      ],
      swiftSettings: swiftSettings, linkerSettings: archive),
    .target(
      name: "HostCollectives", dependencies: ["CCleanCLIP", "CleanCLIPKit"],
      swiftSettings: swiftSettings),
    .target(
      name: "CleanCLIPC", dependencies: ["CCleanCLIP", "CleanCLIPKit", "HostCollectives"],
      exclude: ["link"], swiftSettings: swiftSettings),
    // Only the dynamic product contains this target, so its flags reach neither tests nor tools.
    .target(
      name: "CleanCLIPLink", path: "Sources/CleanCLIPC/link", exclude: ["exports.map"],
      linkerSettings: [
        .unsafeFlags(
          [
            "-static-stdlib", "-use-ld=lld",
            "-Xlinker", "-soname=libcleanclip.so.0",
            "-Xlinker",
            "--version-script=\(Context.packageDirectory)/Sources/CleanCLIPC/link/exports.map",
            "-Xlinker", "-z", "-Xlinker", "defs",
            "-Xlinker", "-z", "-Xlinker", "nodelete",
          ], .when(platforms: [.linux], configuration: .release))
      ]),

    // Tools.
    .target(
      name: "ToolSupport",
      dependencies: [
        "CCleanCLIP", "CleanCLIPKit",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: swiftSettings),
    .executableTarget(
      name: "cleanclip-tool",
      dependencies: [
        "CCleanCLIP", "CleanCLIPKit", "HostCollectives", "ToolSupport",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Sources/cleanclip",
      swiftSettings: swiftSettings, linkerSettings: tool),
    .executableTarget(
      name: "onnx-import",
      dependencies: [
        "CleanCLIPKit", "ToolSupport",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: swiftSettings, linkerSettings: tool),
    .executableTarget(
      name: "draw-scenes",
      dependencies: [
        "CleanCLIPKit", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: swiftSettings, linkerSettings: tool),

    .testTarget(
      name: "CleanCLIPKitTests", dependencies: ["CleanCLIPKit"], swiftSettings: swiftSettings),
  ],
  swiftLanguageModes: [.v6],
  cxxLanguageStandard: .cxx17
)

// Fuzz targets link libFuzzer, which comes with the toolchain: scripts/fuzz.sh says where it is.
if let runtime = Context.environment["CLEANCLIP_FUZZER_RUNTIME"] {
  package.targets += [
    .systemLibrary(name: "CFuzzer", path: "Fuzz/CFuzzer"),
    .executableTarget(
      name: "fuzz", dependencies: ["CCleanCLIP", "CFuzzer", "CleanCLIPC", "CleanCLIPKit"],
      path: "Fuzz/Sources", swiftSettings: swiftSettings,
      linkerSettings: [.unsafeFlags(["-Xlinker", runtime]), .linkedLibrary("stdc++")]),
  ]
}
