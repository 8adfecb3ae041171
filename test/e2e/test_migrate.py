"""drumbeat migrate: an embedded store moves into PostgreSQL, whatever stops it on the way, and sends nothing twice."""
import contextlib
import json
import os
import pathlib
import pty
import shutil
import signal
import sqlite3
import subprocess
import tempfile

import pytest

from harness import BINARY, Server, command, delivery_key, environment, event, until
from receiver import Receiver, answer, reset
from seed import SCHEMA, insert, psql, seed_event
from services import sql

DONE, FAILED, USAGE, NOT_FOUND, CONFLICT = 0, 1, 2, 4, 5
DECLINED, INTERRUPTED = 11, 130

# Tables and what of them is compared, in the names that both have.
COLUMNS = {
    "marketing_events": "seq id idempotency_key type source status run routed_run retry_count last_error scheduled_at "
                        "created_at updated_at fingerprint payload trace_parent",
    "deliveries": "seq id event_id destination step run action route status blocked retry_count attempts due first_due "
                  "late first_sent lease_until lease_owner lease_epoch looking_up in_doubt last_status last_error "
                  "remote_id batch order_key created_at updated_at params",
    "attempts": "delivery_seq number started finished outcome http_status error answer",
    "destinations": "name paused paused_until pause_reason breaker_state breaker_until breaker_failures breaker_ramp "
                    "quiet_until updated_at",
    "tokens": "destination generation sealed expires refresh_expires seed updated_at",
    "marks": "source position said at",
    "routes": "route program_hash reason at",
    "api_keys": "id name role hash created_at revoked_at",
    "audit": "seq at actor act subject detail",
    "replays": "seq status reason actor original again since until type source route destination delivery_status error "
               "digest created_at expires_at updated_at applied_at finished_at first_seq last_seq end_seq events jq failed "
               "runaways",
    "replay_parts": "replay destination send_count done_count gone_count moving_count items place made moved",
    "replay_items": "replay destination n event_id delivery route step verdict result",
    "replay_failures": "replay n event_id words",
}
STRANGE = [
    '{"nul": "a\\u0000b"}',
    '{"big": 123456789012345678901234567890.125, "huge": 1e300, "small": 1E-300, "exact": 1.10}',
    '{ "b" : 1,\n "a":2, "ünï": "日本\\u00e9 🚀 \\ud83d\\ude80" }',
    '{"quote": "\'; DROP TABLE moves; --", "back": "\\\\", "slash": "\\/"}',
    '{}',
]
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
MANY = 2500  # events without a delivery, for batches
# What a column of PostgreSQL's is as SQLite has it.
AS_FILE = {
    **dict.fromkeys(["scheduled_at", "created_at", "updated_at"], "(extract(epoch FROM {0}) * 1000000)::int8"),
    **dict.fromkeys(["id", "event_id", "batch"], "uuid_send({0})"),
    "payload": "received",
}
SLOW = """CREATE FUNCTION nap() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN PERFORM pg_sleep(0.05); RETURN NULL; END $$;
    CREATE TRIGGER nap AFTER UPDATE ON moves FOR EACH STATEMENT EXECUTE FUNCTION nap()"""


def config(receiver, **more):
    return {"destinations": {
        name: {"url": receiver.url(f"/{name}"), "allow_private": "true", "retry": {"max": 0}, "give_up": "0s",
               "on_unknown": "hold"}
        for name in ("good", "bad", "doubtful", "later")
    }, "routes": {name: {"from": name.upper(), "to": [name]} for name in ("good", "bad", "doubtful", "later")}, **more}


def post(server, kind, *payloads, **more):
    """Their ids."""
    lines = [json.dumps(event(kind=kind, payload="PAYLOAD", **more)).replace('"PAYLOAD"', text.replace("\n", " "))
             for text in payloads]
    items = server.ndjson(*map(str.encode, lines)).json
    assert {item["status"] for item in items} == {"ACCEPTED"}, items
    return [item["eventId"] for item in items]


