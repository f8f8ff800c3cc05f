#!/usr/bin/env python3
"""sweep.py kills|faults [--quick] [--kinds A,B] - breaks every system call of one transfer, one at a time.

kills   proves promises 3 and 4 against kill -9: of the daemon and of the client, before and after each call that changes
        something on disk, and at each call that sends bytes; for one small upload, many at a time, one resumed upload,
        one overwrite and one download.
faults  proves that a call that fails (open, read, write, sync, rename, mkdir, fallocate, sendfile, ...; with EIO, ENOSPC,
        EINTR, EMFILE, or with less than was asked for) never makes a false receipt, a crash, a mute error or a lost
        old file, and that a failed sync is final.
scenario.py has the transfer and the check. Calls are broken by the fault shim (files), and by strace for those that it
does not see (openat2, attributes, locks, sockets). --quick takes fewer calls."""
import argparse
import concurrent.futures
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

import rig

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("what", choices=["kills", "faults"])
parser.add_argument("--quick", action="store_true")
parser.add_argument("--kinds", default="small,group,group-download,resume,overwrite,overwrite-large,folder,download")
parser.add_argument("--jobs", type=int, default=os.cpu_count())
arguments = parser.parse_args()
rig.need("gcc", "strace")
ksweep = rig.shared("ksweep.py")
scenario = f"{shlex.quote(sys.executable)} {shlex.quote(rig.HERE)}/scenario.py"
totals = {"runs": 0, "broken": 0}

KILLS = "A:kill,A:killafter,W:torn"
FAULTS = (
    "open:EIO,open:ENOSPC,open:EMFILE,open:EINTR,W:EIO,W:ENOSPC,W:EINTR,W:short,S:EIO,S:ENOSPC,S:EINTR,S:gate,"
    "rename:EIO,rename:ENOSPC,rename:EINTR,link:EIO,link:ENOSPC,link:EINTR,link:EACCES,"
    "mkdir:EIO,mkdir:ENOSPC,fallocate:EIO,fallocate:ENOSPC,fallocate:EINTR,"
    "ftruncate:EIO,unlink:EIO,R:EIO,R:EINTR,R:short")
if arguments.quick:
    FAULTS = "open:EIO,W:EIO,W:ENOSPC,W:short,S:EIO,S:gate,rename:EIO,link:EIO,fallocate:ENOSPC,R:EIO"
LASTING = "W:EIO,W:ENOSPC,S:EIO,R:EIO"
# Calls that the shim does not see: by strace, in the daemon and in the client.
SEND = "sendmsg,sendto,write,writev,sendfile"
TRACED_KILLS = [("spliced", SEND, "signal=KILL"), ("splice", SEND, "signal=KILL")]
TRACED_FAULTS = [
    (program, call, f"error={error}")
    for program in ("spliced", "splice")
    for call, errors in [
        ("openat2", "EIO ENOSPC EMFILE EINTR"), ("openat", "EIO EMFILE"), ("newfstatat", "EIO"), ("fstat", "EIO"), ("fchmod", "EIO"),
        ("utimensat", "EIO"), ("flock", "EIO EINTR"), ("getdents64", "EIO"), ("fstatfs", "EIO"), ("pread64", "EIO EINTR"),
        ("sendfile", "EIO EINTR"), ("sendmsg", "EINTR ENOBUFS"), ("recvmsg", "EINTR ECONNRESET"), ("recvfrom", "EINTR"),
        ("readv", "EINTR"), ("read", "EINTR"), ("accept4", "EMFILE EINTR ECONNABORTED"), ("epoll_pwait", "EINTR"),
        ("epoll_wait", "EINTR"), ("fsync", "EIO"), ("renameat2", "EIO"),
        # As from a kernel before 6.10, and from one with a policy.
        ("linkat", "ENOENT EPERM")]
    for error in errors.split()]


