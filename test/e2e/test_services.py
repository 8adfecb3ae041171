"""The real services of the tests, and the line to PostgreSQL that can be cut."""
import concurrent.futures
import contextlib
import signal
import socket
import struct
import subprocess
import sys
import urllib.parse

import psycopg2
import pytest

from cutter import AFTER, BEFORE, Cutter, Stream
from harness import ROOT, until
from seed import CLIENTS, SCHEMA, fingerprint, insert as insert_by_client, seed_event
from services import Trouble, is_alive, psql, sql

NUMBERS = "CREATE TABLE numbers(n bigint)"


@contextlib.contextmanager
def connected(url):
    with contextlib.closing(psycopg2.connect(url, connect_timeout=10)) as connection:
        yield connection


def numbers(url):
    return [n for n, in sql(url, "SELECT n FROM numbers ORDER BY n")]


def insert(connection, n):
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO numbers VALUES (%s)", (n,))


@pytest.fixture
def table(database):
    sql(database, NUMBERS)
    return database


@pytest.fixture
def cutter(postgres):
    with Cutter(postgres.url) as cutter:
        yield cutter


# services

def test_a_row_goes_in_and_out(table):
    assert sql(table, "INSERT INTO numbers VALUES (%s) RETURNING n + 1", 41) == [(42,)]
    assert psql(table, "SELECT n FROM numbers; SHOW fsync") == "41\non\n"
    with pytest.raises(Trouble, match="there_is_none"):
        psql(table, "SELECT * FROM there_is_none")


def test_databases_are_apart_and_go_again(postgres):
    with postgres.database() as first, postgres.database() as second:
        sql(first, NUMBERS)
        with pytest.raises(psycopg2.errors.UndefinedTable):
            numbers(second)
        held = psycopg2.connect(first)  # does not keep it
    held.close()
    with pytest.raises(psycopg2.OperationalError, match="does not exist"):
        sql(first, "SELECT 1")


@pytest.mark.parametrize("crash", [lambda it: it.kill(), lambda it: it.stop("immediate"), lambda it: it.stop()],
                         ids=["kill", "immediate", "fast"])
def test_postgres_keeps_what_was_committed(own_postgres, crash):
    with own_postgres.database() as url:
        sql(url, NUMBERS)
        with connected(url) as connection:
            insert(connection, 1)
            connection.commit()
            insert(connection, 2)
            crash(own_postgres)
            with pytest.raises(psycopg2.Error):
                connection.commit()
        with pytest.raises(psycopg2.OperationalError, match="refused"):
            numbers(url)
        own_postgres.start()
        assert numbers(url) == [1]


def test_postgres_paused_answers_when_it_goes_on(own_postgres):
    with own_postgres.database() as url, concurrent.futures.ThreadPoolExecutor() as pool, connected(url) as connection:
        pids = own_postgres.pause()
        assert connection.info.backend_pid in pids
        asked = pool.submit(sql, url, "SELECT 7")
        assert not asked.done()
        own_postgres.resume()
        assert asked.result() == [(7,)]


def test_pgbouncer_pools_transactions(pgbouncer, table):
    url = pgbouncer.through(table)
    with connected(url) as first, connected(url) as second:
        insert(first, 1)
        first.commit()
        with first.cursor() as one, second.cursor() as other:
            one.execute("SELECT pg_backend_pid()")
            first.rollback()
            other.execute("SELECT pg_backend_pid()")
            assert one.fetchone() == other.fetchone()  # one connection to the server serves both
    assert numbers(table) == [1]
    assert ("pool_mode", "transaction") in [row[:2] for row in pgbouncer.admin("SHOW CONFIG")]


def test_pgbouncer_comes_back(pgbouncer, database):
    url = pgbouncer.through(database)
    for leave in (pgbouncer.restart, pgbouncer.kill):
        with connected(url) as connection:
            leave()
            with pytest.raises(psycopg2.Error), connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        pgbouncer.recover()
        assert sql(url, "SELECT 1") == [(1,)]


def test_redis_answers_forgets_and_comes_back(redis):
    assert redis.cli("SET", "a key", "1 2") == "OK"
    assert redis.cli("GET", "a key") == "1 2"
    redis.flush()
    assert redis.cli("EXISTS", "a key") == "0"
    redis.cli("SET", "a", "1")
    redis.kill()
    with pytest.raises(Trouble, match="refused"):
        redis.cli("GET", "a")
    redis.recover()
    assert redis.cli("EXISTS", "a") == "0"
    redis.pause()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        asked = pool.submit(redis.cli, "PING")
        assert not asked.done()
        redis.resume()
        assert asked.result() == "PONG"