@pytest.fixture(scope="module")
def template():
    """The folder and the owner's key of a server that has stopped, with something of each kind in its store."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="e2e-"))
    with contextlib.closing(Receiver()) as receiver:
        receiver.script("/bad", answer(422, b'{"why":"no"}'))
        receiver.script("/doubtful", reset())
        server = Server(folder, **config(receiver)).start()
        ids = [(status, event_id) for kind, status in (("GOOD", "COMPLETED"), ("BAD", "FAILED"), ("DOUBTFUL", "HELD"))
               for event_id in post(server, kind, *STRANGE)]
        assert server.cli("destinations", "pause", "later", "--reason", "for the move").code == DONE
        ids += [("PENDING", event_id) for event_id in post(server, "LATER", *STRANGE)]
        for status, event_id in ids:
            server.settled(event_id, status)
        post(server, "GOOD", '{"when": "in years"}', scheduled_at="2040-01-01T00:00:00+02:00")
        traced = event(kind="GOOD", payload={"traced": True})
        assert server.post(traced, headers={"traceparent": TRACE}).status == 200
        for when in (".quote == null", '.quote | startswith("x")'):
            assert server.cli("replay", "plan", "--since", "1d", "--when", when).code == DONE
        for _ in range(0, MANY, 500):
            post(server, "NOBODY", *['{"n": 1}'] * 500)
        key = server.cli("keys", "create", "--role", "owner", "--name", "of the file").out.strip()
        assert server.terminate() == 0
    yield folder, key
    shutil.rmtree(folder)


@pytest.fixture
def source(template, folder, receiver):
    """A copy of it."""
    shutil.copytree(template[0] / "data", folder / "data")
    server = Server(folder, **config(receiver))
    server.key = template[1]
    yield server
    server.close()


def rows_of_file(path, table):
    with contextlib.closing(sqlite3.connect(path)) as opened:
        return opened.execute(f"SELECT {COLUMNS[table].replace(' ', ', ')} FROM {table} ORDER BY 1, 2, 3").fetchall()


def rows_of_database(url, table):
    types = dict(sql(url, "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = %s::regclass",
                     table))
    forms = [AS_FILE[name].format(name) if types[name] in ("uuid", "jsonb", "timestamp with time zone") else name
             for name in COLUMNS[table].split()]
    rows = sql(url, f"SELECT {', '.join(forms)} FROM {table} ORDER BY 1, 2, 3")
    return [tuple(bytes(value) if isinstance(value, memoryview) else value for value in row) for row in rows]


def everything(path):
    return {table: rows_of_file(path, table) for table in COLUMNS}


def assert_moved(server, database, before):
    for table, rows in before.items():
        assert rows_of_database(database, table) == rows, table
    assert sql(database, "SELECT DISTINCT done FROM moves") == [(1,)]
    assert sorted(path.name for path in server.store.parent.glob("drumbeat.db*") if path.suffix != ".lock") == [
        "drumbeat.db.moved"]
    assert everything(server.store.with_name("drumbeat.db.moved")) == before


def still(plan):
    return None if any(one["moving"] for one in plan["destinations"]) else plan


def start_move(server, database):
    return subprocess.Popen([BINARY, "migrate", "--to", database], cwd=server.folder, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(server.folder))


def reached(database):
    """How far a move came, over all tables."""
    return sql(database, "SELECT coalesce(sum(last_seq), 0) FROM moves")[0][0]


def made(server, database):
    """The database, with the tables of a store, in which a move is slow enough to be watched."""
    assert server.cli("migrate", env={"DB_DSN": database}).code == DONE
    sql(database, SLOW)
    return database


def interrupted(server, database):
    """A move of which a part is there."""
    process = start_move(server, made(server, database))
    until(lambda: reached(database) > 0, "the first rows to be there")
    process.kill()
    process.communicate()
    assert reached(database) < MANY


def serve_moved(server, receiver, database):
    server.configure(**config(receiver, store=database))
    return server.start()


# The move.

def test_a_store_moves_with_all_that_is_in_it(database, source, receiver):
    before = everything(source.store)
    waiting = [row for row in before["deliveries"] if row[8] == "PENDING"]
    assert len(waiting) == len(STRANGE) and before["api_keys"] and before["audit"] and before["destinations"]
    assert len(before["replays"]) == 2 and before["replay_parts"] and before["replay_items"] and before["replay_failures"]
    assert [row[15] for row in before["marketing_events"] if row[15]] == [TRACE]
    got = source.cli("migrate", "--to", database)
    assert got.code == DONE and "drumbeat.db.moved" in got.err, got
    assert f"marketing_events  {len(before['marketing_events'])} rows" in got.out
    assert_moved(source, database, before)
    serve_moved(source, receiver, database)
    assert source.cli("verify", "--deep").code == DONE
    assert source.cli("destinations", "resume", "later").code == DONE
    until(lambda: len(receiver.of("/later")) == len(waiting), "what waited to be sent")
    keys = {row[1]: row[2] for row in before["marketing_events"]}
    assert sorted(request.key for request in receiver.of("/later")) == sorted(
        delivery_key(keys[row[2]], *row[3:6]) for row in waiting)
    assert sorted(request.body.decode() for request in receiver.of("/later")) == sorted(
        text.replace("\n", " ") for text in STRANGE)


def test_a_server_goes_on_where_the_file_ended(database, source, receiver):
    first = rows_of_file(source.store, "marketing_events")[0]
    assert source.cli("migrate", "--to", database).code == DONE
    serve_moved(source, receiver, database)
    again = source.post(event(first[2], first[3], first[4], json.loads(first[14])))
    assert again.outcome == (200, "DUPLICATE")
    source.settled(source.send(kind="GOOD"), "COMPLETED")
    assert len(receiver.of("/good")) == 1
    [held] = source.get("/v1/deliveries?status=HELD&limit=1").json["items"]
    assert source.cli("deliveries", "resolve", held["id"], "--as", "delivered").code == DONE
    last = sql(database, "SELECT type FROM marketing_events ORDER BY seq DESC LIMIT 2")
    assert last == [("GOOD",), ("NOBODY",)]


def test_a_plan_goes_on_where_the_store_went(database, source, receiver):
    source.start()
    assert source.cli("release", "--yes").code == DONE  # a copy starts held
    plan = until(lambda: still(source.cli("replay", "plan", "--status", "FAILED", "-o", "json").json), "a plan")
    assert plan["left"] == len(STRANGE)
    assert source.cli("destinations", "pause", "bad").code == DONE
    assert source.cli("replay", "apply", str(plan["id"]), "-y").code == DONE
    assert source.cli("replay", "pause", str(plan["id"])).code == DONE
    source.terminate()
    assert source.cli("migrate", "--to", database).code == DONE
    serve_moved(source, receiver, database)
    assert source.cli("replay", "resume", str(plan["id"])).code == DONE
    assert source.cli("destinations", "resume", "bad").code == DONE
    until(lambda: source.get(f"/v1/replays/{plan['id']}").json["status"] == "DONE", "its end")
    assert source.get(f"/v1/replays/{plan['id']}").json["made"] == len(STRANGE)
    until(lambda: len(receiver.of("/bad")) == len(STRANGE), "each once more")
    assert len(set(receiver.keys("/bad"))) == len(STRANGE)
    made = until(lambda: still(source.cli("replay", "plan", "--since", "1d", "-o", "json").json), "the next plan")
    assert made["id"] > plan["id"]
    other = source.cli("replay", "apply", "1", "-y")
    assert other.code == CONFLICT and "E0151" in other.err, "it was made by another configuration"


def test_a_move_goes_on_wherever_it_was_killed(database, source, receiver):
    before, kills, last = everything(source.store), 0, 0
    made(source, database)
    while True:
        process = start_move(source, database)
        until(lambda: process.poll() is not None or reached(database) > last, "the move to get further")
        if process.poll() is not None:
            break
        process.kill()
        process.communicate()
        kills, last = kills + 1, reached(database)
    assert process.returncode == DONE, process.communicate()
    process.communicate()
    assert kills > 3, "it was never stopped on its way"
    assert_moved(source, database, before)
    serve_moved(source, receiver, database)
    assert source.cli("verify", "--deep").code == DONE


def test_a_move_that_ended_between_the_file_and_the_database_is_run_again(database, source):
    before = everything(source.store)
    assert source.cli("migrate", "--to", database).code == DONE
    sql(database, "UPDATE moves SET done = 0")  # as if it had been killed after the file was renamed
    got = source.cli("migrate", "--to", database)
    assert got.code == DONE, got
    assert_moved(source, database, before)
    got = source.cli("migrate", "--to", database)
    assert got.code == DONE and "moved before" in got.out and "are there" not in got.out, got
    got = source.cli("migrate", "--to", database, "-o", "json")
    assert all(table["copied"] == table["rows"] for table in got.json["tables"]), got
    assert_moved(source, database, before)


def test_what_alerts_told_goes_along(database, folder, receiver):
    receiver.script("/bad", answer(422))
    given = config(receiver, alerts={"to": [{"good": {}}], "report": "00:00"})
    server = Server(folder, **given).start()
    with contextlib.closing(server):
        server.settled(server.send(kind="BAD"), "FAILED")
        assert server.cli("apply").code == DONE  # looks at once, and so does a start
        told = until(lambda: server.cli("alerts", "list", "-o", "json").json["items"], "what is told")
        assert told[0]["told_at"]
        until(lambda: receiver.of("/good"), "the alert")
        assert server.terminate() == 0
        with contextlib.closing(sqlite3.connect(server.store)) as opened:
            before = opened.execute("SELECT * FROM chores WHERE name = 'alerts'").fetchall()
        assert "reported" in before[0][-1], before
        assert server.cli("migrate", env={"DB_DSN": database}).code == DONE
        sql(database, "INSERT INTO chores VALUES ('alerts', 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)")  # of a server that ran there before
        assert server.cli("migrate", "--to", database).code == DONE
        assert sql(database, "SELECT * FROM chores WHERE name = 'alerts'") == before
        server.configure(**given, store=database)
        server.start()
        assert server.cli("apply").code == DONE
        assert server.cli("alerts", "test").code == DONE
        until(lambda: "this is a test" in receiver.of("/good")[-1].body.decode(), "the test")
        again = server.cli("alerts", "list", "-o", "json").json["items"]
        assert [item["told_at"] for item in again] == [item["told_at"] for item in told]
        assert len(receiver.of("/good")) == 2, [request.body for request in receiver.of("/good")]


def test_a_move_waits_for_a_database_that_restarts(source, own_postgres):
    before = everything(source.store)
    with own_postgres.database() as database:
        process = start_move(source, made(source, database))
        until(lambda: reached(database) > 0, "the first rows to be there")
        own_postgres.restart("immediate")
        out, said = process.communicate(timeout=60)
        assert process.returncode == DONE and "trying again" in said, (out, said)
        assert_moved(source, database, before)


def test_ctrl_c_stops_a_move_and_says_how_to_go_on(database, source):
    before = everything(source.store)
    process = start_move(source, made(source, database))
    until(lambda: reached(database) > 0, "the first rows to be there")
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED and "the same command goes on" in said, said
    assert source.store.exists() and everything(source.store) == before
    assert source.cli("migrate", "--to", database).code == DONE
    assert_moved(source, database, before)


def test_a_dry_run_says_what_would_move_and_changes_nothing(database, source):
    before = everything(source.store)
    got = source.cli("migrate", "--to", database, "-n", "-o", "json")
    assert got.code == DONE and got.json["done"] is False, got
    assert {table["name"]: table["rows"] for table in got.json["tables"]} == {
        table: len(rows) for table, rows in before.items()}
    assert sql(database, "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'") == [(0,)]
    interrupted(source, database)
    state = sql(database, "SELECT * FROM moves ORDER BY part")
    got = source.cli("migrate", "--to", database, "-n")
    assert got.code == DONE and "would go on" in got.out and "of them are there" in got.out, got
    assert sql(database, "SELECT * FROM moves ORDER BY part") == state
    assert everything(source.store) == before


# What is refused.

def refused(got, *words, code=FAILED):
    assert got.code == code and got.out == "", got
    for word in words:
        assert word in got.err, got


def test_a_store_that_a_server_has_is_not_moved(serve, database):
    server = serve()
    refused(server.cli("migrate", "--to", database), f"process {server.pid}", "stop it first")
    refused(server.cli("migrate"), f"process {server.pid}", "stop it first")


def test_no_server_gets_the_file_while_it_is_moved(database, source, receiver):
    process = start_move(source, made(source, database))
    until(lambda: reached(database) > 0, "the first rows to be there")
    process.send_signal(signal.SIGSTOP)  # a start waits a moment for who has the file, and the move may end in it
    try:
        refused(source.cli("serve"), f"process {process.pid}")
    finally:
        process.send_signal(signal.SIGCONT)
    assert process.communicate() and process.returncode == DONE


def test_no_server_starts_on_a_database_before_all_is_there(database, source, receiver):
    interrupted(source, database)
    source.configure(**config(receiver, store=database))
    refused(source.cli("serve"), "a move into this database is not finished", "drumbeat migrate --to")
    assert receiver.of("/later") == []


def test_nothing_moves_into_a_database_that_a_server_works_on(database, source, receiver, serve):
    serve(store=database)
    refused(source.cli("migrate", "--to", database), "a server works on this database", "stop it first")
    assert sql(database, "SELECT count(*) FROM moves") == [(0,)]


def test_nothing_is_mixed(database, source, receiver):
    made(source, database)
    insert(database, seed_event("own"), client=psql)
    refused(source.cli("migrate", "--to", database), "1 in marketing_events", "empty")
    assert sql(database, "SELECT count(*) FROM moves") == [(0,)]
    sql(database, "DELETE FROM marketing_events")
    assert source.cli("migrate", "--to", database).code == DONE
    source.store.with_name("drumbeat.db.moved").rename(source.folder / "old.db")
    source.configure(**config(receiver))
    assert source.cli("keys", "create", "--role", "read").code == DONE  # another store
    refused(source.cli("migrate", "--to", database), "another store", "empty")


def test_what_was_moved_does_not_move_elsewhere_too(database, source, postgres):
    assert source.cli("migrate", "--to", database).code == DONE
    with postgres.database() as other:
        refused(source.cli("migrate", "--to", other), "was moved into another database")
        assert sql(other, "SELECT count(*) FROM moves") == [(0,)]


def test_a_store_that_changed_since_its_move_began_is_not_the_same(database, source, receiver):
    interrupted(source, database)
    source.start()
    assert source.cli("release", "--yes").code == DONE  # a copy starts held
    source.settled(source.send(kind="GOOD"), "COMPLETED")
    assert source.terminate() == 0
    refused(source.cli("migrate", "--to", database), "before it changed", "empty")
    assert source.store.exists()


def test_a_row_that_is_missing_at_the_end_finishes_nothing(database, source):
    interrupted(source, database)
    sql(database, "DELETE FROM marketing_events WHERE seq = 1")
    refused(source.cli("migrate", "--to", database), "nothing is finished: marketing_events has")
    assert source.store.exists() and sql(database, "SELECT DISTINCT done FROM moves") == [(0,)]


@pytest.mark.parametrize("to, code, word", [
    ("other.db", USAGE, "postgres://"),
    ("postgres://u:canary-5f2a@127.0.0.1:1/x", FAILED, "postgresql://127.0.0.1:1/x"),
])
def test_a_target_that_is_none(folder, to, code, word):
    (folder / "drumbeat.yaml").write_text("version: 1\n")
    assert command(folder, "keys", "create", "--role", "read").code == DONE
    got = command(folder, "migrate", "--to", to)
    refused(got, word, code=code)
    assert "canary" not in got.err


def test_a_source_that_is_none(folder, database):
    (folder / "drumbeat.yaml").write_text("version: 1\n")
    refused(command(folder, "migrate", "--to", database), "there is no store", code=NOT_FOUND)
    refused(command(folder, "migrate"), "there is no store", code=NOT_FOUND)
    shared = command(folder, "migrate", "--to", database, env={"DB_DSN": database})
    refused(shared, "postgresql://127.0.0.1", code=USAGE)
    (folder / "data").mkdir()
    for name in ("drumbeat.db", "drumbeat.db.moved"):
        (folder / "data" / name).touch()
    refused(command(folder, "migrate", "--to", database), "drumbeat.db.moved is in the way")


# A database of the seed's.

@pytest.fixture
def old(folder, database):
    sql(database, SCHEMA)
    for key, status in (("one", "PENDING"), ("two", "PROCESSING"), ("three", "COMPLETED")):
        sql(database, "INSERT INTO marketing_events (idempotency_key, type, source, status) VALUES (%s, %s, %s, %s)",
            key, "LEAD_CAPTURE", "old", status)
    return Server(folder, store=database)


def tables(database):
    return sql(database, "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'")[0][0]


def test_a_dry_run_of_a_takeover_counts_and_changes_nothing(old, database):
    got = old.cli("migrate", "-n")
    assert got.code == DONE and "all 3 rows stay" in got.out and "1 are PROCESSING" in got.out, got
    assert tables(database) == 1
    told = old.cli("migrate", "-n", "-o", "json").json
    assert (told["taken_over"], told["done"], told["rows_before"], told["marked_unknown"]) == (True, False, 3, 1)


def test_a_takeover_tells_what_it_did(old, database):
    got = old.cli("migrate")
    assert got.code == DONE and "3 rows before, 3 after" in got.out and "1 were PROCESSING" in got.out, got
    got = old.cli("migrate", "-o", "json")
    assert got.code == DONE and got.json["taken_over"] is False and got.json["step_before"] == got.json["step"], got


def on_terminal(server, typed, *arguments):
    """The exit code and what a person sees who types that."""
    ours, its = pty.openpty()
    process = subprocess.Popen([BINARY, *arguments], cwd=server.folder, stdin=its, stdout=its, stderr=its,
                               env=environment(server.folder))
    os.close(its)
    os.write(ours, typed)
    seen = b""
    with contextlib.suppress(OSError):  # the other side is closed
        while chunk := os.read(ours, 65536):
            seen += chunk
    os.close(ours)
    return process.wait(60), seen.decode()


@pytest.mark.parametrize("typed, code", [(b"n\n", DECLINED), (b"\n", DECLINED), (b"y\n", DONE)])
def test_a_person_is_asked_before_a_table_is_altered(old, database, typed, code):
    got, seen = on_terminal(old, typed, "migrate")
    assert got == code and "with 3 rows" in seen, seen
    assert (tables(database) > 1) == (code == DONE)


def test_a_person_is_asked_before_a_move_and_sees_it_go_on(database, source):
    before = everything(source.store)
    rows = sum(map(len, before.values()))
    got, seen = on_terminal(source, b"n\n", "migrate", "--to", database)
    assert got == DECLINED and f"Copy {rows} rows into postgresql://127.0.0.1" in seen, seen
    assert source.store.exists() and sql(database, "SELECT count(*) FROM moves") == [(0,)]
    got, seen = on_terminal(source, b"", "migrate", "--to", database, "-y")
    assert got == DONE and f"[{'#' * 30}] {rows} of {rows} rows" in seen, seen
    assert_moved(source, database, before)
