"""What the database refuses, or somebody's open transaction keeps out, costs the one input that it is about."""
import concurrent.futures
import contextlib
import json
import selectors
import socket
import sqlite3
import threading

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


@pytest.mark.parametrize("trigger", ["TRIGGER refuse BEFORE", "CONSTRAINT TRIGGER refuse AFTER"])
def test_an_event_that_cannot_be_planned_fails_alone(serve, database, receiver, trigger):
    server = serve(store=database, **config(receiver))
    sql(database, RAISE)
    bad = server.send(kind="OTHER")  # its id is not known before it is stored, so a route comes later
    late = "" if "BEFORE" in trigger else "DEFERRABLE INITIALLY DEFERRED"
    sql(database, f"CREATE {trigger} INSERT ON deliveries {late} FOR EACH ROW WHEN (NEW.destination = 'crm'"
                  f" AND NEW.event_id = '{bad}') EXECUTE FUNCTION refuse()")
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


CONTACTS = ("CREATE TABLE contacts(email text PRIMARY KEY);"
            "CREATE FUNCTION keep_contact() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " INSERT INTO contacts VALUES (NEW.payload->>'email'); RETURN NEW; END $$;"
            "CREATE TRIGGER keep AFTER UPDATE ON marketing_events FOR EACH ROW WHEN (NEW.status = 'COMPLETED')"
            " EXECUTE FUNCTION keep_contact()")


def test_a_unique_index_of_somebodys_holds_one_delivery(serve, database, receiver):
    server = serve(store=database, **config(receiver))
    sql(database, CONTACTS)
    server.settled(server.send(kind="SEND", payload={"email": "ada"}), "COMPLETED")
    twice = server.send(kind="SEND", payload={"email": "ada"})
    until(lambda: server.delivery(twice)["status"] == "HELD", "the second of Ada to be held")
    assert "contacts_pkey" in server.delivery(twice)["last_error"]
    server.settled(server.send(kind="SEND", payload={"email": "bob"}), "COMPLETED")
    assert len(receiver.of("/crm")) == 3, "each was sent once"


def test_a_table_that_a_trigger_wants_and_that_is_not_there_costs_one_input(serve, database, receiver):
    server = serve(store=database, **config(receiver))
    sql(database, "CREATE FUNCTION lost() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                  " INSERT INTO nowhere VALUES (1); RETURN NEW; END $$;"
                  "CREATE TRIGGER lost BEFORE INSERT ON marketing_events FOR EACH ROW WHEN (NEW.type = 'BAD') EXECUTE FUNCTION lost();"
                  "CREATE TRIGGER lost BEFORE INSERT ON attempts FOR EACH ROW WHEN (NEW.http_status = 202) EXECUTE FUNCTION lost()")
    got = post_many(server, [event(kind="BAD" if i == 3 else "GOOD") for i in range(8)])
    assert [answer.status for answer in got] == [200] * 3 + [503] + [200] * 4, got
    assert got[3].json["code"] == "E0142"
    receiver.script("/crm", answer(202), answer(200))
    bad = server.send(kind="SEND")
    until(lambda: server.delivery(bad)["status"] == "HELD", "the delivery to be held")
    assert "nowhere" in server.delivery(bad)["last_error"]
    server.settled(server.send(kind="SEND"), "COMPLETED")


def test_a_claim_that_is_refused_holds_up_its_own_destination(serve, database, receiver):
    both = {name: {"url": receiver.url(f"/{name}"), "allow_private": "true"} for name in ("crm", "mail")}
    server = serve(store=database, destinations=both, routes={"crm": {"from": "CRM", "to": [{"crm": {"order_by": ".k"}}]}, "mail": {
        "from": "MAIL", "to": [{"mail": {"order_by": ".k"}}]}})  # what has an order is claimed
    sql(database, RAISE)
    sql(database, "CREATE TRIGGER refuse BEFORE UPDATE ON deliveries FOR EACH ROW WHEN (NEW.status = 'PROCESSING' AND NEW.destination = 'crm')"
                  " EXECUTE FUNCTION refuse()")
    stuck = server.send(kind="CRM", payload={"k": "a"})
    until(lambda: any(line["event"] == "claim_refused" and line["destination"] == "crm" for line in server.log()), "the refusal")
    for _ in range(3):
        server.settled(server.send(kind="MAIL", payload={"k": "a"}), "COMPLETED")
    assert server.delivery(stuck)["status"] == "PENDING" and server.probe("/readyz") == 200
    sql(database, "DROP TRIGGER refuse ON deliveries")
    server.settled(stuck, "COMPLETED")


