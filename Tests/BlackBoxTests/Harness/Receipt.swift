// SPDX-License-Identifier: Apache-2.0
// The line that `splice --json` prints for each file.

import Foundation

/// One transferred file, as the client reports it.
struct Receipt {
  let size: Int
  let sent: Int
  let resumedFrom: Int
  /// Nil, too, when the client reports 0: nothing was salvaged.
  let salvagedTo: Int?
  let attempts: Int
  let seconds: Double
  let fields: Set<String>

  /// Every field of the contract.
  static let contract: Set<String> = [
    "path", "size", "sent", "resumed_from", "salvaged_to", "digest", "durable", "seconds", "attempts",
  ]

  /// - Throws: if the line is not a JSON object with the numbers of the contract. A name that is not UTF-8 makes
  ///   lone surrogates, which Foundation refuses: read receipts only of names that are.
  init(line: Substring) throws {
    guard let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] else {
      throw Failure("not a JSON object: \(line)")
    }
    func number<Value>(_ name: String) throws -> Value {
      guard let value = object[name] as? Value else { throw Failure("no number '\(name)' in \(line)") }
      return value
    }
    size = try number("size")
    sent = try number("sent")
    resumedFrom = try number("resumed_from")
    attempts = try number("attempts")
    seconds = try number("seconds")
    salvagedTo = (object["salvaged_to"] as? Int).flatMap { $0 == 0 ? nil : $0 }
    fields = Set(object.keys)
  }
}
