// swift-tools-version: 6.2
//
// Two small programs over the Swift API. In a package of your own, write the address of Splice's repository
// instead of the path.

import PackageDescription

let package = Package(
  name: "splice-examples",
  dependencies: [.package(name: "splice", path: "../..")],
  targets: [
    .executableTarget(name: "serve", dependencies: [.product(name: "Splice", package: "splice")]),
    .executableTarget(name: "send", dependencies: [.product(name: "Splice", package: "splice")]),
  ]
)
