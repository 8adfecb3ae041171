"""The linter bites: a small clean house, and one wrong thing at a time in it."""
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys

import pytest

LINT = pathlib.Path(__file__).resolve().parents[2] / "tools/lint"
STYLE = LINT.parents[1] / ".clang-format"

ROOMS = """room base pure:
room ingest pure: base
room route pure: base
room store: base world
room world: base
room top: *
library jq.h: src/base/jq.c
except own-headers src/loop.c: the turn is where every room meets
except calls src/base/hash.c getrandom: keys come from here
except short src/: samples, none of which does much
"""
ADD_H = "#ifndef BASE_ADD_H\n#define BASE_ADD_H\n\nint add(int a, int b);\n\n#endif\n"
ADD_C = '#include "base/add.h"\n\nint add(int a, int b) {\n    return a + b;\n}\n'
LOOP_C = '#include "base/add.h"\n' + "".join(f'#include "base/h{n}.h"\n' for n in range(8))
HASH_C = "#include <sys/random.h>\n\nlong hash_seed(void *to) {\n    return getrandom(to, 8, 0);\n}\n"
HOPS = '/* in order */\nX(ADD, "add")\nX(TRANSPORT_START, "transport.start")\n'
CLEAN = {
    "rooms.txt": ROOMS,
    "WALK.md": "`add` is called, then `transport.start`.\n\n| | hop |\n| --- | --- |\n| 1 | `add` |\n"
               "| 2 | `transport.start` |\n",
    "dev": '#!/usr/bin/env bash\necho "$1"\n',
    "src/world.h": "struct transport {\n    int (*start)(int tag);\n};\n",
    "src/loop.c": LOOP_C,
    "src/main.c": "int stopped;\n\nint add(int a, int b);\nlong hash_seed(void *to);\n\nint main(void) {\n"
                  "    return add(stopped, (int)hash_seed(&stopped));\n}\n",
    "src/observe/hops.def": HOPS,
    "src/base/add.h": ADD_H,
    "src/base/add.c": ADD_C,
    "src/base/hash.c": HASH_C,
    "src/base/jq.c": "#include <jq.h>\n",
    **{f"src/base/h{n}.h": "" for n in range(9)},
}


class House:
    """A checkout of its own in a temporary folder."""

    def __init__(self, root, objects):
        self.root, self.objects = root, objects
        for path, text in CLEAN.items():
            self.write(path, text)
        (root / ".clang-format").write_text(STYLE.read_text())

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def compile(self):
        """What ./dev build leaves: objects and the list of how they were made."""
        build, commands = self.root / "build", []
        build.mkdir(exist_ok=True)
        for source in sorted(self.root.glob("src/**/*.c")):
            path = str(source.relative_to(self.root))
            name = hashlib.sha256((path + source.read_text()).encode()).hexdigest() + ".o"
            if not (self.objects / name).exists():
                subprocess.run(["gcc", "-O2", "-D_GNU_SOURCE", "-fPIC", "-Isrc", "-c", path, "-o", self.objects / name],
                               cwd=self.root, check=True)
            shutil.copy(self.objects / name, build / name)
            commands.append({"directory": str(build), "file": f"../{path}", "output": name})
        (build / "compile_commands.json").write_text(json.dumps(commands))

    def lint(self, *rules):
        self.compile()
        result = subprocess.run([sys.executable, LINT, "--root", self.root, *rules], capture_output=True, text=True)
        return result.returncode, result.stdout + result.stderr


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    """Objects by what they were made from, so that each file is compiled once."""
    return tmp_path_factory.mktemp("objects")


@pytest.fixture
def house(tmp_path, objects):
    return House(tmp_path, objects)


def test_a_clean_house_is_clean(house):
    assert house.lint() == (0, "lint: clean\n")


def long_function(lines):
    return "int f(int x);\n\nint f(int x) {\n" + "    x++;\n" * (lines - 3) + "    return x;\n}\n"


def includes(*names):
    return "".join(f'#include "{name}"\n' for name in names)


