// SPDX-License-Identifier: Apache-2.0
// The one error of the harness: a sentence for the person who reads the test report.

import Glibc

/// Says why the harness could not do what a test asked of it.
struct Failure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }

  /// A failed system call: what was tried, on what, and errno's text.
  static func system(_ call: String, on subject: RawString) -> Failure {
    Failure("\(call) \(subject): \(String(cString: strerror(errno)))")
  }
}

/// Passes a system call's result on, or throws with errno when it is -1.
@discardableResult
func checked<Value: SignedInteger>(_ value: Value, _ call: String, on subject: RawString) throws -> Value {
  if value == -1 { throw Failure.system(call, on: subject) }
  return value
}
