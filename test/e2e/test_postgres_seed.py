"""drumbeat in the place of the seed's workers: programs that know PostgreSQL and the seed's table alone go on working."""
import datetime
import json
import re
import time

import pytest

from harness import Server, event, until
from receiver import answer
from seed import CLIENTS, SCHEMA, fingerprint, insert, psql as psql_client, seed_event
from services import psql, sql

KINDS = ["LEAD_CAPTURE", "CONTENT_PUBLISH", "CAMPAIGN_TRIGGER"]
clients = pytest.mark.parametrize("client", CLIENTS)
news = pytest.mark.parametrize("news", ["notify", "silent"])


def config(url, receiver, *kinds):
    return {
        "store": url,
        "destinations": {"crm": {"url": receiver.url("/crm"), "allow_private": "true"}},
        "routes": {"all": {"from": [*KINDS, *kinds], "to": ["crm"]}},
    }


@pytest.fixture
def server(serve, database, receiver):
    return serve(**config(database, receiver))


@pytest.fixture
def inserted(server, database):
    """insert(), into the server's store."""
    return lambda *events, **how: insert(database, *events, **how)


def arrived(receiver):
    """The events that reached the receiver, each as often as it did."""
    return [request["X-Drumbeat-Event"] for request in receiver.of("/crm")]


def send(server, key, **more):
    return server.send(key, "LEAD_CAPTURE", **more)


def columns(database, *names):
    """Of every event, by key."""
    return {row[0]: row[1:] for row in
            sql(database, f"SELECT idempotency_key, {', '.join(names)} FROM marketing_events ORDER BY idempotency_key")}


# in a transaction of the client's

@clients
@news
def test_nothing_leaves_before_commit(server, database, receiver, client, news):
    with client(database, [seed_event("held-1"), seed_event("held-2", "CONTENT_PUBLISH")], news) as program:
        other = send(server, "other")
        server.settled(other, "COMPLETED")
        assert arrived(receiver) == [other]
        assert [server.get(f"/v1/events/{id}").status for id in program.ids] == [404, 404]
        program.end("commit")
    for event_id in program.ids:
        server.settled(event_id, "COMPLETED")
    assert sorted(arrived(receiver)) == sorted([other, *program.ids])


@clients
def test_nothing_leaves_after_rollback(server, database, receiver, client):
    with client(database, [seed_event("undone")]) as program:
        program.end("rollback")
    later = insert(database, seed_event("later"), client=client)
    server.settled(later[0], "COMPLETED")
    assert arrived(receiver) == later
    assert sql(database, "SELECT id FROM marketing_events") == [(later[0],)]


@clients
def test_what_arrives_is_what_was_inserted(server, inserted, receiver, client):
    payload = {"email": "Ada O'Neill <ada@example.com>", "b": 1, "a": [None, True, 2.5], "ü": "\\ \"€\""}
    [event_id] = inserted(seed_event("whole", payload=payload), client=client)
    delivery = server.settled(event_id, "COMPLETED")
    [request] = receiver.of("/crm")
    assert json.loads(request.body) == payload
    assert (request["X-Drumbeat-Event"], request["X-Drumbeat-Type"], request.key) == (
        event_id, "LEAD_CAPTURE", delivery["key"])
    shown = server.event(event_id)
    assert (shown["idempotency_key"], shown["source"], shown["status"]) == ("whole", "seed", "COMPLETED")
    assert shown["payload"] == payload


def test_a_notification_is_not_waited_for_until_the_next_poll(server, database, receiver):
    """One after the other, each when the one before has arrived: by polling alone that takes a poll each, of 2 s."""
    waited = 0
    for n in range(10):
        with psql_client(database, [seed_event(f"soon-{n}")]) as program:
            program.say("COMMIT;\n")
            began = time.monotonic()
            until(lambda: program.ids[0] in arrived(receiver), f"{program.ids} to arrive")
            waited += time.monotonic() - began
            program.end("commit")
    assert waited < 5


def test_a_key_that_is_there_is_left_alone(server, inserted, receiver):
    first = send(server, "once", payload={"n": 1})
    assert inserted(seed_event("once", payload={"n": 2})) == [None]
    server.settled(first, "COMPLETED")
    later = inserted(seed_event("later"))[0]
    server.settled(later, "COMPLETED")
    assert arrived(receiver) == [first, later]
    assert server.event(first)["payload"] == {"n": 1}


