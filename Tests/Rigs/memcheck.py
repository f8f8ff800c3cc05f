#!/usr/bin/env python3
"""memcheck.py - the Embedded programs under valgrind; memcheck.sh says what that proves."""
import os
import re
import sys

import rig

VALGRIND = ["valgrind", "--quiet", "--error-exitcode=99", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect,possible",
            "--show-leak-kinds=definite,indirect,possible", "--child-silent-after-fork=yes"]


def daemon():
    with rig.workshop("memcheck") as work:
        root, log = os.path.join(work, "root"), os.path.join(work, "valgrind")
        os.mkdir(root)
        server = rig.Daemon(root, "--checkpoint", "1MiB,1", under=[*VALGRIND, f"--log-file={log}"], seconds=60)
        source = rig.write_random(os.path.join(work, "source"), "memcheck", 4 * rig.MIB + 77)
        link = rig.Link(server.port, cut_up=2 * rig.MIB + 5000)
        rig.expect(rig.put(link.url("file"), source, "--no-cache").status == 75, "the cut upload")
        link.close()
        run = rig.put(server.url("file"), source, "--no-cache")
        rig.expect(run.status == 0 and run.receipts[0]["resumed_from"] > 0, f"the resumed upload: {run.error}")
        small = [rig.write(os.path.join(work, f"small{number}"), rig.data(number, 900)) for number in range(6)]
        rig.expect(rig.client("put", "-q", *small, server.url("deep/er/")).status == 0, "small files")
        for _ in range(2):
            back = os.path.join(work, "back")
            link = rig.Link(server.port, cut_down=rig.MIB + 5000)
            rig.expect(rig.get(link.url("file"), back).status == 75, "the cut download")
            link.close()
            rig.expect(rig.get(server.url("file"), back).status == 0 and rig.digest(back) == rig.digest(source), "the download")
            os.unlink(back)
        for verb in ("ls", "stat", "verify", "rm"):
            rig.expect(rig.client(verb, server.url("file" if verb != "ls" else "")).status == 0, verb)
        rig.expect(rig.client("get", server.url("nothing")).status == 1, "a file that is not there")
        status = server.stop(60)
        said = rig.read(log).decode("utf-8", "replace")
        # Old valgrinds do not know openat2 and say so in lines with --; the daemon walks the path instead.
        trouble = [line for line in said.splitlines() if re.match(r"==\d+==\s*\S", line)]
        rig.expect(status == 0, f"status {status}:\n" + "\n".join(trouble[:60]))
    return "no error, nothing lost"


def client():
    with rig.workshop("memcheck") as work:
        root, log = os.path.join(work, "root"), os.path.join(work, "valgrind")
        os.mkdir(root)
        server = rig.Daemon(root)
        source = rig.write_random(os.path.join(work, "source"), "memcheck", 3 * rig.MIB + 77)
        back = os.path.join(work, "back")
        under = [*VALGRIND, f"--log-file={log}.%p"]
        link = rig.Link(server.port, cut_up=2 * rig.MIB)
        runs = [("put, cut", 75, rig.put(link.url("file"), source, "--no-cache", under=under)),
                ("put", 0, rig.put(server.url("file"), source, env={"XDG_CACHE_HOME": work + "/cache"}, under=under)),
                ("get", 0, rig.get(server.url("file"), back, under=under)),
                ("ls", 0, rig.client("ls", server.url(), under=under)),
                ("put to nobody", 75, rig.put("splice://127.0.0.1:1/x", source, under=under))]
        link.close()
        logs = "\n".join(rig.read(os.path.join(work, name)).decode() for name in sorted(os.listdir(work)) if name.startswith("valgrind"))
        for name, wanted, run in runs:
            rig.expect(run.status == wanted, f"{name}: status {run.status}: {run.error}\n{logs[:3000]}")
        rig.expect(server.stop() == 0, "the daemon did not stop well")
    return f"{len(runs)} runs, no error, nothing lost"


rig.main({"daemon": daemon, "client": client})
