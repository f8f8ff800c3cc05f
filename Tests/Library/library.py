#!/usr/bin/env python3
"""The C library as a program sees it: header, exports, pkg-config, every function, both examples, no leak.

Needs build/lib, build/include and build/bin: `make lib build`. CC and CXX name the compilers."""
import contextlib
import glob
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGE = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(PACKAGE, "build")
HEADER = os.path.join(BUILD, "include/splice.h")
CC = os.environ.get("CC", "cc")
CXX = os.environ.get("CXX", "c++")
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
# Everything that is lost counts. What is still reachable at the end are globals.
VALGRIND = ["valgrind", "--quiet", "--leak-check=full", "--error-exitcode=99",
            "--show-leak-kinds=definite,indirect,possible", "--errors-for-leak-kinds=definite,indirect,possible"]
SECONDS = 300


class Failed(Exception):
    pass


def expect(condition, *what):
    if not condition:
        raise Failed(" ".join(str(word) for word in what))


def run(*command, **more):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS, **more)
    except subprocess.TimeoutExpired as late:
        raise Failed(f"{command} did not end:\n{(late.stdout or b'').decode()}") from None
    expect(done.returncode == 0, *command, "\n", done.stdout)
    return done.stdout


def flags():
    """What the documentation tells to write."""
    environment = dict(os.environ, PKG_CONFIG_PATH=os.path.join(BUILD, "lib/pkgconfig"))
    # As a shell does: pkg-config escapes the spaces of a folder.
    return shlex.split(run("pkg-config", "--cflags", "--libs", "--static", "splice", env=environment))


def under_valgrind(log, *command):
    return VALGRIND + ["--log-file=" + log] + list(command)


def errors_in(log):
    """Valgrind names every system call that it does not know (openat2, cachestat): those are no errors."""
    noise = re.compile(r"WARNING: unhandled|You may be able|Read the file README|Nevertheless we consider|"
                       r"it at http")
    return "".join(line for line in open(log) if not noise.search(line))


def header_compiles(work):
    for compiler, language, standard in ((CC, "c", "c99"), (CC, "c", "c11"), (CXX, "c++", "c++17")):
        source = os.path.join(work, "only." + ("c" if language == "c" else "cpp"))
        with open(source, "w") as file:
            file.write("#include <splice.h>\n#include <splice.h>\n")
        run(compiler, "-std=" + standard, *WARNINGS, "-I" + os.path.dirname(HEADER), "-fsyntax-only", source)


def exports_are_the_header(_):
    """No name of the Swift runtime, or of anything else, can meet another one in the program."""
    declared = set(re.findall(r"^[a-z].*?[ *](splice_[a-z_]+)\(", open(HEADER).read(), re.M))
    table = run("nm", "--defined-only", "--extern-only", os.path.join(BUILD, "lib/libsplice.a"))
    exported = set(re.findall(r"^[0-9a-f]+ [A-Za-z] (\S+)$", table, re.M))
    expect(len(declared) > 15, "the header was not understood:", declared)
    expect(exported == declared, "exported but not declared:", exported - declared, "the other way round:",
           declared - exported)
    undefined = set(re.findall(r" U (\S+)$", run("nm", "--undefined-only", os.path.join(BUILD, "lib/libsplice.a")),
                               re.M))
    foreign = {name for name in undefined if re.match(r"\$s|_?swift|_Z", name)}
    expect(not foreign, "asks for what no C program has:", foreign)


def documentation_compiles(work):
    blocks = re.findall(r"^```c\n(.*?)^```$", open(os.path.join(PACKAGE, "docs/library.md")).read(), re.M | re.S)
    manual = open(os.path.join(PACKAGE, "packaging/man/splice.3")).read()
    blocks += [block.replace("\\e", "\\") for block in re.findall(r"^\.nf\n(#include.*?)^\.fi$", manual, re.M | re.S)]
    expect(len(blocks) == 3, "the documentation has", len(blocks), "examples in C")
    for number, block in enumerate(blocks):
        source = os.path.join(work, f"document{number}.c")
        with open(source, "w") as file:
            file.write(block)
        run(CC, "-Wall", "-Wextra", "-Werror", source, "-o", source[:-2], *flags())


def every_function(work):
    program = os.path.join(work, "tests")
    version = run(os.path.join(PACKAGE, "scripts/version.sh")).strip()
    sources = sorted(glob.glob(os.path.join(HERE, "*.c")))
    run(CC, "-g", "-Wall", "-Wextra", "-Werror", f'-DEXPECTED_VERSION="{version}"', *sources, "-o", program, *flags(),
        "-lpthread")
    for name, command in (("plain", [program]), ("valgrind", under_valgrind(work + "/tests.log", program))):
        folder = tempfile.mkdtemp(dir=work)
        run(*command, folder)
    expect(not errors_in(work + "/tests.log"), errors_in(work + "/tests.log"))


