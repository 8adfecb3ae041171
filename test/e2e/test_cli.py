"""The command line: every command asked once, the exit codes, and -o json as the API has it."""
import re
import contextlib
import json
import os
import pty
import signal
import sqlite3
import subprocess

import pytest

from harness import BINARY, ROOT, Server, command, environment, event, until
from receiver import Receiver, answer, silence
from services import sql

DONE, FAILED, USAGE, CONFIG, NOT_FOUND, CONFLICT, NO_SERVER, NOT_ALLOWED, PARTLY = range(9)
FINDINGS, TIMED_OUT, DECLINED, INTERRUPTED = 9, 10, 11, 130

BAD = """version: 1
destinations:
  mailgun:
    type: http
    url: https://example.com/x
    limt: 300/h
    timeout: 10
routes:
  first:
    from: LEAD
    when: .a ==
    to: [nowhere]
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A server with a destination of each kind; nothing here is changed for good."""
    receiver = Receiver()
    receiver.script("/bad", answer(422, b'{"why":"no"}'))
    receiver.script("/slow", silence())
    server = Server(tmp_path_factory.mktemp("cli"), types=["GOOD", "BAD", "MIXED", "SLOW", "NOBODY"], destinations={
        name: {"url": receiver.url(f"/{name}"), "allow_private": "true", "timeout": "60s"}
        for name in ("good", "bad", "slow")
    }, routes={
        "good": {"from": "GOOD", "to": ["good"]},
        "bad": {"from": "BAD", "to": ["bad"]},
        "mixed": {"from": "MIXED", "to": ["good", "bad"]},
        "slow": {"from": "SLOW", "to": ["slow"]},
    }).start()
    yield server
    server.close()
    receiver.close()


def good(result):
    assert result.code == DONE, result
    return result


def send(server, kind, *more):
    return server.cli("send", kind, "--data", '{"n":1}', "-o", "id", *more)


# send

@pytest.mark.parametrize("kind, code, words", [
    ("GOOD", DONE, ["good", "delivered", "200"]),
    ("BAD", FAILED, ["bad", "failed", "422"]),
    ("MIXED", PARTLY, ["delivered", "failed"]),
])
def test_send_and_wait_says_what_came_of_it(world, kind, code, words):
    got = world.cli("send", kind, "-d", '{"n":1}', "--wait")
    assert got.code == code, got
    for word in words:
        assert word in got.out, got


def test_send_to_nobody_is_done_and_says_so(world):
    got = good(world.cli("send", "NOBODY", "-d", "{}", "--wait"))
    assert "no route wants it" in got.err


def test_send_waits_no_longer_than_told(world):
    got = world.cli("send", "SLOW", "-d", "{}", "--wait", "--timeout", "300ms")
    assert got.code == TIMED_OUT and "drumbeat events show" in got.err, got


def test_send_does_not_wait_for_what_cannot_come_in_time(world):
    got = world.cli("send", "GOOD", "-d", "{}", "--at", "9h", "--wait", "--timeout", "1h")
    assert got.code == TIMED_OUT and "not due before" in got.err, got
    good(world.cli("events", "cancel", got.out.split()[0], "-y"))


def test_send_is_interrupted(world):
    process, talk = start(world, "send", "SLOW", "-d", "{}", "--wait")
    until(lambda: "accepted" in talk.read_text(), "the event to be taken")
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == INTERRUPTED


def test_send_takes_files_and_stdin_and_keeps_the_payload_as_written(world):
    text = '{ "big": 12345678901234567890.0, "ü": 1 }'
    (world.folder / "lead.json").write_text(text)
    for got in (world.cli("send", "NOBODY", "-d", "@lead.json", "-o", "id"),
                world.cli("send", "NOBODY", "-d", "-", "-o", "id", stdin=text)):
        assert f'"payload":{text},' in world.get(f"/v1/events/{good(got).out.strip()}").body.decode()


def test_send_with_key_source_and_time(world):
    event_id = good(send(world, "GOOD", "-k", "cli-1", "-s", "shop", "--at", "9h")).out.strip()
    stored = world.event(event_id)
    assert (stored["idempotency_key"], stored["source"], stored["status"]) == ("cli-1", "shop", "PENDING")
    again = good(send(world, "GOOD", "-k", "cli-1", "-s", "shop", "--at", "9h"))
    assert again.out.strip() == event_id
    other = world.cli("send", "GOOD", "-k", "cli-1", "-s", "shop", "-d", '{"n":2}')
    assert other.code == CONFLICT and other.err.startswith("error E0502: "), other
    good(world.cli("events", "cancel", event_id, "-y"))


