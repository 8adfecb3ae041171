"""Folders: a Markdown file with front matter is one event at its publish_at."""
import datetime
import os

import pytest

from harness import until
from test_acts import store  # noqa: F401 (a fixture)

UTC = datetime.timezone.utc


def at(seconds):
    return (datetime.datetime.now(UTC) + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def post(server, name, text="", **front):
    """Writes it as an editor does: another file, and a rename."""
    folder = server.folder / "posts"
    folder.mkdir(exist_ok=True)
    lines = "".join(f"{key}: {value}\n" for key, value in front.items())
    (folder / ".new").write_text(f"---\n{lines}---\n\n{text}\n")
    (folder / ".new").rename(folder / name)


def files(server):
    source = server.get("/v1/sources/blog").json
    return source["files"], {it["file"]: it for it in source["open"]}


def becomes(server, name, state):
    return until(lambda: files(server)[1].get(name, {}).get("state") == state, lambda: f"{name} {state}: {files(server)}")


@pytest.fixture
def server(serve, receiver):
    return serve(sources={"blog": {"type": "folder", "path": "posts"}},
                 destinations={"crm": {"url": receiver.url("/crm"), "allow_private": "true"}},
                 routes={"all": {"from": "blog.post", "to": ["crm"]}})


def test_a_file_is_published_at_its_time_as_it_stands_then(server):
    until(lambda: "No such file" in server.get("/v1/sources/blog").json["trouble"], "the trouble")
    post(server, "first.md", "Hello **world**", publish_at=at(600), title="One", tags="[a, b]")
    becomes(server, "first.md", "waiting")
    assert server.every("/v1/events") == []
    post(server, "first.md", "Hello *again*", publish_at=(soon := at(6)), title="Two", tags="[a, b]")
    [event] = until(lambda: server.every("/v1/events"), "the event")
    assert event["type"] == "blog.post" and event["idempotency_key"] == "blog:first.md"
    assert event["payload"] == {"publish_at": soon, "title": "Two", "tags": ["a", "b"], "file": "first.md",
                                "body": "Hello *again*"}
    assert event["scheduled_at"] == soon and event["created_at"][:19] >= soon[:19]
    server.settled(event["id"], "COMPLETED")
    post(server, "first.md", "Too late", publish_at=soon)
    becomes(server, "first.md", "edited")
    until(lambda: "post_edited_after" in server.text, "the log line")
    assert "edited" in server.cli("todo").out
    server.kill()
    server.start()
    becomes(server, "first.md", "edited")
    assert len(server.every("/v1/events")) == 1


def test_what_was_published_since_a_backup_is_told_before_it_goes_again(server):
    file = server.cli("backup", "-o", "id").out.strip()
    post(server, "after.md", "since the backup", publish_at=at(-5))
    [first] = until(lambda: server.every("/v1/events"), "the event")
    server.settled(first["id"], "COMPLETED")
    assert "makes again" not in server.cli("release", "-n").err
    server.terminate()
    assert server.cli("restore", file, "--force").code == 0
    server.start()
    [again] = until(lambda: server.every("/v1/events"), "the event, made again")
    assert again["idempotency_key"] == first["idempotency_key"] and again["id"] != first["id"]
    [told] = [line for line in server.cli("release", "-n").err.splitlines() if line.startswith("! blog ")]
    assert "sends again, what it made since the backup" in told and server.get("/v1/status").json["made_again"] == ["blog"]
    look, cancel = (part.strip().split()[1:] for part in told.split("sent: ")[1].split(";"))
    assert again["id"] in server.cli(*look, "-o", "id").out
    assert server.cli(*cancel[:-1], again["id"]).code == 0
    assert server.cli("release", "-y").code == 0
    assert server.settled(again["id"], "SKIPPED")["attempts"] == []


def test_what_is_wrong_with_a_file_harms_no_other(server):
    outside = server.folder / "outside.md"
    outside.write_text(f"---\npublish_at: {at(-5)}\n---\nsecret\n")
    post(server, "broken.md", publish_at="next week")
    post(server, "yaml.md", title="[a")
    posts = server.folder / "posts"
    (posts / "bytes.md").write_bytes(b"\xff\xfe")
    (posts / "large.md").write_text("x" * 300_000)
    (posts / "link.md").symlink_to(outside)
    (posts / "inside.md").symlink_to("target.md")
    os.mkfifo(posts / "pipe.md")
    (posts / "folder.md").mkdir()
    (posts / "other.txt").write_text("nothing")
    post(server, "target.md", "mine", publish_at=at(-5))
    post(server, "good.md", publish_at=at(-5))
    events = until(lambda: len(found := server.every("/v1/events")) == 3 and found, "the good ones")
    assert {it["payload"]["file"] for it in events} == {"good.md", "target.md", "inside.md"}
    problems = {"broken.md": "publish_at 'next week' is no time", "yaml.md": "line 3, column 1: a '[' above is never closed", "bytes.md": "not UTF-8",
                "large.md": "larger than 262144 bytes", "link.md": "a link that leads out of the folder",
                "pipe.md": "no regular file", "folder.md": "no regular file"}
    for name, problem in problems.items():
        becomes(server, name, "broken")
        assert problem in files(server)[1][name]["problem"], files(server)
    assert server.get("/v1/sources/blog").json["invalid"] == len(problems)
    shown = server.cli("sources", "show", "blog").out
    assert "7 broken" in shown and "broken.md" in shown and "next week" in shown
    assert "posts  blog  7" in server.cli("todo").out
    post(server, "broken.md", publish_at=at(-5))
    until(lambda: len(server.every("/v1/events")) == 4, "the mended one")


def test_what_was_nearly_right_is_taken_or_told(server):
    post(server, "LOUD.MD", "in capitals", publish_at=at(-5))
    post(server, "wordless.md", publish_at=at(-5), title="Its title says it")
    post(server, "misspelt.md", "waits in vain", publishat=at(-5))
    post(server, "kept.md", "not yet", publish_at=at(-5), draft="true")
    post(server, "notes.txt", "no post", publish_at=at(-5))
    made = until(lambda: len(found := server.every("/v1/events")) == 2 and found, "two events")
    assert {it["payload"]["file"]: it["payload"]["body"] for it in made} == {"LOUD.MD": "in capitals", "wordless.md": ""}
    until(lambda: {name: it["state"] for name, it in files(server)[1].items()} ==
          {"misspelt.md": "broken", "kept.md": "draft"}, lambda: f"the states: {files(server)}")
    told = files(server)[1]["misspelt.md"]["problem"]
    assert told == "its front matter says 'publishat': the time at which it is published is publish_at"
    assert any(line["event"] == "post_broken" and line["file"] == "misspelt.md" for line in server.log())
    assert "misspelt.md" in server.cli("sources", "show", "blog").out and "posts" in server.cli("todo").out
    post(server, "kept.md", "now", publish_at=at(-5))
    becomes_published = lambda: files(server)[0]["published"] == 3  # noqa: E731
    until(becomes_published, lambda: f"that it is released: {files(server)}")


def test_a_published_file_that_is_renamed_is_told(server):
    post(server, "one.md", "Hello", publish_at=at(-5), titel="Hi")
    until(lambda: len(server.every("/v1/events")) == 1, "the event")
    until(lambda: files(server)[0]["published"] == 1, lambda: f"that it is known: {files(server)}")
    (server.folder / "posts/one.md").rename(server.folder / "posts/two.markdown")
    until(lambda: len(server.every("/v1/events")) == 2, "the event of its new name")
    told = {line["event"]: line for line in server.log()}
    assert told["post_renamed"]["file"] == "two.markdown" and "published as 'one.md'" in told["post_renamed"]["why"]
    assert told["post_doubtful"]["why"] == "its front matter says 'titel' and has no 'title'"


def test_a_file_that_is_being_written_is_not_read_by_halves(server):
    posts = server.folder / "posts"
    posts.mkdir()
    with open(posts / "slow.md", "w") as file:
        for line in ("---\n", f"publish_at: {at(-5)}\n", "---\n", *["a line\n"] * 60):
            file.write(line)
            file.flush()
            until(lambda: True, "a moment")
            os.fsync(file.fileno())
    [event] = until(lambda: server.every("/v1/events"), "the event")
    assert event["payload"]["body"].count("a line") == 60


def test_old_files_are_not_published(server):
    post(server, "old.md", publish_at="2020-01-01 09:00")
    post(server, "draft.md", title="Later")
    post(server, "new.md", publish_at=at(-5))
    until(lambda: server.every("/v1/events"), "the new one")
    becomes(server, "draft.md", "draft")
    until(lambda: files(server)[0]["past"] == 1, "the old one")
    assert len(server.every("/v1/events")) == 1
    tried = server.cli("sources", "test", "blog.old.md")
    assert tried.code == 0 and "blog:old.md" in tried.out and "2020-01-01T09:00:00Z" in tried.err, tried
    assert "Its time is over" in tried.err and "'late' (1 d)" in tried.err, tried
    assert "Its time" not in server.cli("sources", "test", "blog.new.md").err
    assert "draft" in server.cli("sources", "test", "blog.draft.md").err
    assert server.cli("sources", "test", "blog.none.md").code == 4
    assert server.cli("sources", "test", "blog").code == 2


def past(server):
    return [line["file"] for line in server.log() if line["event"] == "post_past"]


def test_a_file_that_comes_too_late_is_told_once_and_listed(store, serve, receiver):  # noqa: F811
    given = {"destinations": {"crm": {"url": receiver.url("/crm"), "allow_private": "true"}},
             "routes": {"all": {"from": "blog.post", "to": ["crm"]}}, **store}
    server = serve(sources={"blog": {"type": "folder", "path": "elsewhere"}}, **given)
    server.terminate()
    for number in range(3):
        post(server, f"archive{number}.md", publish_at="2020-01-01 09:00")
    server.configure(sources={"blog": {"type": "folder", "path": "posts"}}, **given)
    server.start()
    until(lambda: files(server)[0]["past"] == 3, "the archive")
    post(server, "late.md", publish_at="2026-01-01 09:00")
    becomes(server, "late.md", "past")
    until(lambda: past(server) == ["late.md"], lambda: f"the line: {server.text}")
    shown = server.cli("sources", "show", "blog").out
    assert "4 past" in shown and "late.md" in shown and "nothing is made of it" in shown and "archive" not in shown, shown
    server.kill()
    post(server, "meanwhile.md", publish_at="2026-01-01 09:00")
    server.start()
    becomes(server, "meanwhile.md", "past")
    becomes(server, "late.md", "past")
    until(lambda: "meanwhile.md" in past(server), lambda: f"the line: {server.text}")
    assert set(files(server)[1]) == {"late.md", "meanwhile.md"} and past(server) == ["meanwhile.md"]
    assert server.every("/v1/events") == []


def test_a_thousand_files(server):
    for number in range(1000):
        post(server, f"post-{number:04}.md", f"Number {number}", publish_at=at(3600))
    post(server, "now.md", publish_at=at(-1))
    until(lambda: files(server)[0]["waiting"] == 1000, "all of them")
    assert len(server.every("/v1/events")) == 1


def test_a_folder_that_cannot_be_read_is_a_warning_of_check_and_waited_for(serve):
    server = serve()
    names = {"missing": "no-such", "file": "file", "glob": "posts/*.md", "good": "posts"}
    sources = {name: {"type": "folder", "path": path} for name, path in names.items()}
    server.configure(sources=sources)
    (server.folder / "posts").mkdir()
    (server.folder / "file").write_text("")
    assert server.cli("apply", "-y").code == 0
    checked = server.cli("check")
    told = {line.split("'path' in source '")[1].split("'")[0]: line for line in checked.err.splitlines() if "W0328" in line}
    assert checked.code == 0 and set(told) == {"missing", "file", "glob"}, checked
    line = next(n for n, text in enumerate((server.folder / "drumbeat.yaml").read_text().splitlines(), 1) if "no-such" in text)
    assert told["missing"].startswith(f"drumbeat.yaml:{line}:") and "No such file" in told["missing"], told
    assert "Not a directory" in told["file"] and "it takes the folder alone" in told["glob"], told
    assert server.cli("check", "--strict").code == 3
    waited = lambda: {item["name"] for item in server.get("/v1/todo").json["items"] if item["cause"] == "folder"}
    until(lambda: waited() == set(told), lambda: f"todo to name the same: {waited()}")
    (server.folder / "no-such").mkdir()
    until(lambda: waited() == {"file", "glob"}, lambda: f"the folder to be found: {waited()}")


def test_two_processes_publish_a_file_once(database, serve):
    config = {"store": database, "sources": {"blog": {"type": "folder", "path": "posts"}}}
    server, other = serve(**config), serve(**config)
    moment = at(-1)
    for one in (server, other):
        for number in range(20):
            post(one, f"{number}.md", publish_at=moment)
    until(lambda: files(server)[0]["published"] == 20 and files(other)[0]["published"] == 20, "both folders")
    assert len(server.every("/v1/events")) == 20
