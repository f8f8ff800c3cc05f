// Every bound of the protocol and the daemon in one place, each with its reason.

package enum Limits {
  /// Digests are made and compared per block. Small enough that damage costs little, large enough
  /// that the journal of 100 GiB stays near 4 MB.
  package static let blockSize: UInt64 = 1 << 20
  /// Above this size blocks double, so that no file has more than 2^20 of them.
  package static let blockCountMax: UInt64 = 1 << 20
  /// Payload of one DATA frame. One block of the usual size, so that a block is one frame.
  package static let dataPayloadMax = 1 << 20
  /// A path below the root, in bytes, without a terminator (Linux: PATH_MAX is 4,096 with it).
  package static let pathMax = 4095
  /// One component of a path (Linux: NAME_MAX).
  package static let nameMax = 255
  /// The human sentence of an ERROR frame.
  package static let errorTextMax = 512
  /// Body of a frame that is not DATA: an ERROR with the longest path and text, rounded up; also
  /// what one LIST answer may carry.
  package static let controlBodyMax = 16 << 10
  /// Prefix digests asked for in one PROBE. 64 halves the search for the fork to four round trips
  /// even for 2^20 blocks.
  package static let probeMax = 64
  /// Requests that may be open on one connection at a time. Small files share their rounds of syncs: with two groups of
  /// `CommitQueue` waiting for the disk there are as many again to be received meanwhile.
  package static let streamsPerConnectionMax = 512
  /// Below this little memory does not take it: a request that finds no room is told BUSY.
  package static let streamsPerConnectionMin = 64
  /// Descriptors of the client's program for each: a transfer needs up to three.
  package static let descriptorsPerStream = 8
  /// Descriptors that our programs make room for when they start: a connection full of small files has two for each, and
  /// for one as it ends. More are allowed, and cost a wait each time that their table doubles.
  package static let descriptorsExpected = 4 * streamsPerConnectionMax
  /// Bytes of a file that one thread receives or reads, hashes, and writes or sends before it takes more into the
  /// same buffer. A block is four of them.
  package static let portionSize = 256 << 10
  /// One pooled buffer: a portion and what stands before it on the wire, in whole pages. 16 MiB are 63 of them.
  package static let bufferSize = portionSize + 4096
  /// Received bytes that one connection may have waiting for the disk before its socket is no
  /// longer read.
  package static let connectionBacklogMax = 2 << 20
  /// What a received piece costs beside its bytes, so that a peer who sends one byte a frame fills its backlog,
  /// too: the places in the queues that point to it, rounded up.
  package static let pieceCost = 128
  /// Answers that wait for a peer who does not read; behind it nothing more is read from that peer. One listing
  /// each for all its requests would be much more, but those wait for room.
  package static let answerBacklogMax = 256 << 10
  /// Bytes from a peer that count as a sign of life without being a whole message. One byte now and then is none.
  package static let progressMin = 4 << 10
  /// Bytes a second that a limit leaves at least. Slower than this a peer would be taken for lost.
  package static let rateMin: UInt64 = 1 << 10
  /// Memory that one transfer takes beside the buffers, rounded up: with it `--memory` bounds how many there are.
  package static let transferCost = 16 << 10
  /// Up to here a file is waited for and stored by one job, opened to be sent and prepared by one, and has no name
  /// before it is whole; no room is reserved for so little.
  package static let shortFileMax: UInt64 = 64 << 10
  /// Blocks of one transfer that are asked for again at a time.
  package static let repeatsMax = 64
  /// Blocks from the first that is asked for again on that a receiver takes before that must have come.
  package static let blocksAheadMax: UInt64 = 256
  /// Received bytes that are worth a job while more of their block is to come.
  package static let batchMin = 512 << 10
  /// Bytes written by one job of the thread pool. Large enough that handing it over costs nothing
  /// beside it.
  package static let jobSize = 1 << 20
  /// Bytes read or sent for one connection before the loop looks at the others again: a block, where there are
  /// few others; with many, no less than what a system call is worth.
  package static let turnBudgetMax = 1 << 20
  package static let turnBudgetMin = 64 << 10
  /// Bytes sent for all busy connections of a loop, one turn each: a millisecond's work of a fast machine, which
  /// is how long a small answer waits.
  package static let roundBudget = 4 << 20
  /// So much at once, or to come, is worth a job that reads the socket itself.
  package static let bulkMin = 128 << 10
  /// Bytes of one file that the kernel's cache gathers before the disk begins with them; as many again may be on
  /// their way. However slow a disk is, it does not fill the memory.
  package static let writebackStep: UInt64 = 4 << 20
  /// Bytes that one job takes from a socket before other jobs have their turn.
  package static let drainBudget = 4 << 20
  /// Bytes queued for a slow reader before the sender prepares no more.
  package static let outputHighWater = 4 << 20
}