ALL_THREE = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from services import PgBouncer, Postgres, Redis
with Postgres() as postgres, PgBouncer(postgres) as pgbouncer, Redis() as redis:
    print(postgres.pid, pgbouncer.pid, redis.pid, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT, None], ids=["killed", "interrupted", "done"])
def test_services_end_with_whoever_started_them(folder, end):
    folder.chmod(0o711)
    with subprocess.Popen([sys.executable, "-c", ALL_THREE], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True,
                          env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT / "tools"), "TMPDIR": str(folder)}) as owner:
        pids = [int(pid) for pid in owner.stdout.readline().split()]
        assert len(pids) == 3 and all(map(is_alive, pids))
        assert len(list(folder.iterdir())) == 3
        owner.send_signal(end) if end else owner.stdin.close()
    until(lambda: not any(map(is_alive, pids)), f"{pids} to end")
    if end != signal.SIGKILL:
        assert not list(folder.iterdir())


RUN_TESTS = """
import sys, run_tests
def job():
    run_tests.run(["sh", "-c", 'echo "$$ $DRUMBEAT_TEST_POSTGRES"  >seen.new; mv seen.new seen; exec sleep 1000'], 999, ".")
    print("went on", flush=True)
    return run_tests.Tally()
run_tests.Suite.groups = lambda self: [("conformance", [("one", job), ("two", job)], 1)]
sys.argv[1:] = []
sys.exit(run_tests.main())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_runner_stops_all_it_started(tmp_path, number):
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT / "tools"), "TMPDIR": "/tmp"}
    with subprocess.Popen([sys.executable, "-c", RUN_TESTS], stdout=subprocess.PIPE, text=True, cwd=tmp_path,
                          env=environment) as runner:
        seen = tmp_path / "seen"
        until(seen.exists, "the job to run")
        pid, url = seen.read_text().split()
        assert sql(url, "SELECT 1") == [(1,)]
        runner.send_signal(number)
        said = runner.stdout.read()
    assert (runner.returncode, said.splitlines()[-1]) == (130, "0 passed, 1 failed")
    assert "went on\nwent on" not in said
    assert not is_alive(int(pid))
    with pytest.raises(psycopg2.OperationalError, match="refused"):
        sql(url, "SELECT 1")


# the line

def test_the_line_passes_everything_on(cutter, table):
    url, large = cutter.through(table), "x" * (5 << 20)
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT %s || repeat('y', %s)", (large, len(large)))
        assert cursor.fetchone() == (large + "y" * len(large),)
        insert(connection, 1)
        connection.commit()
    assert (numbers(table), cutter.commits, cutter.cuts) == ([1], 1, 0)


@pytest.mark.parametrize("what, kept", [(BEFORE, []), (AFTER, [1])])
def test_a_cut_at_commit(cutter, table, what, kept):
    url = cutter.through(table)
    cutter.cut_next(what)
    with connected(url) as connection:
        insert(connection, 1)
        with pytest.raises(psycopg2.OperationalError, match="closed the connection unexpectedly"):
            connection.commit()
    assert numbers(table) == kept
    with connected(url) as connection:  # only the next
        insert(connection, 2)
        connection.commit()
    assert (numbers(table), cutter.cuts) == (kept + [2], 1)


def test_every_third_commit_is_cut(cutter, table):
    url, kept = cutter.through(table), []
    cutter.cut_every(3, BEFORE)
    for n in range(9):
        with connected(url) as connection:
            insert(connection, n)
            with contextlib.suppress(psycopg2.OperationalError):
                connection.commit()
                kept.append(n)
    assert kept == numbers(table) == [0, 1, 3, 4, 6, 7]
    cutter.heal()
    for n in range(9, 13):
        with connected(url) as connection:
            insert(connection, n)
            connection.commit()
    assert (cutter.cuts, len(numbers(table))) == (3, 10)


def message(kind, *parts):
    body = b"".join(parts)
    return kind + struct.pack("!i", len(body) + 4) + body


def pipeline(url, *texts):
    """Parse, Bind and Execute of each and then one Sync, as libpq's pipelines have it; what was said to be complete."""
    parts = urllib.parse.urlsplit(url)
    names = f"user\0{parts.username}\0database\0{parts.path[1:]}\0\0".encode()
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as sock:
        sock.sendall(message(b"", struct.pack("!i", 3 << 16), names) + b"".join(
            message(b"P", b"\0", text.encode(), bytes(3)) + message(b"B", bytes(8)) + message(b"E", bytes(5))
            for text in texts) + message(b"S"))
        stream, complete = Stream(sock), []
        while (said := stream.message())[0]:
            if said[0] == b"C":
                complete.append(said[1][:-1].decode())
            if said[0] == b"Z" and complete:
                break
    return complete


