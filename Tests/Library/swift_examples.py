#!/usr/bin/env python3
"""The examples of the Swift API, as a package that depends on this one: built, and run against each other."""
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXAMPLES = os.path.join(PACKAGE, "examples/swift")
SECONDS = 60


def expect(condition, *what):
    if not condition:
        raise SystemExit("swift examples FAILED: " + " ".join(str(word) for word in what))


def wait_until(condition, what):
    end = time.monotonic() + SECONDS
    while not condition():
        expect(time.monotonic() < end, "in vain waited for", what)
        time.sleep(0.02)


def send(*arguments):
    done = subprocess.run([os.path.join(EXAMPLES, ".build/debug/send"), *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=SECONDS)
    return done.returncode, done.stdout


def main():
    begin = time.monotonic()
    built = subprocess.run(["swift", "build", "--package-path", EXAMPLES], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, timeout=1200)
    expect(built.returncode == 0, built.stdout)
    build_seconds = time.monotonic() - begin
    work = tempfile.mkdtemp(prefix="splice-examples.")
    server = None
    try:
        root, output = os.path.join(work, "root"), os.path.join(work, "output")
        os.mkdir(root)
        said = lambda: open(output).read()
        with open(output, "w") as file:
            server = subprocess.Popen([os.path.join(EXAMPLES, ".build/debug/serve"), root, "127.0.0.1:0",
                                       "4000000"], stdout=file, stderr=subprocess.STDOUT)
        wait_until(lambda: "serving" in said(), "the server")
        url = f"splice://127.0.0.1:{re.search('port ([0-9]+)', said())[1]}/"
        contents = {name: random.Random(name).randbytes(size)
                    for name, size in (("one", 3_000_000), ("two", 10), ("virus.exe", 20_000_000))}
        for name, content in contents.items():
            with open(os.path.join(work, name), "wb") as file:
                file.write(content)
        status, text = send(os.path.join(work, "one"), os.path.join(work, "two"), url)
        expect(status == 0, status, text)
        expect("one: 3000000 bytes, 3000000 sent" in text, text)
        for name in ("one", "two"):
            expect(open(os.path.join(root, name), "rb").read() == contents[name], name, "is not what was sent")
        status, text = send(os.path.join(work, "virus.exe"), url)
        expect(status == 1 and "disconnected by the administrator" in text, status, text)
        expect(not os.path.exists(os.path.join(root, "virus.exe")), "what was not wanted is there")
        status, text = send(os.path.join(work, "nothing"), url)
        expect(status == 1 and "no such file" in text, status, text)
        server.send_signal(signal.SIGTERM)
        expect(server.wait(timeout=SECONDS) == 0, "the server ended with", server.returncode, said())
        for line in ("client 1 sends one", "client 1 one: done", "client 1 left\n",
                     "client 2 left: disconnected by the administrator"):
            expect(line in said(), line, "is missing in", said())
    finally:
        if server and server.poll() is None:
            server.kill()
            server.wait()
        shutil.rmtree(work, ignore_errors=True)
    print(f"swift examples: ok, {time.monotonic() - begin - build_seconds:.1f} s, built in {build_seconds:.0f} s")


main()