@pytest.mark.parametrize("concurrency", [1, 8], ids=["a claim that takes all it may", "a claim that has room"])
def test_a_claim_that_is_refused_late_is_told_from_the_next_one(serve, database, receiver, concurrency):
    """What a claim writes is answered with the next statement, which may be another destination's."""
    crm = {"url": receiver.url("/crm"), "allow_private": "true", "concurrency": concurrency, "retry": {"base": "1s", "cap": "1s"}}
    server = serve(store=database, destinations={"crm": crm, "mail": {"url": receiver.url("/mail"), "allow_private": "true"}}, routes={
        "crm": {"from": "CRM", "to": ["crm"]}, "mail": {"from": "MAIL", "to": [{"mail": {"order_by": ".k"}}]}})
    receiver.script("/crm", *[answer(503)] * 3, answer(200))
    sql(database, RAISE)
    stuck = [server.send(kind="CRM") for _ in range(3)]
    until(lambda: len(receiver.of("/crm")) >= 1, "the first try")
    sql(database, "CREATE TRIGGER refuse BEFORE UPDATE ON deliveries FOR EACH ROW WHEN (NEW.status = 'PROCESSING' AND NEW.destination = 'crm')"
                  " EXECUTE FUNCTION refuse()")
    until(lambda: any(line["event"] == "claim_refused" for line in server.log()), "the refusal")
    for _ in range(4):
        server.settled(server.send(kind="MAIL", payload={"k": "a"}), "COMPLETED")
    assert {line["destination"] for line in server.log() if line["event"] == "claim_refused"} == {"crm"}, server.text
    assert not [line for line in server.log() if line["event"] in ("chore_refused", "turn_dropped", "input_refused")], server.text
    item = next(one for one in server.get("/v1/todo").json["items"] if one["cause"] == "claim")
    assert item["name"] == "crm" and WORDS in item["error"], item
    sql(database, "DROP TRIGGER refuse ON deliveries")
    for one in stuck:
        server.settled(one, "COMPLETED")
    until(lambda: not [one for one in server.get("/v1/todo").json["items"] if one["cause"] == "claim"], "it to be over", 30)


def test_what_is_refused_at_the_commit_is_one_inputs_and_no_chores(serve, database, receiver):
    server = serve(store=database, **config(receiver))
    sql(database, RAISE)
    sql(database, "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON marketing_events DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
                  " WHEN (NEW.type = 'BAD') EXECUTE FUNCTION refuse()")
    got = post_many(server, [event(kind="BAD" if i == 3 else "SEND") for i in range(8)])
    assert is_refused(got[3]) and all(other.status == 200 for other in got[:3] + got[4:]), got
    assert not [line for line in server.log() if line["event"] == "chore_refused"], server.text
    sql(database, "DROP TRIGGER refuse ON marketing_events;"
                  "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON attempts DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
                  " WHEN (NEW.http_status = 202) EXECUTE FUNCTION refuse()")
    for other in got[:3] + got[4:]:
        server.settled(other.json["eventId"], "COMPLETED")
    receiver.script("/crm", answer(202), answer(200))
    bad = server.send(kind="SEND")
    assert WORDS in server.settled(bad, "HELD")["last_error"]
    assert not [line for line in server.log() if line["event"] == "chore_refused"], server.text
    assert server.get("/v1/todo").json["items"][0]["cause"] == "doubt"


