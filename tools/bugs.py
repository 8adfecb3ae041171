#!/usr/bin/python3
"""Proves that the simulator sees: plants each bug of sim/bugs/ and runs it until it is found.

    bugs.py [NAME...] [--seeds N] [--build FOLDER]

A bug is a patch of src/; its first line says what is wrong with it and what must
find it: `scenario NAME` where that needs a world of its own, else an invariant.
FOLDER (build) holds the sound build: only what a patch touches is compiled again,
and linked over it. A bug is found when its scenario fails, or an invariant or an
assertion in one of N seeds; not where the sound program fails too. The last line
is `N passed, N failed`.
"""
import argparse
import concurrent.futures
import contextlib
import fcntl
import glob
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

SEEDS = 200
SHOWN_LINES = 20     # of what patch, compiler or linker say
SEEDS_AT_ONCE = 10  # the first few find most
LIMIT_S = 60        # of one call of simulate
TOUCHED = re.compile(r"^\+\+\+ b/(\S+)", re.MULTILINE)
INVARIANT = re.compile(r"\bI\d+\b")
SEED = re.compile(r"\bseed (\d+)\b")
CRASHED = ": crashed ("
SCENARIO = re.compile(r"\bscenario ([a-z0-9-]+) must find it")


class Trouble(Exception):
    """Why a bug could not be tried."""


def call(command, folder):
    result = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            errors="replace", check=False)
    if result.returncode:
        shown = "\n".join(result.stdout.splitlines()[:SHOWN_LINES])
        raise Trouble(f"{command[0]} failed:\n{shown}")
    return result.stdout


class Build:
    """The sound build: how each source was compiled, and how simulate was linked."""

    def __init__(self, folder):
        self.folder = folder
        self.sound = os.path.join(os.path.abspath(folder), "simulate")
        with open(os.path.join(folder, "compile_commands.json"), encoding="utf-8") as file:
            entries = json.load(file)
        self.commands = {os.path.relpath(os.path.join(e["directory"], e["file"])): shlex.split(e["command"])
                         for e in entries if "drumbeat-core" in e["output"]}
        self.link = shlex.split(call(["ninja", "-t", "commands", "simulate"], folder).splitlines()[-1])

    @contextlib.contextmanager
    def kept(self):
        """Nobody builds anew meanwhile: ./dev takes the same lock."""
        with open(os.path.join(self.folder, "dev.lock"), "a", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            yield

    def compile(self, source, copy, objects):
        """The object of a source's patched copy; what else the patch touches is included from beside it."""
        command = list(self.commands[source])
        target = os.path.join(objects, source.replace("/", "_") + ".o")
        for option, value in (("-o", target), ("-MF", target + ".d"), ("-c", os.path.join(copy, source))):
            command[command.index(option) + 1] = value
        call([command[0], "-I" + os.path.join(copy, "src"), *command[1:]], self.folder)
        return target

    def link_over(self, objects, program):
        """An object given by name goes before the archive's member with the same functions."""
        command = list(self.link)
        at = command.index("-o") + 1
        call([*command[:at], program, *objects, *command[at + 1:]], self.folder)


def users(name, commands):
    """The sources that include this file by name."""
    quoted = f'#include "{name.removeprefix("src/")}"'
    for source in commands:
        with open(source, encoding="utf-8") as file:
            if quoted in file.read():
                yield source


def write_statements(build, papers, folder):
    """The statements' texts in C, from the patched copies of their papers."""
    outputs = [os.path.join(folder, os.path.relpath(build.folder), f"sql_statements.{end}") for end in "hc"]
    copies = [os.path.join(folder, paper) for paper in sorted(papers)]
    call([sys.executable, "tools/sql.py", "build", *outputs, *copies, "src/store/tables.def",
          *glob.glob("src/store/*.[ch]")], ".")


def plant(build, patch, folder):
    """Builds simulate with the bug in it."""
    with open(patch, encoding="utf-8") as file:
        text = file.read()
    touched = TOUCHED.findall(text)
    papers = glob.glob("src/store/sql/*.sql") if any(name.endswith(".sql") for name in touched) else []
    sources = {os.path.relpath(os.path.join(build.folder, "sql_statements.c"))} if papers else set()
    for name in touched:
        sources.update([name] if name.endswith(".c") else users(name, build.commands))
    for name in {*touched, *sources, *papers}:
        os.makedirs(os.path.join(folder, os.path.dirname(name)), exist_ok=True)
        shutil.copy(name, os.path.join(folder, name))
    call(["patch", "-p1", "--no-backup-if-mismatch", "-i", os.path.abspath(patch)], folder)
    if papers:
        write_statements(build, papers, folder)
    program = os.path.join(folder, "simulate")
    with build.kept():
        build.link_over([build.compile(source, folder, folder) for source in sorted(sources)], program)
    return program


def simulate(program, *args):
    """Exit code and output; one that hangs has failed too."""
    try:
        result = subprocess.run([program, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, timeout=LIMIT_S, text=True, errors="replace", check=False)
    except subprocess.TimeoutExpired:
        return None, f"ran longer than {LIMIT_S} s"
    return result.returncode, result.stdout


def reason(code, output):
    if invariant := INVARIANT.search(output):
        return invariant.group()
    return "a hang" if code is None else "a crash" if code < 0 or CRASHED in output else "a failure"


def find_by_seeds(program, sound, seeds):
    """What fails in one of the seeds and holds in the sound program, or None."""
    for first in range(1, seeds + 1, SEEDS_AT_ONCE):
        count = min(SEEDS_AT_ONCE, seeds + 1 - first)
        code, output = simulate(program, "--seeds", str(count), "--from", str(first))
        if code == 0:
            continue
        named = SEED.search(output)
        seed = named.group(1) if named else str(first)
        if simulate(sound, "--seeds", "1", "--from", seed)[0] == 0:
            return f"{reason(code, output)} at seed {seed}"
    return None


def find_by_scenario(program, sound, name):
    path = f"test/scenario/{name}.txt"
    if simulate(program, "--scenarios", path)[0] == 0 or simulate(sound, "--scenarios", path)[0] != 0:
        return None
    return f"scenario {name}"


def find(program, sound, patch, seeds):
    with open(patch, encoding="utf-8") as file:
        scenario = SCENARIO.search(file.readline())
    return find_by_scenario(program, sound, scenario.group(1)) if scenario else find_by_seeds(program, sound, seeds)


def try_bug(build, patch, seeds):
    """Whether the bug was found, and the line to print."""
    name = os.path.basename(patch).removesuffix(".patch")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="drumbeat-bug-") as folder:
        try:
            found = find(plant(build, patch, folder), build.sound, patch, seeds)
        except Trouble as trouble:
            return False, f"NOT PLANTED {name}: {trouble}"
    if not found:
        return False, f"NOT FOUND {name}"
    return True, f"found {name}: {found} ({time.monotonic() - began:.0f} s)"


def choose(names):
    patches = {os.path.basename(p).removesuffix(".patch"): p for p in sorted(glob.glob("sim/bugs/*.patch"))}
    unknown = [name for name in names if name not in patches]
    if unknown:
        sys.exit(f"bugs.py: there is no sim/bugs/{unknown[0]}.patch")
    return [patches[name] for name in names or patches]


def main():
    parser = argparse.ArgumentParser(usage="bugs.py [NAME...] [--seeds N] [--build FOLDER]")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--build", default="build")
    options = parser.parse_args()
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    patches = choose(options.names)
    build = Build(options.build)
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for good, line in pool.map(lambda patch: try_bug(build, patch, options.seeds), patches):
            print(line, flush=True)
            passed += good
            failed += not good
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