# a fingerprint of the client's own

@pytest.mark.parametrize("scheduled", [False, True], ids=["delivered", "still pending"])
def test_a_key_of_a_clients_is_a_duplicate_or_a_conflict_over_http(server, database, receiver, scheduled):
    payload = {"b": {"y": 1, "x": [1.5, "é"]}, "a": "2"}  # the order of its names counts in the client's fingerprint
    if scheduled:
        sql(database, "ALTER TABLE marketing_events ALTER COLUMN scheduled_at SET DEFAULT now() + interval '9 years'")
    [first] = insert(database, seed_event("mine", payload=payload))
    if not scheduled:
        server.settled(first, "COMPLETED")
    assert len(fingerprint(payload)) == 16
    same = dict(reversed(payload.items()))
    for body in (payload, same):
        got = server.post(event("mine", "LEAD_CAPTURE", "seed", body))
        assert (got.outcome, got.json["eventId"]) == ((200, "DUPLICATE"), first)
    got = server.post(event("mine", "LEAD_CAPTURE", "seed", {**payload, "a": "3"}))
    assert got.outcome == (422, "CONFLICT"), got
    batch = server.post([event("mine", "LEAD_CAPTURE", "seed", payload), event("mine", "LEAD_CAPTURE", "seed", {})])
    assert [item["status"] for item in batch.json] == ["DUPLICATE", "CONFLICT"]
    assert server.event(first)["payload"] == payload
    assert arrived(receiver) == ([] if scheduled else [first])


# replay

REPLAY = ("UPDATE marketing_events SET status = 'PENDING' WHERE type = 'CAMPAIGN_TRIGGER'"
          " AND created_at BETWEEN '2024-01-01' AND '2099-01-31'")


def runs(server, event_id):
    return [(delivery["run"], delivery["status"]) for delivery in server.deliveries(event_id)]


def test_the_replay_of_the_seed_is_a_new_run(server, inserted, database, receiver):
    campaign, lead = inserted(seed_event("campaign", "CAMPAIGN_TRIGGER"), seed_event("lead"))
    posted = server.send("posted", "CAMPAIGN_TRIGGER")
    for event_id in (campaign, lead, posted):
        server.settled(event_id, "COMPLETED")
    psql(database, REPLAY)
    for event_id in (campaign, posted):
        until(lambda: runs(server, event_id) == [(0, "COMPLETED"), (1, "COMPLETED")],
              lambda: f"a second run: {server.event(event_id)}")
        sent = [request for request in receiver.of("/crm") if request["X-Drumbeat-Event"] == event_id]
        assert [request.key for request in sent] == [delivery["key"] for delivery in server.deliveries(event_id)]
        assert sent[0].key != sent[1].key and sent[0].body == sent[1].body
        until(lambda: server.event(event_id)["status"] == "COMPLETED", "the event to be over")
    assert runs(server, lead) == [(0, "COMPLETED")]
    assert len(receiver.of("/crm")) == 5
    assert sql(database, "SELECT run, count(*) FROM deliveries GROUP BY run ORDER BY run") == [(0, 3), (1, 2)]


def test_a_failed_event_is_replayed(server, inserted, database, receiver):
    receiver.script("/crm", answer(422), answer(200))
    [event_id] = inserted(seed_event("campaign", "CAMPAIGN_TRIGGER"))
    server.settled(event_id, "FAILED")
    until(lambda: columns(database, "status")["campaign"] == ("FAILED",), "the event to have failed")
    psql(database, REPLAY)
    until(lambda: runs(server, event_id) == [(0, "FAILED"), (1, "COMPLETED")], lambda: f"{server.event(event_id)}")
    until(lambda: columns(database, "status", "last_error")["campaign"] == ("COMPLETED", None), "the event to be done")


def test_a_replay_outlives_a_kill(serve, database, receiver):
    server = serve(**config(database, receiver))
    event_id = server.send("campaign", "CAMPAIGN_TRIGGER")
    server.settled(event_id, "COMPLETED")
    server.kill()
    psql(database, REPLAY)
    server.start()
    until(lambda: runs(server, event_id) == [(0, "COMPLETED"), (1, "COMPLETED")], lambda: f"{server.event(event_id)}")
    assert len(set(receiver.keys("/crm"))) == 2


