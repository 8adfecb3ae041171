#!/usr/bin/python3
"""Makes the C side of the store's statements, tables and schema steps.

    sql.py build OUT.h OUT.c FILE...     FILE: src/store/sql/*.sql, src/store/tables.def, and the C files that use them
    sql.py show NAME...                  prints statements as the databases get them, to paste into sqlite3 or psql

A paper is src/store/sql/NOUN.DIALECT.sql. It is made of pieces, each of which begins with one of these lines:

    -- name: event_due (now instant, most int) -> event      a statement; SQL_EVENT_DUE in C
    -- fragment: event_columns        a text that others refer to as {event_columns}; T.open as {d.open} or {open}
    -- row: event (seq int, ...)      columns that several statements give
    -- step: 1                        a step of the schema
    -- script: adoption               a text that C runs as it is

A long first line goes on in lines that begin with four more spaces. Comments follow, and among them may stand

    -- only here: WHY                 needed where the other dialect has no such statement
    -- each: moved whole, stamped     the statement is made for each such table of tables.def; also `verified`: with rules

Kinds: int, text, id, instant. Behind the arrow stand columns with their kinds, names of rows or of tables, or
`changed`: a row for each input that changed something. {p} in PostgreSQL's dialect stands for all rows of parameters, as
a table p(p1, p2, ... n) whose n counts from 1; then the first column of the result is n.
"""
import glob
import os
import re
import sys

KINDS = {"int": "i", "text": "t", "id": "b", "instant": "w"}
ARRAYS = {"i": "int8[]", "t": "text[]", "b": "uuid[]", "w": "timestamptz[]"}
DIALECTS = ("sqlite", "postgres")
PIECE = re.compile(r"-- (name|fragment|row|step|script): (.*)")
NOTE = re.compile(r"-- (only here|each): (.*)")
SIGNATURE = re.compile(r"([a-z0-9_{}]+) \((.*?)\)(?: -> (.+))?")
TOKEN = re.compile(r"'(?:[^'\n]|'')*'|\"[^\"\n]*\"|--[^\n]*|\s+|[^'\"\s-]+|.")
REFERENCE = re.compile(r"\{(?:(\w+)\.)?(\w+)\}")
EACH = ("moved", "moved by one", "moved by pair", "moved whole", "stamped", "verified")


class Refusal(Exception):
    """What is wrong, and where: FILE:LINE: SENTENCE."""


def refuse(place, sentence):
    raise Refusal(f"{place}: {sentence}")


class Piece:
    def __init__(self, place, dialect, what, head):
        self.place, self.dialect, self.what, self.head = place, dialect, what, head
        self.notes, self.lines, self.used = {}, [], False


class Table:
    """A row of tables.def."""

    def __init__(self, place, name, only_postgres):
        self.place, self.name, self.only_postgres = place, name, only_postgres
        self.columns, self.postgres, self.verified = [], [], []
        self.kind, self.key, self.stamp, self.retired = None, [], "", None

    def is_each(self, what):
        if what == "stamped":
            return bool(self.stamp)
        if what == "verified":
            return bool(self.verified)
        return bool(self.kind) if what == "moved" else what == f"moved {self.kind}"

    def words(self):
        """What a statement that is made for each table may refer to."""
        return {
            "table": self.name, "key": ", ".join(self.key), "first": self.key[0], "stamp": self.stamp,
            "columns": ", ".join(name for name, _ in self.columns),
            "values": ", ".join(f"p{n}" for n in range(1, len(self.columns) + 1)),
        }


class Statement:
    def __init__(self, name, place):
        self.name, self.place = name, place
        self.signature, self.params, self.results, self.batched = "", "", "", False
        self.texts, self.reasons = {}, {}


# reading


