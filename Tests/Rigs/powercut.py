#!/usr/bin/env python3
"""powercut.py [--cuts N] [--seconds S] [--seed N] [FILESYSTEM...] - cuts the power under the daemon, at any instant.

Proves promise 3 (acknowledged means durable) and 4 (a reader never sees half a file) on ext4, xfs and btrfs: a workload
(powercut_work.py) runs on a recording disk, and each cut is one state that this disk could have been left in: with all
that it was given (keep), with only what was flushed (lose), with any part of the rest (rand). powercut_check.py judges it.
With --bite the daemon is made to lie (its flushes are dropped); then the rig must find violations, or it fails."""
import argparse
import collections
import os
import re
import shlex
import subprocess
import sys

import rig

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--cuts", type=int, default=510)
parser.add_argument("--seconds", type=float, default=25)
parser.add_argument("--seed", type=int, default=3)
parser.add_argument("--bite", choices=["all", "fsync", "fdatasync"], help="drop these flushes in the daemon")
parser.add_argument("--keep", default="", help="a folder for the images that failed")
parser.add_argument("filesystems", nargs="*", default=["ext4", "xfs", "btrfs"])
arguments = parser.parse_args()

rig.need("gcc", "losetup", "unshare", "fusermount3", "pkg-config")
rig.shared("powercut.py")
sizes = {"ext4": "96M", "xfs": "320M", "btrfs": "256M"}


def is_missing(filesystem):
    """A file system that this machine cannot make or mount is skipped, and said."""
    with rig.workshop("probe", "/dev/shm") as folder:
        image, mount = os.path.join(folder, "image"), os.path.join(folder, "mount")
        os.mkdir(mount)
        with open(image, "wb") as file:
            file.truncate(320 << 20)
        script = f'mkfs.{filesystem} -q {image} && mount -o loop {image} {mount} && umount {mount}'
        result = subprocess.run(
            ["unshare", "--mount", "sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return result.returncode and result.stdout.strip().splitlines()[-1]


def cut(filesystem):
    environment = dict(os.environ)
    with rig.workshop("powercut") as folder:
        tally = os.path.join(folder, "tally")
        environment["POWERCUT_TALLY"] = tally
        environment["RECDISK"] = os.path.join(folder, "recdisk")
        # It gives its own path to a shell, where a space would end it.
        rigs = os.path.join(folder, "rigs")
        os.symlink(rig.SHARED, rigs)
        work = f"{sys.executable} {shlex.quote(rig.HERE)}/powercut_work.py {{mnt}} {arguments.seed}"
        if arguments.bite:
            shim = os.path.join(folder, "shim.so")
            subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", shim, rig.shared("faultshim.c"), "-ldl"], check=True)
            group = "S" if arguments.bite == "all" else arguments.bite
            work = f"FAULT={group}:1:lie:-1 FAULT_PROG=spliced FAULT_PATH={{mnt}} LD_PRELOAD={shim} {work}"
        command = [
            sys.executable, os.path.join(rigs, "powercut.py"),
            "--fs", filesystem, "--size", sizes[filesystem], "--cuts", str(arguments.cuts),
            "--seconds", str(arguments.seconds), "--seed", str(arguments.seed), "--tear", "--noise", "fsync:40",
            "--setup", "mkdir {mnt}/root", "--keep", arguments.keep, "--work", work,
            "--check", f"{sys.executable} {shlex.quote(rig.HERE)}/powercut_check.py {{mnt}} {{acks}} {{tries}}"]
        result = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        print(result.stdout.rstrip())
        totals = collections.Counter()
        for line in (rig.read(tally) or b"").decode().splitlines():
            for count, what in re.findall(r"(\d+) (\w+)", line):
                totals[what] += int(count)
        print(f"  checked over all good cuts: {totals['acknowledged']} acknowledged files, {totals['files']} visible files, "
              f"{totals['partials']} durable offsets offered again", flush=True)
    return result.returncode


worst = 0
for filesystem in arguments.filesystems:
    if missing := is_missing(filesystem):
        print(f"SKIPPED powercut on {filesystem}: {missing}", flush=True)
        continue
    status = cut(filesystem)
    if arguments.bite and status != 2:
        print(f"  flushes dropped ({arguments.bite}): the rig {'noticed' if status else 'DID NOT NOTICE'}", flush=True)
        status = 0 if status == 1 else 1
    worst = max(worst, status)
sys.exit(worst)