@pytest.mark.parametrize("arguments, code, words", [
    (["send", "OTHER", "-d", "{}"], USAGE, "E0103"),
    (["send", "GOOD", "-d", "[1]"], USAGE, "E0102"),
    (["send", "GOOD", "-d", "{"], USAGE, "E0101"),
    (["send", "GOOD", "-d", "@none.json"], USAGE, "none.json"),
    (["send", "GOOD", "-d", "{}", "--at", "noon"], USAGE, "--at"),
    (["send", "GOOD"], USAGE, "--data"),
    (["send"], USAGE, "TYPE"),
    (["sned"], USAGE, "did you mean 'send'"),
    (["events"], USAGE, "verb"),
    (["events", "list", "--status", "DONE"], USAGE, "PENDING"),
    (["events", "list", "--limit", "x"], USAGE, "E0105"),
    (["events", "list", "--jq", ".["], USAGE, "--jq"),
    (["events", "show", "01a20e240d3c"], NOT_FOUND, "E0112"),
    (["deliveries", "show", "01a20e240d3c"], NOT_FOUND, "E0112"),
    (["destinations", "show", "none"], NOT_FOUND, "none"),
    (["explain", "limt"], NOT_FOUND, "did you mean 'limit'"),
    (["completion", "fish"], USAGE, "bash"),
    (["serve", "--role", "worker"], USAGE, "--role"),
    (["status", "-c", "none.yaml"], CONFIG, "none.yaml"),
    (["status", "--server", "http://127.0.0.1:1"], NO_SERVER, "127.0.0.1:1"),
    (["status", "--server", "ftp://x"], USAGE, "--server"),
])
def test_what_is_refused_with_which_exit_code(world, arguments, code, words):
    got = world.cli(*arguments)
    assert got.code == code and words in got.err and got.out == "", got


def test_a_key_without_the_role_is_not_allowed(serve):
    server = serve()
    key = good(server.cli("keys", "create", "--role", "ingest", "--name", "page")).out.strip()
    url = f"http://127.0.0.1:{server.port}"
    assert server.cli("events", "list", "--server", url, env={"DRUMBEAT_KEY": key}).code == NOT_ALLOWED
    assert server.cli("events", "list", "--server", url).code == NOT_ALLOWED
    good(server.cli("send", "GOOD", "-d", "{}", "--server", url, env={"DRUMBEAT_KEY": key}))
    (server.folder / "key").write_text(key + "\n")
    good(server.cli("send", "GOOD", "-d", "{}", "--server", url, env={"DRUMBEAT_KEY_FILE": "key"}))
    [listed] = good(server.cli("keys", "list", "-o", "json")).json["items"]
    assert (listed["role"], listed["name"]) == ("ingest", "page")
    server.cli("keys", "create", "--role", "read")
    good(server.cli("keys", "revoke", listed["id"], "-y"))
    assert server.cli("send", "GOOD", "-d", "{}", "--server", url, env={"DRUMBEAT_KEY": key}).code == NOT_ALLOWED


# The same answers as the API's.

@pytest.mark.parametrize("arguments, path", [
    (["events", "list", "--type", "GOOD", "--limit", "3"], "/v1/events?type=GOOD&limit=3"),
    (["deliveries", "list", "--status", "FAILED"], "/v1/deliveries?status=FAILED"),
    (["destinations", "list"], "/v1/destinations"),
    (["destinations", "show", "good"], "/v1/destinations/good"),
    (["routes", "list"], "/v1/routes"),
    (["keys", "list"], "/v1/keys"),
    (["verify", "--deep"], "/v1/verify"),
])
def test_json_is_what_the_api_answers(world, arguments, path):
    send(world, "GOOD", "--wait")
    assert good(world.cli(*arguments, "-o", "json")).out == world.get(path).body.decode() + "\n"


def test_an_id_of_the_other_kind_is_told_with_its_command(world):
    event = good(send(world, "GOOD")).out.strip()
    delivery = world.settled(event, "COMPLETED")["id"]
    for noun, words in (("events", ["show", delivery]), ("events", ["cancel", delivery, "-y"]), ("events", ["retry", delivery]),
                        ("events", ["release", delivery]), ("events", ["show", delivery[:30]]),
                        ("deliveries", ["show", event]), ("deliveries", ["cancel", event]), ("deliveries", ["retry", event]),
                        ("deliveries", ["show", event[:30]])):
        got = world.cli(noun, *words)
        told = f"deliveries show {delivery}" if noun == "events" else f"events show {event}"
        assert got.code == NOT_FOUND and got.err.endswith(f"; drumbeat {told}\n"), (noun, words, got)
        good(world.cli(*told.split()))
    got = world.cli("events", "show", "0" * 8 + "-0000-7000-8000-" + "0" * 12)
    assert got.code == NOT_FOUND and got.err.endswith("no such event\n"), got


