"""What is lost when PostgreSQL or processes go: nothing but time."""
import contextlib
import itertools
import os
import random
import signal

from fleet import Load, config, judge, judge_effects, unknown_outcomes
from harness import event, until
from receiver import answer, silence
from services import connection, sql

RESTARTS = 20


# PostgreSQL

def test_postgres_restarts_again_and_again_under_load(fleets, own_postgres, receiver):
    with own_postgres.database() as url:
        fleet = fleets(config(url, receiver))
        servers = fleet.start("all", "all", "all", "all")
        ways = itertools.cycle([lambda: own_postgres.stop("fast"), lambda: own_postgres.stop("immediate"),
                                own_postgres.kill])
        with Load(servers, clients=8, events_a_second=400) as load:
            for _ in range(RESTARTS):
                load.more(50)
                next(ways)()
                own_postgres.start()
            load.more(20)
        fleet.all_run()
        judge(fleet, load.answers, receiver)


# processes

def hang(server):
    os.kill(server.pid, signal.SIGSTOP)


def go_on(server):
    os.kill(server.pid, signal.SIGCONT)


def test_workers_are_killed_and_stopped_under_load(fleets, database, receiver):
    """In turns, each for longer than its lease: what time would do to a lease is done by SQL."""
    fleet = fleets(config(database, receiver))
    ingest, *workers = [fleet.start_one(role) for role in ("ingest", "worker", "worker", "worker")]
    receiver.script("/hook", answer(delay=0.02))
    choice = random.Random(7)
    with Load([ingest], clients=4, events_a_second=100) as load:
        for trouble in ["kill", "hang"] * 4:
            worker = choice.choice(workers)
            load.more(choice.randrange(10, 40))
            worker.kill() if trouble == "kill" else hang(worker)
            fleet.expire(worker)
            load.more(20)
            fleet.again(worker) if trouble == "kill" else go_on(worker)
        load.more(20)
    fleet.all_run()
    judge(fleet, load.answers, receiver)


def told(server):
    return [(line["resumed"], line["unknown"]) for line in server.log() if line["event"] == "recovered"]


def test_what_a_killed_process_left_in_doubt_is_told_once(database, serve, receiver):
    receiver.script("/silent", silence())
    to = {"url": receiver.url("/silent"), "allow_private": "true"}
    given = {"destinations": {"crm": {**to, "on_unknown": "retry"}, "post": {**to, "on_unknown": "hold"}},
             "routes": {"crm": {"from": "CRM", "to": ["crm"]}, "post": {"from": "POST", "to": ["post"]}}}
    server = serve(store=database, **given)
    for kind in ("CRM", "CRM", "POST"):
        server.send(kind=kind)
    until(lambda: len(receiver.of("/silent")) == 3, "three calls")
    server.kill()
    receiver.script("/silent", answer())
    server.start()
    assert not told(server), "its leases run on"
    sql(database, "UPDATE deliveries SET lease_until = 1 WHERE status = 'PROCESSING'")
    server.send(kind="CRM")  # a turn, and the next look is soon
    until(lambda: told(server), "the line")
    server.settled(server.send(kind="CRM"), "COMPLETED")
    assert told(server) == [(2, 1)]


def rows(url):
    return sql(url, "SELECT * FROM deliveries ORDER BY seq"), sql(url, "SELECT * FROM attempts ORDER BY delivery_seq, number")


def test_a_settle_after_the_lease_changes_nothing(fleets, database, receiver):
    """A worker stands still with answers on their way to it; another takes over, and then the first goes on."""
    count = 8
    fleet = fleets(config(database, receiver, concurrency=str(count)))
    _, late = fleet.start_one("ingest"), fleet.start_one("worker")
    receiver.script("/hook", *[answer(201, delay=1)] * count, answer())
    fleet.servers[0].post([event() for _ in range(count)])
    until(lambda: len(receiver.of("/hook")) == count, "all to be on their way")
    hang(late)
    fleet.expire(late)
    fleet.start_one("worker")
    fleet.settled()
    assert len(receiver.of("/hook")) == 2 * count and sum(unknown_outcomes(database).values()) == count
    before = rows(database)
    go_on(late)
    until(lambda: late.get("/v1/status").json["in_flight"] == 0, "the late ones to be over")
    assert rows(database) == before
    judge_effects(database, receiver)
    fleet.verify()


def test_a_process_that_hangs_in_a_transaction_holds_up_nobody(fleets, database, receiver):
    """It alone may route; the server ends its transaction after a while (30 s, unless somebody says otherwise)."""
    soon = config(f"{database}?options=-c%20idle_in_transaction_session_timeout%3D2s", receiver)
    fleet = fleets(soon)
    fleet.url = database
    ingest, hung = fleet.start_one("ingest"), fleet.start_one("worker")
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with contextlib.closing(connection(database)) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLE deliveries IN SHARE MODE")
        ids = [ingest.send() for _ in range(5)]
        until(lambda: sql(database, waits) == [(1,)], "the worker to wait in its transaction")
        hang(hung)
        other.rollback()
    fleet.start_one("worker")
    fleet.settled()
    assert sorted(request["X-Drumbeat-Event"] for request in receiver.of("/hook")) == sorted(ids)
    go_on(hung)
    later = ingest.send()
    fleet.settled()
    until(lambda: hung.probe("/readyz") == 200, "it to be back")
    assert len(receiver.of("/hook")) == 6 and receiver.of("/hook")[-1]["X-Drumbeat-Event"] == later
    fleet.all_run()
    fleet.verify()
