#!/usr/bin/env python3
"""Copies the sources to .build-planted and writes the mistakes of plants.txt into the copies.

Each mistake must find its text exactly once: a source that changed is noticed here, not by a mistake that
no longer is one.
"""
import os
import re
import sys

here = os.path.dirname(os.path.abspath(__file__))
target = os.path.join(here, ".build-planted", "Sources")
modules = ["SpliceBase", "SpliceWire", "SpliceCore", "SpliceEngine", "SpliceClient"]

texts = {}
name = path = None
old = new = None
for line in open(os.path.join(here, "plants.txt")):
    if line == "<<<\n":
        old, new, into = "", "", "old"
    elif line == "===\n" and old is not None:
        into = "new"
    elif line == ">>>\n" and old is not None:
        if path not in texts:
            texts[path] = open(os.path.join(here, "../../Sources", path)).read()
        if texts[path].count(old) != 1:
            sys.exit(f"plant.py: {name}: the text is there {texts[path].count(old)} times in {path}:\n{old}")
        texts[path] = texts[path].replace(old, new.replace("NAME?", f'isPlanted("{name}")'))
        old = None
    elif old is not None:
        if into == "old":
            old += line
        else:
            new += line
    elif line.startswith("plant "):
        name = line.split()[1]
    elif line.startswith("file "):
        path = line.split()[1]

for module in modules:
    for folder, _, files in os.walk(os.path.join(here, "../../Sources", module)):
        for file in files:
            source = os.path.join(folder, file)
            relative = os.path.relpath(source, os.path.join(here, "../../Sources"))
            text = texts.get(relative)
            if text is None:
                text = open(source).read()
            else:
                text = re.sub(r"^((?:package |internal )?import )", r"internal import SimPlants\n\1", text, 1, re.M)
            copy = os.path.join(target, relative)
            os.makedirs(os.path.dirname(copy), exist_ok=True)
            # Untouched when nothing changed, so that the build does not begin anew.
            if not os.path.exists(copy) or open(copy).read() != text:
                open(copy, "w").write(text)
