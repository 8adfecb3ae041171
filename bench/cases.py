"""The cases of bench/bench. Each takes its settings and returns what it measured, by name."""
import atexit
import contextlib
import functools
import hashlib
import hmac
import http.server
import json
import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
import urllib.request

from rig import (BASE, BENCH_FOLDER, DRUMBEAT, HOOK, Process, Receiver, Server, Trouble, Watch, children, cpu_seconds, event_text, fill,
                 folder, free_port, program, read_wrk, resident_mb, start_wrk, wakeups, written_bytes, wrk, wrk_with)

CONCURRENCY = 256
SETTLE_LIMIT_S = 300
TRACED_ROUNDS = 3
LOOK_S = 0.02  # between two looks at the receiver's count


def hook(receiver):
    return HOOK.format(port=receiver.port, concurrency=CONCURRENCY)


def await_count(receiver, wanted, limit_s=SETTLE_LIMIT_S):
    """When the receiver had taken so many."""
    end_s = time.monotonic() + limit_s
    while receiver.count() < wanted:
        if time.monotonic() > end_s:
            raise Trouble(f"{receiver.count()} of {wanted} arrived within {limit_s} s")
        time.sleep(LOOK_S)
    return time.monotonic()


def listener_alone(seconds):
    """The same listener when what it takes is answered at once and kept nowhere."""
    port = free_port()
    with Process([program("bench_listener"), str(port), str(seconds + 3)], stdout=subprocess.PIPE, text=True) as listener:
        listener.popen.stdout.readline()
        load = wrk(port, seconds)
        listener.popen.stdout.close()
    return load


def ingest(settings):
    seconds = settings.seconds
    alone = listener_alone(seconds)
    with folder() as path, Server(path) as server:
        wrk(server.port, 1)
        watch = Watch(server.pid)
        load = wrk(server.port, seconds)
        cpu_us, busy = watch.cpu_s() / load["requests"] * 1e6, watch.busy_cores()
    return {"per_s": load["per_s"], "p50_ms": load["p50_ms"], "p99_ms": load["p99_ms"], "cpu_us": cpu_us,
            "listener_per_s": alone["per_s"], "share_of_listener": load["per_s"] / alone["per_s"], "busy_cores": busy}


