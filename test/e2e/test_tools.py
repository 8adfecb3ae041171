"""The tools of the house: counting cases, and embedding files."""
import os
import pathlib
import re
import signal
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import harness  # noqa: E402
import run_tests  # noqa: E402
from services import await_true  # noqa: E402

GREEN = "[==========] Running 2 test(s).\n[ RUN      ] a\n[       OK ] a\n[ RUN      ] b\n[       OK ] b\n"
RED = GREEN + "[ RUN      ] c\n1 != 2\n[  FAILED  ] c\n[  FAILED  ] 1 test(s), listed below:\n[  FAILED  ] c\n"
SKIP = "[ RUN      ] a\n[  SKIPPED ] a\n[ RUN      ] b\n[       OK ] b\n[  SKIPPED ] a\n"
CRASH = "[ RUN      ] a\n[       OK ] a\n[ RUN      ] b\n"

# Exit code, output -> passed, failed, skipped, what the report names.
CMOCKA = {
    "green": (0, GREEN, 2, 0, 0, None),
    "one fails": (1, RED, 2, 1, 0, "t: c"),
    "one skipped": (0, SKIP, 1, 0, 1, None),
    "abort in a case": (-6, CRASH, 1, 1, 0, "t: b: killed by SIGABRT"),
    "exit in a case": (0, CRASH, 1, 1, 0, "t: b: the program ended in it"),
    "hang in a case": (None, CRASH, 1, 1, 0, "t: b: stopped: it ran too long"),
    "leak at the end": (23, GREEN, 2, 1, 0, "t: exit code 23 after its last case"),
    "no case": (0, "", 0, 1, 0, "t: ran no case"),
    "crash before any case": (-11, "", 0, 1, 0, "t: killed by SIGSEGV after its last case"),
}
SUMMARY = {
    "green": (0, "seed 1 ok\n40 passed, 0 failed\n", 40, 0, None),
    "red": (1, "39 passed, 1 failed\n", 39, 1, "t"),
    "lies": (1, "40 passed, 0 failed\n", 40, 1, "t: exit code 1"),
    "no case": (0, "0 passed, 0 failed\n", 0, 1, "t: ran no case"),
    "crash": (-11, "seed 1 ok\n", 0, 1, "t: killed by SIGSEGV"),
}


@pytest.mark.parametrize("code, output, passed, failed, skipped, named", CMOCKA.values(), ids=CMOCKA.keys())
def test_cmocka_cases_are_counted(code, output, passed, failed, skipped, named):
    tally = run_tests.read_cmocka("t", code, output)
    assert (tally.passed, tally.failed, tally.skipped) == (passed, failed, skipped)
    assert [what for what, _ in tally.reports] == ([named] if named else [])


def test_a_failure_shows_its_own_output_only():
    assert run_tests.read_cmocka("t", 1, RED).reports == [("t: c", "[ RUN      ] c\n1 != 2")]


@pytest.mark.parametrize("code, output, passed, failed, named", SUMMARY.values(), ids=SUMMARY.keys())
def test_summaries_are_counted(code, output, passed, failed, named):
    tally = run_tests.read_summary("t", code, output)
    assert (tally.passed, tally.failed) == (passed, failed)
    assert [what for what, _ in tally.reports] == ([named] if named else [])


def test_a_program_that_hangs_is_stopped_with_its_children(tmp_path):
    code, output = run_tests.run(["sh", "-c", "echo began; sleep 1000 & wait"], 0.5, str(tmp_path))
    assert (code, output) == (None, "began\n")


LIST = """#include "base/assets.h"
#include <stdio.h>
int main(void) {
    for (size_t i = 0; i < builtin_connector_count; i++)
        printf("%s=%.*s;", builtin_connectors[i].name,
               (int)(builtin_connectors[i].end - builtin_connectors[i].start), builtin_connectors[i].start);
    for (size_t i = 0; i < builtin_asset_count; i++)
        printf("%s=%s;", builtin_assets[i].path, (const char *)builtin_assets[i].start);
    return 0;
}
"""
FILES = {"connectors/crm.yaml": "a: 1", "docs/openapi.json": "{}", "assets/completion/bash": ""}


