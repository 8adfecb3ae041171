"""Who may include whom, and which file knows which library: rooms.txt against the #include lines."""
import re

from tree import Finding, room_of

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')


def includes(tree, path):
    for number, line in enumerate(tree.lines(path), 1):
        if match := INCLUDE.match(line):
            yield number, match.group(1) == '"', match.group(2)


def check_directions(tree):
    rooms = tree.rooms
    yield from rooms.findings
    for path in tree.c_files:
        if not path.startswith(("src/", "sim/")):
            continue
        room = room_of(path)
        if room not in rooms.allowed:
            yield Finding(path, 1, "rooms", f"the room '{room}' is not in rooms.txt")
            continue
        for number, _, name in [found for found in includes(tree, path) if found[1]]:
            target = tree.resolve(name)
            if not target:
                if not rooms.excepts("rooms", path, name):
                    yield Finding(path, number, "rooms", f'"{name}" is not a file below src/')
                continue
            allowed = rooms.allowed[room]
            if room_of(target) not in [room, *allowed] and name not in allowed and "*" not in allowed:
                yield Finding(path, number, "rooms", f'{room} must not include {room_of(target)} ("{name}")')


def check_doors(tree):
    """Where a room names its doors, its other headers are its own; and each door is one that somebody goes through."""
    used = set()
    for path in tree.c_files:
        if not path.startswith(("src/", "sim/")):
            continue
        for number, _, name in [found for found in includes(tree, path) if found[1]]:
            target = tree.resolve(name)
            room = room_of(target) if target else None
            if room not in tree.rooms.doors or room == room_of(path):
                continue
            header = target.rpartition("/")[2]
            used.add((room, header))
            if header in tree.rooms.doors[room] or name in tree.rooms.allowed.get(room_of(path), []):
                continue
            if not tree.rooms.excepts("doors", path, name):
                yield Finding(path, number, "doors", f'"{name}" is private to {room}')
    for entry in tree.rooms.of_kind("doors"):
        for header in entry.values.split():
            if (entry.words[0], header) not in used:
                yield Finding("rooms.txt", entry.line, "doors", f"nobody outside includes {entry.words[0]}/{header}")


def check_libraries(tree):
    """A library's header belongs to the files named for it, and each of those uses it."""
    for entry in tree.rooms.of_kind("library"):
        homes = entry.values.split()
        used = set()
        for path in tree.c_files:
            if not path.startswith(("src/", "sim/")):
                continue
            for number, own, name in includes(tree, path):
                if own or not name.startswith(tuple(entry.words)):
                    continue
                home = next((home for home in homes if path == home or home.endswith("/") and path.startswith(home)), "")
                used.add(home)
                if not home:
                    yield Finding(path, number, "libraries", f"<{name}> belongs to {entry.values} alone")
        for home in homes:
            if home not in used:
                yield Finding("rooms.txt", entry.line, "libraries", f"{home} does not include <{entry.words[0]}>")


RULES = {"rooms": check_directions, "doors": check_doors, "libraries": check_libraries}
