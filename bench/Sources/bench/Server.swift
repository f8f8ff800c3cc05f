// The servers that are compared, each with one worker and its documented fast settings.

import CBench
import Foundation
import Glibc

/// A server that runs, and how the driver talks to it.
final class Server {
  /// As it is called in the table.
  let name: String
  /// As the driver calls its protocol.
  let wire: String
  let port: Int
  /// The folder that its paths start in, and the part of them that may be written to.
  let root: String
  let uploads: String
  let program: Program

  private init(
    _ name: String, wire: String, port: Int, root: String, uploads: String = "", _ program: Program
  ) {
    self.name = name
    self.wire = wire
    self.port = port
    self.root = root
    self.uploads = uploads
    self.program = program
  }

  var cpuSeconds: Double { Meter.cpuSeconds(of: program.pid) }
  var privateDirty: Double { Meter.kibibytes("Private_Dirty", of: program.pid) }
  var resident: Double { Meter.kibibytes("Rss", of: program.pid) }

  /// Every connection is served by processes of its own, which end with it.
  var isForking: Bool { wire == "ftp" || wire == "rsync" }

  func stop() { program.stop() }

  /// Where a file with this name among the uploads is on disk.
  func stored(_ name: String) -> String { root + "/" + uploads + name }

  /// Makes a finished file available under `name`, without a copy.
  ///
  /// To be called for all servers before the first download: a new link changes the file's ctime, and digests
  /// that were made before it are not believed any more.
  func offer(_ file: String, as name: String) throws {
    let target = root + "/" + name
    if access(target, F_OK) == 0 { return }
    guard link(file, target) == 0 else { throw BenchError("cannot link \(target)") }
  }

  // MARK: Starting

  /// - Parameter wrapper: a program that runs the daemon, such as valgrind.
  static func splice(
    _ folder: Folder, workers: Int = 1, connections: Int = 6000, wrapper: [String] = [],
    environment: [String] = []
  ) throws -> Server {
    let root = try folder.makeFolder("splice\(UInt32.random(in: 0 ... .max))")
    let portFile = root + ".port"
    let program = try Program(
      wrapper + [
        Tools.spliced, "--listen", "127.0.0.1:0", "--port-file", portFile, "--log", "warning",
        "--idle-timeout", "0", "--workers", "\(workers)", "--max-connections", "\(connections)", root,
      ], environment: environment, errors: root + ".log")
    return Server(
      workers == 1 ? "splice" : "splice, \(workers) workers", wire: "splice",
      port: try port(in: portFile, program),
      root: root, program)
  }

  /// - Parameter syncBytes: fdatasync after each so many bytes of an upload, as a checkpoint does.
  static func bare(_ folder: Folder, syncBytes: Int = 0) throws -> Server {
    let root = try folder.makeFolder("bare\(UInt32.random(in: 0 ... .max))")
    let portFile = root + ".port"
    let program = try Program([Tools.bareloop, root, portFile, "\(syncBytes)"])
    return Server(
      syncBytes == 0 ? "bare C loop" : "bare C loop + fdatasync", wire: "bare",
      port: try port(in: portFile, program),
      root: root, program)
  }

  static func nginx(_ folder: Folder) throws -> Server {
    let root = try folder.makeFolder("nginx/root")
    let port = Int(cbench_free_port())
    let configuration = """
      daemon off;
      worker_processes 1;
      user \(NSUserName());
      pid \(folder.path)/nginx/pid;
      error_log \(folder.path)/nginx/log error;
      worker_rlimit_nofile 20000;
      events { worker_connections 19000; }
      http {
        access_log off;
        sendfile on;
        tcp_nopush on;
        client_max_body_size 0;
        keepalive_timeout 3600;
        keepalive_requests 1000000;
        client_body_temp_path \(folder.path)/nginx/body;
        server {
          listen 127.0.0.1:\(port);
          root \(root);
          location / { dav_methods PUT; }
        }
      }
      """
    try configuration.write(toFile: folder.file("nginx/conf"), atomically: false, encoding: .utf8)
    let program = try Program(["nginx", "-e", folder.file("nginx/log"), "-c", folder.file("nginx/conf")])
    try wait(for: port, program)
    return Server("nginx", wire: "http", port: port, root: root, program)
  }

