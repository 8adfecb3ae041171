"""PgBouncer in transaction mode stands between drumbeat and PostgreSQL: no connection keeps anything from turn to turn."""
import itertools
import time

from fleet import Load, config, judge, judge_effects, unknown_outcomes
from harness import until

POLL_S = 2


def pooled(pgbouncer, database, receiver, listen=True):
    """The fleet reaches the database through the pooler, and hears of news past it."""
    store = pgbouncer.through(database)
    return {**config(store, receiver), **({"postgres": {"listen_dsn": database}} if listen else {})}


def took(ingest, receiver, name, count):
    """Seconds for so many events, one after the other, from their sending to their arrival."""
    began = time.monotonic()
    for n in range(count):
        event_id = ingest.send(f"{name}-{n}")
        until(lambda: any(request["X-Drumbeat-Event"] == event_id for request in receiver.of("/hook")), "it to arrive")
    return time.monotonic() - began


def is_deaf(server):
    return any(line["event"] == "no_notifications" for line in server.log())


def test_all_works_through_it(fleets, pgbouncer, database, receiver):
    fleet = fleets(pooled(pgbouncer, database, receiver))
    ingest, *others = fleet.start("ingest", "worker", "all")
    assert not any(is_deaf(server) for server in fleet.servers)
    assert took(ingest, receiver, "soon", 10) < 10 * POLL_S / 4, "nobody heard of it"
    with Load([ingest, others[1]], clients=4, name="more") as load:
        load.more(200)
    for n in range(10):
        load.answers.began(f"soon-{n}")
    judge(fleet, load.answers, receiver)
    assert not unknown_outcomes(database)


def test_without_a_direct_connection_it_polls_and_says_so(fleets, pgbouncer, database, receiver):
    fleet = fleets(pooled(pgbouncer, database, receiver, listen=False))
    ingest, worker = fleet.start("ingest", "worker")
    assert is_deaf(ingest) and is_deaf(worker)
    for n in range(3):
        took(ingest, receiver, f"polled-{n}", 1)
    fleet.settled()
    judge_effects(database, receiver)
    fleet.verify()


def test_it_is_restarted_and_killed_under_load(fleets, pgbouncer, database, receiver):
    fleet = fleets(pooled(pgbouncer, database, receiver))
    servers = fleet.start("all", "all")
    ways = itertools.cycle([pgbouncer.stop, pgbouncer.kill])
    with Load(servers, clients=4, events_a_second=200) as load:
        for _ in range(6):
            load.more(30)
            next(ways)()
            pgbouncer.start()
        load.more(30)
    fleet.all_run()
    judge(fleet, load.answers, receiver)