def test_events_and_deliveries_one_by_one_and_by_the_beginning_of_their_id(world):
    event_id = good(send(world, "GOOD", "--wait")).out.strip()
    whole = world.get(f"/v1/events/{event_id}")
    assert good(world.cli("events", "show", event_id, "-o", "json")).out == whole.body.decode() + "\n"
    delivery_id = whole.json["deliveries"][0]["id"]
    shown = good(world.cli("deliveries", "show", delivery_id[:13], "-o", "json"))
    assert shown.out == world.get(f"/v1/deliveries/{delivery_id}").body.decode() + "\n"
    key = whole.json["deliveries"][0]["key"]
    for words in ([key], [key, "--event", event_id]):
        assert good(world.cli("deliveries", "show", *words, "-o", "json")).out == shown.out
    for words in (["events", "show", event_id], ["deliveries", "show", delivery_id], ["deliveries", "show", key]):
        text = good(world.cli(*words)).out
        assert "COMPLETED" in text and event_id in text


def test_forms_of_a_list(world):
    names = ["bad", "good", "slow"]
    assert sorted(good(world.cli("destinations", "list", "-o", "id")).out.split()) == names
    lines = good(world.cli("destinations", "list", "-o", "ndjson")).out.splitlines()
    assert sorted(json.loads(line)["name"] for line in lines) == names
    assert sorted(good(world.cli("destinations", "list", "--jq", ".items[].name")).out.split()) == names
    table = good(world.cli("destinations", "list")).out.splitlines()
    assert table[0].split()[:2] == ["NAME", "TYPE"] and len(table) == 1 + len(names)
    assert "\033[" not in good(world.cli("destinations", "list")).out
    assert "\033[" in good(world.cli("deliveries", "list", "--color", "always")).out


def test_status_in_one_look(world):
    status = good(world.cli("status", "-o", "json")).json
    assert status.keys() == world.get("/v1/status").json.keys()
    assert "3 destinations, 4 routes" in good(world.cli("status")).out
    assert good(world.cli()).out.startswith("drumbeat ")


# What changes something.

def test_pause_and_resume(world):
    paused = good(world.cli("destinations", "pause", "good", "--for", "6h", "--reason", "holiday"))
    assert "drumbeat destinations resume good" in paused.out
    waiting = good(send(world, "GOOD")).out.strip()
    assert "! good: paused (holiday)" in good(world.cli("status")).out
    assert world.delivery(waiting)["status"] == "PENDING"
    good(world.cli("destinations", "resume", "good"))
    world.settled(waiting, "COMPLETED")


def test_retry_resolve_and_cancel(world):
    failed = world.settled(good(send(world, "BAD", "-k", "retry-me")).out.strip(), "FAILED")
    again = good(world.cli("deliveries", "retry", failed["id"], "-o", "json")).json
    assert again["run"] == failed["run"] + 1
    resolve = world.cli("deliveries", "resolve", failed["id"], "--as", "delivered")
    assert resolve.code == CONFLICT and "E0118" in resolve.err
    later = good(send(world, "GOOD", "--at", "9h")).out.strip()
    good(world.cli("events", "cancel", later, "-y"))
    assert world.cli("events", "cancel", later, "-y").code == CONFLICT


def test_dry_run_changes_nothing(world):
    before = len(world.every("/v1/events"))
    assert good(send(world, "GOOD", "-n")).out.startswith("would ask POST /v1/events with ")
    assert len(world.every("/v1/events")) == before


def test_destinations_test_shows_and_sends(world):
    shown = good(world.cli("destinations", "test", "good"))
    assert "POST " in shown.out and "/good" in shown.out
    good(world.cli("destinations", "test", "good", "--send"))
    assert world.cli("destinations", "test", "bad", "--send").code == FAILED


def test_routes_test_prints_the_requests_and_sends_none(world):
    before = len(world.every("/v1/deliveries"))
    (world.folder / "event.json").write_text(json.dumps(event("probe", kind="MIXED", payload={"n": 7})))
    got = good(world.cli("routes", "test", "mixed", "--event", "event.json"))
    assert "/good" in got.out and "/bad" in got.out and '{"n": 7}' in got.out
    assert len(world.every("/v1/deliveries")) == before


def test_declined(serve):
    server = serve()
    event_id = server.send(scheduled_at="2099-01-01T00:00:00Z")
    assert in_terminal(server, b"n\n", "events", "cancel", event_id) == DECLINED
    assert server.event(event_id)["status"] == "PENDING"
    assert in_terminal(server, b"y\n", "events", "cancel", event_id) == DONE
    assert server.event(event_id)["status"] != "PENDING"