def test_a_claim_that_is_refused_at_the_commit_waits_alone(serve, database, receiver):
    """A retry is claimed. The answers, the requests and the routing of the same turns have no part in it."""
    two = {name: {"url": receiver.url(f"/{name}"), "allow_private": "true", "retry": {"base": "10ms"}} for name in ("bad", "good")}
    server = serve(store=database, destinations=two, routes={"all": {"from": "SEND", "to": ["bad", "good"]}})
    sql(database, RAISE)
    sql(database, "CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON deliveries DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
                  " WHEN (NEW.destination = 'bad' AND NEW.status = 'PROCESSING') EXECUTE FUNCTION refuse()")
    receiver.script("/bad", answer(503), answer(200))
    first = server.send(kind="SEND")
    until(lambda: any(line["event"] == "claim_refused" for line in server.log()), lambda: server.text)
    others = [server.send(kind="SEND") for _ in range(5)]
    for event_id in others:
        until(lambda: {d["destination"]: d["status"] for d in server.event(event_id)["deliveries"]}.get("good") == "COMPLETED",
              "the good one to go on")
        assert server.event(event_id)["status"] != "FAILED"
    assert not [line for line in server.log() if line["event"] in ("input_refused", "turn_dropped")], server.text
    sql(database, "DROP TRIGGER refuse ON deliveries")
    for event_id in [first, *others]:
        until(lambda: server.event(event_id)["status"] == "COMPLETED", lambda: f"{server.event(event_id)}")


@contextlib.contextmanager
def crowd():
    """A receiver of very many calls at a time, which it answers when the gate is open: its port, the gate, and how many are there."""
    gate, over, there = threading.Event(), threading.Event(), []
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    listener.setblocking(False)

    def attend():
        with selectors.DefaultSelector() as eyes:
            eyes.register(listener, selectors.EVENT_READ)
            unanswered = []
            while not over.is_set():
                for key, _ in eyes.select(0.05):
                    if key.fileobj is listener:
                        eyes.register(listener.accept()[0], selectors.EVENT_READ)
                        continue
                    data = key.fileobj.recv(65536)
                    if not data:
                        eyes.unregister(key.fileobj)
                        key.fileobj.close()
                    elif data.startswith(b"POST"):
                        unanswered.append(key.fileobj)
                        there.append(1)
                while gate.is_set() and unanswered:
                    unanswered.pop().sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    thread = threading.Thread(target=attend)
    thread.start()
    try:
        yield listener.getsockname()[1], gate, there
    finally:
        over.set()
        thread.join()
        listener.close()


def test_many_answers_of_which_nothing_can_be_written_wait(serve, database):
    """More than a turn takes in at a time. When the table that a trigger wants is there, all are settled as what they were."""
    with crowd() as (port, gate, there):
        many = {f"d{i}": {"url": f"http://127.0.0.1:{port}/{i}", "allow_private": "true", "concurrency": 250, "timeout": "60s"} for i in range(4)}
        server = serve(store=database, destinations=many, routes={"all": {"from": "SEND", "to": [*many]}})
        sql(database, "CREATE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM 1 FROM nowhere; RETURN NEW; END $$;"
                      "CREATE TRIGGER gone BEFORE UPDATE ON deliveries FOR EACH ROW WHEN (OLD.status = 'PROCESSING') EXECUTE FUNCTION gone()")
        for _ in range(20):
            server.ndjson(*[event(kind="SEND") for _ in range(10)])
        until(lambda: len(there) == 800, lambda: f"all to be on their way: {len(there)}", 60)
        gate.set()
        until(lambda: any(line["event"] == "input_refused" for line in server.log()), "the first refusal")
        until(lambda: (counted(server, 'drumbeat_inputs_refused_total{reason="refused"}') or 0) >= 512, "as many as can be set aside", 60)
        sql(database, "CREATE TABLE nowhere(n int)")
        until(lambda: sql(database, "SELECT DISTINCT status FROM deliveries") == [("COMPLETED",)], "all to be settled", 60)
        assert len(there) == 800, "each was sent once"


def old_events(serve, database, receiver, count):
    """A server that is stopped, whose events are old enough to go; their ids."""
    server = serve(store=database, keep={"events": "1h"}, **config(receiver))
    ids = [server.send(kind="SEND") for _ in range(count)]
    for one in ids:
        server.settled(one, "COMPLETED")
    assert server.terminate() == 0
    sql(database, "UPDATE marketing_events SET created_at = created_at - interval '1 day'")
    return server, ids


