"""Rules that other programs know: clang-format, cppcheck, shellcheck."""
import os
import re
import subprocess

from tree import Finding

PLACE = re.compile(r"^([^:\s]+):(\d+):(?:\d+:)? (.*)$")
CPPCHECK = [
    "cppcheck", "--quiet", "--enable=warning,performance,portability", "--inline-suppr", "--std=c11",
    "--library=posix,gnu", "-D_GNU_SOURCE", '-DDRUMBEAT_VERSION="0"', "-Isrc", "-I.",
    "--suppress=missingInclude", "--suppress=missingIncludeSystem",
    "--suppress=readdirCalled",    # readdir_r is the one that is deprecated
    "--suppress=ctuPointerArith",  # takes the end of an array for a place past it
    f"-j{os.cpu_count() or 1}", "--template={file}:{line}: {message} [{id}]",
]


def run(tree, command, files):
    """(path, line, text) of each place in the program's output."""
    if not files:
        return
    result = subprocess.run(command + files, cwd=tree.root, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    places = [match.groups() for line in (result.stdout + result.stderr).splitlines() if (match := PLACE.match(line))]
    if result.returncode and not places:
        raise RuntimeError(f"{command[0]} failed:\n{result.stdout}{result.stderr}")
    for path, line, text in places:
        yield path, int(line), text


def check_format(tree):
    seen = set()
    for path, line, text in run(tree, ["clang-format-14", "--dry-run", "-Werror"], tree.c_files):
        if path not in seen and "clang-format-violations" in text:
            seen.add(path)
            yield Finding(path, line, "format", f"clang-format-14 -i {path}")


def check_cppcheck(tree):
    cache = tree.build / "cppcheck"
    cache.mkdir(parents=True, exist_ok=True)
    files = [path for path in tree.c_files if path.endswith(".c") and path.startswith(("src/", "sim/"))]
    for path, line, text in run(tree, [*CPPCHECK, f"--cppcheck-build-dir={cache.resolve()}"], files):
        yield Finding(path, line, "cppcheck", text)


def is_shell(tree, path):
    return path.endswith(".sh") or bool(re.match(r"#!.*\b(ba)?sh\b", tree.text(path)[:80]))


def check_shell(tree):
    scripts = [path for path in tree.files if is_shell(tree, path)]
    for path, line, text in run(tree, ["shellcheck", "--format=gcc"], scripts):
        yield Finding(path, line, "shellcheck", text)


RULES = {"format": check_format, "cppcheck": check_cppcheck, "shellcheck": check_shell}
