// The golden vectors in Tests/Vectors, which docs/protocol.md shows too.

import Foundation

/// One entry of a vector file.
struct Vector: Equatable {
  var name: String
  var meaning: String
  var bytes: [UInt8]
}

enum Vectors {
  static let frames = load("frames.hex")
  static let qt = load("qt.hex")
  static let magic = bytes("magic")
  /// All entries that are frames, in the order of the file.
  static let allFrames = frames.filter { $0.name != "magic" }

  static func bytes(_ name: String) -> [UInt8] {
    guard let vector = frames.first(where: { $0.name == name }) else { fatalError("no vector \(name)") }
    return vector.bytes
  }

  private static func load(_ file: String) -> [Vector] {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let url = folder.appendingPathComponent("Vectors").appendingPathComponent(file)
    guard let text = try? String(contentsOf: url, encoding: .utf8) else { fatalError("cannot read \(file)") }
    return parse(text)
  }

  static func parse(_ text: String) -> [Vector] {
    var vectors: [Vector] = []
    for line in text.split(separator: "\n") where !line.hasPrefix("#") {
      if line.hasPrefix("[") {
        vectors.append(Vector(name: String(line.dropFirst().dropLast()), meaning: "", bytes: []))
      } else if vectors[vectors.count - 1].meaning.isEmpty {
        vectors[vectors.count - 1].meaning = String(line)
      } else {
        vectors[vectors.count - 1].bytes += hex(line.prefix { $0 != ";" })
      }
    }
    return vectors
  }

  private static func hex(_ text: Substring) -> [UInt8] {
    let digits = text.filter { !$0.isWhitespace }.map { digit -> UInt8 in
      guard let value = digit.hexDigitValue else { fatalError("\(text) is not hexadecimal") }
      return UInt8(value)
    }
    precondition(digits.count % 2 == 0, "\(text) has half a byte")
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }
}