# A file, its text, and the finding it must give.
WRONG = {
    "long file": ("src/base/a.c", "\n" * 501, "src/base/a.c:501: file-length: 501 lines, at most 500"),
    "long header": ("src/base/a.h", "\n" * 121, "src/base/a.h:121: file-length: 121 lines, at most 120"),
    "long function": ("src/base/a.c", long_function(61), "src/base/a.c:3: function-length: f has 61 lines, at most 60"),
    "many headers": ("src/store/a.c", includes(*[f"base/h{n}.h" for n in range(9)]),
                     "src/store/a.c:9: own-headers: includes 9 of our headers, at most 8"),
    "typedef": ("src/base/a.h", "typedef struct a a;\n", "src/base/a.h:1: typedef:"),
    "ifdef": ("src/base/a.c", "int f(void);\n\nint f(void) {\n#ifdef A\n    return 2;\n#endif\n    return 1;\n}\n",
              "src/base/a.c:4: ifdef:"),
    "sideways include": ("src/route/a.c", includes("ingest/b.h"), 'src/route/a.c:1: rooms: route must not include ingest'),
    "upward include": ("src/base/a.c", includes("store/b.h"), "src/base/a.c:1: rooms: base must not include store"),
    "include that is nowhere": ("src/base/a.h", includes("nothing.h"), "src/base/a.h:1: rooms:"),
    "unknown room": ("src/attic/a.c", "", "src/attic/a.c:1: rooms: the room 'attic' is not in rooms.txt"),
    "second user of a library": ("src/store/a.c", "#include <jq.h>\n", "src/store/a.c:1: libraries: <jq.h>"),
    "initialised global": ("src/store/a.c", "\nint a_count = 1;\n", "src/store/a.c:2: globals: 'a_count'"),
    "global of zeros": ("src/store/a.c", "\nint a_count;\n", "src/store/a.c:2: globals: 'a_count'"),
    "static in a function": ("src/store/a.c", "int f(void);\n\nint f(void) {\n    static int count;\n    return count++;\n}\n",
                             "src/store/a.c:4: globals: 'count'"),
    "thread's global": ("src/store/a.c", "\n__thread int a_count;\n", "src/store/a.c:2: globals: 'a_count'"),
    "clock": ("src/route/a.c", "#include <time.h>\n\nlong f(void);\n\nlong f(void) {\n    return time(0);\n}\n",
              "src/route/a.c:6: calls: 'route' is pure and must not call time (clock)"),
    "environment": ("src/base/a.c", '#include <stdlib.h>\n\nchar *f(void) {\n    return getenv("A");\n}\n',
                    "src/base/a.c:4: calls: 'base' is pure and must not call getenv (environment)"),
    "output": ("src/ingest/a.c", '#include <stdio.h>\n\nvoid f(int x) {\n    printf("%d", x);\n}\n',
               "src/ingest/a.c:4: calls: 'ingest' is pure and must not call printf (output)"),
    "randomness": ("src/base/a.c", "#include <sys/random.h>\n\nlong f(void *to) {\n    return getrandom(to, 1, 0);\n}\n",
                   "src/base/a.c:4: calls: 'base' is pure and must not call getrandom (randomness)"),
    "no bound": ("src/store/a.c", '#include <stdio.h>\n\nvoid f(char *to, int x) {\n    sprintf(to, "%d", x);\n}\n',
                 "src/store/a.c:4: calls: sprintf has no bound"),
    "formatted SQL": ("src/store/a.c", 'int str_fmt(const char *f, ...);\n\nint f(int x) {\n'
                                       '    return str_fmt("DELETE "\n                   "FROM t WHERE id = %d", x);\n}\n',
                      "src/store/a.c:4: sql:"),
    "unfinished": ("docs/a.md", "\nTO" "DO: more\n", "docs/a.md:2: words: 'TO" "DO'"),
    "machine's path": ("docs/a.md", "see /wor" "k/main\n", "docs/a.md:1: words:"),
    "tracker": ("docs/a.md", "fixes iss" "ue #7\n", "docs/a.md:1: words:"),
    "registry": ("docs/a.md", "from py" "pi.org\n", "docs/a.md:1: words:"),
    "suppression": ("src/store/a.c", "/* cppcheck-suppress nullPointer */\n", "src/store/a.c:1: suppressions:"),
    "walk": ("WALK.md", "\n`add_more` is called\n", "WALK.md:2: walk: there is no 'add_more'"),
    "walk's seam": ("WALK.md", "`transport.finish`\n", "WALK.md:1: walk: there is no 'transport.finish'"),
    "hop that is not walked": ("src/observe/hops.def", HOPS + 'X(SETTLE, "settle")\n',
                               "WALK.md:1: hops: 'settle' of src/observe/hops.def is not walked"),
    "hop under another name": ("src/observe/hops.def", HOPS.replace('"add"', '"sum"'),
                               "WALK.md:5: hops: hop 1 is 'sum' in src/observe/hops.def"),
    "private header": ("src/store/a.c", includes("base/h8.h"), 'src/store/a.c:1: doors: "base/h8.h" is private to base',
                       "doors base: add.h h0.h h1.h h2.h h3.h h4.h h5.h h6.h h7.h\n"),
    "door that nobody goes through": ("src/store/a.c", "", "rooms.txt:11: doors: nobody outside includes store/b.h",
                                      "doors store: b.h\n"),
    "other header than the one allowed": ("src/share/a.c", includes("base/h8.h", "base/add.h"),
                                          'src/share/a.c:2: rooms: share must not include base ("base/add.h")',
                                          "room share: base/h8.h\n"),
    "two things of one name": ("src/store/a.c", "struct sum {\n    int n;\n};\n",
                               "src/store/a.c:1: tags: 'sum' is also in src/base/sum.h:1"),
    "function for nobody": ("src/store/a.c", "int f(void);\n\nint f(void) {\n    return 1;\n}\n",
                            "src/store/a.c:3: dead: 'f' is called by nobody"),
    "function for its own file": ("src/store/a.c", "int f(int n);\n\nint f(int n) {\n    return n ? f(n - 1) : 1;\n}\n",
                                  "src/store/a.c:3: dead: 'f' is called by this file alone: make it static"),
    "function for tests": ("src/store/a.c", "int f_tested(void);\n\nint f_tested(void) {\n    return 1;\n}\n",
                           "src/store/a.c:3: dead: 'f_tested' is called by tests alone"),
    "headers behind headers": ("src/base/a.c", includes("base/deep0.h"), "src/base/a.c:1: all-headers: 31 of our headers"),
    "format": ("src/store/a.c", "int   a(void);\n", "src/store/a.c:1: format:"),
    "cppcheck": ("src/store/a.c", "int f(void);\n\nint f(void) {\n    const int *p = 0;\n    return *p;\n}\n",
                 "src/store/a.c:5: cppcheck: Null pointer dereference"),
    "shellcheck": ("dev", "#!/usr/bin/env bash\necho $1\n", "dev:2: shellcheck:"),
    "useless exception": ("rooms.txt", ROOMS + "except calls src/base/add.c time: it was needed once\n",
                          "rooms.txt:11: exceptions: nothing needs this: calls src/base/add.c time"),
    "exception without a reason": ("rooms.txt", ROOMS.replace(": keys come from here", ":"),
                                   "rooms.txt:9: exceptions: an exception needs a reason"),
    "useless library": ("rooms.txt", ROOMS + "library curl/: src/base/add.c\n", "rooms.txt:11: libraries:"),
    "unreadable line": ("rooms.txt", ROOMS + "rooms base\n", "rooms.txt:11: rooms: not a room"),
}


