"""What the rigs share: where the programs are, a daemon, client runs, a link that watches and cuts, data.

The rigs run the programs in build/bin; SPLICE_PROGRAMS names another folder. The generic machinery (recording disk, fault
shim, bad links) is not in this repository: SPLICE_RIGS names its folder, ../shared/rigs beside the package if it is not
set. A rig that needs it and does not find it says so in one line and ends with status 0."""
import collections
import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGE = os.path.dirname(os.path.dirname(HERE))
PROGRAMS = os.environ.get("SPLICE_PROGRAMS", os.path.join(PACKAGE, "build/bin"))
SPLICED = os.environ.get("SPLICED", os.path.join(PROGRAMS, "spliced"))
SPLICE = os.environ.get("SPLICE", os.path.join(PROGRAMS, "splice"))
SHARED = os.path.abspath(os.environ.get("SPLICE_RIGS", os.path.join(PACKAGE, "../shared/rigs")))
MIB = 1 << 20
BLOCK = MIB


class Violation(Exception):
    """A promise was broken."""


def expect(condition, *what):
    if not condition:
        raise Violation(" ".join(str(word) for word in what))


def skip(why):
    print(f"SKIPPED {os.path.basename(sys.argv[0])} {' '.join(sys.argv[1:])}: {why}", flush=True)
    sys.exit(0)


def shared(name):
    """The path of a generic rig; ends this run with a clear line where there is none."""
    path = os.path.join(SHARED, name)
    if not os.path.exists(path):
        skip(f"there is no {name} in {SHARED} (SPLICE_RIGS names the folder)")
    return path


def need(*commands):
    """Ends this run with a clear line when a command or the rights of root are missing."""
    missing = [command for command in commands if not shutil.which(command)]
    if missing:
        skip("not installed: " + " ".join(missing))
    if os.geteuid() != 0:
        skip("needs root")


@contextlib.contextmanager
def workshop(prefix="rig", where=None):
    """A folder of our own that is gone afterwards."""
    path = tempfile.mkdtemp(prefix=f"splice-{prefix}.", dir=where)
    os.chmod(path, 0o755)
    try:
        yield path
    finally:
        # Also when a promise was broken in the middle: nothing is left running.
        for daemon in Daemon.started:
            if daemon.root.startswith(path) and daemon.is_alive():
                daemon.kill()
        shutil.rmtree(path, ignore_errors=True)


def data(seed, size):
    """The same bytes for the same seed, on every machine."""
    return random.Random(seed).randbytes(size)


def write(path, content):
    with open(path, "wb") as file:
        file.write(content)
    return path


def write_random(path, seed, size):
    """A large file without holding it in memory."""
    generator = random.Random(seed)
    with open(path, "wb") as file:
        for start in range(0, size, 16 * MIB):
            file.write(generator.randbytes(min(16 * MIB, size - start)))
    return path


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def digest(path):
    summary = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(MIB):
            summary.update(piece)
    return summary.hexdigest()