@pytest.mark.parametrize("what, kept, seen", [
    (None, [1], ["BEGIN", "INSERT 0 1", "COMMIT", "SELECT 1"]),
    (BEFORE, [], []),
    (AFTER, [1], ["BEGIN", "INSERT 0 1"]),
], ids=["none", BEFORE, AFTER])
def test_a_pipelined_commit_is_cut(cutter, table, what, kept, seen):
    if what:
        cutter.cut_next(what)
    assert pipeline(cutter.through(table), "BEGIN", "INSERT INTO numbers VALUES (1)", "commit", "SELECT 1") == seen
    assert (numbers(table), cutter.cuts) == (kept, 1 if what else 0)


def test_a_commit_that_commits_nothing_is_no_cut(cutter, table):
    url = cutter.through(table)
    cutter.cut_next(AFTER)
    with connected(url) as connection:
        with pytest.raises(psycopg2.errors.UndefinedTable), connection.cursor() as cursor:
            cursor.execute("SELECT * FROM there_is_none")
        connection.commit()  # the server answers ROLLBACK
        insert(connection, 1)
        connection.commit()
    assert (numbers(table), cutter.cuts) == ([1], 0)


def test_a_line_that_leads_nowhere_and_heals(cutter, table):
    url = cutter.through(table)
    with concurrent.futures.ThreadPoolExecutor() as pool, connected(url) as connection:
        cutter.blackhole()
        late = pool.submit(insert, connection, 1)
        with pytest.raises(psycopg2.OperationalError, match="timeout expired"):  # accepted, and no word
            psycopg2.connect(url, connect_timeout=2)
        assert not late.done()
        cutter.heal()
        late.result()
        connection.commit()
    assert numbers(table) == [1]


def test_a_line_that_refuses_and_heals(cutter, table):
    url = cutter.through(table)
    with connected(url) as connection:
        cutter.refuse()
        with pytest.raises(psycopg2.OperationalError):
            insert(connection, 1)
    with pytest.raises(psycopg2.OperationalError, match="refused"):
        sql(url, "SELECT 1")
    cutter.heal()
    assert sql(url, "SELECT 1") == [(1,)]


# clients of the seed

EVENTS = [seed_event("a'1", payload={"email": "Ada O'Neill <ada@example.com>", "n": 1}),
          seed_event("b", "CONTENT_PUBLISH", payload={})]
clients = pytest.mark.parametrize("client", CLIENTS)


@pytest.fixture
def seeded(database):
    sql(database, SCHEMA)
    return database


@clients
def test_a_client_of_the_seed_inserts_and_says_so(seeded, client):
    with connected(seeded) as listener:
        listener.autocommit = True
        with listener.cursor() as cursor:
            cursor.execute("LISTEN marketing_events")
        ids = insert_by_client(seeded, *EVENTS, client=client)
        until(lambda: listener.poll() or len(listener.notifies) == 2, "two words")
        assert [notice.payload for notice in listener.notifies] == ids
        insert_by_client(seeded, seed_event("c"), client=client, news="silent")
        listener.poll()
        assert len(listener.notifies) == 2
    rows = sql(seeded, "SELECT id, idempotency_key, type, payload, source, fingerprint, status FROM marketing_events"
                       " WHERE idempotency_key <> 'c' ORDER BY idempotency_key")
    assert rows == [(id, *event.values(), fingerprint(event["payload"]), "PENDING") for id, event in zip(ids, EVENTS)]


@clients
def test_a_client_of_the_seed_holds_its_transaction_open_and_rolls_back(seeded, client):
    with client(seeded, EVENTS) as program:
        assert len(program.ids) == 2
        assert sql(seeded, "SELECT count(*) FROM marketing_events") == [(0,)]
        program.end("rollback")
    assert sql(seeded, "SELECT count(*) FROM marketing_events") == [(0,)]


def test_the_node_client_is_told_of_a_key_that_is_there(seeded):
    [first] = insert_by_client(seeded, EVENTS[0])
    assert insert_by_client(seeded, EVENTS[0]) == [None]
    assert sql(seeded, "SELECT id FROM marketing_events") == [(first,)]
