"""The line to PostgreSQL breaks in a COMMIT: whether it counts is asked, never guessed."""
import contextlib
import threading
import time

import pytest

from cutter import AFTER, BEFORE, Cutter
from fleet import Answers, Client, Load, config, judge, unknown_outcomes
from harness import event, until
from services import connection, sql

CUTS = 40


@pytest.fixture
def fleet(fleets, database, receiver):
    return fleets(config(database, receiver))


@pytest.fixture
def cutter(database):
    with Cutter(database) as cutter:
        yield cutter


def by_way_of(fleet, cutter):
    """The fleet's servers reach the database through this line, and are told of news past it."""
    fleet.config = {**fleet.config, "store": cutter.through(fleet.url), "postgres": {"listen_dsn": fleet.url}}


@pytest.mark.parametrize("when", [BEFORE, AFTER])
def test_the_line_is_cut_in_commits_again_and_again(fleet, cutter, receiver, when):
    by_way_of(fleet, cutter)
    servers = fleet.start("all", "all", "ingest")
    cutter.cut_every(5, when)
    with Load(servers, clients=6) as load:
        until(lambda: cutter.cuts >= CUTS, lambda: f"{CUTS} cuts, not {cutter.cuts}", 60)
        cutter.heal()
        load.more(1)
    fleet.all_run()
    judge(fleet, load.answers, receiver)
    assert not unknown_outcomes(fleet.url), "the server could be asked"


def test_a_commit_that_counted_is_not_done_twice(fleet, cutter, receiver):
    """Of one event, cut at each COMMIT of its way: the answer is ACCEPTED, also where the first one got lost."""
    by_way_of(fleet, cutter)
    [server] = fleet.start("all")
    for n, when in enumerate([BEFORE, AFTER] * 5):
        cutter.cut_next(when)
        answer = server.post(event(f"key-{n}"))
        assert answer.outcome == (200, "ACCEPTED"), answer
        until(lambda: cutter.cuts == n + 1, "the cut")
    fleet.settled()
    assert len(receiver.of("/hook")) == 10 and not unknown_outcomes(fleet.url)
    fleet.verify()


class Severing(Cutter):
    """A cut is the last thing that passes, until heal()."""

    def count_cut(self):
        super().count_cut()
        self.refuse()


def give_numbers(url, count):
    """So many transactions of another program's."""
    with contextlib.closing(connection(url)) as opened, opened.cursor() as cursor:
        opened.autocommit = True
        cursor.execute("SET synchronous_commit = off")
        cursor.execute("CREATE TABLE others (n INT)")
        for n in range(count):
            cursor.execute("INSERT INTO others VALUES (%s)", (n,))


def test_a_number_that_a_crash_made_free_is_not_taken_for_ours(fleets, own_postgres, receiver):
    """The server crashes before it wrote down that a transaction was there, and gives its number to another one."""
    sql(own_postgres.url, "ALTER SYSTEM SET wal_writer_delay = '10s'")
    own_postgres.restart()
    with own_postgres.database() as url, Severing(url) as cutter:
        fleet = fleets(config(url, receiver))
        by_way_of(fleet, cutter)
        [server] = fleet.start("all")
        answers = Answers()
        cutter.cut_next(BEFORE)
        posting = threading.Thread(target=Client([server], answers, "client").insist, args=("mine",), daemon=True)
        posting.start()
        until(lambda: cutter.cuts, "the cut")
        own_postgres.kill()
        own_postgres.start()
        give_numbers(url, 50)
        cutter.heal()
        posting.join(30)
        judge(fleet, answers, receiver)
        fleet.close()


def test_a_server_that_says_nothing_for_a_while(fleet, cutter, receiver):
    """The line stays and nothing passes: posts wait or are told to come again, and all goes on by itself."""
    by_way_of(fleet, cutter)
    servers = fleet.start("all", "all")
    with Load(servers, clients=4) as load:
        for _ in range(3):
            load.more(20)
            cutter.blackhole()
            time.sleep(1)  # what is tested is a length of time
            cutter.cut_all()
            cutter.heal()
        load.more(20)
    fleet.all_run()
    judge(fleet, load.answers, receiver)
    assert not unknown_outcomes(fleet.url)


def test_the_connection_that_listens_is_cut(fleet, cutter, receiver):
    """News come again afterwards: one event after the other, each handed over faster than by polling alone."""
    count, poll_s = 10, 2
    fleet.config = {**fleet.config, "postgres": {"listen_dsn": cutter.through(fleet.url)}}
    ingest, _ = fleet.start("ingest", "worker")

    def listening():
        return [row[0] for row in sql(fleet.url, "SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN %%'"
                                                 " AND datname = current_database()")]

    until(lambda: len(listening()) == 2, "both to listen")
    for n in range(3):
        before = listening()
        cutter.cut_all()
        ingest.send(f"cut-{n}")
        until(lambda: len(listening()) == 2 and not set(listening()) & set(before), "both to listen again")
    fleet.settled()
    took_s = 0
    for n in range(count):
        began = time.monotonic()
        event_id = ingest.send(f"soon-{n}")
        until(lambda: any(request["X-Drumbeat-Event"] == event_id for request in receiver.of("/hook")), "it to arrive")
        took_s += time.monotonic() - began
    assert took_s < count * poll_s / 4
    fleet.settled()
    assert len(receiver.of("/hook")) == count + 3
    fleet.verify()