def wait_until(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        expect(time.monotonic() < end, "timeout:", what)
        time.sleep(0.005)


class Daemon:
    """A running spliced on a port of its own choice."""

    started = []

    def __init__(self, root, *options, under=(), env=None, seconds=20, preexec=None, listen="127.0.0.1:0"):
        self.folder = tempfile.mkdtemp(prefix="splice-daemon.")
        self.port_file = os.path.join(self.folder, "port")
        self.log_path = os.path.join(self.folder, "log")
        self.root = root
        command = [*under, SPLICED, "--listen", listen, "--port-file", self.port_file, *options, root]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                command, stderr=log, stdout=log, stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})},
                preexec_fn=preexec)
        Daemon.started.append(self)
        try:
            wait_until(lambda: os.path.exists(self.port_file) or self.process.poll() is not None, seconds, "no port")
        except Violation:
            self.kill()
            raise
        self.port = int(read(self.port_file)) if os.path.exists(self.port_file) else None

    @property
    def log(self):
        return (read(self.log_path) or b"").decode("utf-8", "replace")

    @property
    def pid(self):
        """Of the daemon itself, also where a wrapper started it."""
        pid = self.process.pid
        while True:
            try:
                with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
                    if file.read().strip() == os.path.basename(SPLICED)[:15]:
                        return pid
                children = read(f"/proc/{pid}/task/{pid}/children").split()
            except OSError:
                return self.process.pid
            if not children:
                return pid
            pid = int(children[0])

    def url(self, name=""):
        return f"splice://127.0.0.1:{self.port}/{name}"

    def is_alive(self):
        return self.process.poll() is None

    def kill(self):
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        status = self.process.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)
        return status

    def stop(self, seconds=20):
        """SIGTERM; returns the exit status."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.kill(self.pid, signal.SIGKILL)
            self.process.wait()
            return "hung"
        finally:
            self.last_log = self.log
            shutil.rmtree(self.folder, ignore_errors=True)


Run = collections.namedtuple("Run", "status receipts error seconds")


def client(*arguments, env=None, under=(), seconds=120, cwd=None, preexec=None):
    """Runs splice to its end."""
    begin = time.monotonic()
    process = subprocess.Popen(
        [*under, SPLICE, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd,
        env={**os.environ, "XDG_CACHE_HOME": "/nonexistent", **(env or {})}, preexec_fn=preexec)
    try:
        output, error = process.communicate(timeout=seconds)
        status = process.returncode
    except subprocess.TimeoutExpired:
        process.kill()
        output, error = process.communicate()
        status = "hung"
    receipts = []
    for line in output.splitlines():
        with contextlib.suppress(ValueError):
            receipts.append(json.loads(line.decode("utf-8", "surrogateescape")))
    return Run(status, receipts, error.decode("utf-8", "replace"), time.monotonic() - begin)


def put(url, source, *options, **more):
    return client("put", "--json", "--retry-for", "0", *options, source, url, **more)


def get(url, target, *options, **more):
    return client("get", "--json", "--retry-for", "0", *options, url, target, **more)


def visible(root):
    """Relative path -> bytes of each file that a reader of the root can see."""
    found = {}
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in (".splice", "lost+found")]
        for name in files:
            path = os.path.join(folder, name)
            found[os.path.relpath(path, root)] = path
    return found


def staged(root):
    folder = os.path.join(root, ".splice/stage")
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def expect_nothing_staged(root):
    """Journals go a moment after the receipt."""
    wait_until(lambda: not staged(root), 5, f"left in the stage: {staged(root)}")


ACK = 8


class Link:
    """A relay to a daemon that reads the ACKs on their way back and can cut.

    - cut_up, cut_down: the connection is reset once so many bytes have passed in that direction
    - flip_up, flip_down: one bit of that byte is changed
    - on_durable: called with the durable count of each ACK that was handed on"""

    def __init__(self, port, cut_up=None, cut_down=None, flip_up=None, flip_down=None, on_durable=None, bytes_a_second=0):
        self.port_of_daemon = port
        self.cuts = {"up": cut_up, "down": cut_down}
        self.flips = {"up": flip_up, "down": flip_down}
        self.passed = {"up": 0, "down": 0}
        self.on_durable = on_durable
        self.rate = bytes_a_second
        self.durable = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.ends = []
        threading.Thread(target=self.serve, daemon=True).start()

    def url(self, name=""):
        return f"splice://127.0.0.1:{self.port}/{name}"

    def serve(self):
        while True:
            try:
                near = self.listener.accept()[0]
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.port_of_daemon))
            except OSError:
                near.close()
                continue
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.ends += [near, far]
            threading.Thread(target=self.move, args=("up", near, far), daemon=True).start()
            threading.Thread(target=self.move, args=("down", far, near), daemon=True).start()

    def move(self, direction, source, target):
        pending = b""
        is_first = True
        try:
            while piece := source.recv(16384):
                at = self.passed[direction]
                flip = self.flips[direction]
                if flip is not None and at <= flip < at + len(piece):
                    changed = bytearray(piece)
                    changed[flip - at] ^= 1
                    piece = bytes(changed)
                    self.flips[direction] = None
                cut = self.cuts[direction]
                if cut is not None and at + len(piece) >= cut:
                    target.sendall(piece[:cut - at])
                    break
                target.sendall(piece)
                self.passed[direction] += len(piece)
                if self.rate:
                    time.sleep(len(piece) / self.rate)
                if direction == "down" and self.on_durable:
                    pending += piece
                    if is_first and len(pending) >= 4:
                        pending, is_first = pending[4:], False
                    pending = self.parse(pending)
            else:
                target.shutdown(socket.SHUT_WR)
                return
        except OSError:
            pass
        # Cut, or an end has broken: both sides are to see it.
        self.reset(source, target)
        self.cuts[direction] = None

    def parse(self, pending):
        while len(pending) >= 16:
            kind, _, _, length, _ = struct.unpack(">BBHIQ", pending[:16])
            if len(pending) < 16 + length:
                return pending
            if kind == ACK:
                self.durable = struct.unpack(">QQQ", pending[16:40])[2]
                self.on_durable(self.durable)
            pending = pending[16 + length:]
        return pending

    def reset(self, *ends):
        for end in ends:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RD)
            end.close()

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.reset(*self.ends)


def main(cases, argument=None):
    """Runs the named cases, or all; prints one line each, and the whole story of those that broke."""
    wanted = sys.argv[1:] if argument is None else argument
    unknown = [name for name in wanted if name not in cases]
    if unknown:
        sys.exit(f"unknown: {' '.join(unknown)}; there are: {' '.join(cases)}")
    broken = 0
    for name, case in cases.items():
        if wanted and name not in wanted:
            continue
        begin = time.monotonic()
        try:
            said = case() or ""
            print(f"ok      {name} ({time.monotonic() - begin:.1f} s) {said}", flush=True)
        except Violation as violation:
            broken += 1
            print(f"BROKEN  {name} ({time.monotonic() - begin:.1f} s): {violation}", flush=True)
    sys.exit(1 if broken else 0)