def in_terminal(server, typed, *arguments):
    """The exit code of a command whose user types this."""
    ours, its = pty.openpty()
    process = subprocess.Popen([BINARY, *arguments], cwd=server.folder, stdin=its, stdout=its, stderr=its,
                               env=environment(server.folder))
    os.close(its)
    os.write(ours, typed)
    code = process.wait(30)
    os.close(ours)
    return code


# tail

def start(server, *arguments):
    """The process, and the file that both its outputs go to."""
    talk = server.folder / "talk"
    with open(talk, "wb") as file:
        process = subprocess.Popen([BINARY, *arguments], cwd=server.folder, stdin=subprocess.DEVNULL, stdout=file,
                                   stderr=file, env=environment(server.folder))
    return process, talk


def test_tail_shows_what_comes_in_and_goes_out(world):
    process, talk = start(world, "tail", "--since", "1m", "--type", "GOOD", "-o", "ndjson")
    event_id = good(send(world, "GOOD")).out.strip()

    def shown():
        lines = [json.loads(line) for line in talk.read_text().splitlines(keepends=True) if line.endswith("\n")]
        done = [one for one in lines if one.get("event_id") == event_id and one["status"] == "COMPLETED"]
        return done and [one for one in lines if one["id"] == event_id]
    until(shown, lambda: f"the event and its delivery: {talk.read_text()}")
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == INTERRUPTED


# Without a server.

def test_without_a_server_reads_work_and_writes_do_not(serve):
    server = serve()
    event_id = server.send(payload={"n": 1})
    shown = good(server.cli("events", "show", event_id, "-o", "json")).out
    assert server.terminate() == 0
    before = server.store.read_bytes()
    assert good(server.cli("events", "show", event_id, "-o", "json")).out == shown
    assert good(server.cli("events", "list", "-o", "id")).out.split() == [event_id]
    assert good(server.cli("deliveries", "list", "-o", "json")).json["items"] == []
    assert good(server.cli("verify", "--deep", "-o", "json")).json["violation_count"] == 0
    assert "no server runs" in server.cli("status").out
    assert server.store.read_bytes() == before
    for words in (["send", "LEAD", "-d", "{}"], ["events", "cancel", event_id, "-y"], ["apply"],
                  ["destinations", "list"], ["destinations", "pause", "crm"], ["deliveries", "retry", event_id],
                  ["tail"]):
        got = server.cli(*words)
        assert got.code == NO_SERVER and got.out == "" and "no server" in got.err, (words, got)


STEP_BACK = ("ALTER TABLE marketing_events DROP COLUMN trace_parent; ALTER TABLE deliveries DROP COLUMN keyed_as;"
             "ALTER TABLE deliveries DROP COLUMN place;"
             "ALTER TABLE destinations DROP COLUMN suspect;"
             "ALTER TABLE destinations DROP COLUMN probing; DROP TABLE tokens; DROP TABLE marks; "
             "DROP TABLE replays; DROP TABLE replay_parts; DROP TABLE replay_items; DROP TABLE replay_failures; "
             "DELETE FROM schema_steps WHERE step >= 4;")
STEP_BACK_POSTGRES = STEP_BACK + "ALTER TABLE marketing_events DROP CONSTRAINT marketing_events_moments_are_finite;"
STEPS, SHARED_STEPS = ((ROOT / f"src/store/sql/schema.{kind}.sql").read_text().count("\n-- step: ") for kind in ("sqlite", "postgres"))
READS = (["events", "list"], ["deliveries", "list"], ["status"], ["verify"], ["chores", "list"])


def assert_old_store_is_explained(server):
    for words in READS:
        got = server.cli(*words)
        assert got.code == NO_SERVER and got.out == "", (words, got)
        needs = rf"the store has schema 3, this program needs ({STEPS}|{SHARED_STEPS}): run `drumbeat migrate` once"
        assert re.search(needs, got.err), (words, got)


def assert_all_is_read(server):
    for words in READS:
        got = server.cli(*words)
        assert got.code == (NO_SERVER if words == ["status"] else 0), (words, got)


def make_older(store):
    with contextlib.closing(sqlite3.connect(store)) as file:
        file.executescript(STEP_BACK + "PRAGMA user_version = 3;")


@pytest.mark.parametrize("upgrade", ["serve", "migrate"])
def test_a_store_of_an_older_program_is_explained_and_brought_up_to_date(serve, upgrade):
    server = serve()
    event_id = server.send()
    assert server.terminate() == 0
    make_older(server.store)
    before = server.store.read_bytes()
    assert_old_store_is_explained(server)
    assert server.store.read_bytes() == before
    if upgrade == "migrate":
        good(server.cli("migrate", "-y"))
    else:
        server.start()
        assert server.terminate() == 0
    with contextlib.closing(sqlite3.connect(server.store)) as file:
        assert file.execute("SELECT max(step) FROM schema_steps").fetchone() == (STEPS,)
    assert good(server.cli("events", "list", "-o", "id")).out.split() == [event_id]
    assert_all_is_read(server)


