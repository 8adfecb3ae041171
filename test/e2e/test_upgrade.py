"""A store of an earlier version, and one of a later version."""
import sqlite3

import pytest

from harness import ROOT, Server
from receiver import answer
from services import psql, sql

# Their hashes are in the old stores.
OLD_KEYS = {"file": "db_read_7eac7649db33b1aadb2c7085656510fab761c92e", "database": "db_read_c928660c3226c9b472c74ae14e1ab9ed46320d62"}
STATUSES = {"lead-1": "COMPLETED", "lead-2": "COMPLETED", "bad-1": "FAILED", "later-1": "PENDING", "waits-1": "PROCESSING"}


def config(receiver):
    return {"keep": {"events": "36500d"},  # the old stores grow older
            "destinations": {"crm": {"url": receiver.url("/crm"), "allow_private": "true", "on_unknown": "retry"},
                             "bad": {"url": receiver.url("/bad"), "allow_private": "true", "on_unknown": "hold"}},
            "routes": {"lead": {"from": "LEAD_CAPTURE", "to": ["crm"]}, "bad": {"from": "BAD", "to": ["bad"]}}}


@pytest.fixture
def old(folder, receiver):
    """A server that is not started, with a store that 0.1.0 left."""
    server = Server(folder, **config(receiver))
    server.store.parent.mkdir()
    store = sqlite3.connect(server.store)
    store.executescript((ROOT / "test/deploy/store-0.1.0.sql").read_text())
    store.close()
    yield server
    server.close()


def test_a_dry_run_says_what_would_change_and_changes_nothing(old):
    before = old.store.read_bytes()
    planned = old.cli("migrate", "-n")
    assert planned.code == 0 and "would go from step 1 to step" in planned.out, planned
    for words in ("CREATE TABLE chores", "ALTER TABLE deliveries ADD COLUMN keyed_as", "The way back is a copy"):
        assert words in planned.out
    steps = old.cli("migrate", "-n", "-o", "json").json
    assert steps["step_before"] == 1 and len(steps["sql"]) == steps["step"] - 1 and not steps["done"]
    assert old.store.read_bytes() == before


@pytest.fixture
def old_database(folder, database, receiver):
    """The same, on PostgreSQL."""
    psql(database, (ROOT / "test/deploy/database-0.1.0.sql").read_text())
    server = Server(folder, store=database, **config(receiver))
    yield server
    server.close()


@pytest.mark.parametrize("first", ["migrate", "serve"])
@pytest.mark.parametrize("kind", ["file", "database"])
def test_a_store_of_the_version_before_goes_on(request, receiver, kind, first):
    server = request.getfixturevalue("old" if kind == "file" else "old_database")
    receiver.script("/crm", answer(200))
    if first == "migrate":
        assert "CREATE TABLE chores" in server.cli("migrate", "-n").out
        done = server.cli("migrate")
        assert done.code == 0 and "brought from step 1 to step" in done.out, done
    server.start()
    server.key = OLD_KEYS[kind]
    events = {item["idempotency_key"]: item for item in server.every("/v1/events")}
    assert {key: item["status"] for key, item in events.items()} == STATUSES
    assert server.get("/v1/destinations/crm").json["paused"], "a pause is kept"
    key = server.deliveries(events["waits-1"]["id"])[0]["key"]
    assert server.cli("destinations", "resume", "crm").code == 0
    server.settled(events["waits-1"]["id"], "COMPLETED")
    assert receiver.keys("/crm") == [key], "under the key that the old version gave it; what was done stays done"
    assert server.cli("verify", "--deep").code == 0
    assert server.terminate() == 0
    assert "is up to date" in server.cli("migrate", "-n").out


def refused(result):
    text = result.out + result.err
    assert "the store has schema 99" in text and "go back to the copy that was made before the upgrade" in text, result


def test_a_newer_file_is_refused_with_the_way_back(old):
    store = sqlite3.connect(old.store)
    store.execute("PRAGMA user_version = 99")
    before = list(store.iterdump())
    store.close()
    for words in (["serve"], ["migrate"], ["migrate", "-n"], ["events", "list"]):
        done = old.cli(*words)
        assert done.code == (6 if words[0] == "events" else 1), done
        refused(done)
    assert list(sqlite3.connect(old.store).iterdump()) == before
    assert "Schemas only go forward" in " ".join(old.cli("explain", "E0602").out.split())


def test_a_newer_database_is_refused_with_the_way_back(serve, database):
    server = serve(store=database)
    assert server.terminate() == 0
    sql(database, "INSERT INTO schema_steps(step, taken_at) VALUES (99, 1)")
    for words in (["serve"], ["migrate"], ["migrate", "-n"]):
        refused(server.cli(*words))
