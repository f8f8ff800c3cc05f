#!/usr/bin/env python3
"""soak.py [MINUTES] - mixed work with kills and cuts; memory, descriptors and the stage must be flat at the end.

Proves that nothing is lost slowly: four clients upload, overwrite, download, list and remove through links that are cut at
random, the daemon is killed now and then, and after each kill the next one finds everything that was acknowledged.
Resident memory may never exceed what a fresh daemon takes, its `--memory` and a margin for four clients; in runs of five minutes
and more, that of a daemon which has worked for a while may not be above what it had after its warm-up either. (A shorter run says
nothing about growth: buffers are taken from the system when chance first needs that many of them at once.) When all is done the
stage is empty and no descriptor is held by a connection."""
import os
import random
import sys
import threading
import time

import rig

minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 30
chance = random.Random(1)
counts = {"put": 0, "get": 0, "ls": 0, "rm": 0, "cut": 0, "kill": 0}
troubles = []
memory = 4 << 10  # KiB
margin = 6 << 10
finish = time.monotonic() + 60 * minutes


class World:
    """The daemon of the moment, which somebody may kill."""
    daemon = None
    fresh = 0  # KiB resident when it had just begun.
    turn = threading.Lock()


def start(root):
    World.daemon = rig.Daemon(root, "--checkpoint", "1MiB,1", "--log", "error", "--idle-timeout", "20",
                               "--memory", f"{memory}KiB")
    World.fresh = resident()


def resident():
    for line in rig.read(f"/proc/{World.daemon.pid}/status").splitlines():
        if line.startswith(b"VmRSS"):
            return int(line.split()[1])
    return 0


def descriptors():
    return len(os.listdir(f"/proc/{World.daemon.pid}/fd"))


def client(number, work, root):
    own = random.Random(number)
    folder = os.path.join(work, f"client{number}")
    os.mkdir(folder)
    mine = {}
    count = 0
    try:
        while time.monotonic() < finish:
            count += 1
            name = f"c{number}-{own.randrange(12)}"
            link = rig.Link(World.daemon.port)
            kind = own.choice(["put", "put", "put", "get", "get", "ls", "rm"])
            if kind == "put":
                version, size = own.randrange(1 << 30), own.choice([100, 5000, 3 * rig.MIB, 7 * rig.MIB + 3])
                source = rig.write(os.path.join(folder, "source"), rig.data(version, size))
                if own.random() < 0.5:
                    link.cuts["up"] = own.randrange(1, size + 2000)
                    counts["cut"] += 1
                for _ in range(40):
                    run = rig.put(link.url(name), source, "--no-cache")
                    if run.status == 0:
                        break
                    rig.expect(run.status == 75, f"put: {run.status} {run.error}")
                    link.close()
                    time.sleep(0.2)
                    with World.turn:
                        link = rig.Link(World.daemon.port)
                rig.expect(run.status == 0, f"put never ends: {run.error}")
                mine[name] = (version, size)
                found = rig.read(os.path.join(root, name))
                rig.expect(found == rig.data(version, size), f"{name} was acknowledged and is something else")
            elif kind == "get" and name in mine:
                back = os.path.join(folder, "back")
                if own.random() < 0.5:
                    link.cuts["down"] = own.randrange(1, mine[name][1] + 2000)
                    counts["cut"] += 1
                run = rig.get(link.url(name), back)
                if run.status == 0:
                    rig.expect(rig.read(back) == rig.data(*mine[name]), f"{name} came back different")
                for leftover in os.listdir(folder):
                    if leftover.startswith("back"):
                        os.unlink(os.path.join(folder, leftover))
            elif kind == "ls":
                rig.client("ls", link.url())
            elif kind == "rm" and name in mine:
                if rig.client("rm", link.url(name)).status == 0:
                    del mine[name]
            link.close()
            counts[kind] += 1
    except rig.Violation as violation:
        troubles.append(str(violation))
    except Exception as error:  # The thread's own fault must not pass as a quiet end.
        troubles.append(repr(error))
    World.results[number] = mine


World.results = {}
with rig.workshop("soak") as work:
    root = os.path.join(work, "root")
    os.mkdir(root)
    start(root)
    threads = [threading.Thread(target=client, args=(number, work, root)) for number in range(4)]
    for thread in threads:
        thread.start()
    # The last half passes without kills, so that one daemon has time to grow if it does.
    kills_end = time.monotonic() + 30 * minutes
    while time.monotonic() < kills_end and not troubles:
        time.sleep(chance.uniform(3, 9))
        with World.turn:
            World.daemon.kill()
            counts["kill"] += 1
            start(root)
    time.sleep(max(0, min(60, 6 * minutes)))
    warm = resident()
    print(f"after the warm-up: {warm} KiB, {descriptors()} descriptors", flush=True)
    while time.monotonic() < finish and not troubles:
        time.sleep(min(30, max(1, finish - time.monotonic())))
        if minutes >= 5:
            print(f"  {int(finish - time.monotonic())} s left: {resident()} KiB, {descriptors()} descriptors, {len(rig.staged(root))} staged, {counts}",
                  flush=True)
    for thread in threads:
        thread.join(180)
    try:
        rig.expect(not troubles, "; ".join(troubles))
        rig.expect(all(not thread.is_alive() for thread in threads), "a client hangs")
        for mine in World.results.values():
            for name, version in mine.items():
                rig.expect(rig.read(os.path.join(root, name)) == rig.data(*version), f"{name} is not what was acknowledged last")
        # A daemon that does nothing has its listeners and folders open, and no more.
        rig.wait_until(lambda: descriptors() <= 20, 30, f"{descriptors()} descriptors are held when all is done")
        rig.expect_nothing_staged(root)
        end = resident()
        bound = World.fresh + memory + margin
        rig.expect(end <= bound, f"{end} KiB are resident: {World.fresh} of a fresh daemon, its {memory} and {margin} make {bound}")
        rig.expect(minutes < 5 or end <= warm * 1.15 + 2048, f"memory has grown from {warm} to {end} KiB")
        held = descriptors()
        rig.expect(World.daemon.stop() == 0, "the daemon did not stop well")
    except rig.Violation as violation:
        print(f"BROKEN  soak of {minutes:g} minutes: {violation} {counts}")
        World.daemon.kill()
        sys.exit(1)
    print(f"ok      soak of {minutes:g} minutes: {World.fresh} KiB at its start, {warm} after the warm-up, {end} at the end, {held} descriptors, nothing staged; {counts}")
