// swift-tools-version: 6.2
//
// The simulator: the product's own sources over a simulated machine. A package of its own, because the
// modules SpliceUV and SpliceSystem have the same names as the real ones and must never ship.
//
// With SPLICE_PLANTED set the sources are the copies that `plant.py` made, which have mistakes in them
// that can be switched on one at a time.

import PackageDescription

let isPlanted = Context.environment["SPLICE_PLANTED"] != nil
let shared = isPlanted ? ".build-planted/Sources/" : "Shared/"
let plants: [Target.Dependency] = isPlanted ? ["SimPlants"] : []

let package = Package(
  name: "splice-sim",
  targets: [
    .target(name: "CDigest", path: "Shared/CDigest", linkerSettings: [.linkedLibrary(":libmd.a")]),
    .target(name: "CPlatform", path: "Shared/CPlatform", cSettings: [.define("_GNU_SOURCE")]),

    // Which planted mistake is switched on; nobody but the planted sources asks.
    .target(name: "SimPlants"),

    .target(name: "SpliceBase", dependencies: ["CPlatform"] + plants, path: shared + "SpliceBase"),
    .target(name: "SpliceWire", dependencies: ["SpliceBase"] + plants, path: shared + "SpliceWire"),
    .target(
      name: "SpliceCore", dependencies: ["SpliceBase", "SpliceWire", "CDigest"] + plants,
      path: shared + "SpliceCore"),
    .target(
      name: "SpliceEngine",
      dependencies: ["SpliceBase", "SpliceWire", "SpliceCore", "SpliceUV", "SpliceSystem"] + plants,
      path: shared + "SpliceEngine"),
    .target(
      name: "SpliceClient",
      dependencies: [
        "SpliceBase", "SpliceWire", "SpliceCore", "SpliceUV", "SpliceSystem", "SpliceEngine",
      ] + plants, path: shared + "SpliceClient"),

    // The simulated machine: disk, network, clocks and processes behind the system calls …
    .target(name: "SpliceSystem", dependencies: ["SpliceBase", "CPlatform"]),
    // … and the loop, which is one scheduler for everything.
    .target(name: "SpliceUV", dependencies: ["SpliceBase", "SpliceSystem"]),
    .executableTarget(
      name: "sim",
      dependencies: [
        "SimPlants", "SpliceBase", "SpliceWire", "SpliceCore", "SpliceUV", "SpliceSystem", "SpliceEngine",
        "SpliceClient",
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
