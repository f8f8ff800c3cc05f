// Look-ups that need no network.

import SpliceUV
import Testing

@Suite struct ResolverTests {
  @Test(arguments: [
    ("127.0.0.1", [127, 0, 0, 1] as [UInt8]),
    ("::1", [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
    ("2001:db8::5", [0x20, 1, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5]),
  ])
  func writtenAddressIsItself(host: String, expected: [UInt8]) throws {
    let loop = try Loop()
    var result: Result<[ResolvedAddress], UVError>?
    try Resolver.resolve(host: Array(host.utf8), port: 7420, loop: loop) { result = $0 }
    #expect(result == nil)
    #expect(loop.inFlightCount == 1)
    loop.run()
    #expect(try result?.get() == [ResolvedAddress(bytes: expected, port: 7420, scope: 0)])
    loop.close()
  }

  @Test(arguments: [[] as [UInt8], [108, 0, 108]])
  func impossibleNameIsRefusedAtOnce(host: [UInt8]) throws {
    let loop = try Loop()
    #expect(throws: UVError.invalid) {
      try Resolver.resolve(host: host, port: 1, loop: loop) { _ in Issue.record("called") }
    }
    #expect(loop.inFlightCount == 0)
    loop.close()
  }

  /// Longer than a name can be: fails without asking anyone.
  @Test func overlongNameFailsOnce() throws {
    let loop = try Loop()
    var failures = 0
    do {
      try Resolver.resolve(host: [UInt8](repeating: 97, count: 5000), port: 1, loop: loop) { result in
        if case .failure = result { failures += 1 }
      }
    } catch {
      failures += 1
    }
    loop.run()
    #expect(failures == 1)
    loop.close()
  }
}
