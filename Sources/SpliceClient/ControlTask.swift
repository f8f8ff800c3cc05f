// One request to a daemon's control socket.

internal import SpliceBase
internal import SpliceEngine
package import SpliceWire

/// Sends one message and collects what answers it.
package final class ControlTask: ClientTask {
  private let type: FrameType
  private let request: (inout [UInt8], UInt64) -> Void
  private let completion: (Result<[[UInt8]], ClientError>) -> Void
  private var owner: ClientRun?
  private var bodies: [[UInt8]] = []
  package var number: UInt64 = 0
  package private(set) var stream: UInt64 = 0
  package let result = FileResult(path: [])
  package var done: UInt64 { 0 }
  package var isBulk: Bool { false }
  package var isChecking: Bool { false }
  package var patience: Patience? { .forAnAnswer }

  /// - Parameters:
  ///   - type: of the request and of its answer.
  ///   - request: appends the request for the stream that it is given.
  ///   - completion: gets the bodies of all parts of the answer; called once, before the run hears that the task
  ///     has ended.
  package init(
    _ type: FrameType, request: @escaping (inout [UInt8], UInt64) -> Void,
    completion: @escaping (Result<[[UInt8]], ClientError>) -> Void
  ) {
    self.type = type
    self.request = request
    self.completion = completion
  }

  package func start(_ run: ClientRun) {
    owner = run
    stream = run.makeStream(for: self)
    bodies = []
    run.send { request(&$0, stream) }
  }

  package func handle(_ header: FrameHeader, _ body: [UInt8]) throws(WireError) {
    guard header.type == type, header.flags.contains(.reply) else {
      return end(
        .failure(
          ClientError(
            .malformed, path: [], text: [UInt8]("the daemon sent a message that does not belong here"),
            isResumable: false)))
    }
    bodies.append(body)
    if !header.flags.contains(.more) { end(.success(bodies)) }
  }

  package func handle(_ error: ErrorMessage) {
    let text = error.text.isEmpty ? [UInt8](error.code.sentence) : error.text
    end(.failure(ClientError(error.code, path: error.path, text: text, isResumable: false)))
  }

  package func detach() { owner?.didDetach(self) }

  private func end(_ answer: Result<[[UInt8]], ClientError>) {
    completion(answer)
    owner?.finish(self)
  }
}
