#!/usr/bin/python3
"""Runs every test there is and counts cases, not programs.

    run_tests.py [--tsan] [FILTER]

FILTER is part of a group's name or of a path. With --tsan: unit and e2e tests,
against the build that finds data races. Each group prints one line while it is
green; what failed shows its output. The last line of all is
`N passed, N failed`. A program that crashes, hangs, fails after its last case
or runs no case at all is a failed case of its own. Groups that want a PostgreSQL
get the URL of one in DRUMBEAT_TEST_POSTGRES, unless that is set already.
"""
import concurrent.futures
import contextlib
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree

import run_fuzz
import services

SEEDS = 40
FUZZ_SLICE_S = 5
PROGRAM_LIMIT_S = 300
LONG_LIMIT_S = 1800  # all of pytest, all scenarios, all seeds
GOODBYE_S = 20       # for what runs to clean up after Ctrl-C
ASAN, TSAN = "build-asan", "build-tsan"
POSTGRES = "DRUMBEAT_TEST_POSTGRES"
WANT_POSTGRES = ("conformance", "e2e", "e2e-alone")
# A program that a sanitizer ends has this exit code; its report is on stderr, where the harness looks for it.
FOUND_CODE = 86
SANITIZERS = {
    "ASAN_OPTIONS": f"detect_stack_use_after_return=1:strict_string_checks=1:exitcode={FOUND_CODE}",
    "UBSAN_OPTIONS": f"print_stacktrace=1:halt_on_error=1:exitcode={FOUND_CODE}",
    "LSAN_OPTIONS": f"exitcode={FOUND_CODE}",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1:"
                    f"exitcode={FOUND_CODE}:suppressions={os.path.abspath('tools/tsan.supp')}",
}
# Every e2e file runs the program with sanitizers, but for these, which run it as users do. They are alone on the machine,
# because they load it or measure it; the others run side by side.
RELEASE_E2E = {
    "test_durability.py": "a chaos run: many kills and starts, each of which is slow with sanitizers",
    "test_failover.py": "a chaos run: many processes, killed and paused under load",
    "test_processes.py": "a chaos run: many processes under load",
    "test_idle.py": "it measures memory, wake-ups and descriptors of what users run",
    "test_jq_worker.py": "its filter of system calls is off where a sanitizer needs others",
}
SHOWN_FIRST, SHOWN_LAST = 40, 80  # lines of one failure's output
SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed$", re.MULTILINE)
CMOCKA_RUN = re.compile(r"^\[ RUN      \] (\S+)")
CMOCKA_END = re.compile(r"^\[ +(OK|FAILED|SKIPPED) +\] (\S+)")