  static func vsftpd(_ folder: Folder) throws -> Server {
    // An anonymous client may not write to its root, so uploads go to a folder in it.
    let root = try folder.makeFolder("vsftpd")
    let uploads = try folder.makeFolder("vsftpd/up")
    guard let user = getpwnam("ftp"), chown(uploads, user.pointee.pw_uid, user.pointee.pw_gid) == 0 else {
      throw BenchError("vsftpd needs the user ftp and a benchmark that runs as root")
    }
    let port = Int(cbench_free_port())
    let configuration = """
      listen=YES
      listen_address=127.0.0.1
      listen_port=\(port)
      background=NO
      anonymous_enable=YES
      no_anon_password=NO
      anon_root=\(root)
      write_enable=YES
      anon_upload_enable=YES
      anon_mkdir_write_enable=YES
      anon_umask=022
      anon_world_readable_only=NO
      use_sendfile=YES
      max_per_ip=0
      max_clients=0
      xferlog_enable=NO
      idle_session_timeout=0
      data_connection_timeout=0

      """
    try configuration.write(toFile: folder.file("vsftpd.conf"), atomically: false, encoding: .utf8)
    let program = try Program(["vsftpd", folder.file("vsftpd.conf")])
    try wait(for: port, program)
    return Server("vsftpd", wire: "ftp", port: port, root: root, uploads: "up/", program)
  }

  static func rsync(_ folder: Folder, environment: [String] = []) throws -> Server {
    let root = try folder.makeFolder("rsync")
    let port = Int(cbench_free_port())
    let configuration = """
      use chroot = no
      address = 127.0.0.1
      max connections = 0
      uid = \(NSUserName())
      gid = \(NSUserName())
      [data]
      path = \(root)
      read only = no

      """
    try configuration.write(toFile: folder.file("rsyncd.conf"), atomically: false, encoding: .utf8)
    let program = try Program([
      "rsync", "--daemon", "--no-detach", "--config=\(folder.file("rsyncd.conf"))", "--port=\(port)",
      "--log-file=\(folder.file("rsyncd.log"))",
    ], environment: environment)
    try wait(for: port, program)
    return Server("rsync", wire: "rsync", port: port, root: root, program)
  }

  // MARK: Waiting until it listens

  private static func port(in file: String, _ program: Program) throws -> Int {
    var found: Int?
    try poll(program) {
      found = (try? String(contentsOfFile: file, encoding: .utf8)).flatMap {
        $0.hasSuffix("\n") ? Int($0.dropLast()) : nil
      }
      return found != nil
    }
    return found ?? 0
  }

  private static func wait(for port: Int, _ program: Program) throws {
    try poll(program) {
      let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      defer { close(fd) }
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = in_port_t(UInt16(port).bigEndian)
      address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
      return withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
        }
      }
    }
  }

  private static func poll(_ program: Program, _ isReady: () -> Bool) throws {
    let deadline = Date().addingTimeInterval(60)
    while !isReady() {
      guard Meter.isAlive(program.pid), Date() < deadline else {
        program.stop()
        throw BenchError("\(program.name) did not start")
      }
      usleep(2000)
    }
  }
}

/// Where the programs are.
enum Tools {
  /// The programs of the benchmark lie beside this one.
  private static let folder = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    .deletingLastPathComponent().path
  static let driver = folder + "/driver"
  static let bareloop = folder + "/bareloop"
  static let allocationCounter = folder + "/liballoccount.so"
  static let slowSync = folder + "/libslowsync.so"
  /// The Embedded programs, as they ship.
  static let programs = ProcessInfo.processInfo.environment["SPLICE_BIN"] ?? "build/bin"
  static let spliced = programs + "/spliced"
  static let splice = programs + "/splice"
}
