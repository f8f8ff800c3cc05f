// An input read as a row of decisions. An input that is used up decides 0 from then on.

struct Choices {
  private let input: [UInt8]
  private var position = 0

  init(_ input: [UInt8]) { self.input = input }

  var isEmpty: Bool { position >= input.count }

  mutating func byte() -> UInt8 {
    guard position < input.count else { return 0 }
    defer { position += 1 }
    return input[position]
  }

  /// 0 to `bound` - 1; at most 256 of them.
  mutating func below(_ bound: Int) -> Int { Int(byte()) % bound }

  mutating func oneIn(_ count: Int) -> Bool { below(count) == count - 1 }

  mutating func pick<Value>(_ values: [Value]) -> Value { values[below(values.count)] }

  mutating func integer() -> UInt64 { (0..<8).reduce(0) { value, _ in value << 8 | UInt64(byte()) } }

  mutating func bytes(_ count: Int) -> [UInt8] {
    let end = min(position + max(0, count), input.count)
    defer { position = end }
    return Array(input[position..<end])
  }

  mutating func rest() -> [UInt8] { bytes(input.count) }

  /// A number that is often near one that matters.
  mutating func number(near values: [UInt64]) -> UInt64 {
    switch below(8) {
    case 0: return integer()
    case 1: return UInt64(byte())
    case 2: return .max &- UInt64(byte())
    default:
      let base = pick(values + [0])
      return base &+ pick([0, 0, 0, 1, .max])
    }
  }
}

/// `stream` as a network may cut it: into pieces of `counts` bytes, again and again.
func cut(_ stream: [UInt8], into counts: [Int]) -> [[UInt8]] {
  var pieces: [[UInt8]] = []
  var rest = stream[...]
  while !rest.isEmpty {
    pieces.append(Array(rest.prefix(max(1, counts[pieces.count % counts.count]))))
    rest = rest.dropFirst(pieces[pieces.count - 1].count)
  }
  return pieces
}
