#!/usr/bin/env python3
"""races.py [--quick] [CASE...] - hostile paths, and a second process that swaps folders for links while uploads run.

Proves that nothing is read, made or changed outside the root. Not the daemon says so but a watcher: a folder beside the
root, with files in it, is compared before and after, byte for byte and with its times, and a read of anything
in it by the daemon shows in what it answers. The paths come over the wire as they are, not through
splice, which would refuse some of them itself."""
import ctypes
import os
import random
import socket
import struct
import sys
import time

import rig

quick = "--quick" in sys.argv
OFFER, HAVE, STAT, LIST, REMOVE, WANT, ERROR, VERIFY = 2, 3, 15, 14, 16, 11, 20, 17
HELLO = b"SPLC" + struct.pack(">BBHIQ", 1, 0, 0, 35, 0) + bytes.fromhex(
    "0001000000000001010040000000000000000000000000000a") + b"splice/1.0"


def hostile_paths():
    """At least 200."""
    paths = [b"..", b"../outside", b"../outside/secret", b"/", b"//", b"/etc/passwd", b"a/../../outside/secret", b"./../outside", b".",
             b"./file", b"a//b", b"a/", b"/a", b"a/.", b"a/..", b"\0", b"a\0b", b"a\0/../..", b".splice", b".splice/", b".splice/stage/x",
             b".splice/lock", b".splice/digests/1", b"a/.splice/x", b"x" * 256, b"x" * 255, b"x/" * 2000 + b"x", b"y" * 4096, b"y" * 65000,
             b"link-out/secret", b"link-out/new", b"link-up/outside/secret", b"link-file", b"link-loop", b"link-loop/x", b"link-proc/root/etc/passwd",
             b"link-self/../../outside/secret", b"fifo", b"folder", b"\xff\xfe", b"\xc0\xae\xc0\xae/outside", b"%2e%2e/outside/secret",
             b"..\\outside\\secret", b"file\n", b"file\r\n", b"-rf", b"--", b"~", b"~root", b"$HOME", b"`id`", b"$(id)", b"*", b"?", b"con",
             b"a" * 200 + b"/" + b"b" * 200, b"proc/self/root", b"link-root/etc/passwd", b"", b" ", b"\x7f", b"\x1b[2J"]
    for depth in range(1, 40):
        paths += [b"../" * depth + b"etc/passwd", b"a/" * depth + b"../" * (depth + 1) + b"outside/secret",
                  b"link-self/" * depth + b"../outside/secret", b"folder/" + b"../" * depth + b"outside/new"]
    return paths


def exchange(port, frames):
    """Sends frames; returns (type, body) of what comes back until it is quiet or closed."""
    end = socket.create_connection(("127.0.0.1", port), timeout=5)
    end.sendall(HELLO + frames)
    end.settimeout(0.5)
    got = b""
    try:
        while piece := end.recv(65536):
            got += piece
            if len(got) > 4 + 16 + int.from_bytes(got[8:12], "big"):
                end.settimeout(0.05)
    except OSError:
        pass
    end.close()
    answers, got = [], got[4:]
    while len(got) >= 16:
        kind, _, _, length, _ = struct.unpack(">BBHIQ", got[:16])
        answers.append((kind, got[16:16 + length]))
        got = got[16 + length:]
    return [answer for answer in answers if answer[0] != 1]


def frame(kind, body, flags=0, stream=1):
    return struct.pack(">BBHIQ", kind, flags, 0, len(body), stream) + body


def text(path):
    return struct.pack(">H", min(len(path), 65535)) + path


def offer(path, size=0):
    return frame(OFFER, bytes([0]) + struct.pack(">IQ", 0o644, size) + bytes(12) + bytes(16) + struct.pack(">Q", 1) + text(path))


def snapshot(folder):
    found = {}
    for base, folders, files in os.walk(folder):
        for name in [*folders, *files, ""]:
            path = os.path.join(base, name)
            status = os.lstat(path)
            content = rig.read(path) if os.path.isfile(path) else None
            found[path] = (status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, content)
    return found


def build(work):
    root, outside = os.path.join(work, "root"), os.path.join(work, "outside")
    for path in (root, outside, os.path.join(root, "folder"), os.path.join(outside, "deep")):
        os.mkdir(path)
    rig.write(os.path.join(outside, "secret"), b"SECRET-OF-THE-OUTSIDE" * 50)
    rig.write(os.path.join(outside, "deep/secret"), b"SECRET-OF-THE-OUTSIDE" * 50)
    rig.write(os.path.join(root, "file"), b"inside")
    for name, target in [("link-out", outside), ("link-up", ".."), ("link-file", os.path.join(outside, "secret")), ("link-loop", "link-loop"),
                         ("link-proc", "/proc/self"), ("link-self", "."), ("link-root", "/")]:
        os.symlink(target, os.path.join(root, name))
    os.mkfifo(os.path.join(root, "fifo"))
    return root, outside


