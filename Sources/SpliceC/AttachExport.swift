// The one function of splice.h with a type of libuv.

public import CSplice
public import CUV
internal import SpliceEngine

@c @implementation
public func splice_server_attach(
  _ server: OpaquePointer!, _ loop: UnsafeMutablePointer<uv_loop_s>!, _ error: UnsafeMutablePointer<splice_error>!
) -> Int32 {
  report(error) { () throws(Failure) in
    guard let loop else { throw Failure(.invalidArgument) }
    try object(server, ServerHost.self).attach(loop: UnsafeMutableRawPointer(loop))
  }
}
