// swift-tools-version: 6.3
import PackageDescription

let swiftSettings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
  name: "cleanclip",
  products: [
    .library(name: "cleanclip", type: .dynamic, targets: ["CleanCLIPC", "CleanCLIPLink"]),
    .library(name: "CleanCLIPKit", targets: ["CleanCLIPKit"]),
    .executable(name: "cleanclip-tool", targets: ["cleanclip-tool"]),
    .executable(name: "onnx-import", targets: ["onnx-import"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
  ],
  targets: [
    // System libraries.
    .systemLibrary(name: "CCleanCLIP", path: "include"),
    .systemLibrary(
      name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(name: "CJSON", pkgConfig: "libcjson", providers: [.apt(["libcjson-dev"])]),
    .systemLibrary(
      name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),

    // C and C++: oneDNN calls and vector loops, image files, ONNX protobuf.
    .target(
      name: "CKernels",
      linkerSettings: [.linkedLibrary("dnnl"), .linkedLibrary("gomp")]),
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
    .target(name: "CleanCLIPFiles", swiftSettings: swiftSettings),
    .target(
      name: "ONNXGraphs", dependencies: ["CleanCLIPFiles", "COnnx"], swiftSettings: swiftSettings),

    // The engine, and the C boundary around it.
    .target(
      name: "CleanCLIPKit",
      dependencies: [
        "CleanCLIPFiles", "ONNXGraphs", "CKernels", "CImages", "COnnx", "COpenBLAS", "CJSON",
        "CArchive",
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "CleanCLIPC", dependencies: ["CCleanCLIP", "CleanCLIPKit"], exclude: ["link"],
      swiftSettings: swiftSettings),
    // Only the dynamic product contains this target, so its flags reach neither tests nor tools.
    .target(
      name: "CleanCLIPLink", path: "Sources/CleanCLIPC/link", exclude: ["exports.map"],
      linkerSettings: [
        .unsafeFlags(
          [
            "-static-stdlib", "-use-ld=lld",
            "-Xlinker", "-soname=libcleanclip.so",
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
        "CleanCLIPKit", "ToolSupport",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Sources/cleanclip",
      swiftSettings: swiftSettings),
    .executableTarget(
      name: "onnx-import",
      dependencies: [
        "CleanCLIPKit", "ToolSupport",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: swiftSettings),
    .executableTarget(
      name: "draw-scenes",
      dependencies: [
        "CleanCLIPKit", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: swiftSettings),

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