def shim(kind, program, faults, *options):
    """One ksweep over all calls of one program."""
    limit = "4" if arguments.quick else "400"
    command = [
        sys.executable, ksweep, "--prog", program, "--jobs", str(arguments.jobs), "--max", limit, "--timeout", "40",
        "--setup", f"{scenario} setup {kind} {{dir}}", "--run", f"exec {scenario} run {kind} {{dir}}",
        "--check", f"{scenario} check {kind} {{dir}} {{out}}", "--faults", faults, *options]
    commits = kind.startswith("group") and program == ("splice" if kind.endswith("download") else "spliced")
    # Twelve files come together or in drops: which, is chance. A sweep over drops is done again.
    for _ in range(5):
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        has_group = re.search(r"^clean run: .* syncfs [1-9]", result.stdout, re.M)
        if has_group or not commits:
            break
    print(f"-- {kind}, {program}{' (every call after it as well)' if options else ''}")
    print(result.stdout.rstrip(), flush=True)
    if commits:
        rig.expect(has_group, "no group was committed together")
    if "must pass and make calls" in result.stdout and "FAILED" not in result.stdout:
        print("   (no such calls)")
        return
    totals["runs"] += sum(int(number) for number in re.findall(r"^\S+\s+(\d+) of", result.stdout, re.M))
    failed = sum(int(number) for number in re.findall(r"check failed: (\d+)", result.stdout))
    totals["broken"] += failed or (1 if result.returncode else 0)


def traced(kind, program, calls, action, number):
    """One run with the call of that number broken by strace. Returns whether it was reached, and the violation."""
    folder = tempfile.mkdtemp(prefix="splice-sweep.", dir="/dev/shm")
    os.chmod(folder, 0o755)
    try:
        inside, trace = os.path.join(folder, "d"), os.path.join(folder, "trace")
        os.mkdir(inside)
        subprocess.run([*shlex.split(scenario), "setup", kind, inside], check=True)
        under = f"strace -f -qq -o {trace} -e trace={calls} -e signal=none -e inject={calls}:{action}:when={number}"
        environment = {**os.environ, f"SCENARIO_{program.upper()}_UNDER": under, "UV_THREADPOOL_SIZE": "1"}
        out = os.path.join(folder, "out")
        with open(out, "w", encoding="utf-8") as output:
            run = subprocess.run([*shlex.split(scenario), "run", kind, inside], env=environment, stdout=output,
                                 stderr=subprocess.PIPE, timeout=90, check=False)
        log = rig.read(trace) or b""
        reached = b"INJECTED" in log or b"killed by SIGKILL" in log
        check = subprocess.run([*shlex.split(scenario), "check", kind, inside, out], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, timeout=90, check=False)
        trouble = check.stdout.strip() if check.returncode else ""
        if b"Traceback" in run.stderr:
            trouble = run.stderr.decode()[-300:]
        return reached, trouble
    except subprocess.TimeoutExpired:
        return True, "HANG"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def trace(kind, program, calls, action):
    """All calls, until one number is not reached in any thread."""
    number, runs, troubles = 1, 0, []
    limit = 2 if arguments.quick else 60
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        while number <= limit:
            numbers = list(range(number, min(number + 2 * arguments.jobs, limit + 1)))
            found = list(pool.map(lambda at: traced(kind, program, calls, action, at), numbers))
            for at, (reached, trouble) in zip(numbers, found):
                runs += reached
                if trouble:
                    troubles.append(f"      call {at}: {trouble[:200]}")
            if not all(reached for reached, _ in found):
                break
            number = numbers[-1] + 1
    totals["runs"] += runs
    totals["broken"] += len(troubles)
    if runs:
        print(f"{kind}, {program}: {calls} {action}: {runs} calls broken; check failed: {len(troubles)}", flush=True)
    for line in troubles[:3]:
        print(line)


for kind in arguments.kinds.split(","):
    # The client writes to a disk when it fetches, and keeps digests when it sends.
    if arguments.what == "kills":
        shim(kind, "spliced", KILLS)
        shim(kind, "splice", KILLS)
        for entry in TRACED_KILLS:
            trace(kind, *entry)
    else:
        shim(kind, "spliced", FAULTS)
        shim(kind, "spliced", LASTING, "--sticky")
        shim(kind, "splice", FAULTS)
        shim(kind, "splice", LASTING, "--sticky")
        for entry in TRACED_FAULTS if not arguments.quick else TRACED_FAULTS[:3]:
            trace(kind, *entry)
print(f"{arguments.what}: {totals['runs']} calls broken, {totals['broken']} violations")
sys.exit(1 if totals["broken"] else 0)
