#!/usr/bin/env python3
"""links.py [--quick] [CASE...] - bad links, in both directions.

Proves promise 1 and what the README says of broken links: a file goes up and comes down through a link that dies every two
seconds, ends right, and costs at most 3 % more bytes than it has; a byte that is changed on the way is noticed at its
block, and only that block is sent again; links that stall, trickle, duplicate, drop and forge never store a wrong file.
The links are the rigs chaosproxy.py (one process, faults at byte offsets) and flakynet.py (two network namespaces)."""
import json
import os
import re
import shlex
import socket
import subprocess
import sys

import rig

quick = "--quick" in sys.argv
SIZE = (64 if quick else 1024) * rig.MIB
RATE = (8 if quick else 32) * rig.MIB
CHAOS = rig.shared("chaosproxy.py")
FLAKY = rig.shared("flakynet.py")


def dying_link(direction):
    """Every connection is reset after the bytes of about two seconds."""
    with rig.workshop("links") as work:
        root = os.path.join(work, "root")
        os.mkdir(root)
        source = os.path.join(work, "source" if direction == "up" else "root/file")
        rig.write_random(source, direction, SIZE)
        daemon = rig.Daemon(root)
        log = os.path.join(work, "log")
        cut = f"{'c2s' if direction == 'up' else 's2c'}@{2 * RATE}:rst"
        port = free_port()
        if direction == "up":
            order = f"put --json --no-cache --retry-for 600 {source} splice://127.0.0.1:{port}/file"
            target = os.path.join(root, "file")
        else:
            target = os.path.join(work, "back")
            order = f"get --json --retry-for 600 splice://127.0.0.1:{port}/file {target}"
        run = f"{shlex.quote(rig.SPLICE)} {order} >{work}/receipt 2>{work}/error"
        status = hurt(port, daemon, run, "--plan", cut, "--rate", str(RATE), log=log, seconds=900)
        rig.expect(status == 0, f"status {status}: {rig.read(work + '/error')[-300:]}")
        rig.expect(rig.digest(source) == rig.digest(target), "the file that arrived differs")
        connections = [json.loads(line) for line in rig.read(log).splitlines()]
        passed = sum(connection["c2s" if direction == "up" else "s2c"] for connection in connections)
        receipt = json.loads(rig.read(work + "/receipt"))
        over = passed / SIZE - 1
        rig.expect(len(connections) > (3 if quick else 10), f"only {len(connections)} connections: nothing was cut")
        rig.expect(over <= 0.03, f"{100 * over:.2f} % more bytes than the file ({len(connections)} connections)")
        rig.expect(daemon.stop() == 0, "the daemon did not stop well")
        return (f"{SIZE >> 20} MiB {direction}, {len(connections)} connections, {100 * over:.2f} % more bytes than the file, "
                f"{receipt['attempts']} attempts")


def hurt(port, daemon, run, *options, log="/dev/null", seconds=200):
    """Runs a command whose connections to the port go to the daemon through the proxy. Returns its status."""
    command = [sys.executable, CHAOS, "--listen", f"127.0.0.1:{port}", "--to", f"127.0.0.1:{daemon.port}", *options,
               "--log", log, "--run", run]
    return subprocess.run(command, stderr=subprocess.DEVNULL, timeout=seconds).returncode


