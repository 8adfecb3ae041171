"""How long a file, a header and a function may be, and what may not stand in one."""
import re

from tree import Finding

FILE_LINES = 500
HEADER_LINES = 120
FUNCTION_LINES = 60
OWN_HEADERS = 8
TYPEDEF = re.compile(r"^\s*typedef\s+(struct|union|enum)\b[^(]*$")  # that of a function's type is fine
OWN_INCLUDE = re.compile(r'^\s*#\s*include\s+"')
CONDITION = re.compile(r"^\s*#\s*(if|ifdef|ifndef)\b")


def check_lengths(tree):
    for path in tree.c_files:
        limit = HEADER_LINES if path.endswith(".h") else FILE_LINES
        count = len(tree.lines(path))
        if count > limit:
            yield Finding(path, limit + 1, "file-length", f"{count} lines, at most {limit}")
        for function in tree.functions(path):
            count = function.last - function.first + 1
            if count > FUNCTION_LINES:
                yield Finding(path, function.first, "function-length",
                              f"{function.name} has {count} lines, at most {FUNCTION_LINES}")


def check_own_headers(tree):
    for path in tree.c_files:
        if not path.endswith(".c") or not path.startswith(("src/", "sim/")):
            continue
        includes = [number for number, line in enumerate(tree.lines(path), 1) if OWN_INCLUDE.match(line)]
        if len(includes) > OWN_HEADERS and not tree.rooms.excepts("own-headers", path):
            yield Finding(path, includes[OWN_HEADERS], "own-headers",
                          f"includes {len(includes)} of our headers, at most {OWN_HEADERS}")


def check_layout(tree):
    for path in tree.c_files:
        lines = tree.lines(path)
        for number, line in enumerate(lines, 1):
            if TYPEDEF.match(line):
                yield Finding(path, number, "typedef", "no typedef for structs, unions and enums")
        for function in tree.functions(path):
            for number in range(function.first, function.last):
                if CONDITION.match(lines[number - 1]):
                    yield Finding(path, number, "ifdef", f"no #if inside a function ({function.name})")


RULES = {"lengths": check_lengths, "own-headers": check_own_headers, "layout": check_layout}
