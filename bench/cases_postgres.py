"""The cases of bench/bench whose store is PostgreSQL, each with a server of its own (fsync on)."""
import contextlib
import json
import os
import re
import statistics
import tempfile
import time

import rig
from cases import SETTLE_LIMIT_S, await_count, hook, latency_of
from rig import Receiver, Server, Trouble, cpu_seconds, fill, folder, read_wrk, resident_mb, start_wrk, wrk

import services  # of tools/, which bench/rig.py put on the path

# What an operator would set on such a machine; the rest is as PostgreSQL comes.
SETTINGS = """
shared_buffers = 1GB
max_wal_size = 4GB
shared_preload_libraries = 'pg_stat_statements'
"""
EXPLAIN = """
session_preload_libraries = 'auto_explain'
auto_explain.log_min_duration = 0
auto_explain.log_analyze = on
auto_explain.log_timing = off
auto_explain.log_buffers = on
auto_explain.log_format = json
"""
WORKERS = (1, 2, 4)
SHOWN = ("per_s", "cpu_us", "postgres_us", "wal_bytes", "commits")
LOOK_UPS = {  # in the order in which a turn asks; how its text is known
    "next_event": r"SELECT min\(scheduled_at\) FROM marketing_events",
    "due_events": r"FOR UPDATE OF e SKIP LOCKED",
    "next_all": r"WITH RECURSIVE found",
    "claim": r"d\.due <= \$2.*FOR UPDATE OF d SKIP LOCKED",
}


class Postgres(services.Postgres):
    def __init__(self):
        tempfile.tempdir = os.environ.get("BENCH_DIR", "/var/tmp")  # on a real disk
        super().__init__()

    def set(self, text):
        with open(self.data / "postgresql.conf", "a", encoding="ascii") as file:
            file.write(text)

    def prepare(self):
        fresh = not self.data.exists()
        super().prepare()
        if fresh:
            self.set(SETTINGS)

    def ask(self, text):
        return services.sql(self.url, text)


def reaped_seconds(pid):
    """Of children that ended: autovacuum's workers come and go."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) * rig.TICK_S


class Meter:
    """What servers and PostgreSQL did since the last look."""

    def __init__(self, postgres, servers):
        self.postgres, self.servers = postgres, servers
        self.start_s, self.before = time.monotonic(), self.read()

    def read(self):
        postgres_s = reaped_seconds(self.postgres.pid)
        for pid in services.tree(self.postgres.pid):
            with contextlib.suppress(OSError):
                postgres_s += cpu_seconds(pid)
        wal, commits = self.postgres.ask("SELECT pg_current_wal_insert_lsn() - '0/0', (SELECT sum(xact_commit)"
                                         " FROM pg_stat_database)")[0]
        return {"cpu_us": sum(cpu_seconds(server.pid) for server in self.servers) * 1e6,
                "postgres_us": postgres_s * 1e6, "wal_bytes": float(wal), "commits": float(commits)}

    def took_s(self):
        return time.monotonic() - self.start_s

    def per_event(self, events):
        return {name: (value - self.before[name]) / events for name, value in self.read().items()}


@contextlib.contextmanager
def servers(postgres, roles, config="", hold=False):
    """Processes on one store, each in a folder of its own."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Server(stack.enter_context(folder()), config, hold, store=postgres.url, role=role))
               for role in roles]


def ingest(settings):
    with Postgres() as postgres, servers(postgres, ["all"]) as (server,):
        wrk(server.port, 1)
        meter = Meter(postgres, [server])
        load = wrk(server.port, settings.seconds)
        cost = meter.per_event(load["requests"])
    return {"per_s": load["per_s"], "p50_ms": load["p50_ms"], "p99_ms": load["p99_ms"]} | cost


