"""What somebody puts into the database, at random: triggers and constraints that refuse, want what is not there or are
deferred, and rows that stay locked. All of it is about one type of event and one destination; the others must not notice.

DRUMBEAT_STRANGERS=N tries N seeds, DRUMBEAT_STRANGERS_FROM=S the ones from S on."""
import concurrent.futures
import contextlib
import json
import os
import random

import psycopg2
import pytest

from harness import event, until
from receiver import answer
from services import connection, sql

FIRST = int(os.environ.get("DRUMBEAT_STRANGERS_FROM", "1"))
SEEDS = range(FIRST, FIRST + int(os.environ.get("DRUMBEAT_STRANGERS", "2")))
ROUNDS = 4

# What a trigger looks at, and when it minds: OLD and NEW are rows of the table.
MINDS = [
    ("marketing_events", "INSERT", "NEW.type = 'BAD'"),
    ("marketing_events", "UPDATE", "NEW.type = 'BAD'"),
    ("marketing_events", "UPDATE", "NEW.type = 'BAD' AND NEW.status = 'PROCESSING'"),
    ("marketing_events", "UPDATE", "NEW.type = 'BAD' AND NEW.status = 'COMPLETED'"),
    ("marketing_events", "DELETE", "OLD.type = 'BAD'"),
    ("deliveries", "INSERT", "NEW.destination = 'bad'"),
    ("deliveries", "DELETE", "OLD.destination = 'bad'"),
    *[("deliveries", "UPDATE", f"NEW.destination = 'bad' AND NEW.status = '{status}'")
      for status in ("PENDING", "PROCESSING", "COMPLETED", "FAILED", "HELD", "UNKNOWN")],
    ("attempts", "INSERT", "(SELECT destination FROM deliveries WHERE seq = NEW.delivery_seq) = 'bad'"),
    ("attempts", "DELETE", "(SELECT destination FROM deliveries WHERE seq = OLD.delivery_seq) = 'bad'"),
]
DOES = [
    "RAISE EXCEPTION 'not in this house'",
    "RAISE EXCEPTION 'twice' USING ERRCODE = 'unique_violation'",
    "RAISE EXCEPTION 'no such parent' USING ERRCODE = 'foreign_key_violation'",
    "RAISE EXCEPTION 'taken' USING ERRCODE = 'lock_not_available'",
    "RAISE EXCEPTION 'too slow' USING ERRCODE = 'query_canceled'",
    "PERFORM 1 FROM nowhere",
    "PERFORM 1 / 0",
    "PERFORM pg_sleep(0.05)",
]
WHEN = ["BEFORE", "AFTER", "DEFERRED"]


def config(receiver, ordered):
    def steps(*names):
        return [{name: {"order_by": ".who"}} if ordered else name for name in names]
    to = {name: {"url": receiver.url(f"/{name}"), "allow_private": "true", "on_unknown": "retry",
                 "retry": {"max": "5", "base": "10ms", "cap": "100ms"}, "give_up": "0s", "breaker": "off", "timeout": "2s"} for name in ("bad", "good")}
    return {"destinations": to, "keep": {"events": "1h"},
            "routes": {"bad": {"from": "BAD", "to": steps("bad", "good")}, "good": {"from": "GOOD", "to": steps("good")}}}


# What is not over, but for what waits in order behind one that a person must look at.
OPEN = """
    SELECT type, status, last_error FROM marketing_events WHERE status = 'PENDING'
    UNION ALL SELECT destination, status, last_error FROM deliveries
    WHERE status IN ('PENDING', 'PROCESSING') AND blocked = 0
    LIMIT 5"""
# Deliveries that keep an order and were made in another.
OVERTAKEN = """
    SELECT * FROM (
        SELECT d.destination, d.order_key, e.seq, lag(e.seq) OVER (PARTITION BY d.destination, d.order_key ORDER BY d.seq) AS before
        FROM deliveries d JOIN marketing_events e ON e.id = d.event_id WHERE d.order_key <> ''
        AND d.run = 0 AND e.source <> 'sql') places
    WHERE seq < before"""


def some(choice, kind):
    """An event of this kind, of one of two that have an order of their own."""
    return event(kind=kind, payload={"who": f"{kind}-{choice.randrange(2)}"})


class Stranger:
    """One trouble: it comes and goes."""

    def __init__(self, choice, url, number):
        self.url, self.name = url, f"stranger{number}"
        self.table, self.at, self.minds = choice.choice(MINDS)
        self.does, self.when = choice.choice(DOES), choice.choice(WHEN)

    def __repr__(self):
        return f"{self.when} {self.at} ON {self.table} IF {self.minds}: {self.does}"

    def come(self):
        kind = f"CONSTRAINT TRIGGER {self.name} AFTER" if self.when == "DEFERRED" else f"TRIGGER {self.name} {self.when}"
        late = "DEFERRABLE INITIALLY DEFERRED" if self.when == "DEFERRED" else ""
        row = "OLD" if self.at == "DELETE" else "NEW"
        sql(self.url, f"CREATE FUNCTION {self.name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                      f" IF {self.minds} THEN {self.does}; END IF; RETURN {row}; END $$;"
                      f"CREATE {kind} {self.at} ON {self.table} {late} FOR EACH ROW EXECUTE FUNCTION {self.name}()")

    def go(self):
        sql(self.url, f"DROP TRIGGER {self.name} ON {self.table}; DROP FUNCTION {self.name}()")


