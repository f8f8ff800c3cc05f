// What follows from the limits of a daemon.

import SpliceBase
import Testing

@testable import SpliceEngine

@Suite struct ServerConfigurationTests {
  @Test func aNewConnectionMayUseHalfOfWhatIsFree() {
    let configuration = ServerConfiguration()
    #expect(configuration.transferLimit == 1024)
    #expect(configuration.streamLimit(besides: 0) == 512)
    #expect(configuration.streamLimit(besides: 512) == 256)
    #expect(configuration.streamLimit(besides: 768) == 128)
  }

  @Test func howeverLittleIsLeftAConnectionMayAskForSome() {
    var configuration = ServerConfiguration()
    #expect(configuration.streamLimit(besides: 1000) == 64)
    #expect(configuration.streamLimit(besides: 1024) == 64)
    configuration.transfersMax = 2
    #expect(configuration.streamLimit(besides: 0) == 64)
  }

  @Test func howeverMuchThereIsItHasABound() {
    var configuration = ServerConfiguration()
    configuration.memory = 1 << 30
    #expect(configuration.streamLimit(besides: 0) == 512)
  }
}