def test_reads_of_a_store_that_a_kill_left_behind(serve):
    server = serve()
    ids = {server.send() for _ in range(5)}
    server.kill()
    assert set(good(server.cli("events", "list", "-o", "id")).out.split()) == ids
    server.start()
    assert {item["id"] for item in server.every("/v1/events")} == ids


def test_before_the_first_start_there_is_nothing_to_read(folder):
    (folder / "drumbeat.yaml").write_text("version: 1\n")
    got = command(folder, "events", "list")
    assert got.code == NO_SERVER and "there is no store" in got.err, got
    assert not (folder / "data").exists()


# Configurations.

def test_check_names_every_mistake_with_its_place(folder):
    (folder / "bad.yaml").write_text(BAD)
    got = command(folder, "check", "bad.yaml")
    assert got.code == CONFIG and got.out == ""
    assert got.err.splitlines() == [
        "bad.yaml:6:5: error E0204: unknown key 'limt' in destination 'mailgun'; did you mean 'limit'?",
        "bad.yaml:7:14: error E0208: 'timeout' in destination 'mailgun' needs a unit: write '10s'",
        "bad.yaml:11:11: error E0420: jq: unexpected end of the expression, in 'when' of route 'first'",
        "bad.yaml:12:10: error E0311: route 'first' uses destination 'nowhere', which is not defined",
        "4 errors, 0 warnings",
    ]
    found = command(folder, "check", "bad.yaml", "-o", "json")
    assert found.code == CONFIG
    assert [(one["code"], one["line"], one["column"]) for one in found.json] == [
        ("E0204", 6, 5), ("E0208", 7, 14), ("E0420", 11, 11), ("E0311", 12, 10)]


def test_check_of_what_is_no_yaml_and_of_what_is_missing(folder):
    (folder / "drumbeat.yaml").write_text("version: 1\n  destinations: {\n")
    got = command(folder, "check")
    assert got.code == CONFIG and got.err.startswith("drumbeat.yaml:2:"), got
    assert command(folder, "check", "none.yaml").code == CONFIG
    (folder / "drumbeat.yaml").unlink()
    assert command(folder, "check").code == CONFIG


def test_serve_refuses_what_check_refuses(folder):
    (folder / "drumbeat.yaml").write_text(BAD)
    got = command(folder, "serve")
    assert got.code == CONFIG
    assert "drumbeat.yaml:6:5: error E0204: unknown key 'limt'" in got.err
    assert not (folder / "data").exists()


def test_where_the_configuration_is_looked_for(folder):
    for name, kind in (("a", "A"), ("b", "B"), ("drumbeat", "C")):
        (folder / f"{name}.yaml").write_text(f"version: 1\ntypes: [{kind}]\n")
    assert command(folder, "check").out.startswith("drumbeat.yaml is valid")
    assert command(folder, "check", env={"DRUMBEAT_CONFIG": "a.yaml"}).out.startswith("a.yaml is valid")
    assert command(folder, "check", "-c", "b.yaml", env={"DRUMBEAT_CONFIG": "a.yaml"}).out.startswith("b.yaml is valid")


def test_init_writes_what_check_takes_and_overwrites_nothing(folder):
    assert good(command(folder, "init", "--yes", "new")).out == "wrote new/drumbeat.yaml\n"
    good(command(folder, "check", "new/drumbeat.yaml"))
    assert (folder / "new/secrets").stat().st_mode & 0o777 == 0o700
    assert command(folder, "init", "--yes", "new").code == CONFLICT
    assert command(folder, "init", "-n").out.startswith("# drumbeat.yaml") and not (folder / "drumbeat.yaml").exists()


def route_to(receiver, path):
    return {"destinations": {"crm": {"url": receiver.url(path), "allow_private": "true"}},
            "routes": {"all": {"from": "LEAD", "to": ["crm"]}}}


def test_apply_swaps_the_configuration_and_refuses_a_bad_one(serve, receiver):
    server = serve(**route_to(receiver, "/old"))
    server.settled(server.send(), "COMPLETED")
    server.configure(**route_to(receiver, "/new"))
    dry = good(server.cli("apply", "-n", "-o", "json")).json
    assert dry["applied"] is False and dry["changes"]
    server.settled(server.send(), "COMPLETED")
    assert (len(receiver.of("/old")), len(receiver.of("/new"))) == (2, 0)
    assert good(server.cli("apply", "-o", "json")).json["applied"] is True
    server.settled(server.send(), "COMPLETED")
    assert (len(receiver.of("/old")), len(receiver.of("/new"))) == (2, 1)
    assert good(server.cli("apply", "-o", "json")).json["changes"] == []
    (server.folder / "drumbeat.yaml").write_text(BAD)
    got = server.cli("apply")
    assert got.code == CONFIG and "drumbeat.yaml:6:5: error E0204" in got.err and "not applied" in got.err
    assert server.get("/v1/status").json["config_ok"] is False
    server.settled(server.send(), "COMPLETED")
    assert (len(receiver.of("/old")), len(receiver.of("/new"))) == (2, 2)