def read_pieces(path):
    dialect = path.split(".")[-2]
    if dialect not in DIALECTS:
        refuse(f"{path}:1", "the file's name does not say a dialect")
    pieces = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line, place = line.rstrip("\n"), f"{path}:{number}"
            begins, note = PIECE.fullmatch(line), NOTE.fullmatch(line)
            if begins:
                pieces.append(Piece(place, dialect, *begins.groups()))
            elif pieces and not pieces[-1].lines and line.startswith("--     "):
                pieces[-1].head += " " + line[2:].strip()
            elif pieces and note:
                pieces[-1].notes[note[1]] = note[2]
            elif pieces and (pieces[-1].lines or not line.startswith("--")) and line.strip():
                pieces[-1].lines.append(line)
            elif not pieces and line and not line.startswith("--"):
                refuse(place, "SQL that belongs to no statement")
    return pieces


def read_columns(place, text):
    columns = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, kind = part.partition(" ")
        if kind not in KINDS:
            refuse(place, f"'{part}' is no name with a kind, which is one of {', '.join(KINDS)}")
        columns.append((name, KINDS[kind]))
    return columns


def read_stamp(place, text):
    figures = []
    for part in (part.strip() for part in text.split(",")):
        if part != "count" and not re.fullmatch(r"(max|sum) \w+", part):
            refuse(place, f"'{part}' is no figure: count, max COLUMN, sum COLUMN")
        word, _, column = part.partition(" ")
        figures.append(f"coalesce({word}({column}), 0)" if column else "count(*)")
    return " || '/' || ".join(figures) if len(figures) > 1 else figures[0] + " || ''"


def set_field(table, place, field, text):
    if field in ("columns", "postgres"):
        setattr(table, field, read_columns(place, text))
    elif field == "moved":
        way, _, key = text.partition("by ")
        table.key = key.split(", ")
        table.kind = "whole" if way == "whole " else "by pair" if len(table.key) == 2 else "by one"
        unknown = set(table.key) - {name for name, _ in table.columns}
        if unknown or way not in ("", "whole "):
            refuse(place, f"'{text}' is no way to move: by COLUMN[, COLUMN], whole by COLUMN[, COLUMN]")
    elif field == "stamp":
        table.stamp = read_stamp(place, text)
    elif field == "retired":
        table.retired = text
    elif field == "verified":
        match = re.fullmatch(r'(\w+) "(.+)" (\w+)', text)
        if not match:
            refuse(place, 'verified is STATEMENT "RULE" SUBJECT')
        table.verified.append(match.groups())
    else:
        refuse(place, f"a table has no '{field}'")


def read_tables(path):
    tables, fields = [], []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line, place = line.rstrip(), f"{path}:{number}"
            head, field = re.fullmatch(r"table (\w+)( only postgres)?", line), re.fullmatch(r"    (\w+) +(.*)", line)
            if head:
                tables.append(Table(place, head[1], bool(head[2])))
            elif tables and field:
                fields.append([tables[-1], place, field[1], field[2]])
            elif fields and line.startswith("     "):
                fields[-1][3] += " " + line.strip()
            elif line and not line.startswith("#"):
                refuse(place, f"'{line}' is no row of a table")
    for field in fields:
        set_field(*field)
    for table in tables:
        if not table.columns:
            refuse(table.place, f"{table.name} has no columns")
        if table.verified and not table.key:
            refuse(table.place, f"{table.name} is verified by its key, and `moved` says none")
    return tables


# texts


def collapse(place, lines):
    """One line: without comments, and with one space wherever there is some."""
    text = ""
    for token in TOKEN.findall("\n".join(lines)):
        if token in ("'", '"'):
            refuse(place, "a text in quotes does not end in its line")
        text += " " if token.isspace() or token.startswith("--") else token
    return squeeze(text).removesuffix(";").strip()


def squeeze(text):
    parts = re.split(r"('(?:[^']|'')*')", text)
    parts[::2] = [re.sub(r" (?=\))|(?<=\() ", "", re.sub(r"\s+", " ", part)) for part in parts[::2]]
    return "".join(parts)


