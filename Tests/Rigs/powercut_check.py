#!/usr/bin/env python3
"""powercut_check.py MOUNT ACKS TRIES - what must hold on a disk whose power was cut; see powercut_work.py for the lines.

- each visible file is exactly one version that was tried, and not older than the newest acknowledged one;
- the daemon starts, under a boot that is not the one that wrote the journals (this script moves into such a one);
- an upload of which bytes were acknowledged as durable goes on at that offset or later, and ends right;
- finished files pass `splice verify`; a new upload works; the daemon stops with status 0.
A tally of what was checked goes to the file named by POWERCUT_TALLY, one line a cut."""
import hashlib
import os
import subprocess
import sys
import uuid

import rig

mount, acks, tries = sys.argv[1:4]


def lines(path):
    with open(path, encoding="utf-8") as file:
        return [line.split() for line in file]


def enter_new_boot():
    """Starts this script again where the machine has just booted: another boot id, and a young clock."""
    with rig.workshop("boot") as folder:
        identity = os.path.join(folder, "id")
        with open(identity, "w", encoding="utf-8") as file:
            print(uuid.uuid4(), file=file)
        with open("/proc/uptime", encoding="utf-8") as file:
            young = 1 - int(float(file.read().split()[0]))
        script = 'mount --bind "$1" /proc/sys/kernel/random/boot_id && shift && exec "$@"'
        return subprocess.call(
            ["unshare", "--mount", "--propagation", "private", "--time", "--fork", "--boottime", str(young),
             "sh", "-c", script, "sh", identity, sys.executable, *sys.argv],
            env={**os.environ, "POWERCUT_BOOT": identity})


def check(work):
    root = os.path.join(mount, "root")
    versions, acknowledged, partial = {}, {}, {}
    copied = set()
    for words in lines(tries):
        if words[0] == "TRY":
            known = versions.setdefault(words[1], [])
            if words[2] not in [version[0] for version in known]:
                known.append((words[2], int(words[3]), int(words[4])))
    for words in lines(acks):
        if len(words) < 3:
            continue
        if words[0] == "COPY":
            copied.add(words[1])
        elif words[0] == "ACK":
            copied.discard(words[1])
            acknowledged[words[1]] = words[2]
            partial.pop(words[1], None)
        elif words[0] == "PART":
            partial[words[1]] = (words[2], int(words[3]))
        elif words[0] == "TRY":
            partial.pop(words[1], None)

    found = {name: rig.digest(path) for name, path in rig.visible(root).items()}
    order = {name: [version[0] for version in known] for name, known in versions.items()}
    # What others copied there is theirs to sync, until the daemon has vouched for it.
    for name in [".copied", *copied]:
        found.pop(name, None)
        acknowledged.pop(name, None)
    for name, sha in found.items():
        rig.expect(sha in order.get(name, []), f"HALF {name}: no version that was ever uploaded")
    for name, sha in acknowledged.items():
        rig.expect(name in found, f"LOST {name}: acknowledged and not there")
        rig.expect(order[name].index(found[name]) >= order[name].index(sha), f"OLD {name}: the acknowledged version is gone")

    try:
        daemon = rig.Daemon(root, "--checkpoint", "1MiB,1")
    except rig.Violation as violation:
        raise rig.Violation(f"NOSTART: {violation}") from violation
    rig.expect(daemon.port, f"NOSTART: {daemon.log}")
    try:
        offered = 0
        for name, (sha, durable) in partial.items():
            if found.get(name) == sha:
                continue
            _, version, size = next(entry for entry in versions[name] if entry[0] == sha)
            source = rig.write(os.path.join(work, "source"), rig.data(version, size))
            run = rig.put(daemon.url(name), source, "--no-cache")
            rig.expect(run.status == 0, f"STUCK {name}: status {run.status}: {run.error}")
            start = run.receipts[0]["resumed_from"]
            rig.expect(start >= durable, f"SHRUNK {name}: {durable} bytes were durable, {start} are offered")
            rig.expect(rig.digest(os.path.join(root, name)) == sha, f"WRONG {name}: the resumed file differs")
            offered += durable > 0
        for name in sorted(acknowledged)[:2]:
            run = rig.client("verify", daemon.url(name))
            rig.expect(run.status == 0, f"UNPROVED {name}: {run.error}")
        fresh = rig.write(os.path.join(work, "fresh"), rig.data(len(found), 3000))
        run = rig.put(daemon.url("fresh"), fresh, "--no-cache")
        rig.expect(run.status == 0, f"REFUSED: a new upload: {run.error}")
        status = daemon.stop()
        rig.expect(status == 0, f"DIED: the daemon ended with {status}: {daemon.last_log}")
    finally:
        if daemon.is_alive():
            daemon.kill()
    return f"{len(acknowledged)} acknowledged, {len(found)} files, {offered} partials"


if "POWERCUT_BOOT" not in os.environ:
    sys.exit(enter_new_boot())
with rig.workshop("check") as folder:
    try:
        said = check(folder)
    except rig.Violation as violation:
        print(violation)
        sys.exit(1)
    print(said)
    if tally := os.environ.get("POWERCUT_TALLY"):
        with open(tally, "a", encoding="utf-8") as file:
            print(said, file=file)