@pytest.mark.parametrize("files, listed", [
    ({}, ""),
    (FILES, "crm=a: 1;openapi.json={};completion/bash=;"),
], ids=["nothing", "each kind"])
def test_embedded_files_come_back(tmp_path, files, listed):
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    (tmp_path / "list.c").write_text(LIST)
    made = ["embedded.c", "embedded.S"]
    subprocess.run([sys.executable, ROOT / "tools/embed.py", ".", *made, *files], cwd=tmp_path, check=True)
    subprocess.run(["gcc", "-Wall", "-Werror", f"-I{ROOT}/src", "list.c", *made, "-o", "list"], cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "list"], capture_output=True, text=True, check=True).stdout == listed


# ---- tools/sql.py

TABLES = "table facts\n    columns   seq int, at instant\n    moved     by seq\n"
GOOD = "-- name: fact_get (seq int) -> at instant\n-- Why.\nSELECT at FROM facts WHERE seq = {mark}1;\n"
# What is done to the papers, and what is said.
REFUSED = {
    "one dialect": ({"postgres": ""}, "fact.sqlite.sql:1: 'fact_get' is in sqlite alone and does not say `only here`"),
    "other parameters": ({"postgres": GOOD.replace("seq int", "seq text")},
                         "fact.postgres.sql:1: 'fact_get' has other parameters or results in "),
    "unknown kind": ({"sqlite": GOOD.replace("seq int", "seq number")},
                     "fact.sqlite.sql:1: 'seq number' is no name with a kind"),
    "too few parameters": ({"sqlite": GOOD.replace("{mark}1", "?2")},
                           "fact.sqlite.sql:1: 'fact_get' has 1 parameters and uses 2"),
    "no fragment": ({"sqlite": GOOD.replace("at FROM", "{ats} FROM")}, "fact.sqlite.sql:1: there is no fragment 'ats'"),
    "no end": ({"sqlite": GOOD.replace(";", "")}, "fact.sqlite.sql:1: 'fact_get' does not end in a line that ends"),
    "twice": ({"sqlite": GOOD + GOOD}, "fact.sqlite.sql:4: there is a statement 'fact_get' already"),
    "nobody": ({"c": "SQL_OTHER"}, "fact.sqlite.sql:1: nobody uses the statement 'fact_get'"),
    "no such rule": ({"tables": TABLES + "    retired   fact_gone\n"}, "tables.def:1: there is no statement 'fact_gone'"),
    "verified without a key": ({"tables": TABLES.replace("moved     by seq", 'verified  fact_get "I1" fact')},
                               "tables.def:1: facts is verified by its key, and `moved` says none"),
    "no such column": ({"tables": TABLES.replace("by seq", "by number")}, "tables.def:3: 'by number' is no way to move"),
}


def make_statements(folder, change):
    texts = {"sqlite": GOOD, "postgres": GOOD, "tables": TABLES, "c": "SQL_FACT_GET", **change}
    names = {"sqlite": "fact.sqlite.sql", "postgres": "fact.postgres.sql", "tables": "tables.def", "c": "fact.c"}
    for kind, name in names.items():
        (folder / name).write_text(texts[kind].replace("{mark}", "$" if kind == "postgres" else "?"))
    return subprocess.run([sys.executable, ROOT / "tools/sql.py", "build", "out.h", "out.c", *names.values()],
                          cwd=folder, capture_output=True, text=True, check=False)


def test_statements_are_made(tmp_path):
    assert make_statements(tmp_path, {}).returncode == 0
    assert "SQL_FACT_GET,\n" in (tmp_path / "out.h").read_text()
    assert '"fact_get", "i", "w"' in (tmp_path / "out.c").read_text()


def test_what_did_not_change_is_not_written_again(tmp_path):
    make_statements(tmp_path, {})
    before = (tmp_path / "out.h").stat().st_mtime_ns
    make_statements(tmp_path, {"sqlite": GOOD.replace("seq = ", "seq + 0 = ")})
    assert (tmp_path / "out.h").stat().st_mtime_ns == before
    assert "seq + 0 = ?1" in (tmp_path / "out.c").read_text()