@pytest.mark.parametrize("path, text, finding, rooms", [(*wrong, "")[:4] for wrong in WRONG.values()], ids=WRONG.keys())
def test_what_is_wrong_is_found(house, path, text, finding, rooms):
    house.write("src/ingest/b.h", "")
    house.write("src/store/b.h", "")
    house.write("src/base/sum.h", "struct sum {\n    int n;\n};\n")
    house.write("test/unit/test_a.c", "int f_tested(void);\n\nint main(void) {\n    return f_tested();\n}\n")
    for n in range(31):
        house.write(f"src/base/deep{n}.h", includes(f"base/deep{n + 1}.h") if n < 30 else "")
    if rooms:
        house.write("rooms.txt", ROOMS + rooms)
    house.write(path, text)
    code, output = house.lint()
    assert code == 1
    assert any(line.startswith(finding) for line in output.splitlines()), output
    assert output.splitlines()[-1].startswith("lint: ")


def test_a_source_without_an_object_is_found(house):
    house.compile()
    house.write("src/base/late.c", "")
    result = subprocess.run([sys.executable, LINT, "--root", house.root, "symbols"], capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stdout.startswith("src/base/late.c:1: symbols:")


def test_a_short_file_needs_a_reason(house):
    house.write("rooms.txt", ROOMS.replace("except short src/: samples, none of which does much\n", ""))
    code, output = house.lint("short")
    assert code == 1 and "src/base/add.c:1: short: 5 lines" in output, output


def test_what_its_own_file_and_a_test_call_is_a_door_for_the_test(house):
    house.write("src/store/a.c", "int f(int n);\n\nint f(int n) {\n    return n ? f(n - 1) : 1;\n}\n")
    house.write("test/unit/test_a.c", "int f(int n);\n\nint main(void) {\n    return f(1);\n}\n")
    assert house.lint("dead") == (0, "lint: clean\n")


def test_a_single_header_of_another_room_is_allowed(house):
    house.write("rooms.txt", ROOMS + "room share: base/h8.h\ndoors base: add.h h0.h h1.h h2.h h3.h h4.h h5.h h6.h h7.h\n")
    house.write("src/share/a.c", includes("base/h8.h"))
    assert house.lint("rooms", "doors") == (0, "lint: clean\n")


def test_a_name_for_a_function_type_is_allowed(house):
    house.write("src/base/a.h", "typedef struct a *a_maker(int x);\n")
    assert house.lint("layout") == (0, "lint: clean\n")


def test_bounds_themselves_are_allowed(house):
    house.write("src/base/a.c", long_function(60) + "\n" * (500 - 62))
    house.write("src/base/a.h", "\n" * 120)
    assert house.lint("lengths") == (0, "lint: clean\n")
