#!/usr/bin/env python3
"""full.py [--quick] [CASE...] - disks that fill up, run out of inodes or quota, or turn read-only.

Proves what the README says of a full disk: an upload fails with a clear 'no space' (or 'denied' on a read-only disk), its
partial file stays, the old file is as it was, the same command goes on from there when there is room again, and the
daemon never ends and keeps serving downloads meanwhile. Each case runs in the private file system of smallfs.sh."""
import os
import random
import subprocess
import sys
import time

import rig

quick = "--quick" in sys.argv
SMALLFS = rig.shared("smallfs.sh")
MIB = rig.MIB


def no_room(run, *words):
    rig.expect(run.status in (1, 75), f"status {run.status} on a full disk: {run.error}")
    lines = run.error.splitlines()
    rig.expect(len(lines) == 1 and any(word in lines[0].lower() for word in words), f"unclear: {run.error}")


def inside(kind, root):
    """In the small file system; ROOT is on it."""
    work = os.path.join(root, "served")
    os.mkdir(work)
    daemon = rig.Daemon(work, "--checkpoint", "1MiB,1", "--log", "warning")
    old = rig.data("old", 2 * MIB + 5)
    big = rig.data("big", 6 * MIB + 11)
    with rig.workshop("full") as outside:
        source = rig.write(os.path.join(outside, "source"), old)
        run = rig.put(daemon.url("file"), source)
        rig.expect(run.status == 0, f"put with room: {run.error}")
        rig.write(source, big)

        def serves():
            back = os.path.join(outside, "back")
            if os.path.exists(back):
                os.unlink(back)
            run = rig.get(daemon.url("file"), back)
            rig.expect(run.status == 0 and rig.read(back) == old, f"a download meanwhile: {run.status} {run.error}")
            rig.expect(rig.read(os.path.join(work, "file")) == old, "the old file has changed")
            rig.expect(daemon.is_alive(), f"the daemon ended: {daemon.log}")

        if kind == "ro":
            print("waiting", flush=True)
            for _ in range(100):
                try:
                    rig.write(os.path.join(root, "probe"), b"x")
                except OSError:
                    break
                time.sleep(0.1)
            run = rig.put(daemon.url("file"), source)
            rig.expect(run.status in (1, 75), f"status {run.status} on a read-only disk")
            rig.expect(len(run.error.splitlines()) == 1 and "file" in run.error, f"unclear: {run.error}")
            serves()
            rig.expect(daemon.stop() in (0,), "the daemon did not stop well")
            return "read-only: refused, old file served"

        chance = random.Random(kind)
        tried, resumed = 0, 0
        filler = os.path.join(root, "filler")
        for _ in range(4 if quick else 25):
            # Full at a random byte: of the reservation, of the data, of the journal, of the folder.
            leave(root, filler, kind, chance)
            link = rig.Link(daemon.port)
            run = rig.put(link.url("file"), source)
            link.close()
            if run.status == 0:
                rig.expect(rig.read(os.path.join(work, "file")) == big, "stored something else")
            else:
                no_room(run, "no space", "busy", "quota")
                serves()
                tried += 1
            release(filler)
            run = rig.put(daemon.url("file"), source)
            rig.expect(run.status == 0, f"with room again: {run.status} {run.error}")
            rig.expect(rig.read(os.path.join(work, "file")) == big, "stored something else with room again")
            resumed += run.receipts[0]["resumed_from"] > 0
            rig.expect_nothing_staged(work)
            rig.write(source, old)
            run = rig.put(daemon.url("file"), source)
            rig.expect(run.status == 0, f"back to the old file: {run.error}")
            rig.write(source, big)
        rig.expect(tried > 0, "the disk was never full")

        # Room is taken while an upload is under way: its partial stays and is gone on with.
        link = rig.Link(daemon.port)
        # Not faster than the daemon stores: a reset throws away what it has not read.
        link.rate = 4 * MIB
        link.cuts["up"] = 3 * MIB + 500
        run = rig.put(link.url("other"), source)
        link.close()
        rig.expect(run.status == 75, f"cut: {run.status}")
        rig.wait_until(lambda: partial(daemon, "other") > MIB, 10, "no partial file after a cut")
        rig.wait_until(lambda: any(name.endswith(".journal") for name in rig.staged(work)), 10, "no journal after a cut")
        held = partial(daemon, "other")
        leave(root, filler, kind, chance, room=100_000)
        run = rig.put(daemon.url("other"), source)
        if run.status != 0:
            no_room(run, "no space", "busy", "quota")
        release(filler)
        if run.status != 0:
            run = rig.put(daemon.url("other"), source)
            rig.expect(run.status == 0 and run.receipts[0]["resumed_from"] >= held, f"{held} bytes were held: {run.error} {run.receipts}")
        rig.expect(rig.read(os.path.join(work, "other")) == big, "the resumed file differs")
        rig.expect(daemon.stop() == 0, "the daemon did not stop well")
        return f"full {tried} times, {resumed} uploads went on from a partial file"


