"""Names that are used twice, and functions that nobody calls."""
import collections
import re

from tree import Finding

TAG = re.compile(r"^\s*(?:static |const )*(?:struct|union|enum) (\w+) \{")
WORD = re.compile(r"\b[A-Za-z_]\w*\b")
CALLERS = ("src/", "sim/", "bench/", "fuzz/")


def check_tags(tree):
    """One tag, one thing: whoever searches for `struct link` finds the one that is meant."""
    places = collections.defaultdict(list)
    for path in tree.c_files:
        if not path.startswith("src/"):
            continue
        for number, line in enumerate(tree.lines(path), 1):
            if match := TAG.match(line):
                places[match.group(1)].append((path, number))
    for tag, found in sorted(places.items()):
        # A header's tag is the program's; the others are to give way. Among files alone the first keeps it.
        first, *others = sorted(found, key=lambda place: (not place[0].endswith(".h"), place))
        for path, number in others:
            if not tree.rooms.excepts("tags", path, tag):
                yield Finding(path, number, "tags", f"'{tag}' is also in {first[0]}:{first[1]}")


def uses(tree, path):
    """The words of a file; of a header only those in macros and in functions that stand there whole."""
    lines = tree.lines(path)
    if path.endswith(".h"):
        lines = [line for line in lines if line.startswith(("#", " ")) and not line.startswith(" *")]
    return {word for line in lines for word in WORD.findall(line)}


def check_dead(tree):
    """A public function is for others. One that only its own file and a test call is a door for the test."""
    callers, testers = collections.defaultdict(set), set()
    for path in tree.files:
        if path.startswith(CALLERS) and path.endswith((".c", ".h", ".def")):
            for word in uses(tree, path):
                callers[word].add(path)
        elif path.startswith("test/") and path.endswith((".c", ".h")):
            testers |= uses(tree, path)
    for path in tree.c_files:
        if not path.startswith("src/") or not path.endswith(".c"):
            continue
        called_here = {word for line in tree.lines(path) if line.startswith(" ") for word in WORD.findall(line)}
        for function in tree.functions(path):
            head = tree.lines(path)[function.first - 1]
            if head.startswith("static ") or function.name == "main" or callers[function.name] - {path}:
                continue
            here = function.name in called_here
            if here and function.name in testers or tree.rooms.excepts("dead", path, function.name):
                continue
            yield Finding(path, function.first, "dead",
                          f"'{function.name}' is called by this file alone: make it static" if here else
                          f"'{function.name}' is called by {'tests alone' if function.name in testers else 'nobody'}")


RULES = {"tags": check_tags, "dead": check_dead}