def check_once(postgres, receiver):
    """However many processes worked, each delivery was sent once. wrk leaves some posts unread, so the store counts."""
    stored = postgres.ask("SELECT count(*) FROM deliveries")[0][0]
    if receiver.count() != stored:
        raise Trouble(f"{receiver.count()} arrived of {stored} deliveries")


def walk_with(settings, roles, doors):
    """From the first event posted to the processes numbered `doors` until the last delivery is settled."""
    with Postgres() as postgres, Receiver() as receiver, servers(postgres, roles, hook(receiver)) as processes:
        connections = 64  # of each door: a process that is added has clients of its own, and turns of the same size
        read_wrk(start_wrk(processes[doors[0]].port, 1, connections))
        processes[0].await_settled(SETTLE_LIMIT_S)
        warm = receiver.count()
        meter = Meter(postgres, processes)
        loads = list(map(read_wrk, [start_wrk(processes[door].port, settings.seconds, connections) for door in doors]))
        count = sum(load["requests"] for load in loads)
        await_count(receiver, warm + count)
        took_s = meter.took_s()
        processes[0].await_settled(SETTLE_LIMIT_S)
        cost = meter.per_event(count)
        check_once(postgres, receiver)
        peak_mb = max(resident_mb(process.pid, "VmHWM") for process in processes)
    return {"per_s": count / took_s, "accepted_per_s": sum(load["per_s"] for load in loads),
            "answer_p99_ms": max(load["p99_ms"] for load in loads), "peak_mb": peak_mb} | cost


def walk(settings):
    return walk_with(settings, ["all"], [0])


def drain_with(settings, count):
    """Events are stored first; then so many workers deliver them."""
    events = settings.postgres_drain
    with Postgres() as postgres, Receiver() as receiver:
        with servers(postgres, ["ingest"]) as (door,):
            fill(door, events)
        with servers(postgres, ["worker"] * count, hook(receiver)) as workers:
            meter, before = Meter(postgres, workers), receiver.count()
            await_count(receiver, events)
            took_s = meter.took_s()
            workers[0].await_settled(SETTLE_LIMIT_S)
            cost = meter.per_event(events - before)
            check_once(postgres, receiver)
    return {"per_s": (events - before) / took_s} | cost


def workers(settings):
    """The kinds and numbers take turns, and of each the best counts: others on the machine can only make one slower."""
    ways = {"worker": lambda count: walk_with(settings, ["ingest"] + ["worker"] * count, [0]),
            "all": lambda count: walk_with(settings, ["all"] * count, range(count)),
            "drain": lambda count: drain_with(settings, count)}
    best = {}
    for _ in range(settings.rounds):
        for count in WORKERS:
            for name, way in ways.items():
                found = way(count)
                best[name, count] = max(best.get((name, count), found), found, key=lambda each: each["per_s"])
    measured = {f"{name}_{count}_{key}": found[key] for (name, count), found in best.items() for key in SHOWN}
    for name in ways:
        measured[f"{name}_ratio"] = best[name, 2]["per_s"] / best[name, 1]["per_s"]
    return measured


def latency(settings):
    with Postgres() as postgres:
        return latency_of(settings, postgres.url)


# Look-ups on a long history


HISTORY = """
INSERT INTO marketing_events(idempotency_key, type, source, payload, received, fingerprint, status, scheduled_at,
  created_at, updated_at, run)
SELECT 'old-' || n, 'LEAD_CAPTURE', 'landing-page', drumbeat_payload(text), text, md5(n::text) || md5(n::text),
  'COMPLETED', moment, moment, moment, 0
FROM (SELECT n, now() - ({count} - n) * interval '1 s' AS moment, '{payload}'::text AS text
  FROM generate_series(1, {count}) n) made;
INSERT INTO deliveries(id, event_id, destination, step, run, action, route, status, attempts, due, first_due, lease_epoch,
  last_status, created_at, updated_at)
SELECT gen_random_uuid(), id, 'hook', 'new-lead', 0, '', 'new-lead', 'COMPLETED', 1, at, at, 1, 200, at, at
FROM (SELECT id, (extract(epoch FROM created_at) * 1000000)::int8 AS at FROM marketing_events) made;
INSERT INTO attempts(delivery_seq, number, started, finished, outcome, http_status)
SELECT seq, 1, due, due + 1000, 'done', 200 FROM deliveries;
"""
INSERTED = """
INSERT INTO marketing_events(idempotency_key, type, source, payload)
SELECT 'sql-{start}-' || n, 'LEAD_CAPTURE', 'landing-page', '{{}}' FROM generate_series(1, {count}) n;
NOTIFY marketing_events
"""
PROBES = 200
BURST = 1000  # more than leave in the turn that routes them: the rest is claimed


