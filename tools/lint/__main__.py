"""Checks the rules of the house (HACKING.md) that a machine can check.

    lint [--root FOLDER] [--build FOLDER] [RULE...]

Prints `path:line: rule: message` for each finding and ends with `lint: clean`
or the number of findings. The build folder must be up to date.
"""
import argparse
import sys

import bounds
import names
import outside
import rooms
import symbols
import texts
from tree import Tree

# Exceptions come last: they look at what the others asked for.
RULES = {**bounds.RULES, **rooms.RULES, **symbols.RULES, **names.RULES, **texts.RULES, **outside.RULES, **symbols.LAST_RULES}


def main():
    parser = argparse.ArgumentParser(prog="./dev lint", epilog="rules: " + " ".join(RULES))
    parser.add_argument("--root", default=".")
    parser.add_argument("--build", default="build", help="from the root")
    parser.add_argument("rule", nargs="*", metavar="RULE")
    asked = parser.parse_args()
    if unknown := set(asked.rule) - set(RULES):
        parser.error(f"no such rule: {' '.join(sorted(unknown))}")
    tree = Tree(asked.root, asked.build)
    findings = [finding for name in asked.rule or RULES for finding in RULES[name](tree)]
    for finding in sorted(set(findings)):
        print(finding)
    print(f"lint: {len(set(findings))} findings" if findings else "lint: clean")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
