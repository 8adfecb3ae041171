"""What docs/ tells a reader to do works as it is written there."""
import contextlib
import os
import re
import shutil
import subprocess
import urllib.parse

import pytest

from collector import Collector
from docs import Reader, says, steps
from harness import BINARY, ROOT, until
from services import free_port, sql

PAGES = sorted((ROOT / "docs").glob("*.md"))

TOLD = """Text.

`/etc/a.yaml`, which is short:
```yaml
a: 1
```
```console
$ one
> and its end
said …
$ two   # exit 3
```
```
$ no session
```
"""


def test_what_a_page_tells_is_read():
    file, one, two = steps(TOLD)
    assert (file.path, file.text) == ("/etc/a.yaml", "a: 1\n")
    assert (one.command, one.text, one.code) == ("one\nand its end", "said …\n", 0)
    assert (two.command, two.code) == ("two", 3)
    assert says("a\nsaid it\nb", "said …\nb") is None and says("b\na", "a\nb") == "b"


def test_a_page_that_is_wrong_is_found(folder):
    reader = Reader(folder)
    for page, words in (("$ true # exit 1\n", "not 1"), ("$ echo a\nb\n", "said nothing like 'b'")):
        with pytest.raises(AssertionError, match=words):
            reader.follow(f"```console\n{page}```\n")
    with pytest.raises(AssertionError, match="ended with 1"):
        reader.follow("`/etc/systemd/system/a.service`:\n```\n[Service]\nExecStartt=true\n```\n"
                      "```console\n$ systemctl start a\n```\n")


def ports(*numbers):
    return {str(number): str(free_port()) for number in numbers}


def test_the_units_and_the_pooler_of_scaling_start_as_written(folder, database, redis):
    folder.chmod(0o755)  # for the pooler's own user
    parts = urllib.parse.urlsplit(database)
    sql(database, "CREATE DATABASE marketing")
    try:
        page = (ROOT / "docs/scaling.md").read_text()
        there = {"host=db port=5432": f"host=127.0.0.1 port={parts.port}", "db:5432": f"127.0.0.1:{parts.port}",
                 "redis://cache:6379": redis.url, **ports(6432, 8120, 8121)}
        done = Reader(folder, there).follow(page)
        assert any("systemctl" in (step.command or "") for step in done)
    finally:
        sql(database, "DROP DATABASE marketing WITH (FORCE)")


def machine(folder):
    """What stands in a page for the whole machine, in a folder."""
    install = f"env DESTDIR={folder} {ROOT}/tools/install.sh {os.path.abspath(BINARY)}"
    return {"./dev install": install, "systemd-sysusers": f"systemd-sysusers --root={folder}",
            "/usr/local/lib/sysusers.d/": f"{folder}/usr/local/lib/sysusers.d/", **ports(8120, 8129)}


@pytest.mark.parametrize("page", ["install.md", "keys.md", "api.md", "running.md", "alerts.md", "forms.md", "mail.md",
                                  "schedules.md"])
def test_a_page_works_as_written(folder, page):
    Reader(folder, machine(folder)).follow((ROOT / "docs" / page).read_text())


def test_traces_are_sent_as_written(folder):
    with contextlib.closing(Collector("http")) as collector:
        there = {"127.0.0.1:4318": urllib.parse.urlsplit(collector.url).netloc, **ports(8120, 8129)}
        Reader(folder, there).follow((ROOT / "docs/tracing.md").read_text())
        names = re.findall(r"^\| `([a-z_.]+)` \| ", (ROOT / "docs/tracing.md").read_text().partition("## What there is")[2], re.M)
        until(lambda: {span.name for span in collector.spans} == set(names), lambda: f"{names}: {collector.spans}")


def test_the_roles_of_postgres_are_enough(folder, database):
    parts = urllib.parse.urlsplit(database)
    try:
        Reader(folder, {"db:5432": f"127.0.0.1:{parts.port}", "psql": f"psql -X -q -h 127.0.0.1 -p {parts.port} -U drumbeat",
                        "-d marketing": f"-d {parts.path[1:]}", "/marketing": parts.path, **ports(8120)}).follow((ROOT / "docs/postgres.md").read_text())
    finally:
        for role in ("drumbeat_server", "drumbeat_reader", "landing_page"):
            sql(database, f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


NUMBER = re.compile(r"`((?:drumbeat|marketing|worker|api|event|queue|process)_[a-z_]+)(?:\{[^`]*\})?`")


def test_each_number_that_is_named_is_published(serve):
    server = serve(destinations={"crm": {"url": "https://crm.example.com/"}})
    before, _, after = (ROOT / "docs/running.md").read_text().partition("## Logs")
    named = set(NUMBER.findall(before + after.partition("\n## ")[2]))  # what the log says has names of its own

    def missing():
        published = server.get("/metrics").body.decode()
        return [name for name in named if not re.search(rf"^(# TYPE )?{name}\b", published, re.MULTILINE)]
    until(lambda: named and not missing(), lambda: f"{missing()} to be published")


def test_each_line_of_the_log_that_is_named_is_written():
    table = (ROOT / "docs/running.md").read_text().partition("## Logs")[2].partition("## ")[0]
    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)?)`[,|` ]", table)) - {"jq"}
    source = "".join(path.read_text() for path in (ROOT / "src").rglob("*.c"))
    assert "ready" in named and [word for word in named if f'"{word}"' not in source] == []


def verified(unit, folder):
    """What systemd itself says about a unit, but for programs that are not where it says."""
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, cwd=folder)
    lines = [line for line in done.stderr.splitlines() if unit.name.split("@")[0] in line]
    return [line for line in lines if not re.search("is not executable|No such file", line)]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not here")
@pytest.mark.parametrize("page", [page.name for page in PAGES if ".service`:" in page.read_text()])
def test_systemd_finds_nothing_wrong_with_a_unit(folder, page):
    for step in steps((ROOT / "docs" / page).read_text()):
        if step.path and step.path.endswith(".service"):
            unit = folder / step.path.rpartition("/")[2]
            unit.write_text(step.text)
            assert verified(unit, folder) == []