def test_apply_of_a_file_that_the_server_does_not_read_is_refused(serve, receiver):
    server = serve(**route_to(receiver, "/old"))
    folder, own = server.folder, server.folder / "drumbeat.yaml"
    (folder / "other.yaml").write_text(own.read_text().replace("/old", "/other"))
    for words in (["apply"], ["apply", "-n"], ["apply", "-y"]):
        got = server.cli("-c", "other.yaml", *words)
        assert got.code == USAGE and f"the server reads {own}, and -c names another file, {folder}/other.yaml" in got.err, got
    (folder / "link.yaml").symlink_to(own)
    server.configure(**route_to(receiver, "/new"))
    for name in ("drumbeat.yaml", own, "./drumbeat.yaml", "link.yaml"):
        assert good(server.cli("-c", name, "apply", "-n", "-o", "json")).json["changes"], name
    assert server.get("/v1/status").json["config"] == str(own)


def test_apply_says_what_waits_for_a_restart(serve, receiver):
    server = serve()
    server.configure(server={"queue": 77, "connections": 99}, **route_to(receiver, "/new"))
    got = good(server.cli("apply", "-y"))
    waiting = got.out.count("(takes a restart)")
    assert waiting and f"{len(got.out.splitlines()) - waiting} in force, {waiting} wait for a restart" in got.err, got
    assert server.get("/v1/status").json["restart_waits"] == ["server.connections 1024 -> 99"]
    assert "  waits for a restart: server.connections 1024 -> 99\n" in good(server.cli("status")).out
    for connections, told in ((98, "server.connections 99 -> 98  (takes a restart)\n"), (1024, "server.connections 98 -> 1024\n")):
        server.configure(server={"queue": 77, "connections": connections}, **route_to(receiver, "/new"))
        assert good(server.cli("apply", "-n")).out == told
        got = good(server.cli("apply"))
        waits = server.get("/v1/status").json["restart_waits"]
        assert got.out == told and waits == ([] if connections == 1024 else ["server.connections 1024 -> 98"]), (got, waits)
    assert "1 change, in force" in got.err and "waits for a restart" not in server.cli("status").out, got
    server.configure(server={"queue": 77, "connections": 97}, **route_to(receiver, "/newer"))
    good(server.cli("apply"))
    server.restart()
    assert server.get("/v1/status").json["restart_waits"] == []


def test_a_new_key_says_what_it_may_and_what_it_changes(serve):
    got = good(serve().cli("keys", "create", "--role", "ingest"))
    assert "It may send events and nothing else" in got.err and "every request over HTTP needs a key" in got.err, got


def test_a_hangup_signal_swaps_the_configuration_and_refuses_a_bad_one(serve, receiver):
    server = serve(**route_to(receiver, "/old"))
    (server.folder / "drumbeat.yaml").write_text(BAD)
    server.process.send_signal(signal.SIGHUP)
    until(lambda: "E0204" in server.text, "the log to say what is wrong")
    server.settled(server.send(), "COMPLETED")
    assert len(receiver.of("/old")) == 1
    server.configure(**route_to(receiver, "/new"))
    server.process.send_signal(signal.SIGHUP)
    until(lambda: server.get("/v1/status").json["config_ok"], "the new one to be in force")
    server.settled(server.send(), "COMPLETED")
    assert (len(receiver.of("/old")), len(receiver.of("/new"))) == (1, 1)


def test_a_public_address_needs_a_key_first(folder):
    server = Server(folder, server={"listen": "0.0.0.0:0"})
    refused = server.cli("serve")
    assert refused.code == CONFIG and "there is no API key" in refused.err and "0.0.0.0" in refused.err
    key = good(server.cli("keys", "create", "--role", "ingest")).out.strip()
    server.start()
    assert server.post(event()).status == 401
    server.key = key
    assert server.post(event()).status == 200
    assert server.get("/v1/events").status == 403
    server.close()


def test_serve_with_hold_takes_in_and_sends_nothing(serve, receiver):
    server = serve("--hold", **route_to(receiver, "/crm"))
    event_id = server.send()
    until(lambda: server.event(event_id)["status"] == "PROCESSING", "the event to be routed")
    assert server.delivery(event_id)["status"] == "PENDING" and server.get("/v1/status").json["hold"] is True
    server.restart()
    server.settled(event_id, "COMPLETED")


