#!/usr/bin/python3
"""Writes the pages of docs/ that are made from tables and files: run it after a change of a command, a key, a connector
or a sender. tools/pages.py [PROGRAM]"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def pages():
    """Each page's name for `drumbeat reference`, and its file."""
    yield from (("cli", "docs/cli.md"), ("config", "docs/configuration.md"), ("connectors", "docs/providers.md"))
    for path in sorted((ROOT / "connectors").glob("*.yaml")):
        yield f"connector/{path.stem}", f"docs/destinations/{path.stem}.md"
    for name in re.findall(r'^\{\.name = "([a-z-]+)"', (ROOT / "src/model/schemes.def").read_text(), re.M):
        yield f"source/{name}", f"docs/senders/{name}.md"


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/drumbeat"
    for page, file in pages():
        text = subprocess.run([program, "reference", page], check=True, capture_output=True).stdout
        (ROOT / file).parent.mkdir(exist_ok=True)
        (ROOT / file).write_bytes(text)


if __name__ == "__main__":
    main()