# the queries that its users know

def test_no_key_is_there_twice(server, inserted, database):
    inserted(seed_event("a"), seed_event("b"))
    for _ in range(2):
        server.post([event("a", "LEAD_CAPTURE"), event("c", "LEAD_CAPTURE")])
    inserted(seed_event("c"))
    assert psql(database, "SELECT idempotency_key, COUNT(*) FROM marketing_events GROUP BY idempotency_key"
                          " HAVING COUNT(*) > 1") == ""
    assert set(columns(database, "id")) == {"a", "b", "c"}


def test_scheduled_at_is_a_moment_whatever_the_zone(server, database):
    send(server, "summer", scheduled_at="2031-07-01T09:00:00+02:00")
    said = psql(database, "SELECT scheduled_at, scheduled_at AT TIME ZONE 'UTC' FROM marketing_events"
                          " WHERE status = 'PENDING'")
    assert said == "2031-07-01 12:45:00+05:45|2031-07-01 07:00:00\n"  # the server's zone is Kathmandu's
    moment = datetime.datetime(2031, 7, 1, 7, tzinfo=datetime.timezone.utc)
    assert columns(database, "scheduled_at")["summer"] == (moment,)


def test_what_has_a_status_is_found_by_an_index(server, database):
    """What is pending by a smaller one where there is one, all else by the seed's own."""
    def plan(text):
        return psql(database, f"SET enable_seqscan = off; EXPLAIN {text}")
    moments = "SELECT scheduled_at, scheduled_at AT TIME ZONE 'UTC' FROM marketing_events WHERE status = "
    assert "Index Only Scan using" in plan(moments + "'PENDING'")
    work = plan("SELECT id FROM marketing_events WHERE status = 'PENDING' AND scheduled_at <= NOW()"
                " ORDER BY created_at ASC LIMIT 50")
    assert "Index Scan using" in work and "Index Cond" in work
    assert "Index Only Scan using idx_events_status_scheduled" in plan(moments + "'COMPLETED'")
    assert psql(database, "SELECT indexdef FROM pg_indexes WHERE indexname = 'idx_events_status_scheduled'") == (
        "CREATE INDEX idx_events_status_scheduled ON public.marketing_events USING btree (status, scheduled_at)\n")


def test_the_times_of_an_event_are_the_servers(server, database):
    event_id = send(server, "timed")
    server.settled(event_id, "COMPLETED")
    until(lambda: columns(database, "status")["timed"] == ("COMPLETED",), "the event to be over")
    [(created, updated, now)] = sql(database, "SELECT created_at, updated_at, now() FROM marketing_events")
    assert now - datetime.timedelta(minutes=5) < created <= updated <= now + datetime.timedelta(seconds=1)


# schedule, types and keys

SCHEDULED = ("INSERT INTO marketing_events (idempotency_key, type, payload, source, scheduled_at) VALUES"
             " (%s, 'LEAD_CAPTURE', '{}', 'sql', now() + %s * interval '1 second') RETURNING id, extract(epoch FROM scheduled_at)")


@news
def test_a_row_that_is_scheduled_leaves_then(server, database, receiver, news):
    [(event_id, due)] = sql(database, SCHEDULED, "in two seconds", 2)
    if news == "notify":
        sql(database, "SELECT pg_notify('marketing_events', %s)", event_id)
    [(never, _)] = sql(database, SCHEDULED, "in a year", 365 * 86400)
    server.settled(event_id, "COMPLETED")
    [request] = receiver.of("/crm")
    assert request.wall >= float(due)
    assert runs(server, never) == [] and server.event(never)["status"] == "PENDING"


def test_a_row_may_have_any_type_and_a_long_key(serve, database, receiver):
    kind, key, source = "shop.order-paid_2" + "x" * 47, "k" * 255, "s" * 64
    assert len(kind) == 64
    server = serve(**config(database, receiver, kind))
    [event_id] = insert(database, seed_event(key, kind, source=source))
    server.settled(event_id, "COMPLETED")
    assert receiver.of("/crm")[0]["X-Drumbeat-Type"] == kind
    posted = server.send("K" * 255, kind, source)
    server.settled(posted, "COMPLETED")
    assert columns(database, "type", "source") == {key: (kind, source), "K" * 255: (kind, source)}


