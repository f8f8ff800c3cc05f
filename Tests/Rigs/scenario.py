#!/usr/bin/env python3
"""scenario.py setup|run|check KIND DIR [OUT] - one transfer, so that every call it makes can be broken, and the check after it.

KIND is small, group (twelve at a time, which share their syncs), resume, overwrite, overwrite-large, folder, download (fetch
with a part of it there) or group-download. `run` prints what was promised (ACK, DURABLE n) and what was seen (EXIT status,
DIED, ...). `check` holds it:
- a promise is never false: after ACK the new version is there, whole, and so is every byte that DURABLE counted;
- without ACK the client says why in one line with the path in it, and its status says so;
- a reader sees the old version or the new one;
- the daemon is alive at the end, unless it was killed or could not start, which it says;
- the same transfer without faults then ends right, and nothing is left over;
- a file whose flush has failed is not flushed again as if nothing had happened (from the log of the shim)."""
import errno
import os
import re
import sys

import rig

action, what, folder = sys.argv[1:4]
is_group = what.startswith("group")
is_download = what.endswith("download")
root = os.path.join(folder, "root")
down = os.path.join(folder, "down")
cache = os.path.join(folder, "cache")
sources = os.path.join(os.path.dirname(folder), "sources")
OLD = rig.data("old", 2 * rig.MIB + 77)
SMALL = rig.data("small", 5000)
LARGE = rig.data("large", 3 * rig.MIB + 12345)
options = ("--checkpoint", "1MiB,1", "--log", "info")
name = "deep/er/file" if what == "folder" else "file"
content = SMALL if what in ("small", "overwrite", "folder") or is_group else LARGE
company = [f"file{number}" for number in range(1, 12)] if is_group else []
contents = {name: content, **{file: rig.data(file, 5000) for file in company}}
old = OLD if what.startswith("overwrite") else None
target = down if is_download else root
environment = {"XDG_CACHE_HOME": cache}


def setup():
    for path in (root, down, cache, sources):
        os.makedirs(path)
    for file, its in contents.items():
        rig.write(os.path.join(root if is_download else sources, os.path.basename(file)), its)
    if old:
        rig.write(os.path.join(root, name), old)
    if what in ("resume", "download"):
        daemon = rig.Daemon(root, *options)
        link = rig.Link(daemon.port)
        if what == "resume":
            link.cuts["up"] = 2 * rig.MIB + 4321
            transfer(link.url(name))
        else:
            link.cuts["down"] = 2 * rig.MIB + 4321
            transfer(link.url(name))
        link.close()
        rig.expect(daemon.stop() == 0, "the daemon of the setup")


def transfer(url, under=()):
    if is_group:
        url = url.removesuffix(name)
    if is_download:
        return rig.get(url, down + "/", *(["-r"] if is_group else []), env=environment, seconds=25, under=under)
    paths = [os.path.join(sources, os.path.basename(file)) for file in contents]
    return rig.put(url, paths[0], *paths[1:], env=environment, seconds=25, under=under)


def say(*words):
    """In one piece, whatever other threads say."""
    sys.stdout.write(" ".join(str(word) for word in words) + "\n")
    sys.stdout.flush()


def run():
    try:
        daemon = rig.Daemon(root, *options, under=os.environ.get("SCENARIO_SPLICED_UNDER", "").split())
    except rig.Violation as violation:
        return say("HANG", violation)
    if not daemon.port:
        status = daemon.process.wait()
        say("NOSTART", status, "|", daemon.log.replace("\n", " "))
        return daemon.kill()
    link = rig.Link(daemon.port, on_durable=lambda durable: say("DURABLE", durable))
    result = transfer(link.url(name), under=os.environ.get("SCENARIO_SPLICE_UNDER", "").split())
    say("EXIT", result.status)
    say("SAID", result.error.replace("\n", " || "))
    for receipt in result.receipts:
        if receipt.get("durable"):
            say("RECEIPT", receipt["path"])
    if result.status == 0:
        say("ACK")
    link.close()
    if not daemon.is_alive():
        say("DIED", daemon.process.returncode, "|", daemon.log.replace("\n", " "))
        daemon.kill()
    else:
        say("STOPPED", daemon.stop())
        say("LOG", daemon.last_log.replace("\n", " || "))
    if result.status == -9:
        sys.exit(1)
    sys.exit(0 if result.status == 0 else 1)


def is_clear(lines, receipts):
    """Each file without a receipt is named with what is wrong, unless it is the connection or the folder that holds them."""
    missing = [os.path.basename(file) for file in contents if os.path.basename(file) not in receipts]
    if not 0 < len(lines) <= len(missing):
        return False
    # A path, and not a word of the sentence.
    unnamed = [line for line in lines if not any(re.search(rf"\b{file}: ", line) for file in missing)]
    if all("connect" in line or is_group and line.startswith(("splice: /: ", f"splice: {down}/: ")) for line in unnamed):
        return len(unnamed) > 0 or len(lines) == len(missing)
    return False