class Papers:
    """All pieces of all files, and what is made of them."""

    def __init__(self, files):
        self.tables = [table for path in files if path.endswith(".def") for table in read_tables(path)]
        self.pieces = [piece for path in files if path.endswith(".sql") for piece in read_pieces(path)]
        self.fragments = {dialect: {} for dialect in DIALECTS}
        self.rows = {table.name: table.columns for table in self.tables}
        self.shared_rows, self.statements = {}, {}
        for piece in self.pieces:
            self.add_words(piece)
        for piece in self.pieces:
            if piece.what == "name":
                self.add_statements(piece)
        self.check()

    def add_words(self, piece):
        if piece.what == "fragment":
            name = piece.head.removeprefix("T.")
            if name in self.fragments[piece.dialect]:
                refuse(piece.place, f"there is a fragment '{name}' already")
            self.fragments[piece.dialect][name] = piece
        elif piece.what == "row":
            name, columns = re.fullmatch(r"(\w+) \((.*)\)", piece.head).groups()
            columns = read_columns(piece.place, columns)
            if self.shared_rows.setdefault(name, columns) != columns:
                refuse(piece.place, f"the row '{name}' has other columns in the other dialect")
            self.rows[name] = columns

    def expand(self, piece, text, words, depth=0):
        def put(match):
            alias, name = match.groups()
            if name in words and not alias:
                return words[name]
            found = self.fragments[piece.dialect].get(name)
            if not found or depth > 9:
                refuse(piece.place, f"there is no fragment '{name}'")
            found.used = True
            body = re.sub(r"\bT\.", f"{alias}." if alias else "", collapse(found.place, found.lines))
            if piece.what in ("step", "script", "fragment") and found.lines[-1].endswith(";"):
                body += ";"
            return self.expand(found, body, words, depth + 1)
        return REFERENCE.sub(put, text)

    def letters(self, piece, text):
        """The kinds of a list of columns, rows and tables."""
        letters = ""
        for part in filter(None, (part.strip() for part in text.split(","))):
            columns = self.rows.get(part)
            letters += "".join(kind for _, kind in (columns or read_columns(piece.place, part)))
        return letters

    def add_statements(self, piece):
        if "each" not in piece.notes:
            self.add_statement(piece, {})
            return
        means = piece.notes["each"].split(", ")
        for what in means:
            if what not in EACH:
                refuse(piece.place, f"no table is '{what}': {', '.join(EACH)}")
        for table in self.tables:
            name = piece.head.split(" ")[0].replace("{table}", table.name)
            written_out = name in self.statements and piece.dialect in self.statements[name].texts
            if any(table.is_each(what) for what in means) and not written_out:
                self.add_statement(piece, table.words())

    def add_statement(self, piece, words):
        match = SIGNATURE.fullmatch(piece.head)
        if not match:
            refuse(piece.place, f"'{piece.head}' is not NAME (PARAMETERS) -> RESULTS")
        head = REFERENCE.sub(lambda it: words.get(it[2], it[0]), piece.head)
        name, params, results = SIGNATURE.fullmatch(head).groups()
        statement = self.statements.setdefault(name, Statement(name, piece.place))
        if piece.dialect in statement.texts:
            refuse(piece.place, f"there is a statement '{name}' already")
        if statement.texts and statement.signature != head:
            refuse(piece.place, f"'{name}' has other parameters or results in {statement.place}")
        if not piece.lines or not piece.lines[-1].endswith(";"):
            refuse(piece.place, f"'{name}' does not end in a line that ends with a semicolon")
        statement.signature = head
        statement.params = self.letters(piece, params)
        statement.results = "+" if results == "changed" else self.letters(piece, results or "")
        statement.reasons[piece.dialect] = piece.notes.get("only here")
        self.add_text(statement, piece, words)

    def add_text(self, statement, piece, words):
        text = self.expand(piece, collapse(piece.place, piece.lines), {**words, "p": "{p}"})
        statement.batched = statement.batched or "{p}" in text
        mark = r"\?" if piece.dialect == "sqlite" else r"(?<![\w.])p" if "{p}" in text else r"\$"
        highest = max(map(int, re.findall(mark + r"(\d+)\b", text)), default=0)
        count = len(statement.params)
        if highest > count or (highest < count and piece.notes.get("each") is None):
            refuse(piece.place, f"'{statement.name}' has {count} parameters and uses {highest}")
        if piece.dialect == "sqlite" and highest != count:
            refuse(piece.place, f"'{statement.name}' does not use its last parameter")
        if "{p}" in text and piece.dialect == "sqlite":
            refuse(piece.place, "{p} is PostgreSQL's: SQLite runs a statement once for each row")
        arrays = ", ".join(f"${n}::{ARRAYS[kind]}" for n, kind in enumerate(statement.params, 1))
        names = "".join(f"p{n}, " for n in range(1, count + 1))
        statement.texts[piece.dialect] = text.replace("{p}", f"unnest({arrays}) WITH ORDINALITY AS p({names}n)")

    def script(self, piece):
        return squeeze(self.expand(piece, collapse(piece.place, piece.lines), {})).rstrip("; ") + ";"

    def steps(self, dialect):
        steps = [piece for piece in self.pieces if (piece.what, piece.dialect) == ("step", dialect)]
        for number, piece in enumerate(steps, 1):
            if piece.head != str(number):
                refuse(piece.place, f"this is step {number}")
        return steps

    def check(self):
        for statement in self.statements.values():
            for dialect, reason in statement.reasons.items():
                alone = len(statement.texts) == 1
                if alone and not reason:
                    refuse(statement.place, f"'{statement.name}' is in {dialect} alone and does not say `only here`")
                if reason and not alone:
                    refuse(statement.place, f"'{statement.name}' says `only here` and is in both dialects")
        for table in self.tables:
            named = [rule[0] for rule in table.verified] + ([table.retired] if table.retired else [])
            for name in named:
                if name not in self.statements:
                    refuse(table.place, f"there is no statement '{name}'")

    def check_use(self, c_files):
        used = set()
        for path in c_files:
            with open(path, encoding="utf-8") as file:
                used.update(name.lower() for name in re.findall(r"\bSQL_([A-Z0-9_]+)\b", file.read()))
        for table in self.tables:
            used.update(rule[0] for rule in table.verified)
            used.update([table.retired, *(f"move_{part}_{table.name}" for part in MOVE_PARTS)])
            used.update(f"verify_{part}_{table.name}" for part in VERIFY_PARTS)
        for statement in self.statements.values():
            if statement.name not in used:
                refuse(statement.place, f"nobody uses the statement '{statement.name}'")
        for piece in self.pieces:
            if piece.what == "fragment" and not piece.used:
                refuse(piece.place, f"nobody uses the fragment '{piece.head}'")


