// swift-tools-version: 6.2
//
// What `make bench` runs: programs in C that cost little, so that the server is what is measured, and one
// program in Swift that starts the servers, takes turns, reads the meters and draws the table.

import PackageDescription

let package = Package(
  name: "splice-bench",
  products: [
    .library(name: "alloccount", type: .dynamic, targets: ["alloccount"]),
    .library(name: "slowsync", type: .dynamic, targets: ["slowsync"]),
  ],
  targets: [
    // The client for every server: native protocol, HTTP, FTP, and the bare loop's two letters.
    .executableTarget(
      name: "driver", cSettings: [.define("_GNU_SOURCE")],
      linkerSettings: [.linkedLibrary("xxhash"), .linkedLibrary("pthread")]),
    // What the machine can do: sendfile, and recv + write, in a plain blocking loop.
    .executableTarget(name: "bareloop", cSettings: [.define("_GNU_SOURCE")]),
    // Preloaded into the daemon to count its allocations.
    .target(name: "alloccount", cSettings: [.define("_GNU_SOURCE")]),
    // Preloaded into servers and clients: a disk on which each sync takes time.
    .target(name: "slowsync", cSettings: [.define("_GNU_SOURCE")]),
    .target(name: "CBench", cSettings: [.define("_GNU_SOURCE")]),
    .executableTarget(name: "bench", dependencies: ["CBench"]),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .gnu11
)

for target in package.targets where target.name == "bench" {
  target.swiftSettings = [.treatAllWarnings(as: .error), .enableUpcomingFeature("ExistentialAny")]
}