def paths():
    tried = hostile_paths()
    rig.expect(len(tried) >= 200, f"only {len(tried)} paths")
    with rig.workshop("races") as work:
        root, outside = build(work)
        before = snapshot(outside)
        daemon = rig.Daemon(root, "--log", "error")
        above = set(os.listdir(work))
        answers = {}
        for path in tried[:: 4 if quick else 1]:
            for name, message in [("offer", offer(path)), ("stat", frame(STAT, text(path))), ("list", frame(LIST, text(path))),
                                  ("remove", frame(REMOVE, text(path)))]:
                if name == "remove" and path in (b"file", b"folder", b"fifo", b"./file") or name == "remove" and path.startswith(b"link-"):
                    continue
                for kind, body in exchange(daemon.port, message):
                    rig.expect(b"SECRET" not in body, f"{name} {path[:60]!r} gave away what is outside")
                    answers[(name, kind)] = answers.get((name, kind), 0) + 1
                rig.expect(daemon.is_alive(), f"{name} {path[:60]!r} ended the daemon: {daemon.log[-300:]}")
        rig.expect(snapshot(outside) == before, "something outside has changed")
        rig.expect(set(os.listdir(work)) == above, "something new beside the root")
        rig.expect(rig.read(os.path.join(root, "file")) == b"inside", "the daemon has lost a file")
        rig.expect(answers.get(("stat", ERROR), 0) > len(tried) // 8, f"hardly anything was refused: {answers}")
        rig.expect(daemon.stop() == 0, "the daemon did not stop well")
    return f"{len(tried[:: 4 if quick else 1])} paths in 4 messages each, {sum(answers.values())} answers"


def swap(one, other, seconds):
    """Exchanges two names again and again, atomically; returns how often."""
    library = ctypes.CDLL(None, use_errno=True)
    count, limit = 0, time.monotonic() + seconds
    while time.monotonic() < limit:
        if library.renameat2(-100, one.encode(), -100, other.encode(), 2) == 0:
            count += 1
    return count


def races():
    """A folder of the destination becomes a link to the outside and back, thousands of times, while files go in."""
    seconds = 4 if quick else 60
    with rig.workshop("races") as work:
        root, outside = build(work)
        before = snapshot(outside)
        daemon = rig.Daemon(root, "--log", "error")
        os.makedirs(os.path.join(root, "swap/in"))
        os.symlink(outside, os.path.join(root, "swap-link"))
        swapper = os.fork()
        if swapper == 0:
            try:
                count = swap(os.path.join(root, "swap"), os.path.join(root, "swap-link"), seconds)
                rig.write(os.path.join(work, "swaps"), str(count).encode())
            finally:
                os._exit(0)
        chance = random.Random(3)
        done = refused = 0
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            batch = [rig.write(os.path.join(work, f"s{number}"), b"FROM THE CLIENT %d" % number) for number in range(8)]
            target = chance.choice(["swap/", "swap/in/", "swap/new/er/", "swap/deep/"])
            run = rig.client("put", "--json", "--retry-for", "0", "--no-cache", *batch, daemon.url(target), seconds=30)
            good = sum(bool(receipt.get("durable")) for receipt in run.receipts)
            done, refused = done + good, refused + len(batch) - good
            back = rig.client("get", "-q", "--retry-for", "0", daemon.url("swap/secret"), os.path.join(work, "stolen"), seconds=30)
            rig.expect(back.status != 0 and not os.path.exists(os.path.join(work, "stolen")), "a file outside was read")
            rig.client("rm", daemon.url("swap/secret"), daemon.url("swap/deep/secret"), seconds=30)
        os.waitpid(swapper, 0)
        count = int(rig.read(os.path.join(work, "swaps")))
        rig.expect(snapshot(outside) == before, "something outside was made, removed or changed")
        rig.expect(count > 100 and done > 0 and refused > 0, f"no race: {count} swaps, {done} stored, {refused} refused")
        rig.expect(daemon.is_alive() and daemon.stop() == 0, "the daemon did not stop well")
    return f"{count} swaps, {done} files stored inside, {refused} refused, nothing outside was touched"


rig.main({"paths": paths, "races": races}, [word for word in sys.argv[1:] if word != "--quick"])
