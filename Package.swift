// swift-tools-version: 6.2
//
// One manifest, two builds. Ordinary Swift for tests, benchmarks and `import Splice`; Embedded Swift,
// chosen by the flags that the Makefile passes, for what ships: spliced, splice and libsplice.a.

import PackageDescription

let package = Package(
  name: "splice",
  products: [
    .executable(name: "spliced", targets: ["spliced"]),
    .executable(name: "splice", targets: ["splice"]),
    .library(name: "Splice", targets: ["Splice"]),
  ],
  targets: [
    .systemLibrary(
      name: "CUV", path: "CSupport/CUV", pkgConfig: "libuv", providers: [.apt(["libuv1-dev"])]),
    // Needs the header of libxxhash: libxxhash-dev, and libmd: libmd-dev. Of that one the static library, because
    // two functions are no reason for one more library at run time.
    .target(
      name: "CDigest", path: "CSupport/CDigest", linkerSettings: [.linkedLibrary(":libmd.a")]),
    .target(name: "CPlatform", path: "CSupport/CPlatform", cSettings: [.define("_GNU_SOURCE")]),

    .target(name: "SpliceBase", dependencies: ["CPlatform"]),
    .target(name: "SpliceWire", dependencies: ["SpliceBase"]),
    .target(name: "SpliceCore", dependencies: ["SpliceBase", "SpliceWire", "CDigest"]),
    .target(name: "SpliceUV", dependencies: ["SpliceBase", "CUV"]),
    .target(name: "SpliceSystem", dependencies: ["SpliceBase", "CPlatform"]),
    .target(
      name: "SpliceEngine",
      dependencies: ["SpliceBase", "SpliceWire", "SpliceCore", "SpliceUV", "SpliceSystem"]),
    .target(
      name: "SpliceClient",
      dependencies: [
        "SpliceBase", "SpliceWire", "SpliceCore", "SpliceUV", "SpliceSystem", "SpliceEngine",
      ]),
    // The C library: `make lib`.
    .systemLibrary(name: "CSplice", path: "CSupport/CSplice"),
    .target(
      name: "SpliceC",
      dependencies: [
        "CSplice", "CUV", "SpliceBase", "SpliceWire", "SpliceSystem", "SpliceEngine", "SpliceClient",
      ]),
    // The Swift API, in ordinary builds only.
    .target(
      name: "Splice",
      dependencies: ["SpliceBase", "SpliceWire", "SpliceSystem", "SpliceEngine", "SpliceClient"]),
    .executableTarget(
      name: "spliced",
      dependencies: ["SpliceBase", "SpliceSystem", "SpliceUV", "SpliceEngine"]),
    .executableTarget(
      name: "splice",
      dependencies: ["SpliceBase", "SpliceWire", "SpliceCore", "SpliceSystem", "SpliceUV", "SpliceClient"]),

    .testTarget(name: "SpliceBaseTests", dependencies: ["SpliceBase"]),
    .testTarget(name: "SpliceWireTests", dependencies: ["SpliceBase", "SpliceWire"]),
    .testTarget(name: "SpliceCoreTests", dependencies: ["SpliceBase", "SpliceWire", "SpliceCore"]),
    .target(name: "TestFiles", dependencies: ["SpliceBase", "SpliceSystem"], path: "Tests/TestFiles"),
    .testTarget(
      name: "SpliceSystemTests", dependencies: ["CPlatform", "SpliceBase", "SpliceSystem", "TestFiles"]),
    .testTarget(name: "SpliceUVTests", dependencies: ["SpliceBase", "SpliceSystem", "SpliceUV"]),
    .testTarget(
      name: "SpliceEngineTests",
      dependencies: [
        "SpliceBase", "SpliceWire", "SpliceCore", "SpliceSystem", "SpliceUV", "SpliceEngine", "TestFiles",
      ]),
    .testTarget(
      name: "SpliceClientTests",
      dependencies: ["SpliceBase", "SpliceWire", "SpliceSystem", "SpliceClient", "splice", "TestFiles"]),
    .testTarget(name: "SpliceTests", dependencies: ["SpliceWire", "SpliceEngine", "Splice"]),
    .testTarget(name: "BlackBoxTests"),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .gnu11
)

for target in package.targets where target.type != .system && target.name != "CPlatform" && target.name != "CDigest" {
  target.swiftSettings = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
  ]
}