def partial(daemon, name):
    """What the daemon holds of an unfinished file, and of no file at all."""
    run = rig.client("stat", "--json", daemon.url(name))
    return run.receipts[0].get("partial", 0) if run.status == 0 and run.receipts else 0


def leave(root, filler, kind, chance, room=None):
    """Takes all room but a little."""
    if kind == "inodes":
        os.mkdir(filler)
        keep = chance.randrange(0, 3)
        names = []
        try:
            while True:
                names.append(rig.write(os.path.join(filler, f"n{len(names)}"), b""))
        except OSError:
            for name in names[len(names) - keep:]:
                if os.path.exists(name):
                    os.unlink(name)
        return
    keep = room if room is not None else chance.randrange(0, 6 * MIB)
    with open(filler, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(65536))
        except OSError:
            pass
        try:
            os.fsync(file.fileno())
        except OSError:
            pass
        size = max(0, file.tell() - keep)
        try:
            file.truncate(size)
            return
        except OSError:
            # A quota may be so used up that even this is refused.
            os.unlink(filler)
    time.sleep(0.2)
    with open(filler, "wb", buffering=0) as file:
        try:
            for _ in range(size // 65536):
                file.write(bytes(65536))
        except OSError:
            pass


def release(filler):
    subprocess.run(["rm", "-rf", filler], check=True)


def case(kind, size):
    result = subprocess.run(
        [SMALLFS, kind, size, "--", sys.executable, os.path.abspath(__file__), *(["--quick"] if quick else []), "--inside", kind, "{dir}"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
    last = [line for line in result.stdout.splitlines() if line.startswith(("good ", "broken ", "Traceback", "rig."))]
    if result.returncode == 2 and not last:
        return f"SKIPPED: this machine cannot make it: {result.stdout.strip().splitlines()[-1] if result.stdout.strip() else ''}"
    rig.expect(result.returncode == 0, result.stdout.strip()[-500:])
    return last[-1][5:]


if "--inside" in sys.argv:
    at = sys.argv.index("--inside")
    try:
        print("good " + inside(sys.argv[at + 1], sys.argv[at + 2]), flush=True)
    except rig.Violation as violation:
        print(f"broken {violation}", flush=True)
        sys.exit(1)
    sys.exit(0)
rig.need("unshare", "mkfs.ext4")
cases = {
    "tmpfs": lambda: case("tmpfs", "16M"),
    "inodes": lambda: case("inodes", "150"),
    "read-only": lambda: case("ro", "32M"),
    "ext4": lambda: case("ext4", "24M"),
}
if not quick:
    cases["xfs"] = lambda: case("xfs", "320M")
    cases["quota"] = lambda: case("quota", "24M")
rig.main(cases, [word for word in sys.argv[1:] if word != "--quick"])
