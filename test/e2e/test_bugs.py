"""tools/bugs.py, on a program of two files whose simulator knows one invariant."""
import pathlib
import os
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MESON = """project('small', 'c')
core = static_library('drumbeat-core', 'src/sum.c', include_directories: include_directories('src'))
executable('simulate', 'sim/main.c', link_with: core)
"""
SUM_C = """int sum(int a, int b);
int sum(int a, int b) {
    return a +
#include "sum.def"
}
"""
MAIN_C = """#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int sum(int a, int b);
int main(int argc, char **argv) {
    if (argc == 3 && !strcmp(argv[1], "--scenarios")) {
        return sum(0, 4) != 4 || SOUND;
    }
    for (int seed = atoi(argv[4]), end = seed + atoi(argv[2]); seed < end; seed++)
        if (seed == 7 && sum(1, 2) != 3) {
            printf("seed %d: I5: a sum is wrong\\n", seed);
            return 1;
        } else if (seed == 9 && SOUND) {
            printf("seed %d: I6: always\\n", seed);
            return 1;
        }
    return 0;
}
"""
PATCH = """A sum is wrong: {finder} must find it.

--- a/src/sum.{ext}
+++ b/src/sum.{ext}
@@ -{line} +{line} @@
-{old}
+{new}
"""
BUGS = {
    "by-seed": ("I5", "c", 3, "    return a +", "    return a -", "found by-seed: I5 at seed 7"),
    "by-statement": ("I5", "def", 1, "b;", "b + 1;", "found by-statement: I5 at seed 7"),
    "by-scenario": ("scenario small-sum", "def", 1, "b;", "(b == 4 ? 5 : b);", "found by-scenario: scenario small-sum"),
    "not-seen": ("I5", "def", 1, "b;", "(b == 8 ? 5 : b);", "NOT FOUND not-seen"),
    "stale": ("I5", "def", 1, "c;", "d;", "NOT PLANTED stale: patch failed:"),
    "no-program": ("I5", "def", 1, "b;", "b;;x", "NOT PLANTED no-program: cc failed:"),
}


def make(folder, always_fails):
    for name in ("tools", "src", "sim/bugs"):
        (folder / name).mkdir(parents=True)
    shutil.copy(ROOT / "tools/bugs.py", folder / "tools")
    (folder / "meson.build").write_text(MESON)
    (folder / "src/sum.c").write_text(SUM_C)
    (folder / "src/sum.def").write_text("b;\n")
    (folder / "sim/main.c").write_text(MAIN_C.replace("SOUND", "1" if always_fails else "0"))
    for command in (["meson", "setup", "build"], ["ninja", "-C", "build", "simulate"]):
        subprocess.run(command, cwd=folder, check=True, capture_output=True, env={**os.environ, "CC": "cc"})  # without a cache


def run(folder, name, seeds):
    finder, ext, line, old, new, _ = BUGS[name]
    (folder / f"sim/bugs/{name}.patch").write_text(PATCH.format(finder=finder, ext=ext, line=line, old=old, new=new))
    result = subprocess.run([sys.executable, "tools/bugs.py", name, "--seeds", str(seeds)], cwd=folder, text=True,
                            capture_output=True, check=False)
    assert not result.stderr
    return result.returncode, result.stdout.splitlines()


@pytest.fixture(name="small", scope="module")
def small_program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    make(folder, always_fails=False)
    return folder


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_told(small, name):
    code, lines = run(small, name, seeds=20)
    found = BUGS[name][5].startswith("found")
    assert lines[0].startswith(BUGS[name][5])
    assert lines[-1] == ("1 passed, 0 failed" if found else "0 passed, 1 failed")
    assert code == (0 if found else 1)


@pytest.mark.parametrize("name", ["not-seen", "by-scenario"])
def test_what_fails_in_the_sound_program_too_finds_nothing(tmp_path, name):
    make(tmp_path, always_fails=True)
    code, lines = run(tmp_path, name, seeds=20)
    assert (code, lines[0]) == (1, f"NOT FOUND {name}")


def test_only_so_many_seeds_are_run(small):
    assert run(small, "by-seed", seeds=6)[1][0] == "NOT FOUND by-seed"


def test_a_bug_that_is_not_there_is_a_mistake(small):
    result = subprocess.run([sys.executable, "tools/bugs.py", "nothing"], cwd=small, text=True, capture_output=True,
                            check=False)
    assert result.returncode == 1
    assert result.stderr == "bugs.py: there is no sim/bugs/nothing.patch\n"
