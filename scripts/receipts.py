#!/usr/bin/env python3
"""Prints a table from the JSON lines of `splice --json`.

  receipts.py [--resumed FILE] [FILE...]

Each FILE holds the lines of one run. A run of many files becomes one row. Exits 1 when a file given with --resumed
does not show a transfer that went on from where an earlier one was cut."""
import argparse
import json
import os
import sys

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--resumed", action="append", default=[], metavar="FILE")
parser.add_argument("files", nargs="*", metavar="FILE")
arguments = parser.parse_intermixed_args()

print(f"{'run':<26}{'files':>6}{'size':>13}{'sent':>13}{'resumed from':>14}{'seconds':>9}")
failed = False
for path in arguments.files + arguments.resumed:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        receipts = [json.loads(line) for line in file if line.strip()]
    size, sent, start = (sum(receipt[field] for receipt in receipts) for field in ("size", "sent", "resumed_from"))
    # Files of one run travel side by side, so the slowest one tells how long it took at least.
    seconds = max((receipt["seconds"] for receipt in receipts), default=0)
    print(f"{os.path.basename(path):<26}{len(receipts):>6}{size:>13}{sent:>13}{start:>14}{seconds:>9.2f}")
    if path in arguments.resumed and not (0 < start and sent < size):
        print(f"{os.path.basename(path)}: nothing was resumed", file=sys.stderr)
        failed = True
sys.exit(failed)