def test_the_socket_is_its_owners_alone_and_the_environment_may_name_the_store(serve, folder):
    store = folder / "other.db"
    server = serve(env={"DB_DSN": str(store)})
    good(server.cli("send", "LEAD", "-d", "{}"))
    assert store.exists() and not server.store.exists()
    assert (folder / "other.db.sock").stat().st_mode & 0o777 == 0o600
    assert store.stat().st_mode & 0o077 == 0


# A store on PostgreSQL: what the command line knows of it without asking it.

SHARED = "version: 1\nstore: postgres://drumbeat:${DB_PASSWORD}@127.0.0.1:1/x\nserver: {listen: 127.0.0.1:8123}\n"


def test_the_server_of_a_shared_store_is_found_by_its_port_and_no_password_is_shown(folder):
    (folder / "drumbeat.yaml").write_text(SHARED)
    for arguments in (["status"], ["events", "list"], ["keys", "create", "--role", "read"],
                      ["send", "LEAD", "-d", "{}"]):
        got = command(folder, *arguments, env={"DB_PASSWORD": "canary-5f2a"})
        assert got.code == NO_SERVER and "/drumbeat-8123.sock" in got.err, got
        assert "canary" not in got.err + got.out
        assert ("postgresql://127.0.0.1:1/x" in got.err) == (arguments[0] != "send"), got


def test_a_password_that_only_the_server_has_hides_the_store_and_not_the_server(folder):
    (folder / "drumbeat.yaml").write_text(SHARED)
    got = command(folder, "status")
    assert got.code == CONFIG and "/drumbeat-8123.sock" in got.err, got
    assert "\ndrumbeat.yaml:2:8: error E0234: 'store': the secret DB_PASSWORD was not found" in got.err, got
    got = command(folder, "send", "LEAD", "-d", "{}")
    assert got.code == NO_SERVER and "/drumbeat-8123.sock" in got.err, got
    (folder / "drumbeat.yaml").write_text("version: 1\nstore: ${DB_DSN_OF_MINE}\n")
    got = command(folder, "send", "LEAD", "-d", "{}")
    assert got.code == CONFIG and "the secret DB_DSN_OF_MINE was not found" in got.err, got


def test_the_environment_names_a_shared_store_with_and_without_a_configuration(folder):
    dsn = {"DB_DSN": "postgresql://u:canary-5f2a@127.0.0.1:1/other"}
    got = command(folder, "status", env=dsn)
    assert got.code == NO_SERVER and "postgresql://127.0.0.1:1/other" in got.err, got
    (folder / "drumbeat.yaml").write_text(SHARED)
    got = command(folder, "status", env=dsn)
    assert got.code == NO_SERVER and "postgresql://127.0.0.1:1/other" in got.err and "-8123.sock" in got.err, got
    assert "canary" not in got.err


def test_a_part_of_the_work_needs_a_store_that_is_shared(folder):
    (folder / "drumbeat.yaml").write_text("version: 1\n")
    for role in ("ingest", "worker"):
        got = command(folder, "serve", "--role", role)
        assert got.code == USAGE and got.err == (f"error: --role {role} needs a store that several processes share: "
                                                 "set store: postgres://...\n"), got
    got = command(folder, "serve", "--role", "worker", env={"DB_DSN": "postgres://127.0.0.1:1/x"})
    assert got.code not in (DONE, USAGE), got


def test_status_shows_the_processes_that_share_a_store(database, serve):
    first = serve("--role", "ingest", store=database)
    alone = good(first.cli("status")).out
    assert "  Limits    counted by the store for all processes" in alone and "PROCESS" not in alone
    serve("--role", "worker", store=database)
    until(lambda: len(first.get("/v1/status").json["instances"]) == 2, "the two to see one another")
    shown = good(first.cli("status")).out.splitlines()
    assert [line.split()[0] for line in shown[-3:]] == ["PROCESS", "ingest", "worker"], shown
    assert first.get("/v1/status").json["instances"][1]["token"] in shown[-1]


def test_status_says_that_redis_is_away(database, serve):
    server = serve(store=database, redis={"url": "redis://127.0.0.1:1"}, **{"destinations": {
        "crm": {"url": "http://127.0.0.1:1/", "allow_private": "true", "limit": "10/s"}},
        "routes": {"all": {"from": "LEAD", "to": ["crm"]}}})
    server.send()
    until(lambda: not server.get("/v1/status").json["limits"]["up"], "Redis to be missed")
    assert "! limits: redis does not answer" in good(server.cli("status")).out
    until(lambda: [line for line in server.log() if line["event"] == "redis_lost"], "a line in the log")


