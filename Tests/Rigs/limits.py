#!/usr/bin/env python3
"""limits.py [--quick] [CASE...] - crowds of idle, slow and rude connections, and little to live on.

Proves promise 5 and 'what does not fit waits or is told BUSY': while a crowd is there, a well-behaved client is answered
within a second, the daemon does not end, its memory stays flat, and the crowd is turned away or timed out by rule.
The client's answer is an `ls` that is timed from its start to its end, so the start of a process is in it; the daemon is
given the second, and as long again is allowed for the machine that runs the crowd (LIMITS_ALLOWANCE, seconds)."""
import contextlib
import os
import resource
import socket
import struct
import sys
import threading
import time

import rig

quick = "--quick" in sys.argv
ALLOWANCE = float(os.environ.get("LIMITS_ALLOWANCE", "1"))
HELLO = b"SPLC" + struct.pack(">BBHIQ", 1, 0, 0, 35, 0) + bytes.fromhex(
    "0001000000000001010040000000000000000000000000000a") + b"splice/1.0"


class Probe:
    """A client that asks again and again, and notes how long it took."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.times = []
        self.failures = []
        self.refusals = []
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.ask, daemon=True)
        self.thread.start()

    def ask(self):
        while not self.stopped.is_set():
            run = rig.client("ls", self.daemon.url(), seconds=20)
            if run.status == 0:
                self.times.append(run.seconds)
            else:
                self.refusals.append(run.seconds)
                self.failures.append((run.status, run.error.strip()))
            self.stopped.wait(0.1)

    def end(self, may_be_refused=False):
        self.stopped.set()
        self.thread.join(30)
        rig.expect(len(self.times) > 2, f"the probe was never answered: {self.failures[:2]}")
        rig.expect(may_be_refused or not self.failures, f"the probe was refused: {self.failures[:2]}")
        worst = max(self.times + self.refusals)
        rig.expect(worst < 1 + ALLOWANCE, f"an answer took {worst:.2f} s")
        refused = f"{len(self.refusals)} times told to come back, " if self.refusals else ""
        return f"{refused}{len(self.times)} answers, median {sorted(self.times)[len(self.times) // 2] * 1000:.0f} ms, worst {worst * 1000:.0f} ms"


def resident(daemon):
    for line in rig.read(f"/proc/{daemon.pid}/status").splitlines():
        if line.startswith(b"VmRSS"):
            return int(line.split()[1]) // 1024
    return 0


def descriptors(daemon):
    return len(os.listdir(f"/proc/{daemon.pid}/fd"))


@contextlib.contextmanager
def serving(*options, preexec=None):
    with rig.workshop("limits") as work:
        root = os.path.join(work, "root")
        os.mkdir(root)
        rig.write_random(os.path.join(root, "file"), "limits", 8 * rig.MIB)
        daemon = rig.Daemon(root, "--log", "error", *options, preexec=preexec)
        daemon.work = work
        try:
            yield daemon
            rig.expect(daemon.is_alive(), f"the daemon ended: {daemon.log[-400:]}")
            rig.expect(daemon.stop() == 0, "the daemon did not stop well")
        finally:
            if daemon.is_alive():
                daemon.kill()


def bytes_read(daemon):
    return int(rig.read(f"/proc/{daemon.pid}/io").split()[1])


def crowd(daemon, count, greet=b"", receive_buffer=None):
    """So many connections that have said `greet`."""
    ends = []
    for number in range(count):
        end = socket.socket()
        end.settimeout(5)
        if receive_buffer:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        # Ports of one address would not suffice, and nothing is said about addresses.
        end.bind((f"127.0.{1 + number // 20000}.1", 0))
        try:
            end.connect(("127.0.0.1", daemon.port))
            if greet:
                end.sendall(greet)
        except OSError:
            end.close()
            continue
        ends.append(end)
    return ends


def leave(ends):
    for end in ends:
        with contextlib.suppress(OSError):
            end.close()


def held(daemon, ends, seconds, each=None):
    """Keeps the crowd for a while under the eyes of a probe."""
    probe = Probe(daemon)
    finish = time.monotonic() + seconds
    while time.monotonic() < finish:
        if each:
            for end in ends:
                with contextlib.suppress(OSError):
                    each(end)
        time.sleep(0.2)
    return probe.end()


SECONDS = 3 if quick else 20


def idle():
    count = 1000 if quick else 5000
    with serving("--max-connections", str(count + 100)) as daemon:
        before = resident(daemon)
        ends = crowd(daemon, count)
        rig.expect(len(ends) == count, f"only {len(ends)} got in")
        said = held(daemon, ends, SECONDS)
        grown = resident(daemon) - before
        leave(ends)
        rig.expect(grown <= 24, f"{grown} MiB for {count} idle connections")
        return f"{count} idle, +{grown} MiB; {said}"


def trickle():
    count = 300 if quick else 1000
    with serving("--max-connections", str(count + 100)) as daemon:
        ends = crowd(daemon, count, HELLO[:3])
        position = {end: 3 for end in ends}

        def drip(end):
            at = position[end]
            if at < len(HELLO) - 1:
                end.send(HELLO[at:at + 1])
                position[end] = at + 1
        said = held(daemon, ends, SECONDS, drip)
        leave(ends)
        return f"{count} trickle a header; {said}"


def never_finish():
    """Half a HELLO and silence: closed by the idle timeout."""
    with serving("--idle-timeout", "2") as daemon:
        ends = crowd(daemon, 200, HELLO[:20])
        probe = Probe(daemon)
        time.sleep(5)
        said = probe.end()
        closed = 0
        for end in ends:
            end.settimeout(0.2)
            try:
                while end.recv(4096):
                    pass
                closed += 1
            except ConnectionError:
                closed += 1
            except OSError:
                pass
        leave(ends)
        rig.expect(closed == 200, f"only {closed} of 200 were closed after the idle timeout")
        return f"200 with half a HELLO, all closed; {said}"


def deaf():
    """Peers that ask for a file and for lists, and never read: they hold no buffers."""
    want = want_frame(b"file")
    with serving("--idle-timeout", "30") as daemon:
        # With its digests beside it, as every file that came through the daemon.
        source = rig.write_random(os.path.join(daemon.work, "source"), "deaf", 8 * rig.MIB)
        rig.expect(rig.put(daemon.url("file"), source).status == 0, "the upload before")
        before = resident(daemon)
        ends = []
        for _ in range(100 if quick else 400):
            end = socket.socket()
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            end.connect(("127.0.0.1", daemon.port))
            end.sendall(HELLO + want)
            ends.append(end)
            # One after another; `burst` is about all at once.
            time.sleep(0.01)
        said = held(daemon, ends, SECONDS)
        grown = resident(daemon) - before
        leave(ends)
        # The pool's 16 MiB, the chunks of the threads that hash, and what malloc keeps; not a word of it a peer.
        rig.expect(grown <= 40, f"{grown} MiB for peers that do not read")
        return f"{len(ends)} peers that do not read, +{grown} MiB; {said}"


def burst():
    """Hundreds want a file at once whose digests nobody has made yet: it is not read for each of them."""
    count = 100 if quick else 400
    want = want_frame(b"file")
    with serving("--max-connections", str(count + 100), "--max-transfers", str(count)) as daemon:
        ends = crowd(daemon, count, HELLO, receive_buffer=4096)
        before = bytes_read(daemon)
        probe = Probe(daemon)
        for end in ends:
            end.sendall(want)
        time.sleep(SECONDS)
        said = probe.end()
        times = (bytes_read(daemon) - before) / (8 * rig.MIB)
        leave(ends)
        # What fills the daemon's sockets is read, too: some 2.5 MiB for each.
        rig.expect(times <= count / 2, f"the file was read {times:.0f} times")
        return f"{count} want a new file at once, read {times:.1f} times; {said}"


def want_frame(path):
    """WANT as the golden vectors have it, for a whole file and at once."""
    lines, name = {}, None
    with open(os.path.join(rig.PACKAGE, "Tests/Vectors/frames.hex"), encoding="utf-8") as file:
        for line in file:
            line = line.split(";")[0].strip()
            if line.startswith("["):
                name = line[1:-1]
                lines[name] = b""
            elif name and line and not line.startswith("#"):
                with contextlib.suppress(ValueError):
                    lines[name] += bytes.fromhex(line)
    known = {key: value for key, value in lines.items() if value[:1] == b"\x0b"}
    body = bytearray(next(iter(known.values()))[16:])
    # The path is the last field: two bytes of length, then the name.
    for at in range(len(body) - 2, -1, -1):
        if int.from_bytes(body[at:at + 2], "big") == len(body) - at - 2 and len(body) - at > 2:
            body[at:] = len(path).to_bytes(2, "big") + path
            break
    return struct.pack(">BBHIQ", 0x0b, 16, 0, len(body), 1) + bytes(body)


def few_descriptors():
    limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    with serving("--idle-timeout", "2", preexec=limit) as daemon:
        ends = crowd(daemon, 200)
        probe = Probe(daemon)
        time.sleep(6)
        said = probe.end(may_be_refused=True)
        leave(ends)
        time.sleep(0.5)
        after = Probe(daemon)
        time.sleep(1.5)
        after.end()
        source = rig.write_random(os.path.join(daemon.work, "source"), "few", 3 * rig.MIB)
        run = rig.put(daemon.url("new"), source)
        rig.expect(run.status == 0, f"an upload afterwards: {run.error}")
        return f"64 descriptors, 200 connections; {said}; descriptors at the end: {descriptors(daemon)}"


def little_memory():
    """200 uploads at a time share 8 MiB. Their clients step back: the CPUs here are not those of the daemon alone."""
    count = 60 if quick else 200
    with serving("--memory", "8MiB", "--checkpoint", "64MiB,60") as daemon:
        source = rig.write_random(os.path.join(daemon.work, "source"), "memory", 4 * rig.MIB)
        before = resident(daemon)
        results, peak = [], [0]
        finished = threading.Event()

        def sample():
            while not finished.wait(0.1):
                peak[0] = max(peak[0], resident(daemon))

        def upload(number):
            # Slow enough that all are under way at once, and that the links' own work is little.
            link = rig.Link(daemon.port, bytes_a_second=rig.MIB // 4)
            results.append(rig.client("put", "-q", "--no-cache", "--retry-for", "120", source, link.url(f"up{number}"),
                                      seconds=300, under=("nice", "-n", "19")))
            link.close()
        threads = [threading.Thread(target=upload, args=(number,)) for number in range(count)]
        threading.Thread(target=sample, daemon=True).start()
        # A fresh connection waits its turn with the others; what is measured here is that it is answered.
        probe = Probe(daemon)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        finished.set()
        said = probe.end()
        bad = [run.error for run in results if run.status]
        rig.expect(not bad, f"{len(bad)} uploads failed: {bad[:1]}")
        wanted = rig.digest(source)
        for number in range(count):
            rig.expect(rig.digest(os.path.join(daemon.root, f"up{number}")) == wanted, f"up{number} differs")
        grown = peak[0] - before
        rig.expect(grown <= 8 + 16, f"{grown} MiB more for uploads that share 8 MiB")
        return f"{count} uploads with 8 MiB, +{grown} MiB at the peak; {said}"


soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
rig.main({
    "idle": idle, "trickle": trickle, "never-finish": never_finish, "deaf": deaf, "burst": burst,
    "few-descriptors": few_descriptors, "little-memory": little_memory,
}, [word for word in sys.argv[1:] if word != "--quick"])
