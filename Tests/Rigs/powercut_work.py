#!/usr/bin/env python3
"""powercut_work.py MOUNT SEED - work for a disk whose power will be cut: uploads of every kind through one daemon.

Prints what the daemon promised, at the moment it did, for powercut_check.py:
  TRY name sha seed size     an upload of this version begins
  PART name sha durable      the daemon has acknowledged so many bytes as durable
  ACK name sha               the client has ended with status 0
Files: small new ones, small overwrites, large ones, large overwrites, ones in new folders, the same once more (which moves no byte,
but is reported as done all the same), large ones cut in the middle and resumed, and kills of the daemon at any moment."""
import hashlib
import os
import random
import sys
import threading
import time

import rig

mount, seed = sys.argv[1], int(sys.argv[2])
root = os.path.join(mount, "root")
chance = random.Random(seed)
versions = {}
last = {}


def say(*words):
    try:
        sys.stdout.write(" ".join(str(word) for word in words) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os._exit(1)


def start():
    return rig.Daemon(root, "--checkpoint", "1MiB,1", "--log", "error")


def choose():
    kind = chance.choice(["small", "small", "overwrite", "large", "large", "cut", "cut", "folder", "again", "kill", "kill-large"])
    if kind == "again" and last:
        return kind, chance.choice(sorted(last))
    number = versions["count"] = versions.get("count", 0) + 1
    if kind == "folder":
        return kind, f"folder{number % 6}-{number // 30}/in/file"
    if kind in ("large", "cut", "kill-large"):
        return kind, f"large{number % 3}"
    return kind, f"small{number % 8}" if kind == "overwrite" else f"small{8 + number % 12}"


with rig.workshop("powercut") as work:
    daemon = start()
    while True:
        kind, name = choose()
        if kind == "again" and name in last:
            version, size = last[name]
        else:
            version = chance.randrange(1 << 30)
            size = chance.randrange(2 * rig.MIB, 5 * rig.MIB) if name.startswith("large") else chance.randrange(1, 60_000)
        content = rig.data(version, size)
        sha = hashlib.sha256(content).hexdigest()
        source = rig.write(os.path.join(work, "source"), content)
        last[name] = (version, size)
        say("TRY", name, sha, version, size)
        for attempt in range(6):
            link = rig.Link(daemon.port, on_durable=lambda durable: say("PART", name, sha, durable))
            if name.startswith("large") and chance.random() < 0.6:
                # Slow enough that a cut of the power finds it half-way, with some of it acknowledged.
                link.rate = 4 * rig.MIB
            if kind == "cut" and attempt < 2:
                link.cuts["up"] = chance.randrange(size)
            killer = None
            if kind.startswith("kill") and attempt < 3:
                delay = chance.uniform(0, 0.5 if kind == "kill-large" else 0.08)
                victim = daemon
                killer = threading.Timer(delay, victim.kill)
                killer.start()
            run = rig.put(link.url(name), source, "--no-cache")
            link.close()
            if killer:
                killer.cancel()
                killer.join()
            if not daemon.is_alive():
                daemon = start()
            if run.status == 0:
                say("ACK", name, sha)
                break