# writing

MOVE_PARTS = ("read", "write", "count", "last", "sequence", "stamp", "analyze")
VERIFY_PARTS = ("window", "end", "rows")
REACH = {None: "MOVED_NOT", "by one": "MOVED_BY_ONE", "by pair": "MOVED_BY_PAIR", "whole": "MOVED_WHOLE"}


def c_text(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def write_header(papers):
    names = "".join(f"    SQL_{name.upper()},\n" for name in papers.statements)
    rows = "".join(f"    ROW_{name.upper()}_COLUMNS = {len(columns)},\n" for name, columns in papers.shared_rows.items())
    steps = "".join(f"    SCHEMA_{dialect.upper()}_STEPS = {len(papers.steps(dialect))},\n" for dialect in DIALECTS)
    return (f"/* Written by tools/sql.py. */\n#ifndef SQL_STATEMENTS_H\n#define SQL_STATEMENTS_H\n\n"
            f"enum sql_statement {{\n{names}    SQL_STATEMENT_COUNT\n}};\n\nenum {{\n{rows}"
            f"    TABLE_COUNT = {len(papers.tables)},\n    TABLE_RULE_COUNT = "
            f"{sum(len(table.verified) for table in papers.tables)},\n{steps}}};\n\n#endif\n")


def write_statement(statement):
    texts = ",\n     ".join(c_text(statement.texts.get(dialect, "")) for dialect in DIALECTS)
    return (f"    [SQL_{statement.name.upper()}] = {{{c_text(statement.name)}, {c_text(statement.params)}, "
            f"{c_text(statement.results)},\n     {texts},\n     {str(statement.batched).lower()}}},\n")


def write_table(papers, table, first_rule):
    def number(name):
        return f"SQL_{name.upper()}" if name in papers.statements else "SQL_NONE"
    columns = table.columns + table.postgres
    checks = "".join(f"     .verify_{part} = {number(f'verify_{part}_{table.name}')},\n" for part in VERIFY_PARTS)
    moves = "".join(f"     .{part} = {number(f'move_{part}_{table.name}')},\n" for part in MOVE_PARTS)
    return (f"    {{.name = {c_text(table.name)},\n"
            f"     .columns = {c_text(' '.join(name for name, _ in columns))},\n"
            f"     .kinds = {c_text(''.join(kind for _, kind in columns))},\n"
            f"     .embedded_count = {0 if table.only_postgres else len(table.columns)},\n"
            f"     .moved = {REACH[table.kind]},\n{moves}{checks}"
            f"     .rules = &table_rules[{first_rule if table.verified else 0}],\n"
            f"     .rule_count = {len(table.verified)},\n     .retire = {number(table.retired or '')}}},\n")


def write_scripts(papers):
    text = ""
    for dialect in DIALECTS:
        rows = "".join(f"    {c_text(papers.script(piece))},\n" for piece in papers.steps(dialect))
        text += f"const char *const schema_{dialect}_steps[SCHEMA_{dialect.upper()}_STEPS] = {{\n{rows}}};\n"
    for piece in papers.pieces:
        if piece.what == "script":
            text += f"const char schema_{piece.dialect}_{piece.head}[] =\n    {c_text(papers.script(piece))};\n"
    return text


def write_source(papers):
    statements = "".join(map(write_statement, papers.statements.values()))
    counts = [len(table.verified) for table in papers.tables]
    tables = "".join(write_table(papers, table, sum(counts[:at])) for at, table in enumerate(papers.tables))
    rules = "".join(f"    {{SQL_{name.upper()}, {c_text(rule)}, {c_text(subject)}}},\n"
                    for table in papers.tables for name, rule, subject in table.verified)
    return ('/* Written by tools/sql.py. */\n#include "store/migrate.h"\n#include "store/table.h"\n\n'
            f"const struct sql_text sql_texts[SQL_STATEMENT_COUNT] = {{\n{statements}}};\n\n"
            f"const struct table tables[TABLE_COUNT] = {{\n{tables}}};\n\n"
            f"const struct table_rule table_rules[TABLE_RULE_COUNT] = {{\n{rules}}};\n\n{write_scripts(papers)}")


def put(path, text):
    """Only a text that changed makes anything be built again."""
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            if file.read() == text:
                return
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def build(header, source, *files):
    papers = Papers([path for path in files if path.endswith((".sql", ".def"))])
    text = write_source(papers)  # marks the fragments that steps use
    papers.check_use([path for path in files if path.endswith((".c", ".h"))])
    put(header, write_header(papers))
    put(source, text)


def show(*names):
    store = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "src", "store")
    papers = Papers([*sorted(glob.glob(f"{store}/sql/*.sql")), f"{store}/tables.def"])
    for name in names:
        if name not in papers.statements:
            raise Refusal(f"there is no statement '{name}'")
        for dialect, text in papers.statements[name].texts.items():
            print(f"-- {papers.statements[name].signature}, {dialect}\n{text};")


if __name__ == "__main__":
    try:
        {"build": build, "show": show}[sys.argv[1]](*sys.argv[2:])
    except Refusal as refusal:
        sys.exit(str(refusal))
