#!/usr/bin/env python3
"""powercut_work.py MOUNT SEED - work for a disk whose power will be cut: uploads of every kind through one daemon.

Prints what the daemon promised, at the moment it did, for powercut_check.py:
  TRY name sha seed size     an upload of this version begins
  PART name sha durable      the daemon has acknowledged so many bytes as durable
  COPY name sha              somebody puts the file there by other means; nobody has promised anything yet
  ACK name sha               the client has ended with status 0
Files: small ones (new and overwritten), many small ones in one run, large ones (new, overwritten, cut in the middle and
resumed), ones in new folders, the same once more and ones that somebody copied there, one or many (no byte moves, but the
client says that they are durable), and kills of the daemon at any moment."""
import hashlib
import os
import random
import sys
import threading
import time

import rig

mount, seed = sys.argv[1], int(sys.argv[2])
root = os.path.join(mount, "root")
KINDS = ("small small overwrite overwrite many large large cut cut folder folder again copied kill kill kill-large").split()
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
    kind = chance.choice(KINDS)
    if kind == "again" and last:
        return kind, chance.choice(sorted(last))
    number = versions["count"] = versions.get("count", 0) + 1
    if kind == "folder":
        return kind, f"folder{number % 6}-{number // 30}/in/file"
    if kind in ("large", "cut", "kill-large"):
        return kind, f"large{number % 3}"
    return kind, f"small{number % 8}" if kind == "overwrite" else f"small{8 + number % 12}"


def copy(name, content):
    """As cp and mv do it, without a sync."""
    say("COPY", name, hashlib.sha256(content).hexdigest())
    rig.write(os.path.join(root, ".copied"), content)
    os.makedirs(os.path.dirname(os.path.join(root, name)), exist_ok=True)
    os.rename(os.path.join(root, ".copied"), os.path.join(root, name))


def upload_many():
    """One run, one connection, and files that the daemon commits together."""
    folder = os.path.join(work, f"many{chance.randrange(3)}")
    os.makedirs(folder, exist_ok=True)
    files = {}
    is_copied = chance.random() < 0.3
    for number in range(chance.randrange(4, 12)):
        version, size = chance.randrange(1 << 30), chance.randrange(1, 9000)
        content = rig.data(version, size)
        source = rig.write(os.path.join(folder, f"item{number}"), content)
        name = os.path.relpath(source, work)
        last[name] = (version, size)
        files[name] = hashlib.sha256(content).hexdigest()
        say("TRY", name, files[name], version, size)
        if is_copied:
            copy(name, content)
    sources = [os.path.join(work, name) for name in files]
    target = daemon.url(os.path.basename(folder) + "/")
    run = rig.client("put", "--json", "--retry-for", "0", "--no-cache", *sources, target)
    for receipt in run.receipts:
        if receipt["durable"]:
            say("ACK", receipt["path"], files[receipt["path"]])


with rig.workshop("powercut") as work:
    daemon = start()
    while True:
        kind, name = choose()
        if kind == "many":
            upload_many()
            continue
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
        if kind == "copied":
            copy(name, content)
        for attempt in range(6):
            link = rig.Link(daemon.port, on_durable=lambda durable: say("PART", name, sha, durable))
            if name.startswith("large") and chance.random() < 0.6:
                # Slow enough that a cut of the power finds it half-way, with some of it acknowledged.
                link.rate = 4 * rig.MIB
            if kind == "cut" and attempt < 2:
                link.cuts["up"] = chance.randrange(size)
            killer = None
            if kind.startswith("kill") and attempt < 3:
                victim = daemon
                killer = threading.Timer(chance.uniform(0, 0.5 if kind == "kill-large" else 0.06), victim.kill)
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