def test_a_row_that_no_reader_of_an_answer_could_read_is_shown_without_its_payload(server, database):
    deep = "SELECT ('{\"email\":' || repeat('[', 3000) || repeat(']', 3000) || '}')::jsonb"
    wide = "SELECT ('{\"email\":1' || repeat('0', 2000) || '}')::jsonb"
    for key, payload in (("deep", deep), ("wide", wide)):
        sql(database, f"INSERT INTO marketing_events (idempotency_key, type, payload, source) VALUES ('{key}', 'ODD', ({payload}), 'sql')")
    server.send(kind="EVEN")
    items = until(lambda: (found := {item["idempotency_key"]: item for item in server.get("/v1/events").json["items"]}) if {"deep", "wide"} <= {
        item["idempotency_key"] for item in server.get("/v1/events").json["items"]} else None, "both to be listed")
    assert items["deep"]["payload"] is None and "deep" in items["deep"]["payload_problem"], items["deep"]
    assert items["wide"]["payload"] is None and "number overflow" in items["wide"]["payload_problem"], items["wide"]
    assert "ODD" in server.cli("events", "list").out
    assert server.cli("events", "list", "--where", ".n == 1").code == 0
    shown = server.cli("events", "show", items["deep"]["id"])
    assert shown.code == 0 and "unreadable" in shown.out, shown


def test_a_row_that_nobody_wants_is_over(server, inserted, database):
    inserted(seed_event("nobody's", "OTHER"))
    until(lambda: columns(database, "status")["nobody's"] == ("COMPLETED",), "the event to be over")


# taking over a database of the seed

OLD = """INSERT INTO marketing_events (idempotency_key, type, payload, source, fingerprint, status, retry_count, last_error,
    scheduled_at, created_at, updated_at) VALUES (%s, %s, %s, 'old', %s, %s, %s, %s, now() + %s::interval,
    '2024-01-15 12:00+00', '2024-01-16 12:00+00') RETURNING id"""
OLD_ROWS = [  # key, status, retries, error, when
    ("pending", "PENDING", 0, None, "-1 day"),
    ("retried", "PENDING", 3, "503", "-1 hour"),
    ("future", "PENDING", 0, None, "1 year"),
    ("processing", "PROCESSING", 0, None, "-1 day"),
    ("stuck", "PROCESSING", 2, "timeout", "-1 hour"),
    ("completed", "COMPLETED", 1, None, "-1 day"),
    ("failed", "FAILED", 5, "gone", "-1 day"),
]
UNTOUCHED = ("id", "type", "payload", "source", "created_at")
ALL = (*UNTOUCHED, "fingerprint", "status", "retry_count", "last_error", "scheduled_at", "updated_at")


def payload_of(key):
    return {"key": key, "b": [1, 2.5, None], "a": {"ü": "\\"}}


@pytest.fixture
def old(database, folder, receiver):
    """A server beside a database that the seed left; not started."""
    sql(database, SCHEMA)
    for n, (key, status, retries, error, when) in enumerate(OLD_ROWS):
        payload = payload_of(key)
        sql(database, OLD, key, KINDS[n % 3], json.dumps(payload), fingerprint(payload), status, retries, error, when)
    server = Server(folder, **config(database, receiver))  # those of 2024 stay: they are kept from the takeover on
    yield server
    server.close()


def migrate(server):
    got = server.cli("migrate")
    assert got.code == 0, got
    return got


def test_a_database_of_the_seeds_is_refused_until_it_is_migrated(old, database, receiver):
    before = columns(database, *ALL)
    got = old.cli("serve")
    assert got.code not in (0, 2) and "drumbeat migrate" in got.err, got
    assert len([line for line in got.err.splitlines() if not line.startswith("{")]) <= 1
    assert "drumbeat migrate" in got.err.splitlines()[-1] and not got.out
    assert columns(database, *ALL) == before
    assert sql(database, "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'") == [(1,)]


