"""What the project's texts may not say, and what they must not promise in vain."""
import re

from tree import Finding

# Written so that no pattern matches its own line.
BANNED = [
    (re.compile(r"\b(TO[D]O|FIX[M]E|X[X]X|HA[C]K)\b"), "finish it, or leave it out"),
    (re.compile(r"\bfor n[o]w\b", re.IGNORECASE), "finish it, or leave it out"),
    (re.compile(r"(?<![\w.])/(wor[k]|roo[t]|home/\w+)/"), "an absolute path of one machine"),
    (re.compile(r"\b(issu[e]|ticke[t]|pull reques[t])s? #?\d+", re.IGNORECASE), "the text must stand without a tracker"),
    (re.compile(r"\b(registry\.npmj[s]|pyp[i]\.org|pythonhoste[d]|proxy\.golan[g]|crate[s]\.io|docke[r]\.io|rubygem[s]\.org)"),
     "a registry's host name"),
]
NOT_OURS = ("LICENSE", "fuzz/corpus/")
LARGEST = 1 << 20  # bytes; what is larger is data

FORMATTED = re.compile(r"\b(?:str_fmt|buf_fmt|a?v?s?n?printf)\s*\(([^;]*);")
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')
SQL = re.compile(r"\b(SELECT\b.*\bFROM|INSERT (OR \w+ )?INTO|UPDATE \w+ SET|DELETE FROM|"
                 r"(CREATE|DROP|ALTER) (TABLE|(UNIQUE )?INDEX|TRIGGER|VIEW))\b")
SUPPRESSION = re.compile(r"cppcheck-suppress\s+\S+(.*)")
HOPS = "src/observe/hops.def"
HOP = re.compile(r'^X\(\w+, "([^"]+)"\)', re.MULTILINE)
ROW = re.compile(r"^\| \d+ \| `([^`]+)` \|")
WALKED = re.compile(r"`([a-z][a-z0-9]*(?:_[a-z0-9]+)+|transport\.\w+|clock\.\w+|inlet\.\w+)(?:\(\))?`")


def check_words(tree):
    for path in tree.files:
        if path.startswith(NOT_OURS) or (tree.root / path).stat().st_size > LARGEST:
            continue
        for number, line in enumerate(tree.lines(path), 1):
            for pattern, reason in BANNED:
                if match := pattern.search(line):
                    yield Finding(path, number, "words", f"'{match.group(0)}': {reason}")


def check_sql(tree):
    for path in tree.c_files:
        text = tree.text(path)
        for call in FORMATTED.finditer(text):
            if SQL.search("".join(LITERAL.findall(call.group(1)))):
                yield Finding(path, text.count("\n", 0, call.start()) + 1, "sql", "SQL is never formatted: bind parameters")


def check_suppressions(tree):
    for path in tree.c_files:
        for number, line in enumerate(tree.lines(path), 1):
            if (match := SUPPRESSION.search(line)) and not re.search(r"\w{3}", match.group(1)):
                yield Finding(path, number, "suppressions", "say why, after the id")


def check_walk(tree):
    """Each function that WALK.md names exists, and so does each call of a seam."""
    known = {function.name for path in tree.c_files if path.startswith("src/") for function in tree.functions(path)}
    world = tree.text("src/world.h") if "src/world.h" in tree.files else ""
    for number, line in enumerate(tree.lines("WALK.md") if "WALK.md" in tree.files else [], 1):
        for name in WALKED.findall(line):
            seam = name.partition(".")[2]
            if name not in known and not (seam and f"(*{seam})" in world):
                yield Finding("WALK.md", number, "walk", f"there is no '{name}'")


def check_hops(tree):
    """WALK.md's table has the hops of hops.def, in their order."""
    if HOPS not in tree.file_set:
        return
    hops = HOP.findall(tree.text(HOPS))
    rows = [(number, match.group(1)) for number, line in enumerate(tree.lines("WALK.md"), 1) if (match := ROW.match(line))]
    for i, (number, name) in enumerate(rows):
        if i >= len(hops) or name != hops[i]:
            yield Finding("WALK.md", number, "hops", f"hop {i + 1} is '{hops[i] if i < len(hops) else ''}' in {HOPS}")
    if len(rows) < len(hops):
        yield Finding("WALK.md", 1, "hops", f"'{hops[len(rows)]}' of {HOPS} is not walked")


RULES = {"words": check_words, "sql": check_sql, "suppressions": check_suppressions, "walk": check_walk,
         "hops": check_hops}
