#!/usr/bin/python3
"""Writes the C tables and the assembly of the files that are compiled in.

    embed.py ROOT OUT.c OUT.S [FILE...]

connectors/NAME.yaml becomes a builtin_connector called NAME, docs/openapi.json,
src/ROOM/NAME.lua and everything below assets/ a builtin_asset. The tables are
those of src/base/assets.h. `.incbin` costs milliseconds where a C array of a
megabyte costs seconds.
"""
import os
import sys

C_HEAD = """/* Written by tools/embed.py. */
#include "base/assets.h"

"""
S_HEAD = """/* Written by tools/embed.py. */
    .section .rodata
"""
# Without this note the linker would give the program an executable stack.
S_TAIL = """    .section .note.GNU-stack,"",%progbits
"""
S_ITEM = """    .balign 16
    .globl {symbol}_start, {symbol}_end
    .hidden {symbol}_start, {symbol}_end
{symbol}_start:
    .incbin "{file}"
{symbol}_end:
    .byte 0
"""


def place(path):
    """The kind of a file and the name it is found by."""
    if path.startswith("connectors/"):
        return "connector", os.path.basename(path)[: -len(".yaml")]
    if path.startswith("assets/"):
        return "asset", path[len("assets/"):]
    return "asset", os.path.basename(path)


def table(kind, byte, entries):
    """One table and its count; C wants one element even in an empty one."""
    externs = "".join(f"extern const {byte} {symbol}_start[], {symbol}_end[];\n" for _, symbol in entries)
    rows = "".join(f'    {{"{name}", {symbol}_start, {symbol}_end}},\n' for name, symbol in entries)
    rows = rows or "    {0},\n"
    return (
        f"{externs}const struct builtin_{kind} builtin_{kind}s[] = {{\n{rows}}};\n"
        f"const size_t builtin_{kind}_count = {len(entries)};\n\n"
    )


def main(root, c_file, s_file, *files):
    entries = {"connector": [], "asset": []}
    assembly = S_HEAD
    for number, file in enumerate(files):
        kind, name = place(os.path.relpath(file, root))
        symbol = f"embedded_{number}"
        entries[kind].append((name, symbol))
        assembly += S_ITEM.format(symbol=symbol, file=file)
    with open(c_file, "w", encoding="utf-8") as out:
        out.write(C_HEAD + table("connector", "char", entries["connector"]))
        out.write(table("asset", "unsigned char", entries["asset"]).rstrip("\n") + "\n")
    with open(s_file, "w", encoding="utf-8") as out:
        out.write(assembly + S_TAIL)


if __name__ == "__main__":
    main(*sys.argv[1:])