def test_migrate_takes_a_database_over(old, database, receiver):
    before, untouched = columns(database, *ALL), columns(database, *UNTOUCHED)
    migrate(old)
    assert columns(database, *UNTOUCHED) == untouched
    after = columns(database, *ALL)
    left_alone = ["pending", "retried", "future", "completed", "failed"]
    shown = [name for name in ALL if name != "fingerprint"]
    assert {key: row for key, row in columns(database, *shown).items() if key in left_alone} == {
        key: tuple(value for name, value in zip(ALL, row) if name != "fingerprint")
        for key, row in before.items() if key in left_alone}
    for key in ("processing", "stuck"):
        row = dict(zip(ALL, after[key]))
        assert row["status"] == "FAILED" and re.search("unknown|may or may not", row["last_error"]), row
    old.start()
    for key in ("pending", "retried"):
        old.settled(before[key][0], "COMPLETED")
    assert sorted(arrived(receiver)) == sorted(before[key][0] for key in ("pending", "retried"))
    assert sorted(json.loads(request.body)["key"] for request in receiver.of("/crm")) == ["pending", "retried"]
    assert {key: row[0] for key, row in columns(database, "status").items()} == {
        "pending": "COMPLETED", "retried": "COMPLETED", "future": "PENDING", "processing": "FAILED", "stuck": "FAILED",
        "completed": "COMPLETED", "failed": "FAILED"}
    assert columns(database, *UNTOUCHED) == untouched


def test_what_was_taken_over_is_known(old, database, receiver):
    ids = {key: row[0] for key, row in columns(database, "id").items()}
    migrate(old)
    old.start()
    for key, event_id in ids.items():
        kind = old.event(event_id)["type"]
        got = old.post(event(key, kind, "old", payload_of(key)))
        assert (got.outcome, got.json["eventId"]) == ((200, "DUPLICATE"), event_id)
        assert old.post(event(key, kind, "old", {"other": 1})).outcome == (422, "CONFLICT")
        assert old.event(event_id)["payload"] == payload_of(key)
    assert {item["id"] for item in old.every("/v1/events")} == set(ids.values())


def test_what_was_in_flight_at_the_takeover_can_be_replayed(old, database, receiver):
    migrate(old)
    [(event_id, kind)] = sql(database, "SELECT id, type FROM marketing_events WHERE idempotency_key = 'processing'")
    old.start()
    sql(database, "UPDATE marketing_events SET status = 'PENDING' WHERE type = %s AND status = 'FAILED'"
                  " AND created_at BETWEEN '2024-01-01' AND '2024-01-31'", kind)
    until(lambda: event_id in arrived(receiver), f"{event_id} to arrive")
    old.settled(event_id, "COMPLETED")


def test_programs_of_the_seed_go_on_after_the_takeover(old, database, receiver):
    migrate(old)
    old.start()
    for client in CLIENTS:
        [event_id] = insert(database, seed_event(f"{client.__name__}-{'k' * 240}", "ANY.other-type"), client=client)
        until(lambda: old.event(event_id)["status"] == "COMPLETED", "the event to be over")
        [event_id] = insert(database, seed_event(client.__name__), client=client)
        old.settled(event_id, "COMPLETED")
        assert arrived(receiver)[-1] == event_id


def test_migrate_twice_changes_nothing(old, database, receiver):
    migrate(old)
    after = columns(database, *ALL)
    migrate(old)
    assert columns(database, *ALL) == after
    old.start()
    [event_id] = insert(database, seed_event("later"))
    old.settled(event_id, "COMPLETED")
    assert old.terminate() == 0
    after = columns(database, *ALL)
    migrate(old)
    assert columns(database, *ALL) == after


def test_migrate_makes_a_fresh_store(folder, database, receiver):
    server = Server(folder, **config(database, receiver))
    for _ in range(2):
        migrate(server)
    server.start()
    server.settled(send(server, "first"), "COMPLETED")
    server.close()


# the command line, and where it finds the server

def test_the_socket_is_named_for_the_port(server):
    assert server.socket.is_socket() and server.socket.stat().st_mode & 0o077 == 0
    got = server.cli("status", "-o", "json")
    assert got.code == 0, got