def wait_until(condition, what):
    end = time.monotonic() + SECONDS
    while not condition():
        expect(time.monotonic() < end, "in vain waited for", what)
        time.sleep(0.02)


@contextlib.contextmanager
def running(command, output):
    """A program that ends with status 0 when it is asked to."""
    with open(output, "w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        status = process.wait(timeout=SECONDS)
        expect(status == 0, *command, "ended with", status, "\n", open(output).read())
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def example(work, name):
    """Compiled as its first lines say."""
    program = os.path.join(work, name)
    run(CC, "-g", "-Wall", "-Wextra", "-Werror", os.path.join(PACKAGE, f"examples/c/{name}.c"), "-o", program, *flags())
    return program


def embedded_server(work):
    program, output, log = example(work, "embedded_server"), work + "/server.out", work + "/server.log"
    splice = os.path.join(BUILD, "bin/splice")
    root = os.path.join(work, "served")
    os.mkdir(root)
    content = random.Random(1).randbytes(5_000_000)
    with open(work + "/sent", "wb") as file:
        file.write(content)
    said = lambda: open(output).read()
    with running(under_valgrind(log, program, root, "127.0.0.1:0"), output) as process:
        wait_until(lambda: "serving" in said(), "the server")
        url = f"splice://127.0.0.1:{re.search(r'port ([0-9]+)', said())[1]}/"
        run(splice, "put", "--retry-for", "0", work + "/sent", url)
        run(splice, "get", "--retry-for", "0", url + "sent", work + "/got")
        expect(open(work + "/got", "rb").read() == content, "other bytes came back")
        wait_until(lambda: said().count("disconnected: closed by the peer") == 2, "the end of both clients")
        expect("client 1 sends sent from byte 0 of 5000000\n" in said(), said())
        expect("client 1 sent: done\n" in said(), said())
        process.send_signal(signal.SIGUSR1)
        wait_until(lambda: "end of list" in said(), "the list")
    expect(said().endswith("stopped\n"), said())
    expect(not errors_in(log), errors_in(log))


def camera_uploader(work):
    program, output, log = example(work, "camera_uploader"), work + "/camera.out", work + "/camera.log"
    root, folder, ports = (os.path.join(work, name) for name in ("archive", "camera", "port"))
    os.mkdir(root)
    os.mkdir(folder)
    pictures = {f"picture{number}": random.Random(number).randbytes(size)
                for number, size in enumerate((0, 10, 3_000_000, 1 << 20))}
    arrived = lambda name: os.path.join(root, "camera", name)
    write = lambda name: open(os.path.join(folder, name), "wb")
    with running([os.path.join(BUILD, "bin/spliced"), "--listen", "127.0.0.1:0", "--port-file", ports, root],
                 work + "/daemon.out"):
        wait_until(lambda: os.path.exists(ports), "the daemon")
        with write("picture0") as file:
            file.write(pictures["picture0"])
        url = f"splice://127.0.0.1:{open(ports).read().strip()}/camera/"
        with running(under_valgrind(log, program, folder, url), output):
            wait_until(lambda: os.path.exists(arrived("picture0")), "what was there before")
            # A file that is being written stays where it is, whatever else comes and goes.
            with write("picture1") as file:
                file.write(pictures["picture1"][:5])
                file.flush()
                with write("picture2") as other:
                    other.write(pictures["picture2"])
                wait_until(lambda: not os.path.exists(os.path.join(folder, "picture2")), "picture2 to be deleted")
                expect(not os.path.exists(arrived("picture1")), "a file was taken that was not finished")
                file.write(pictures["picture1"][5:])
            with write(".hidden") as file:
                file.write(pictures["picture3"])
            os.rename(os.path.join(folder, ".hidden"), os.path.join(folder, "picture3"))
            wait_until(lambda: os.listdir(folder) == [], "the folder to be empty")
            for name, content in pictures.items():
                expect(open(arrived(name), "rb").read() == content, name, "is not what was taken")
    expect(sorted(open(output).read().split()) == sorted(word for name in pictures
                                                         for word in ("sent", os.path.join(folder, name))),
           open(output).read())
    expect(not errors_in(log), errors_in(log))


def main():
    for command in ("valgrind", "pkg-config", "nm", CC, CXX):
        if not shutil.which(command):
            sys.exit(f"library.py: {command} is not installed")
    work = tempfile.mkdtemp(prefix="splice-library.")
    try:
        for test in (header_compiles, exports_are_the_header, documentation_compiles, every_function, embedded_server, camera_uploader):
            begin = time.monotonic()
            test(work)
            print(f"library {test.__name__}: ok, {time.monotonic() - begin:.1f} s", flush=True)
    except Failed as failure:
        sys.exit(f"library {test.__name__} FAILED: {failure}")
    finally:
        shutil.rmtree(work, ignore_errors=True)


main()