def test_no_password_of_a_shared_store_or_of_redis_is_shown(database, serve):
    def secret(url):
        return url.replace("://", "://drumbeat:canary-5f2a@").replace("@drumbeat@", "@")

    server = serve(store=secret(database), redis={"url": secret("redis://127.0.0.1:1")},
                   postgres={"listen_dsn": secret(database), "read_dsn": secret(database)})
    server.send()
    shown = [good(server.cli(*words)) for words in (["status"], ["status", "-o", "json"], ["events", "list"])]
    server.configure(store=secret(database) + "?connect_timeout=5", redis={"url": secret("redis://127.0.0.1:2")},
                     postgres={"listen_dsn": secret("postgres://127.0.0.1:1/x")})
    changes = good(server.cli("apply", "-n"))
    for name in ("store", "postgres.listen_dsn", "postgres.read_dsn", "redis.url"):
        assert f"{name} changed  (takes a restart)" in changes.out, changes
    for got in [*shown, changes]:
        assert "canary" not in got.out + got.err, got
    assert "canary" not in server.text and "canary" not in server.get("/metrics").body.decode()


# A server that is not needed.

def test_reads_and_new_keys_of_a_shared_store_need_no_server(database, folder):
    server = Server(folder, store=database)
    refused = server.cli("status")
    assert refused.code == NO_SERVER and "there is no store postgresql://127.0.0.1" in refused.err, refused
    key = good(server.cli("keys", "create", "--role", "owner")).out.strip()
    assert good(server.cli("keys", "list", "-o", "json")).json["items"][0]["role"] == "owner"
    server.key = key
    server.start()
    event_id = server.send()
    until(lambda: server.event(event_id)["status"] == "COMPLETED", "it to be routed")
    assert server.terminate() == 0
    assert good(server.cli("events", "show", event_id, "-o", "json")).json["id"] == event_id
    alone = server.cli("status")
    assert alone.code == NO_SERVER and "no server runs here" in alone.out and "postgresql://127.0.0.1" in alone.out
    good(server.cli("verify", "--deep"))


# What needs nothing.

def test_demo_plays_its_story_and_every_step_happened(folder):
    got = good(command(folder, "demo", "--script"))
    assert got.out.startswith("drumbeat ") and "nothing leaves this machine" in got.out
    words = [line.split()[1] for line in got.out.splitlines()[1:] if line.strip()]
    assert {"event", "delivered", "retry", "duplicate", "conflict", "unknown", "found"} <= set(words)
    assert list(folder.iterdir()) == []


def test_version_help_explain_completion_and_schema(folder):
    version = good(command(folder, "version", "-o", "json")).json
    assert good(command(folder, "--version")).out == f"drumbeat {version['version']} ({version['commit']})\n"
    assert "422" in good(command(folder, "explain", "E0502")).out
    assert "300/15m" in good(command(folder, "explain", "destinations.*.limit")).out
    for shell in ("bash", "zsh"):
        assert "destinations" in good(command(folder, "completion", shell)).out
    assert good(command(folder, "check", "--schema")).json["properties"]["version"]["const"] == 1
    overview = good(command(folder, "help")).out
    assert good(command(folder, "-h")).out == good(command(folder)).out == overview
    assert good(command(folder, "send", "-h")).out == good(command(folder, "help", "send")).out
    for noun in ("send", "events", "deliveries", "destinations", "routes", "keys", "verify", "apply"):
        assert noun in overview and good(command(folder, "help", noun)).out


def test_bash_takes_the_completion_script(folder):
    script = good(command(folder, "completion", "bash")).out
    asked = script + '\nCOMP_WORDS=(drumbeat dest); COMP_CWORD=1; _drumbeat; echo "${COMPREPLY[@]}"\n'
    done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, timeout=30)
    assert done.stdout.split() == ["destinations"] and done.stderr == "", done


def test_stdout_that_cannot_be_written_is_a_failure():
    with open("/dev/full", "w") as full:
        done = subprocess.run([BINARY, "help"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=30)
    assert done.returncode == FAILED and "No space left" in done.stderr


def test_a_shared_store_of_an_older_program_is_explained_and_brought_up_to_date(database, serve):
    server = serve(store=database)
    event_id = server.send()
    assert server.terminate() == 0
    sql(database, STEP_BACK_POSTGRES)
    assert_old_store_is_explained(server)
    server.start()
    assert server.terminate() == 0
    assert sql(database, "SELECT max(step) FROM schema_steps") == [(SHARED_STEPS,)]
    assert good(server.cli("events", "list", "-o", "id")).out.split() == [event_id]
    assert_all_is_read(server)
