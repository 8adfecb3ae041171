"""What the database refuses, or somebody's open transaction keeps out, costs the one input that it is about."""
import concurrent.futures
import contextlib
import sqlite3

import pytest

from harness import Server, event, until
from receiver import answer
from services import connection, sql

WORDS = "not in this house"
RAISE = f"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{WORDS}'; END $$"


def config(receiver):
    return {"destinations": {"crm": {"url": receiver.url("/crm"), "allow_private": "true"}},
            "routes": {"all": {"from": "SEND", "to": ["crm"]}}}


def post_many(server, events):
    """All at the same time; the answers in their order."""
    with concurrent.futures.ThreadPoolExecutor(len(events)) as pool:
        return list(pool.map(server.post, events))


def counted(server, name):
    for line in server.get("/metrics").body.decode().splitlines():
        if line.startswith(f"{name} "):
            return float(line.split()[-1])
    return None


def is_refused(got, words=WORDS):
    return got.status == 422 and got.json["code"] == "E0131" and words in got.json["detail"]


def test_a_check_of_somebodys_refuses_one_request(serve, database):
    server = serve(store=database, log={"fold": "0s"})
    sql(database, "ALTER TABLE marketing_events ADD CONSTRAINT polite CHECK (payload->>'word' IS DISTINCT FROM 'bad')")
    words = ["bad" if i % 7 == 3 else "good" for i in range(30)]
    for word, got in zip(words, post_many(server, [event(payload={"word": word}) for word in words])):
        assert is_refused(got, "polite") if word == "bad" else got.status == 200, got
    assert [line["input"] for line in server.log() if line["event"] == "input_refused"] == ["/v1/events"] * 4
    until(lambda: counted(server, 'drumbeat_inputs_refused_total{reason="refused"}') == 4, "the four to be counted")
    assert counted(server, "drumbeat_store_connections_total") == 1
    assert counted(server, "drumbeat_store_rounds_total") > 4


def test_an_event_that_cannot_be_planned_fails_alone(serve, database, receiver):
    server = serve(store=database, **config(receiver))
    sql(database, RAISE)
    bad = server.send(kind="OTHER")  # its id is not known before it is stored, so a route comes later
    sql(database, "CREATE TRIGGER refuse BEFORE INSERT ON deliveries FOR EACH ROW WHEN (NEW.destination = 'crm'"
                  " AND NEW.event_id = '%s') EXECUTE FUNCTION refuse()" % bad)
    sql(database, "UPDATE marketing_events SET status = 'PENDING', type = 'SEND' WHERE id = %s", bad)
    good = [server.send(kind="SEND") for _ in range(5)]
    for event_id in good:
        server.settled(event_id, "COMPLETED")
    until(lambda: server.event(bad)["status"] == "FAILED", "the refused one to fail", 60)
    assert WORDS in server.event(bad)["last_error"]


def test_an_answer_that_cannot_be_stored_is_held(serve, database, receiver):
    server = serve(store=database, **config(receiver))
    sql(database, RAISE)
    sql(database, "CREATE TRIGGER refuse BEFORE INSERT ON attempts FOR EACH ROW WHEN (NEW.http_status = 202)"
                  " EXECUTE FUNCTION refuse()")
    receiver.script("/crm", answer(202), answer(200))
    bad = server.send(kind="SEND")
    until(lambda: server.delivery(bad)["status"] == "HELD", "the delivery to be held")
    assert WORDS in server.delivery(bad)["last_error"]
    server.settled(server.send(kind="SEND"), "COMPLETED")


def test_a_key_in_somebodys_open_transaction_blocks_that_key_alone(serve, database):
    server = serve(store=database)
    with contextlib.closing(connection(database)) as other, other.cursor() as cursor:
        cursor.execute("INSERT INTO marketing_events (idempotency_key, type, payload, source)"
                       " VALUES ('taken', 'LEAD', '{}', 'other')")
        got = post_many(server, [event("taken" if i == 3 else f"free-{i}") for i in range(8)])
        assert [answer.status for answer in got] == [200] * 3 + [503] + [200] * 4, got
        assert got[3].json["code"] == "E0132" and int(got[3].headers["Retry-After"]) >= 1
        other.rollback()
    assert server.post(event("taken")).status == 200


def test_a_locked_row_holds_up_its_own_delivery_alone(serve, database, receiver):
    server = serve(store=database, **config(receiver))
    receiver.script("/crm", answer(200, delay=1), answer(200))
    slow = server.send(kind="SEND")
    until(lambda: receiver.of("/crm"), "the send")
    with contextlib.closing(connection(database)) as other, other.cursor() as cursor:
        cursor.execute("SELECT 1 FROM deliveries FOR UPDATE")
        server.settled(server.send(kind="SEND"), "COMPLETED")
        until(lambda: any(line["event"] == "input_locked_out" for line in server.log()), "it to be kept out")
        until(lambda: counted(server, "drumbeat_store_lock_waits_total"), "the lock to be counted")
        until(lambda: counted(server, 'drumbeat_inputs_refused_total{reason="locked"}'), "the answer to be counted")
        server.settled(server.send(kind="SEND"), "COMPLETED")
        other.rollback()
    server.settled(slow, "COMPLETED")


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_another_encoding_is_refused_at_the_start(folder, postgres, database, encoding):
    name = f"odd_{encoding.lower()}"
    with contextlib.closing(connection(database)) as other:
        other.autocommit = True
        with other.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {name}")
            cursor.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0 LOCALE 'C'")
    server = Server(folder, store=database.rsplit("/", 1)[0] + f"/{name}").launch()
    assert server.wait() == 1
    assert f"encoding is {encoding}" in server.text


def test_a_trigger_in_sqlite_refuses_one_request(serve):
    server = serve()
    server.send()
    server.terminate()
    with contextlib.closing(sqlite3.connect(server.store)) as store:
        store.execute("CREATE TRIGGER refuse BEFORE INSERT ON marketing_events WHEN NEW.type = 'BAD'"
                      f" BEGIN SELECT RAISE(ABORT, '{WORDS}'); END")
        store.commit()
    server.start()
    got = post_many(server, [event(kind="BAD" if i == 5 else "GOOD") for i in range(10)])
    assert is_refused(got[5]) and all(other.status == 200 for other in got[:5] + got[6:]), got
