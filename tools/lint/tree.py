"""What the rules look at: the files of the checkout, the functions in them, and rooms.txt."""
import dataclasses
import functools
import pathlib
import re

C_FOLDERS = ("src", "sim", "test", "fuzz", "bench")
SKIPPED = re.compile(r"^(\.git|build|build-.*|__pycache__|\.pytest_cache)$")
LABEL = re.compile(r"^\w+:$")


@dataclasses.dataclass(frozen=True, order=True)
class Finding:
    path: str
    line: int
    rule: str
    message: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.rule}: {self.message}"


@dataclasses.dataclass(frozen=True)
class Function:
    name: str
    first: int  # line numbers from 1, braces included
    last: int


@dataclasses.dataclass
class Entry:
    """One line of rooms.txt: `kind words...: values...`."""
    line: int
    kind: str
    words: list
    values: str


class Tree:
    def __init__(self, root, build):
        self.root = pathlib.Path(root)
        self.build = self.root / build

    @functools.cached_property
    def files(self):
        """Every file of the checkout, as paths from the root."""
        return sorted(self._below(self.root))

    def _below(self, folder):
        for entry in folder.iterdir():
            if SKIPPED.match(entry.name) or entry.is_symlink():
                continue
            if entry.is_dir():
                yield from self._below(entry)
            else:
                yield str(entry.relative_to(self.root))

    @functools.cached_property
    def file_set(self):
        return set(self.files)

    @functools.cached_property
    def c_files(self):
        return [path for path in self.files if path.endswith((".c", ".h")) and path.split("/")[0] in C_FOLDERS]

    @functools.cache
    def text(self, path):
        """The file's text; empty for what is not UTF-8."""
        try:
            return (self.root / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            return ""

    def lines(self, path):
        return self.text(path).splitlines()

    def resolve(self, name):
        """The file that `#include "name"` means: ours are written from src/ (and sim/'s own from the root)."""
        for place in ("src/" + name, name):
            if place in self.file_set:
                return place
        return None

    @functools.cache
    def functions(self, path):
        """By layout, which clang-format guarantees: a function's last line is a lone brace in the first column."""
        found, lines = [], self.lines(path)
        for last, line in enumerate(lines):
            if line != "}":
                continue
            first = last - 1
            while first > 0 and (not re.match(r"[A-Za-z_]", lines[first]) or LABEL.match(lines[first])):
                first -= 1
            if name := re.search(r"(\w+)\(", re.sub(r"__attribute__\(\(.*?\)\)", "", lines[first])):
                found.append(Function(name.group(1), first + 1, last + 1))
        return found

    @functools.cached_property
    def rooms(self):
        return Rooms(self)


class Rooms:
    """rooms.txt; its own head says what it may hold."""

    def __init__(self, tree):
        self.entries, self.allowed, self.doors, self.pure = [], {}, {}, set()
        self.findings, self.used = [], set()
        for number, line in enumerate(tree.lines("rooms.txt"), 1):
            if not (line := line.split("#")[0].strip()):
                continue
            head, colon, values = line.partition(":")
            kind, *words = head.split()
            if not colon or not words or kind not in ("room", "doors", "library", "except"):
                self.findings.append(Finding("rooms.txt", number, "rooms", "not a room, doors, library or except line"))
                continue
            entry = Entry(number, kind, words, values.strip())
            self.entries.append(entry)
            if kind == "doors":
                self.doors[words[0]] = values.split()
            if kind == "room":
                self.allowed[words[0]] = values.split()
                if "pure" in words[1:]:
                    self.pure.add(words[0])

    def of_kind(self, kind):
        return [entry for entry in self.entries if entry.kind == kind]

    def excepts(self, rule, path, name=None):
        """Whether rooms.txt lets this file off; remembers which of its lines were needed."""
        for entry in self.of_kind("except"):
            where = entry.words[1] if len(entry.words) > 1 else ""
            meant = path == where or where.endswith("/") and path.startswith(where)
            if entry.words[0] == rule and meant and (name is None or name in entry.words[2:]):
                self.used.add((entry.line, name))
                return True
        return False


def room_of(path):
    """src/base/str.c -> base; src/loop.c -> top; src/world.h -> world; sim/disk.c -> sim."""
    parts = path.split("/")
    if parts[0] != "src":
        return parts[0]
    if len(parts) > 2:
        return parts[1]
    return "world" if parts[1] == "world.h" else "top"
