// swift-tools-version: 6.2
//
// The fuzzers: the product's own sources over the simulator's machine, in one library that `fuzz.sh` links with
// libFuzzer. A package of its own, because every module must be built with the sanitizers' flags.

import PackageDescription

let package = Package(
  name: "splice-fuzz",
  products: [.library(name: "Fuzz", type: .static, targets: ["Fuzz"])],
  targets: [
    .target(name: "CDigest", path: "Shared/CDigest"),
    .target(name: "CPlatform", path: "Shared/CPlatform", cSettings: [.define("_GNU_SOURCE")]),
    .target(name: "SpliceBase", dependencies: ["CPlatform"], path: "Shared/SpliceBase"),
    .target(name: "SpliceWire", dependencies: ["SpliceBase"], path: "Shared/SpliceWire"),
    .target(
      name: "SpliceCore", dependencies: ["SpliceBase", "SpliceWire", "CDigest"], path: "Shared/SpliceCore"),
    .target(
      name: "SpliceEngine",
      dependencies: ["SpliceBase", "SpliceWire", "SpliceCore", "SpliceUV", "SpliceSystem"],
      path: "Shared/SpliceEngine"),
    .target(
      name: "SpliceClient",
      dependencies: [
        "SpliceBase", "SpliceWire", "SpliceCore", "SpliceUV", "SpliceSystem", "SpliceEngine",
      ], path: "Shared/SpliceClient"),
    // The simulated machine: see Tests/SpliceSim.
    .target(name: "SpliceSystem", dependencies: ["SpliceBase", "CPlatform"], path: "Shared/SpliceSystem"),
    .target(name: "SpliceUV", dependencies: ["SpliceBase", "SpliceSystem"], path: "Shared/SpliceUV"),
    .target(
      name: "Fuzz",
      dependencies: [
        "SpliceBase", "SpliceWire", "SpliceCore", "SpliceUV", "SpliceSystem", "SpliceEngine", "SpliceClient",
      ]),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .gnu11
)

for target in package.targets where target.name != "CPlatform" && target.name != "CDigest" {
  target.swiftSettings = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
  ]
}