def left(database):
    return {str(row[0]) for row in sql(database, "SELECT id FROM marketing_events WHERE created_at < now() - interval '1 hour'")}


@pytest.mark.parametrize("when", ["", "DEFERRABLE INITIALLY DEFERRED"])
def test_an_event_that_somebodys_table_points_at_stays_and_the_others_go(serve, database, receiver, when):
    server, ids = old_events(serve, database, receiver, 40)
    sql(database, f"CREATE TABLE crm_lead(event uuid REFERENCES marketing_events(id) {when})")
    kept = {ids[7], ids[8], ids[30]}
    for one in kept:
        sql(database, "INSERT INTO crm_lead VALUES (%s)", one)
    server.start()
    server.settled(server.send(kind="SEND"), "COMPLETED")
    until(lambda: left(database) == kept, lambda: f"the others to go: {len(left(database))} are left")
    [item] = server.get("/v1/todo").json["items"]
    assert (item["cause"], item["name"]) == ("chore", "retirement") and "crm_lead" in item["error"], item
    assert any(line["event"] == "chore_refused" for line in server.log()), server.text
    assert server.probe("/readyz") == 200
    server.settled(server.send(kind="SEND"), "COMPLETED")


def test_an_old_event_that_somebody_has_locked_holds_up_nothing(serve, database, receiver):
    server, ids = old_events(serve, database, receiver, 12)
    with contextlib.closing(connection(database)) as other, other.cursor() as cursor:
        cursor.execute("SELECT 1 FROM marketing_events WHERE id = %s FOR UPDATE", (ids[5],))
        server.start()
        server.settled(server.send(kind="SEND"), "COMPLETED")
        until(lambda: left(database) == {ids[5]}, lambda: f"the others to go: {len(left(database))} are left")
        server.settled(server.send(kind="SEND"), "COMPLETED")
        other.rollback()


def test_an_event_that_somebody_has_locked_is_not_overtaken_by_those_of_its_order(serve, database, receiver):
    to = [{"crm": {"order_by": ".who"}}]
    server = serve(store=database, **{**config(receiver), "routes": {"all": {"from": "SEND", "to": to}}})
    server.post(event(kind="SEND", payload={"who": "ann", "n": 1}, scheduled_at="2099-01-01T00:00:00Z"))
    sql(database, "UPDATE marketing_events SET scheduled_at = now() + interval '1 second'")
    with contextlib.closing(connection(database)) as other, other.cursor() as cursor:
        cursor.execute("SELECT 1 FROM marketing_events FOR UPDATE")
        until(lambda: sql(database, "SELECT scheduled_at < now() FROM marketing_events") == [(True,)], "it to be due")
        second, third = [server.send(kind="SEND", payload={"who": who, "n": n}) for who, n in (("ann", 2), ("bob", 3))]
        server.settled(third, "COMPLETED")
        assert server.event(second)["status"] == "PENDING"
        other.rollback()
    server.settled(second, "COMPLETED")
    assert [json.loads(request.body)["n"] for request in receiver.of("/crm")] == [3, 1, 2]


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


def test_a_database_of_other_habits_is_used_as_any(serve, database, receiver):
    """Backslashes that escape in plain strings, and notices about everything: which a database may have for all its sessions."""
    name = database.rsplit("/", 1)[1].split("?")[0]
    sql(database, f'ALTER DATABASE "{name}" SET standard_conforming_strings = off')
    sql(database, f'ALTER DATABASE "{name}" SET client_min_messages = debug1')
    try:
        server = serve(store=database, log={"format": "json"}, **config(receiver))
        server.settled(server.send(kind="SEND", payload={"text": "a\\b\u0000"}), "COMPLETED")
        server.settled(server.send(kind="SEND"), "COMPLETED")
        assert all(line.startswith("{") for line in server.text.splitlines()), server.text
    finally:
        sql(database, f'ALTER DATABASE "{name}" RESET ALL')


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