def fill_history(postgres, count):
    payload = json.dumps(json.loads(rig.event_text(0, "old"))["payload"])
    postgres.ask(HISTORY.format(count=count, payload=payload))
    for table in ("marketing_events", "deliveries", "attempts"):
        postgres.ask(f"VACUUM (ANALYZE, FREEZE) {table}")


def insert(postgres, start, count=1):
    for text in INSERTED.format(start=start, count=count).split(";"):
        postgres.ask(text)


def plans(log):
    """The statement, how long it took in ms, and its plan, of each that auto_explain wrote."""
    decoder = json.JSONDecoder()
    for found in re.finditer(r"duration: ([\d.]+) ms  plan:\s*(?=\{)", log):
        plan, _ = decoder.raw_decode(log[found.end():])
        yield plan["Query Text"], float(found.group(1)), plan["Plan"]


def nodes(plan):
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


def sizes(postgres, events):
    """Bytes an event of each table, and of each table's indexes."""
    rows = postgres.ask("SELECT relname, pg_table_size(oid), pg_indexes_size(oid) FROM pg_class WHERE relname IN"
                        " ('marketing_events', 'deliveries', 'attempts')")
    return {f"{name}_{what}_bytes": size / events for name, table, indexes in rows
            for what, size in (("table", table), ("index", indexes))}


def pending(settings):
    """Clients insert by SQL into a table with a long history; what the look-ups for them take."""
    with Postgres() as postgres, Receiver() as receiver:
        with servers(postgres, ["all"], hold=True):
            pass  # the schema
        fill_history(postgres, settings.history)
        measured = sizes(postgres, settings.history)
        postgres.set(EXPLAIN)
        postgres.restart()
        with servers(postgres, ["all"], hook(receiver)) as (server,):
            for number in range(PROBES):
                insert(postgres, number)
                if number == PROBES // 10:
                    await_count(receiver, number)  # plans are generic from the sixth time on
                    start = len(postgres.log)
            await_count(receiver, PROBES)
            insert(postgres, PROBES, BURST)
            await_count(receiver, PROBES + BURST)
            server.await_settled(SETTLE_LIMIT_S)
        found, whole = {name: [] for name in LOOK_UPS}, 0
        for text, took_ms, plan in plans(postgres.log[start:]):
            for name, pattern in LOOK_UPS.items():
                if re.search(pattern, text, re.DOTALL):
                    found[name].append((took_ms, plan["Actual Rows"]))
                    whole += sum(node["Node Type"] == "Seq Scan" for node in nodes(plan))
    return judge_looks(found) | {"whole_tables": whole} | measured


def judge_looks(found):
    """A look that finds many takes as long as they are many: those are judged by the row."""
    measured = {}
    for name, looks in found.items():
        few, many = [ms for ms, rows in looks if rows <= 1], [ms / rows * 1000 for ms, rows in looks if rows >= 100]
        if not few and not many:
            raise Trouble(f"no look-up '{name}' was seen")
        if few:
            measured[f"{name}_ms"] = statistics.median(few)
        if many:
            measured[f"{name}_row_us"] = statistics.median(many)
    return measured | {"worst_ms": max(value for name, value in measured.items() if name.endswith("_ms"))}