class Tally:
    """What a program or a group came to."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.reports = []  # (what failed, its output)

    def fail(self, what, output, count=1):
        self.failed += count
        self.reports.append((what, output))

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.reports += other.reports


class Running:
    """The programs that run, each in a session of its own, so that Ctrl-C reaches them through us alone."""

    def __init__(self):
        self.processes, self.stopped, self.lock = set(), False, threading.Lock()

    def start(self, *arguments, **options):
        with self.lock:
            if self.stopped:
                raise KeyboardInterrupt
            process = subprocess.Popen(*arguments, start_new_session=True, **options)
            self.processes.add(process)
            return process

    def ended(self, process):
        with self.lock:
            self.processes.discard(process)

    def stop(self):
        """All of them, and no more are started."""
        with self.lock:
            self.stopped, processes = True, list(self.processes)
        for number in (signal.SIGINT, signal.SIGKILL):
            for process in processes:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
            end = time.monotonic() + GOODBYE_S
            while time.monotonic() < end and any(process.poll() is None for process in processes):
                time.sleep(0.05)


running = Running()


def run(command, limit_s, temporary, more=None):
    """Exit code (None = stopped at the limit) and output of a program in a session of its own."""
    environment = dict(
        os.environ,
        TMPDIR=temporary,
        DRUMBEAT_RELEASE=os.path.abspath("build/drumbeat"),
        PYTHONDONTWRITEBYTECODE="1",
        **SANITIZERS,
        **(more or {}),
    )
    process = running.start(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            env=environment, text=True, errors="replace")
    try:
        output, _ = process.communicate(timeout=limit_s)
        return process.returncode, output
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        return None, output
    finally:
        running.ended(process)


def ending(code):
    """How a program ended, for people; empty when it ended well."""
    if code is None:
        return "stopped: it ran too long"
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}" if code else ""


def read_cmocka(name, code, output):
    tally = Tally()
    lines = output.splitlines()
    began, case = 0, None
    for number, line in enumerate(lines):
        if start := CMOCKA_RUN.match(line):
            began, case = number, start.group(1)
        elif (end := CMOCKA_END.match(line)) and end.group(2) == case:
            word = end.group(1)
            tally.passed += word == "OK"
            tally.skipped += word == "SKIPPED"
            if word == "FAILED":
                tally.fail(f"{name}: {case}", "\n".join(lines[began:number]))
            case = None
    if case:
        tally.fail(f"{name}: {case}: {ending(code) or 'the program ended in it'}", "\n".join(lines[began:]))
    elif code and not tally.failed:
        tally.fail(f"{name}: {ending(code)} after its last case", output)
    elif tally.passed + tally.failed + tally.skipped == 0:
        tally.fail(f"{name}: ran no case", output)
    return tally


def read_summary(name, code, output):
    """A program of ours that ends with `N passed, N failed`."""
    tally = Tally()
    found = SUMMARY.findall(output)
    passed, failed = map(int, found[-1]) if found else (0, 0)
    tally.passed = passed
    if failed:
        tally.fail(name, output, failed)
    elif code != 0:
        tally.fail(f"{name}: {ending(code)}", output)
    elif passed == 0:
        tally.fail(f"{name}: ran no case", output)
    return tally


def read_fuzz(name, code, output):
    tally = Tally()
    if code == 0:
        tally.passed = 1
    else:
        tally.fail(f"{name}: {ending(code)}", output)
    return tally


def read_pytest(name, code, output, report):
    tally = Tally()
    if not os.path.exists(report):
        tally.fail(f"{name}: {ending(code) or 'no report'}", output)
        return tally
    for suite in xml.etree.ElementTree.parse(report).iter("testsuite"):
        count = {key: int(suite.get(key, "0")) for key in ("tests", "failures", "errors", "skipped")}
        tally.skipped += count["skipped"]
        bad = count["failures"] + count["errors"]
        tally.passed += max(0, count["tests"] - bad - count["skipped"])
        if bad:
            tally.fail(name, output, bad)
    if not tally.failed and (code != 0 or tally.passed + tally.skipped == 0):
        tally.fail(f"{name}: {ending(code) or 'ran no case'}", output)
    return tally


class Suite:
    """The jobs of each group: (path, function that gives its Tally). folder: the build with the sanitizers."""

    def __init__(self, temporary, folder):
        self.temporary, self.folder, self.postgres = temporary, folder, None

    def prepare(self, group):
        """What a group wants before its jobs run."""
        if group in WANT_POSTGRES and POSTGRES not in os.environ:
            self.postgres = services.Postgres().start()
            os.environ[POSTGRES] = self.postgres.url

    def close(self):
        if self.postgres:
            self.postgres.close()

    def cmocka(self, pattern):
        for source in sorted(glob.glob(pattern)):
            program = f"{self.folder}/" + source.removeprefix("test/").removesuffix(".c").replace("/", "-")
            yield source, lambda s=source, p=program: read_cmocka(s, *run([p], PROGRAM_LIMIT_S, self.temporary))

    def summary(self, name, command):
        return name, lambda: read_summary(name, *run(command, LONG_LIMIT_S, self.temporary))

    def scenario(self):
        if os.path.exists("build-asan/simulate") and glob.glob("test/scenario/*"):
            yield self.summary("test/scenario", ["build-asan/simulate", "--scenarios", "test/scenario"])

    def simulation(self):
        if os.path.exists("build/simulate"):
            yield self.summary("sim", ["build/simulate", "--seeds", str(SEEDS)])

    def bugs(self):
        if os.path.exists("build/simulate") and glob.glob("sim/bugs/*.patch"):
            yield self.summary("sim/bugs", [sys.executable, "tools/bugs.py"])

    def fuzz_slice(self, target):
        found = tempfile.mkdtemp(dir=self.temporary)
        command = run_fuzz.command(target, FUZZ_SLICE_S, found) + ["-verbosity=0"]
        return read_fuzz(f"fuzz {target}", *run(command, PROGRAM_LIMIT_S, self.temporary))

    def fuzz(self):
        for target in run_fuzz.targets():
            yield f"fuzz/fuzz_{target}.c", lambda t=target: self.fuzz_slice(t)

    def pytest(self, path):
        report = os.path.join(self.temporary, os.path.basename(path) + ".xml")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", path]
        folder = "build" if os.path.basename(path) in RELEASE_E2E else self.folder
        lane = threading.current_thread().name.rsplit("_")[-1]  # those side by side take different ports
        more = {"DRUMBEAT": os.path.abspath(f"{folder}/drumbeat"), services.LANE: lane}
        code, output = run(command, LONG_LIMIT_S, self.temporary, more)
        return read_pytest(path, code, output, report)

    def e2e(self, alone):
        for path in sorted(glob.glob("test/e2e/**/test_*.py", recursive=True)):
            if (os.path.basename(path) in RELEASE_E2E) == alone:
                yield path, lambda p=path: self.pytest(p)

    def groups(self):
        """(name, jobs, how many run at once)"""
        cores = os.cpu_count() or 1
        if self.folder == TSAN:
            yield "unit", self.cmocka("test/unit/*/test_*.c"), cores
            yield "e2e", self.e2e(alone=False), cores
            return
        yield "unit", self.cmocka("test/unit/*/test_*.c"), cores
        yield "conformance", self.cmocka("test/conformance/test_*.c"), cores
        yield "scenario", self.scenario(), 1
        yield "simulation", self.simulation(), 1
        yield "bugs", self.bugs(), 1
        yield "fuzz", self.fuzz(), cores
        yield "e2e", self.e2e(alone=False), cores
        yield "e2e-alone", self.e2e(alone=True), 1


def show(name, tally, seconds):
    counts = f"{tally.passed} passed"
    counts += f", {tally.failed} failed" if tally.failed else ""
    counts += f", {tally.skipped} skipped" if tally.skipped else ""
    print(f"{name:<12} {counts:<28} {seconds:6.1f} s", flush=True)
    for what, output in tally.reports:
        lines = output.rstrip().splitlines()
        print(f"--- {what}")
        left_out = len(lines) - SHOWN_FIRST - SHOWN_LAST
        if left_out > 0:
            lines[SHOWN_FIRST:-SHOWN_LAST] = [f"({left_out} lines are left out here)"]
        print("\n".join("    " + line for line in lines), flush=True)


def run_groups(suite, wanted):
    total = Tally()
    for name, all_jobs, at_once in suite.groups():
        jobs = [job for path, job in all_jobs if wanted in name or wanted in path]
        if not jobs:
            continue
        began = time.monotonic()
        tally = Tally()
        try:
            suite.prepare(name)
        except services.Trouble as trouble:
            tally.fail("PostgreSQL", str(trouble), len(jobs))
            jobs = []
        with concurrent.futures.ThreadPoolExecutor(at_once, "lane") as pool:
            try:
                for part in pool.map(lambda job: job(), jobs):
                    tally.add(part)
            except KeyboardInterrupt:
                running.stop()  # else the pool waits for them
                raise
        show(name, tally, time.monotonic() - began)
        total.add(tally)
    return total


def main():
    arguments = sys.argv[1:]
    folder = TSAN if arguments[:1] == ["--tsan"] else ASAN
    wanted = arguments[-1] if arguments[folder == TSAN:] else ""
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT is ignored in what a shell started in the background
        signal.signal(number, signal.default_int_handler)
    temporary = tempfile.mkdtemp(prefix="drumbeat-test-")
    os.chmod(temporary, 0o711)  # the user that PostgreSQL runs as finds its way
    tempfile.tempdir = temporary
    suite = Suite(temporary, folder)
    try:
        total = run_groups(suite, wanted)
    except KeyboardInterrupt:
        print("stopped\n0 passed, 1 failed")
        return 130
    finally:
        suite.close()
        shutil.rmtree(temporary, ignore_errors=True)
    if total.passed + total.failed == 0:
        print(f"no test matches '{wanted}'")
        total.failed = 1
    print(f"{total.passed} passed, {total.failed} failed")
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
