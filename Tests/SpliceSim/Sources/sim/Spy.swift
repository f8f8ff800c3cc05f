// Listens to every connection and tells the ledger what was promised on it.

internal import SpliceBase
internal import SpliceSystem
internal import SpliceWire

/// Reads both directions with the product's own decoder, before anything is damaged on the way.
final class Spy {
  private final class Stream {
    let path: PathRecord
    let version: Version
    let upload: UploadID
    let fence: UInt64
    var durable = 0

    init(_ path: PathRecord, _ version: Version, _ offer: Offer) {
      self.path = path
      self.version = version
      upload = offer.upload
      fence = offer.fence
    }
  }

  private final class Conversation {
    var toServer = FrameDecoder()
    var toClient = FrameDecoder()
    var uploads: [UInt64: Stream] = [:]
    var isLost = false
  }

  private let world: World
  private let ledger: Ledger
  private var conversations: [Int: Conversation] = [:]
  private var offers: [Offer] = []

  init(_ world: World, _ ledger: Ledger) {
    self.world = world
    self.ledger = ledger
  }

  /// Returns where file bytes are.
  func hear(_ endpoint: Endpoint, _ bytes: [UInt8]) -> [Range<Int>] {
    // What a ghost says never leaves its machine.
    if endpoint.process.isDead { return [] }
    let conversation = conversations[endpoint.connection] ?? Conversation()
    conversations[endpoint.connection] = conversation
    if conversation.isLost { return [] }
    var ranges: [Range<Int>] = []
    bytes.withUnsafeBytes { input in
      var position = 0
      do throws(WireError) {
        while true {
          let event =
            endpoint.isClient
            ? try conversation.toServer.next(input, &position)
            : try conversation.toClient.next(input, &position)
          switch event {
          case .needMore: return
          case .message(let header, let body):
            world.trace("  \(endpoint.connection) \(endpoint.isClient ? ">" : "<") \(header.type) \(header.stream)")
            if header.type == .error, header.stream == 0 { endpoint.isLeaving = true }
            try heard(header, body, conversation, fromClient: endpoint.isClient)
          case .dataBegins(let prefix):
            world.trace(
              "  \(endpoint.connection) \(endpoint.isClient ? ">" : "<") data \(prefix.stream) "
                + "\(prefix.offset)+\(prefix.count)")
          case .dataPiece(let range, _): ranges.append(range)
          }
        }
      } catch {
        conversation.isLost = true
        world.fail("connection \(endpoint.connection): \(error.sentence)")
      }
    }
    return ranges
  }

  private func heard(
    _ header: FrameHeader, _ body: [UInt8], _ conversation: Conversation, fromClient: Bool
  ) throws(WireError) {
    switch (header.type, fromClient) {
    case (.offer, true):
      let offer = try Offer(body: body)
      guard let path = ledger.find(String(decoding: offer.path, as: UTF8.self)),
        let version = path.versions.first(where: {
          $0.size == Int(offer.size) && $0.modified == offer.modified
        })
      else { return world.fail("an offer of something that there never was") }
      conversation.uploads[header.stream] = Stream(path, version, offer)
      ledger.offered(path)
      offers.append(offer)
    case (.have, false):
      guard let stream = conversation.uploads[header.stream] else { return }
      ledger.proved(stream.path)
    case (.resume, true):
      guard let stream = conversation.uploads[header.stream] else { return }
      ledger.resumed(Int(try Resume(body: body).from), with: stream.version, at: stream.path)
    case (.commit, true):
      guard let stream = conversation.uploads[header.stream] else { return }
      ledger.commitAsked(stream.version, at: stream.path)
    case (.ack, false):
      guard let stream = conversation.uploads[header.stream] else { return }
      let ack = try Ack(body: body)
      if ack.durable > ack.verified || ack.verified > ack.received || Int(ack.durable) < stream.durable {
        world.fail("\(stream.path.name): durable \(ack.durable) after \(stream.durable), of \(ack.verified)")
      }
      stream.durable = Int(ack.durable)
      if ack.durable > 0 { ledger.acknowledged(Int(ack.durable), of: stream.version, at: stream.path) }
    case (.committed, false):
      guard let stream = conversation.uploads[header.stream] else { return }
      ledger.committed(stream.version, at: stream.path)
    case (.error, false):
      guard let stream = conversation.uploads[header.stream], try ErrorMessage(body: body).code == .superseded
      else { return }
      // Only a newer run of the same upload may push one out, or one that is no older: this offer is one of them.
      if offers.count(where: { $0.upload == stream.upload && $0.fence >= stream.fence }) < 2 {
        world.fail("\(stream.path.name): the newest run was told that a newer one had taken over")
      }
    default: break
    }
  }
}