def requires_fresh_sync(log, receipts):
    """No flush of a file whose last flush failed, before its bytes were changed or it was replaced; and where a flush of
    all failed, not everything has a receipt."""
    failed = set()
    for line in log:
        match = re.match(r"\d+ \d+ (\S+) (.*) \d+ -> (\d+)$", line)
        if not match:
            continue
        call, path, fault = match.group(1), match.group(2), int(match.group(3))
        if call == "syncfs" and fault and fault != errno.EINTR:
            rig.expect(len(receipts) < len(contents), "FALSE: all acknowledged after a failed syncfs")
        if not path.endswith((".data", ".journal", ".splice-part", ".splice-journal")):
            continue
        if call in ("fsync", "fdatasync"):
            rig.expect(path not in failed, f"RETRIED: {call} of {os.path.basename(path)} after it had failed")
            if fault and fault != errno.EINTR:
                failed.add(path)
        elif call in ("ftruncate", "rename", "unlink"):
            failed.discard(path)


def is_loader(status, text):
    """The call that failed was the system's own, before the program began."""
    return status == "127" and "loading shared libraries" in text


def check(out):
    said = [line.rstrip("\n").partition(" ")[::2] for line in open(out, encoding="utf-8", errors="replace")]
    words = dict(said)
    has_ack = "ACK" in words
    durable = max([int(value) for word, value in said if word == "DURABLE"], default=0)
    status = words.get("EXIT")
    receipts = {os.path.basename(value) for word, value in said if word == "RECEIPT"}
    rig.expect("HANG" not in words, f"HANG: {words.get('HANG')}")
    rig.expect(status != "hung", "HANG: the client did not end")
    if "NOSTART" in words:
        code, _, text = words["NOSTART"].partition(" | ")
        rig.expect(is_loader(code, text) or code == "-9" or (code == "1" and len(text.split("spliced: ")) >= 1 and text.strip()),
                   f"CRASH: the daemon ended with {code} before it served: {text}")
    if "DIED" in words:
        rig.expect(words["DIED"].startswith("-9 "), f"CRASH: {words['DIED']}")
    if "STOPPED" in words:
        # Killed in the moment between the client's end and ours.
        rig.expect(words["STOPPED"] in ("0", "-9"), f"CRASH: the daemon ended with {words['STOPPED']}: {words.get('LOG')}")
    if status is not None and not has_ack and status != "-9" and not is_loader(status, words["SAID"]):
        rig.expect(status in ("1", "75"), f"CRASH: the client ended with {status}")
        lines = [line for line in words["SAID"].split(" || ") if line]
        rig.expect(is_clear(lines, receipts), f"UNCLEAR: {words['SAID']}")

    for file, its in contents.items():
        now = rig.read(os.path.join(target, file))
        if has_ack or os.path.basename(file) in receipts:
            rig.expect(now == its, f"FALSE: {file} acknowledged and " + ("not there" if now is None else "another"))
        else:
            rig.expect(now in (old, its), "HALF: neither the old version nor the new one" if now else "GONE: the old version")
    now = rig.read(os.path.join(target, name))
    log = os.path.join(os.path.dirname(folder), "log")
    if os.path.exists(log):
        with open(log, encoding="utf-8", errors="replace") as file:
            requires_fresh_sync(file, receipts)

    daemon = rig.Daemon(root, *options)
    rig.expect(daemon.port, f"NOSTART: the next daemon: {daemon.log}")
    try:
        result = transfer(daemon.url(name))
        rig.expect(result.status == 0, f"STUCK: the next try ends with {result.status}: {result.error}")
        for file, its in contents.items():
            rig.expect(rig.read(os.path.join(target, file)) == its, "WRONG: the next try stored something else")
        if now != content and not is_download and not is_group:
            start = result.receipts[0]["resumed_from"]
            rig.expect(start >= durable, f"SHRUNK: {durable} bytes were durable, {start} are offered")
        rig.expect(rig.client("verify", daemon.url(name)).status == 0, "UNPROVED: verify does not hold")
        rig.expect_nothing_staged(root)
        if is_download:
            left = set(os.listdir(down)) - {"file", *company}
            rig.expect(not left, f"LEFT: {left} after all is done")
    finally:
        status = daemon.stop()
    rig.expect(status == 0, f"CRASH: the next daemon ended with {status}")
    print("good")


if action == "setup":
    setup()
elif action == "run":
    run()
else:
    try:
        check(sys.argv[4])
    except rig.Violation as violation:
        print(violation)
        sys.exit(1)