def test_rows_of_parameters_become_arrays(tmp_path):
    batched = GOOD.replace("{mark}1", "p1").replace("FROM facts", "FROM facts, {p}")
    assert make_statements(tmp_path, {"postgres": batched}).returncode == 0
    assert "FROM facts, unnest($1::int8[]) WITH ORDINALITY AS p(p1, n) WHERE" in (tmp_path / "out.c").read_text()


@pytest.mark.parametrize("change, said", REFUSED.values(), ids=REFUSED.keys())
def test_papers_that_contradict_are_refused(tmp_path, change, said):
    result = make_statements(tmp_path, change)
    assert result.returncode == 1
    assert result.stderr.startswith(said)


@pytest.mark.parametrize("headings, version", [
    (["Not yet released", "0.1.0"], "0.1.0+dev"),
    (["0.2.0", "0.1.0"], "0.2.0"),
    (["0.2.0 - 2026-12-01", "0.1.0"], "0.2.0"),
    (["Not yet released"], None),
])
def test_the_version_is_that_of_the_changelog(tmp_path, headings, version):
    log = tmp_path / "CHANGELOG.md"
    log.write_text("# Changes\n\n" + "".join(f"## {heading}\n\n- A change.\n\n" for heading in headings))
    done = subprocess.run([ROOT / "tools/version.sh", log], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == ((0, version) if version else (1, ""))


def test_the_program_says_the_version_of_its_changelog(folder):
    stated = subprocess.run([ROOT / "tools/version.sh", ROOT / "CHANGELOG.md"], capture_output=True, text=True).stdout
    assert harness.command(folder, "version", "-o", "json").json["version"] == stated.strip()


REPORTS = {
    "address": "==7==ERROR: AddressSanitizer: heap-use-after-free on address 0x60",
    "leak": "==7==ERROR: LeakSanitizer: detected memory leaks",
    "undefined": "src/base/str.c:9:4: runtime error: signed integer overflow",
    "race": "WARNING: ThreadSanitizer: data race (pid=7)",
}


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_a_report_of_a_sanitizer_fails_whoever_reads_it(report):
    harness.check_sanitizers("drumbeat: listening\nE0301 runtime of a send\n")
    with pytest.raises(AssertionError, match="a sanitizer found something"):
        harness.check_sanitizers(f"drumbeat: listening\n{report}\n    #0 in str_cut\n")


def program(folder, *lines):
    path = folder / "reports"
    path.write_text("\n".join(["#!/bin/sh", *lines]) + "\n")
    path.chmod(0o755)
    return str(path)


def test_a_program_that_reports_and_ends_well_fails_its_test(tmp_path):
    binary = program(tmp_path, f"echo '{REPORTS['address']}' >&2", "exit 0")
    with pytest.raises(AssertionError, match="heap-use-after-free"):
        harness.command(tmp_path, "version", binary=binary)


def test_a_server_that_reports_fails_its_test(tmp_path):
    server = harness.Server(tmp_path, destinations={}, routes={})
    server.binary = program(tmp_path, f"echo '{REPORTS['race']}' >&2", "exit 0")
    with pytest.raises(AssertionError, match="data race"):
        server.launch().wait()


def test_a_seed_that_ends_its_process_fails_alone():
    """Another lane goes on, and the one that fell goes on behind the seed."""
    simulate = subprocess.Popen([ROOT / "build/simulate", "--seeds", "24"], stdout=subprocess.PIPE, text=True)
    children = pathlib.Path(f"/proc/{simulate.pid}/task/{simulate.pid}/children")
    await_true(lambda: children.read_text().split(), "a lane")
    os.kill(int(children.read_text().split()[0]), signal.SIGABRT)
    said, _ = simulate.communicate()
    assert simulate.returncode == 1
    assert re.search(r"^seed \d+: crashed \(Aborted\) +again: ./dev simulate \d+$", said, re.MULTILINE), said
    assert said.endswith("23 passed, 1 failed\n"), said