def free_port():
    """A port that was free a moment ago: chaosproxy does not choose one by itself."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def changed_byte(direction):
    """Bytes at seeded offsets, one a run."""
    with rig.workshop("links") as work:
        root = os.path.join(work, "root")
        os.mkdir(root)
        size = 12 * rig.MIB + 777
        source = os.path.join(work, "source" if direction == "up" else "root/file")
        rig.write_random(source, "flip" + direction, size)
        daemon = rig.Daemon(root)
        worst = {"block": 0, "stream": 0}
        offsets = [300_000, 5 * rig.MIB, 11 * rig.MIB] if quick else [
            *(200_000 + step * 611_953 for step in range(18)), 5 * rig.MIB + 1234]
        for offset in offsets:
            link = rig.Link(daemon.port, **{"flip_up" if direction == "up" else "flip_down": offset})
            target = os.path.join(root, "file") if direction == "up" else os.path.join(work, "back")
            if os.path.exists(target):
                os.unlink(target)
            if direction == "up":
                run = rig.client("put", "--json", "--retry-for", "200", "--no-cache", source, link.url("file"), seconds=300)
            else:
                run = rig.client("get", "--json", "--retry-for", "200", link.url("file"), target, seconds=300)
            passed = link.passed[direction]
            link.close()
            rig.expect(run.status == 0, f"byte {offset}: status {run.status}: {run.error}")
            rig.expect(rig.digest(source) == rig.digest(target), f"byte {offset}: a wrong file was stored")
            rig.expect(link.flips[direction] is None and link.flips["up"] is None, f"byte {offset} was not changed")
            # In the head of a message it makes no sense of all that follows: a new stream goes on at the last good block.
            kind = "block" if len(link.ends) == 2 else "stream"
            worst[kind] = max(worst[kind], passed - size)
        rig.expect(worst["block"] > rig.MIB, "nothing was sent again, so nothing was noticed")
        # The frames around, and nothing else.
        rig.expect(worst["block"] <= rig.MIB + 64 * 1024, f"{worst['block']} bytes more than the file for one changed byte")
        rig.expect(worst["stream"] <= 13 * rig.MIB, f"{worst['stream']} bytes more for a stream that was begun anew")
        rig.expect(daemon.stop() == 0, "the daemon did not stop well")
        return (f"{len(offsets)} bytes changed {direction}, at most {worst['block'] / rig.MIB:.2f} MiB sent again, "
                f"{worst['stream'] / rig.MIB:.2f} MiB where the stream was begun anew")


def chaos():
    """Seeded faults of every kind, until the client gets through. A few bytes a millisecond are a case of their own."""
    seeds = range(6 if quick else 60)
    ended = 0
    with rig.workshop("links") as work:
        root = os.path.join(work, "root")
        os.mkdir(root)
        source = rig.write_random(os.path.join(work, "source"), "chaos", 5 * rig.MIB + 99)
        daemon = rig.Daemon(root, "--idle-timeout", "10")
        for seed in seeds:
            for verb in ("put", "get"):
                port = free_port()
                back = os.path.join(work, f"back{seed}")
                url = f"splice://127.0.0.1:{port}/file{seed}"
                order = f"put -q --no-cache --retry-for 100 {source} {url}" if verb == "put" else f"get -q --retry-for 100 {url} {back}"
                status = hurt(port, daemon, f"{shlex.quote(rig.SPLICE)} {order} 2>{work}/error",
                              "--seed", str(seed), "--clean-after", "3", "--faults", "rst,fin,stall,flip,drop,dup,junk",
                              "--bulk", "c2s" if verb == "put" else "s2c", "--max-off", "5e6")
                target = os.path.join(root, f"file{seed}") if verb == "put" else back
                if status == 0:
                    rig.expect(rig.digest(source) == rig.digest(target), f"seed {seed}, {verb}: a wrong file")
                    ended += 1
                else:
                    # Junk in a frame header can look like the refusal of a client or a server, and a receipt may be lost.
                    error = rig.read(work + "/error")
                    rig.expect(status in (1, 75) and error.count(b"\n") >= 1, f"seed {seed}, {verb}: status {status}: {error}")
                    whole = not os.path.exists(target) or rig.digest(source) == rig.digest(target)
                    rig.expect(whole, f"seed {seed}, {verb}: failed, and something else is there")
                    fix = rig.client("put", "-q", source, daemon.url(f"file{seed}"))
                    rig.expect(fix.status == 0, f"seed {seed}: {fix.error}")
                rig.expect(daemon.is_alive(), f"seed {seed}: the daemon died: {daemon.log[-300:]}")
                for path in (back,):
                    if os.path.exists(path):
                        os.unlink(path)
        rig.expect(daemon.stop() == 0, "the daemon did not stop well")
    return f"{2 * len(seeds)} transfers, {ended} ended by themselves"


def trickle():
    """A few bytes a millisecond, from the first one on: slow, but alive."""
    with rig.workshop("links") as work:
        root = os.path.join(work, "root")
        os.mkdir(root)
        source = rig.write_random(os.path.join(work, "source"), "trickle", 40_000)
        daemon = rig.Daemon(root, "--idle-timeout", "2")
        for plan, order, target in (
                ("c2s", f"put {source} splice://127.0.0.1:{{port}}/file", f"{root}/file"),
                ("s2c", f"get splice://127.0.0.1:{{port}}/file {work}/back", f"{work}/back")):
            port = free_port()
            run = f"{shlex.quote(rig.SPLICE)} {order.format(port=port)} -q --retry-for 0 2>{work}/error"
            status = hurt(port, daemon, run, "--plan", f"{plan}@0:trickle=7")
            rig.expect(status == 0, f"{plan}: status {status}: {rig.read(work + '/error')}")
            rig.expect(rig.digest(source) == rig.digest(target), f"{plan}: a wrong file")
        rig.expect(daemon.stop() == 0, "the daemon did not stop well")
    return "40,000 bytes each way, at most 7 at a time, in one connection"


def roaming(faults, megabytes, rate):
    """In network namespaces: the link goes down, drops, resets, the daemon is killed or frozen, the address changes."""
    rig.need("ip", "tc", "nft", "ss", "nsenter")
    with rig.workshop("links") as work:
        root = os.path.join(work, "root")
        os.mkdir(root)
        source = rig.write_random(os.path.join(work, "source"), faults, megabytes * rig.MIB)
        for verb, target in (("put", f"{root}/file"), ("get", f"{work}/back")):
            order = (f"put -q --no-cache --retry-for 300 {source} splice://{{server}}:7420/file" if verb == "put"
                     else f"get -q --retry-for 300 splice://{{server}}:7420/file {target}")
            command = [sys.executable, FLAKY, "-q", "--rate", rate, "--every", "2", "--for", "1", "--faults", faults,
                       "--server", f"exec {shlex.quote(rig.SPLICED)} --listen {{server}}:7420 --idle-timeout 10 --checkpoint 4MiB,2 {root} 2>/dev/null",
                       "--client", f"exec {shlex.quote(rig.SPLICE)} {order}", "--check", f"cmp {source} {target}", "--timeout", "400", "--retry", "5"]
            result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=500)
            rig.expect(result.returncode == 0, f"{verb}: {result.stdout[-400:]}")
            counted = re.search(r"bytes c->s (\d+), s->c (\d+)", result.stdout)
            crossed = int(counted.group(1 if verb == "put" else 2))
            print(f"        {verb}: {crossed / (megabytes * rig.MIB):.3f} of the file's bytes on the wire, headers included; "
                  + re.search(r"faults (\{.*?\})", result.stdout).group(1), flush=True)
    return f"{megabytes} MiB, {faults}"


cases = {
    "dying-up": lambda: dying_link("up"),
    "dying-down": lambda: dying_link("down"),
    "changed-up": lambda: changed_byte("up"),
    "changed-down": lambda: changed_byte("down"),
    "chaos": chaos,
    "trickle": trickle,
}
if not quick:
    cases["namespaces"] = lambda: roaming("down,drop,rst", 64, "40mbit")
    cases["roaming"] = lambda: roaming("roam,kill,freeze", 32, "40mbit")
rig.main(cases, [word for word in sys.argv[1:] if word != "--quick"])