def lines_of(name):
    """What a program prints: a name and microseconds a line."""
    done = subprocess.run([program(name)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Trouble(f"{name}: {done.stderr}")
    return {f"{case}_us": float(us) for case, us in map(str.split, done.stdout.splitlines())}


WEBHOOK_SECRET = "a-secret-of-the-benchmark"


def webhook(settings):
    """Signed bodies of 2 KB, with the CPU of the same bodies posted as events beside it."""
    body = json.dumps({"action": "pushed", "ref": "refs/heads/main", "commits": [{"id": f"{n:040x}", "message": "x" * 60}
                                                                                 for n in range(16)]})
    signature = hmac.new(WEBHOOK_SECRET.encode(), body.encode(), hashlib.sha256).hexdigest()
    os.environ["WEBHOOK_SECRET"] = WEBHOOK_SECRET
    with folder() as path, Server(path, "sources:\n  github: {secret: \"${WEBHOOK_SECRET}\"}\n") as server:
        file = os.path.join(path, "body.json")
        with open(file, "w", encoding="utf-8") as out:
            out.write(body)
        url = f"http://127.0.0.1:{server.port}/in/github"
        wrk_with("webhook.lua", url, 1, file, signature, f"warm{time.time_ns()}")
        watch = Watch(server.pid)
        load = wrk_with("webhook.lua", url, settings.seconds, file, signature, f"{time.time_ns()}")
        cpu_us = watch.cpu_s() / load["requests"] * 1e6
    costs = lines_of("bench_intake")
    secrets = max(costs[name] for name in ("stripe_us", "standard-webhooks_us", "github_us"))
    return {"per_s": load["per_s"], "p99_ms": load["p99_ms"], "cpu_us": cpu_us, "body_bytes": len(body),
            "intake_us": secrets, **costs}


def posted(settings, config, path_there, script, *arguments):
    """What a lua script posts to a source, and the CPU of each; all must be taken."""
    with folder() as path, Server(path, config) as server:
        url = f"http://127.0.0.1:{server.port}{path_there}"
        wrk_with(script, url, 1, f"warm{time.time_ns()}", *arguments)
        watch = Watch(server.pid)
        load = wrk_with(script, url, settings.seconds, f"{time.time_ns()}", *arguments)
        cpu_us = watch.cpu_s() / load["requests"] * 1e6
    return {"per_s": load["per_s"], "p99_ms": load["p99_ms"], "cpu_us": cpu_us}


FORM_CONFIG = """  proxies: [127.0.0.1]
sources:
  contact: {type: form, fields: {email: required, name: optional, message: {kind: area}}}
"""


def form(settings):
    return posted(settings, FORM_CONFIG, "/f/contact", "form.lua")


MAP_CONFIG = """sources:
  shop:
    type: bearer
    secret: "${WEBHOOK_SECRET}"
    map: {type: .event | ascii_downcase, key: '"\\(.order.id):\\(.version)"'}
"""


def mapped(settings):
    os.environ["WEBHOOK_SECRET"] = WEBHOOK_SECRET
    return posted(settings, MAP_CONFIG, "/in/shop", "mapped.lua", WEBHOOK_SECRET)


BATCH_CONNECTOR = """version: 1
name: sink
fields: {server: {required: true}}
actions:
  lead:
    params: {email: required}
    request: {url: "${field.server}/lead", json: {email: "${.email}"}}
    idempotency: {header: Idempotency-Key, keep: 24h}
    batch: {max: 100, request: {url: "${field.server}/leads", json: "${items}"}}
"""
BATCH_CONFIG = """
destinations:
  sink: {{server: "http://127.0.0.1:{port}", allow_private: true}}
routes:
  lead: {{from: "*", to: [{{sink.lead: {{email: "${{.email}}"{batch}}}}}]}}
"""
BATCH_WAIT_S, BATCH_SPAN_S = 2, 12


def calls_for(rate, batch):
    """Events come one by one at a steady rate; how many there were, and how many calls they became."""
    count = rate * BATCH_SPAN_S
    with folder() as path, Receiver() as receiver:
        os.mkdir(os.path.join(path, "connectors"))
        with open(os.path.join(path, "connectors/sink.yaml"), "w", encoding="utf-8") as file:
            file.write(BATCH_CONNECTOR)
        with Server(path, BATCH_CONFIG.format(port=receiver.port, batch=batch)) as server:
            start_s = time.monotonic()
            for number in range(count):
                time.sleep(max(0, start_s + number / rate - time.monotonic()))
                server.ask("/v1/events", event_text(number, f"batch{rate}"))
            server.await_settled(SETTLE_LIMIT_S)
            return count, receiver.count()


def batch(_settings):
    """What `batch: {max: 100, wait: 2s}` makes of a trickle and of a stream, against the calls without it."""
    measured = {}
    for rate in (2, 50):
        joined = min(100, rate * BATCH_WAIT_S)
        count, plain = calls_for(rate, "")
        _, calls = calls_for(rate, f", batch: {{max: 100, wait: {BATCH_WAIT_S}s}}")
        if plain != count:
            raise Trouble(f"{plain} calls for {count} events without a batch")
        measured |= {f"calls_at_{rate}": calls, f"events_at_{rate}": count, f"cut_at_{rate}": 1 - calls / count,
                     f"of_ideal_at_{rate}": (count / calls) / joined}
    return measured


def walk_with(settings, env=None):
    with folder() as path, Receiver() as receiver, Server(path, hook(receiver), env=env) as server:
        watch = Watch(server.pid)
        load = wrk(server.port, settings.seconds)
        await_count(receiver, load["requests"])
        took_s = watch.took_s()
        server.await_settled(SETTLE_LIMIT_S)
        cpu_s, count = watch.cpu_s(), receiver.count()
        busy, peak_mb = watch.busy_cores(), resident_mb(server.pid, "VmHWM")
        if env:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as page:
                spans = dict(re.findall(r'drumbeat_spans_total{result="(\w+)"} (\d+)', page.read().decode()))
    measured = {"per_s": load["requests"] / took_s, "cpu_us": cpu_s / count * 1e6, "accepted_per_s": load["per_s"],
                "answer_p99_ms": load["p99_ms"], "peak_mb": peak_mb, "busy_cores": busy}
    return measured | ({"spans_dropped": int(spans["dropped"]) / max(int(spans["made"]), 1)} if env else {})


def walk(settings):
    """From the first event posted until the last delivery is settled."""
    return walk_with(settings)


@contextlib.contextmanager
def collector():
    """Takes all that is sent to it; gives its port and the bytes of each message."""
    messages = []

    class Taker(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            messages.append(len(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Taker) as taker:
        threading.Thread(target=taker.serve_forever, daemon=True).start()
        yield taker.server_address[1], messages
        taker.shutdown()


def walk_traced(settings):
    """CPU of a walk whose traces are sent, one in ten, against one that sends none. They take turns, so that what else the
    machine does weighs on both."""
    plain, traced, dropped = [], [], []
    with collector() as (port, messages):
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
               "OTEL_METRICS_EXPORTER": "none", "OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.1"}
        for _ in range(TRACED_ROUNDS):
            plain.append(walk_with(settings)["cpu_us"])
            measured = walk_with(settings, env)
            traced.append(measured["cpu_us"])
            dropped.append(measured["spans_dropped"])
    if not messages:
        raise Trouble("no trace was sent")
    return {"cpu_us": min(traced), "cpu_plain_us": min(plain), "cost_percent": (min(traced) / min(plain) - 1) * 100,
            "messages": len(messages), "mb": sum(messages) / 1e6, "dropped_share": max(dropped)}


def drain(settings):
    """All events are stored while nothing may leave; then the server starts with leave to send."""
    count = settings.drain
    with folder() as path, Receiver() as receiver:
        with Server(path, hook(receiver), hold=True) as server:
            fill(server, count)
        with Server(path, hook(receiver)) as server:
            start_s, at_start, cpu_start = time.monotonic(), receiver.count(), cpu_seconds(server.pid)
            watch = Watch(server.pid)
            took_s = await_count(receiver, count) - start_s
            busy = watch.busy_cores()
            server.await_settled(SETTLE_LIMIT_S)
            cpu_us = (cpu_seconds(server.pid) - cpu_start) / (count - at_start) * 1e6
            peak_mb = resident_mb(server.pid, "VmHWM")
            if receiver.count() != count:
                raise Trouble(f"{receiver.count()} arrived of {count}")
    return {"per_s": (count - at_start) / took_s, "cpu_us": cpu_us, "peak_mb": peak_mb, "busy_cores": busy}


def latency(settings):
    return latency_of(settings, "./drumbeat.db")


def latency_of(settings, store):
    port = free_port()
    config = HOOK.format(port=port, concurrency=CONCURRENCY)
    with folder() as path, Server(path, config, store=store) as server:
        watch = Watch(server.pid)
        load = subprocess.run([program("bench_latency"), str(server.port), str(port), "200", str(settings.latency_s)],
                              capture_output=True, text=True, check=False)
        busy = watch.busy_cores()
    if load.returncode:
        raise Trouble(f"bench_latency: {load.stdout}{load.stderr}")
    found = json.loads(load.stdout)
    measured = {f"{name}_{part}_ms": found[f"{name}_{part}_us"] / 1000
                for name in ("reach", "answer") for part in ("p50", "p99", "max")}
    return measured | {"busy_cores": busy}


def cost_with(settings, backlog):
    """CPU of taking in one event, and of claiming and sending one, while so many deliveries wait."""
    with folder() as path, Receiver() as receiver:
        with Server(path, hook(receiver), hold=True) as server:
            fill(server, backlog)
            wrk(server.port, 1)
            watch = Watch(server.pid)
            load = wrk(server.port, settings.seconds)
            ingest_us = watch.cpu_s() / load["requests"] * 1e6
            peak_mb = resident_mb(server.pid, "VmHWM")
        with Server(path, hook(receiver)) as server:
            await_count(receiver, 2000)
            watch, before = Watch(server.pid), receiver.count()
            while watch.took_s() < settings.seconds and receiver.count() < backlog + load["requests"]:
                time.sleep(LOOK_S)
            claim_us = watch.cpu_s() / (receiver.count() - before) * 1e6
            peak_mb = max(peak_mb, resident_mb(server.pid, "VmHWM"))
    return ingest_us, claim_us, load, peak_mb


def backlog(settings):
    ingest_0, claim_0, load_0, _ = cost_with(settings, 40000)
    ingest_1, claim_1, load_1, peak_mb = cost_with(settings, settings.backlog)
    return {"ingest_ratio": ingest_1 / ingest_0, "claim_ratio": claim_1 / claim_0, "peak_mb": peak_mb,
            "ingest_us": ingest_1, "ingest_few_us": ingest_0, "claim_us": claim_1, "claim_few_us": claim_0,
            "ingest_p99_ms": load_1["p99_ms"], "ingest_few_p99_ms": load_0["p99_ms"]}


SCRAPES, SCRAPE_EVERY_S = 40, 0.1


def scrape(settings):
    """Each look has a connection of its own, and most find numbers that are made anew meanwhile."""
    taken_ms = []
    with folder() as path, Receiver() as receiver:
        with Server(path, hook(receiver), hold=True) as server:
            fill(server, settings.backlog)
            load = start_wrk(server.port, int(SCRAPES * SCRAPE_EVERY_S * 2))
            for _ in range(SCRAPES):
                start_s = time.monotonic()
                with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as answer:
                    size = len(answer.read())
                taken_ms.append((time.monotonic() - start_s) * 1000)
                time.sleep(SCRAPE_EVERY_S)
            read_wrk(load)
    taken_ms.sort()
    return {"worst_ms": taken_ms[-1], "p50_ms": taken_ms[len(taken_ms) // 2], "bytes": size}


def plan_again(server):
    """Plans to send all of it again; how long that took."""
    began_s = time.monotonic()
    plan = server.ask("/v1/replays", '{"type":"LEAD_CAPTURE"}')
    while plan["status"] == "PLANNING":
        time.sleep(LOOK_S)
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/v1/replays/{plan['id']}") as answer:
            plan = json.load(answer)
    if plan["status"] != "PLANNED":
        raise Trouble(f"no plan was made: {plan['reason']}")
    return time.monotonic() - began_s, plan["events"]


def replay(settings):
    """A plan over all that waits: alone; then one after the other while events come in, against the same load alone."""
    with folder() as path, Receiver() as receiver:
        with Server(path, hook(receiver), hold=True) as server:
            fill(server, settings.replayed)
            before_mb = resident_mb(server.pid)
            took_s, events = plan_again(server)
            grown_mb = resident_mb(server.pid, "VmHWM") - before_mb
            if events != settings.replayed:
                raise Trouble(f"{events} of {settings.replayed} were planned")
            alone = wrk(server.port, settings.seconds)
            load, plans = start_wrk(server.port, settings.seconds), 0
            while load.poll() is None:
                plan_again(server)
                plans += 1
            beside = read_wrk(load)
    return {"plan_s": took_s * 100000 / events, "grown_mb": grown_mb, "p99_ratio": beside["p99_ms"] / alone["p99_ms"],
            "p99_ms": beside["p99_ms"], "alone_p99_ms": alone["p99_ms"], "plans_beside": plans}


def render(settings):
    """CPU of one request, by destination."""
    costs = lines_of("bench_render")
    return {"worst_us": max(costs.values()), **costs}


def idle(settings):
    """After a little work and the minute in which the gauges of rates look back."""
    with folder() as path, Receiver() as receiver:
        with Server(path, hook(receiver)) as server:
            ready_ms = server.ready_ms
            fill(server, 100)
            await_count(receiver, 100)
            time.sleep(settings.settle_s)
            woken, written, cpu = wakeups(server.pid), written_bytes(server.pid), cpu_seconds(server.pid)
            time.sleep(settings.idle_s)
            woken, written = wakeups(server.pid) - woken, written_bytes(server.pid) - written
            cpu = cpu_seconds(server.pid) - cpu
            rss_mb, child_mb = resident_mb(server.pid), sum(map(resident_mb, children(server.pid)))
    return {"rss_mb": rss_mb, "child_mb": child_mb, "wakeups_per_s": woken / settings.idle_s, "written_bytes": written,
            "cpu_ms_per_s": cpu * 1000 / settings.idle_s, "ready_ms": ready_ms}


STORED = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) INSERT INTO marketing_events(id,
 idempotency_key, type, source, status, run, scheduled_at, created_at, updated_at, fingerprint, payload)
 SELECT dated(i), lower(hex(randomblob(16))), 'LEAD', 'bench', 'COMPLETED', 0, {now}, {now}, {now}, '', '{{"k":"'
 || hex(randomblob(150)) || '"}}' FROM n;
INSERT INTO deliveries(id, event_id, destination, step, run, action, route, status, attempts, lease_epoch, due, first_due,
 created_at, updated_at) SELECT {delivery_id}, id, 'hook', '', 0, '', 'all', 'COMPLETED', 1, 1, {now}, {now}, {now}, {now}
 FROM marketing_events ORDER BY seq;
INSERT INTO attempts SELECT seq, 1, {now}, {now}, 'done', 200, NULL, 'ok' FROM deliveries ORDER BY seq;
"""


@functools.lru_cache(None)
def grown(binary, count):
    """A store that so many events went through, under random keys; made once, to be copied."""
    path = tempfile.mkdtemp(prefix="drumbeat-bench-", dir=BENCH_FOLDER)
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    with Server(path, binary=binary):
        pass
    now = time.time_ns() // 1000
    store = sqlite3.connect(os.path.join(path, "drumbeat.db"))
    store.create_function("dated", 1, lambda i: (now // 1000 - count + i).to_bytes(6, "big") + b"\x70" + os.urandom(9))
    store.executescript(STORED.format(count=count, now=now,
                                      delivery_id="randomblob(16)" if binary == BASE else "dated(seq)"))
    with contextlib.suppress(sqlite3.OperationalError):  # a copy of it is no copy of a store that somebody serves
        store.execute("DELETE FROM marks WHERE source = '*'")
        store.commit()
    store.close()
    return os.path.join(path, "drumbeat.db")


def walk_grown_once(settings, keys, binary):
    store = grown(binary, settings.grown)
    with folder() as path:
        shutil.copy(store, path)
        os.sync()
        with Receiver() as receiver, Server(path, hook(receiver), binary=binary) as server:
            watch, written = Watch(server.pid), written_bytes(server.pid)
            load = wrk(server.port, settings.seconds, keys=keys)
            await_count(receiver, load["requests"])
            took_s = watch.took_s()
            server.await_settled(SETTLE_LIMIT_S)
            written = written_bytes(server.pid) - written
    return {"per_s": load["requests"] / took_s, "answer_p99_ms": load["p99_ms"],
            "event_kb": written / load["requests"] / 1000}


def walk_grown(settings, keys):
    """As walk, on a store that has grown, and with the other binary too where one is named."""
    base = walk_grown_once(settings, keys, BASE) if BASE else None
    measured = walk_grown_once(settings, keys, DRUMBEAT)
    if base:
        measured |= {f"base_{name}": value for name, value in base.items()}
        measured["base_ratio"] = measured["per_s"] / base["per_s"]
    return measured


def walk_grown_sequential(settings):
    return walk_grown(settings, "sequential")


def walk_grown_random(settings):
    return walk_grown(settings, "random")


def long_turns(server):
    """How many turns there were, and how many of them took more than 10 ms."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as answer:
        text = answer.read().decode()
    within = int(re.search(r'drumbeat_turn_seconds_bucket\{le="0.01"\} (\d+)', text).group(1))
    count = int(re.search(r"drumbeat_turn_seconds_count (\d+)", text).group(1))
    return count, count - within


def verify(settings):
    """A round over a large store: alone, and while events come in; against the same load without it."""
    with folder() as path:
        shutil.copy(grown(DRUMBEAT, settings.verify), path)
        command = [DRUMBEAT, "-c", os.path.join(path, "drumbeat.yaml"), "verify", "-o", "json"]
        with Server(path) as server:
            turns, slow = long_turns(server)
            start_s = time.monotonic()
            found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            took_s = time.monotonic() - start_s
            turns_end, slow_end = long_turns(server)
            if found["events"] != settings.verify:
                raise Trouble(f"{found['events']} of {settings.verify} were looked at")
            alone = wrk(server.port, settings.seconds)
            with subprocess.Popen(command, stdout=subprocess.DEVNULL) as round_:
                beside = wrk(server.port, settings.seconds)
                round_.terminate()
    return {"took_s": took_s, "turns": turns_end - turns, "turns_over_10ms": slow_end - slow,
            "ingest_p99_ms": beside["p99_ms"], "ingest_alone_p99_ms": alone["p99_ms"],
            "ingest_per_s": beside["per_s"], "ingest_alone_per_s": alone["per_s"]}
