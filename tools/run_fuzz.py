#!/usr/bin/python3
"""Runs fuzz targets: fuzz/fuzz_TARGET.c over fuzz/corpus/TARGET.

    run_fuzz.py [TARGET] [--minutes N]

The corpus in the tree is read, never written; what a run finds new is kept in
build-fuzz/found/TARGET, an input that crashes in build-fuzz/crash-TARGET-*.
"""
import argparse
import os
import subprocess
import sys

FOLDER = "build-fuzz"
INPUT_LIMIT_S = 10  # for one input; longer counts as a hang
MEMORY_LIMIT_MB = 1024


def targets():
    names = sorted(os.listdir("fuzz")) if os.path.isdir("fuzz") else []
    return [name[len("fuzz_"):-len(".c")] for name in names if name.startswith("fuzz_") and name.endswith(".c")]


def command(target, seconds, found):
    """The command line of one run; found is the folder for new inputs."""
    corpus = f"fuzz/corpus/{target}"
    return [
        f"{FOLDER}/fuzz_{target}",
        f"-max_total_time={seconds}",
        f"-timeout={INPUT_LIMIT_S}",
        f"-rss_limit_mb={MEMORY_LIMIT_MB}",
        f"-artifact_prefix={FOLDER}/crash-{target}-",
        found,
    ] + ([corpus] if os.path.isdir(corpus) else [])


def main():
    parser = argparse.ArgumentParser(prog="./dev fuzz")
    parser.add_argument("target", nargs="?", choices=targets(), metavar="TARGET")
    parser.add_argument("--minutes", type=float, default=1)
    asked = parser.parse_args()
    crashed = []
    for target in [asked.target] if asked.target else targets():
        found = f"{FOLDER}/found/{target}"
        os.makedirs(found, exist_ok=True)
        print(f"fuzz {target}: {asked.minutes:g} min", flush=True)
        if subprocess.run(command(target, round(asked.minutes * 60), found), stdin=subprocess.DEVNULL).returncode:
            crashed.append(target)
    print("fuzz: " + (f"failed: {', '.join(crashed)}" if crashed else "clean"))
    return 1 if crashed else 0


if __name__ == "__main__":
    sys.exit(main())
