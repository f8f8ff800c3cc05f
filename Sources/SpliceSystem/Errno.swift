// The kernel's error numbers as a typed error with readable names; the only place that knows the numbers.

/// Why a system call failed.
///
/// The C shims hand the number back as their result, so nothing on the way can overwrite `errno`.
/// `CSupport/CPlatform/errors.c` refuses a platform that numbers these differently.
package struct Errno: Error, Equatable, Sendable {
  package let rawValue: Int32

  package init(rawValue: Int32) { self.rawValue = rawValue }

  package static let permission = Errno(rawValue: 1)
  package static let noEntry = Errno(rawValue: 2)
  package static let interrupted = Errno(rawValue: 4)
  package static let inputOutput = Errno(rawValue: 5)
  package static let noDevice = Errno(rawValue: 6)
  package static let badDescriptor = Errno(rawValue: 9)
  package static let wouldBlock = Errno(rawValue: 11)
  package static let noMemory = Errno(rawValue: 12)
  package static let accessDenied = Errno(rawValue: 13)
  package static let busy = Errno(rawValue: 16)
  package static let exists = Errno(rawValue: 17)
  package static let crossDevice = Errno(rawValue: 18)
  package static let notDirectory = Errno(rawValue: 20)
  package static let isDirectory = Errno(rawValue: 21)
  package static let invalid = Errno(rawValue: 22)
  package static let tooManyOpenFilesInSystem = Errno(rawValue: 23)
  package static let tooManyOpenFiles = Errno(rawValue: 24)
  package static let textBusy = Errno(rawValue: 26)
  package static let fileTooLarge = Errno(rawValue: 27)
  package static let noSpace = Errno(rawValue: 28)
  package static let illegalSeek = Errno(rawValue: 29)
  package static let readOnly = Errno(rawValue: 30)
  package static let tooManyLinks = Errno(rawValue: 31)
  package static let brokenPipe = Errno(rawValue: 32)
  package static let nameTooLong = Errno(rawValue: 36)
  package static let noSystemCall = Errno(rawValue: 38)
  package static let notEmpty = Errno(rawValue: 39)
  package static let loop = Errno(rawValue: 40)
  package static let overflow = Errno(rawValue: 75)
  package static let notSupported = Errno(rawValue: 95)
  package static let addressInUse = Errno(rawValue: 98)
  package static let addressNotAvailable = Errno(rawValue: 99)
  package static let networkDown = Errno(rawValue: 100)
  package static let networkUnreachable = Errno(rawValue: 101)
  package static let connectionAborted = Errno(rawValue: 103)
  package static let connectionReset = Errno(rawValue: 104)
  package static let noBuffers = Errno(rawValue: 105)
  package static let notConnected = Errno(rawValue: 107)
  package static let timedOut = Errno(rawValue: 110)
  package static let connectionRefused = Errno(rawValue: 111)
  package static let hostDown = Errno(rawValue: 112)
  package static let hostUnreachable = Errno(rawValue: 113)
  package static let inProgress = Errno(rawValue: 115)
  package static let stale = Errno(rawValue: 116)
  package static let quota = Errno(rawValue: 122)

  /// What happened, as the end of a sentence: "no space left on device".
  package var name: StaticString {
    switch rawValue {
    case 1: "operation not permitted"
    case 2: "no such file or directory"
    case 4: "interrupted"
    case 5: "input/output error"
    case 6: "no such device"
    case 9: "bad file descriptor"
    case 11: "temporarily unavailable"
    case 12: "out of memory"
    case 13: "permission denied"
    case 16: "device or resource busy"
    case 17: "file exists"
    case 18: "path leaves its directory or file system"
    case 20: "not a directory"
    case 21: "is a directory"
    case 22: "invalid argument"
    case 23: "too many open files in the system"
    case 24: "too many open files"
    case 26: "program file is in use"
    case 27: "file too large"
    case 28: "no space left on device"
    case 29: "cannot seek in this kind of file"
    case 30: "file system is read-only"
    case 31: "too many links"
    case 32: "broken pipe"
    case 36: "file name too long"
    case 38: "not implemented by this kernel"
    case 39: "directory not empty"
    case 40: "too many symbolic links"
    case 75: "value too large"
    case 95: "operation not supported"
    case 98: "address already in use"
    case 99: "address not available on this machine"
    case 100: "network is down"
    case 101: "network is unreachable"
    case 103: "connection aborted"
    case 104: "connection reset by peer"
    case 105: "no buffer space left"
    case 107: "not connected"
    case 110: "timed out"
    case 111: "connection refused"
    case 112: "host is down"
    case 113: "host is unreachable"
    case 115: "in progress"
    case 116: "stale file handle"
    case 122: "disk quota exceeded"
    default: "system error"
    }
  }
}

/// Throws what a C shim reported by a negative result.
@inline(__always)
func check(_ result: Int32) throws(Errno) {
  if result < 0 { throw Errno(rawValue: -result) }
}

/// The count that a C shim gave; throws what it reported by a negative one.
@inline(__always)
func checkedCount(_ result: Int64) throws(Errno) -> Int {
  if result < 0 { throw Errno(rawValue: Int32(truncatingIfNeeded: -result)) }
  return Int(result)
}

/// The descriptor that a C shim gave; throws what it reported by a negative one.
@inline(__always)
func checkedDescriptor(_ result: Int32) throws(Errno) -> Int32 {
  if result < 0 { throw Errno(rawValue: -result) }
  return result
}