class Locker:
    """Somebody's open transaction has rows."""

    def __init__(self, choice, url, number):
        self.url = url
        self.rows = choice.choice(["marketing_events WHERE type = 'BAD'", "deliveries WHERE destination = 'bad'"])
        self.kind = choice.choice(["UPDATE", "SHARE"])

    def __repr__(self):
        return f"{self.rows} FOR {self.kind}"

    def come(self):
        self.connection = connection(self.url)
        self.connection.autocommit = False
        with self.connection.cursor() as cursor:
            cursor.execute(f"SELECT 1 FROM {self.rows} FOR {self.kind} SKIP LOCKED")

    def go(self):
        self.connection.rollback()
        self.connection.close()


def statuses(server, event_id):
    return {d["destination"]: d["status"] for d in server.event(event_id)["deliveries"]}


def age_some(url):
    """The oldest events are old enough to go."""
    sql(url, "SET session_replication_role = replica;"  # no stranger minds
             " UPDATE marketing_events SET created_at = created_at - interval '1 day' WHERE id IN"
             " (SELECT id FROM marketing_events WHERE status IN ('COMPLETED', 'FAILED')"
             " AND seq < (SELECT max(seq) - 40 FROM marketing_events) ORDER BY seq LIMIT 20 FOR UPDATE SKIP LOCKED)")


def insert_some(url, choice):
    """As programs that know the table alone do; some are for later."""
    for kind in ("GOOD", "BAD"):
        with contextlib.suppress(psycopg2.Error):  # a stranger minds
            sql(url, "INSERT INTO marketing_events(id, idempotency_key, type, source, payload, scheduled_at)"
                     " VALUES (gen_random_uuid(), gen_random_uuid()::text, %s, 'sql', %s, now() + %s * interval '1 second')",
                kind, json.dumps({"who": f"{kind}-{choice.randrange(2)}"}), choice.randrange(3))


@pytest.mark.parametrize("seed", SEEDS)
def test_strangers_in_the_database_cost_their_own_inputs(serve, database, receiver, seed):
    choice = random.Random(seed)
    server = serve(store=database, **config(receiver, ordered=choice.random() < 0.5))
    server.post([some(choice, kind) for kind in ("BAD", "GOOD")])
    good, told, number = [], [], 0
    receiver.script("/bad", *[answer(choice.choice([200, 200, 503, 429])) for _ in range(40)], answer(200))
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        for _ in range(ROUNDS):
            troubles = []
            with contextlib.ExitStack() as ends:
                kinds = choice.choices([Stranger, Locker], [3, 1], k=choice.randrange(1, 3))
                for kind in sorted(kinds, key=lambda kind: kind is Locker):  # lockers go first, or a trigger could not go
                    number += 1
                    trouble = kind(choice, database, number)
                    trouble.come()
                    ends.callback(trouble.go)
                    troubles.append(trouble)
                told.append(troubles)
                for _ in range(3):
                    kinds = ["GOOD" if choice.random() < 0.5 else "BAD" for _ in range(12)]
                    answers = list(pool.map(server.post, [some(choice, kind) for kind in kinds]))
                    for kind, got in zip(kinds, answers):
                        if kind == "GOOD":
                            assert got.status == 200, f"{troubles}: {got}\n{server.text}"
                            good.append(got.json["eventId"])
                    age_some(database)
                    insert_some(database, choice)
                server.cli(choice.choice(["events", "deliveries"]), "retry", "--status", "FAILED", "--since", "2h", "-y")
                for event_id in good[-3:]:
                    until(lambda: server.event(event_id)["status"] == "COMPLETED",
                          lambda: f"a good one in spite of {troubles}: {server.event(event_id)}\n{server.text}")
            assert server.probe("/readyz") == 200
    until(lambda: not sql(database, OPEN), lambda: f"all to be over after {told}: {sql(database, OPEN)[:5]}\n{server.text}", 90)
    overtaken = sql(database, OVERTAKEN)
    assert not overtaken, f"{told}: {overtaken}\n{server.text}"
    wrong = sql(database, "SELECT e.id, e.status, e.last_error, d.status, d.last_error FROM marketing_events e"
                          " LEFT JOIN deliveries d ON d.event_id = e.id WHERE type = 'GOOD' AND e.status <> 'COMPLETED'")
    assert not wrong, f"{told}: {wrong}\n{server.text}"
    assert not [line for line in server.log() if line["event"] == "turn_dropped"], f"{told}\n{server.text}"
