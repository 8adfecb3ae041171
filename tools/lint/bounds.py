"""How long a file, a header and a function may be, and what may not stand in one."""
import re

from tree import Finding

FILE_LINES = 500
HEADER_LINES = 120
FUNCTION_LINES = 60
SHORT_LINES = 40
OWN_HEADERS = 8
ALL_HEADERS = 30  # those that come with them too
TYPEDEF = re.compile(r"^\s*typedef\s+(struct|union|enum)\b[^(]*$")  # that of a function's type is fine
OWN_INCLUDE = re.compile(r'^\s*#\s*include\s+"')
INCLUDED = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
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


def check_short(tree):
    """A file is something to read; what is always read together stands together."""
    for path in tree.c_files:
        count = len(tree.lines(path))
        if path.startswith("src/") and path.endswith(".c") and count < SHORT_LINES:
            if not tree.rooms.excepts("short", path):
                yield Finding(path, 1, "short", f"{count} lines: join it with what it is read with, or say why not")


def headers_behind(tree, path, seen):
    for name in (match.group(1) for match in map(INCLUDED.match, tree.lines(path)) if match):
        target = tree.resolve(name)
        if target and target not in seen:
            seen.add(target)
            headers_behind(tree, target, seen)
    return seen


def check_all_headers(tree):
    for path in tree.c_files:
        if not path.startswith("src/") or not path.endswith(".c"):
            continue
        count = sum(header.endswith(".h") for header in headers_behind(tree, path, set()))
        if count > ALL_HEADERS and not tree.rooms.excepts("all-headers", path):
            yield Finding(path, 1, "all-headers", f"{count} of our headers come in, at most {ALL_HEADERS}")


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


RULES = {"lengths": check_lengths, "own-headers": check_own_headers, "short": check_short,
         "all-headers": check_all_headers, "layout": check_layout}
