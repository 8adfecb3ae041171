"""Several processes on one PostgreSQL do the work of one: together they store an event once and deliver it once."""
import collections
import json

import pytest

from fleet import Crowd, Load, config, judge, judge_effects, stored, unknown_outcomes
from harness import Server, event, until
from receiver import answer, reset, silence
from services import sql

KEYS, POSTS = 1000, 100


@pytest.fixture
def fleet(fleets, database, receiver):
    return fleets(config(database, receiver))


def test_a_thousand_keys_posted_a_hundred_times_over_four_processes(fleet, receiver):
    servers = fleet.start("all", "all", "all", "all")
    events = [event(f"key-{n}", payload={"n": n}) for n in range(KEYS)]
    crowd = Crowd(servers, POSTS, events).run()
    there = stored(fleet.url)
    assert set(there) == set(crowd.keys)
    for key, ids in zip(crowd.keys, crowd.ids):
        assert ids == {there[key]: POSTS}
    assert crowd.words == {"ACCEPTED": KEYS, "DUPLICATE": KEYS * (POSTS - 1)}
    fleet.settled()
    assert collections.Counter(receiver.keys("/hook")).most_common(1)[0][1] == 1
    assert len(receiver.of("/hook")) == KEYS
    judge_effects(fleet.url, receiver)
    fleet.verify()


# roles

def test_ingest_takes_in_and_workers_deliver(fleet, receiver):
    [ingest] = fleet.start("ingest")
    early = [ingest.send(f"early-{n}") for n in range(5)]
    for worker in fleet.start("worker", "worker"):
        answer = worker.post(event())
        assert answer.status == 503 and answer.json["code"] == "E0126", answer
    late = [ingest.send(f"late-{n}") for n in range(20)]
    fleet.settled()
    assert sorted(request["X-Drumbeat-Event"] for request in receiver.of("/hook")) == sorted(early + late)
    judge_effects(fleet.url, receiver)
    fleet.verify()


def test_an_ingest_process_alone_delivers_nothing(fleet, receiver):
    """It is looked at after two of its rounds, in which a process looks for work and says that it lives."""
    [ingest] = fleet.start("ingest")
    ids = [ingest.send() for _ in range(3)]
    seen = "SELECT max(seen_at) FROM instances"
    for _ in range(2):
        before = sql(fleet.url, seen)
        until(lambda: sql(fleet.url, seen) > before, "the process to say that it lives")
    assert {ingest.event(event_id)["status"] for event_id in ids} == {"PENDING"}
    assert receiver.of("/hook") == []


def test_a_role_needs_a_store_that_is_shared(folder):
    server = Server(folder).launch("--role", "ingest")
    assert server.wait() == 2, server.text
    assert "--role ingest needs a store that several processes share" in server.text


# a clean end

def test_a_process_that_stops_hands_over(fleet, receiver):
    """What it holds and cannot send any more goes back at once; the other does it all, without a doubt."""
    one, other = fleet.start("all", "all")
    with Load([one, other], clients=4) as load:
        load.more(50)
        load.leave(one)
        assert one.terminate() == 0, one.text
        load.more(50)
    judge(fleet, load.answers, receiver)
    assert not unknown_outcomes(fleet.url)
    assert sql(fleet.url, "SELECT count(*) FROM instances") == [(1,)]


# order

def test_order_is_kept_over_processes(fleets, database, receiver):
    """Per key, whoever routes and delivers, and whatever the receiver says."""
    ordered = config(database, receiver, concurrency="16", retry={"max": "50", "base": "10ms", "cap": "50ms"})
    ordered["routes"]["all"]["to"] = [{"hook": {"order_by": ".who"}}]
    fleet = fleets(ordered)
    [ingest, *_] = fleet.start("ingest", "worker", "worker", "worker")
    receiver.script("/hook", *[answer(status) for status in (500, 200, 200, 503, 200, 429, 200) * 12], answer())
    keys, each = 5, 20
    for n in range(each):
        for who in range(keys):
            ingest.send(f"{who}-{n}", payload={"who": f"w{who}", "n": n})
    fleet.settled()
    for who in range(keys):
        arrived = [payload["n"] for payload in (json.loads(request.body) for request in receiver.of("/hook"))
                   if payload["who"] == f"w{who}"]
        assert list(dict.fromkeys(arrived)) == list(range(each))
        assert arrived == sorted(arrived), "one overtook another that was still tried"
    fleet.verify()


# batches

LETTERS = """
version: 1
name: letters
about: Takes many at once.
fields: {server: {required: true}}
actions:
  post:
    params: {text: required}
    request: {url: "${field.server}/one", json: {text: "${.text}"}}
    idempotency: {header: Idempotency-Key, keep: 24h}
    batch:
      max: 10
      request: {url: "${field.server}/many", headers: {Idempotency-Key: "${key}"}, json: {all: "${items}"}}
"""


def test_a_set_that_left_together_leaves_whole_again(fleets, database, receiver):
    """Over three workers: its answer is lost, or its process is; under one key the same set goes out each time."""
    mail = {"type": "letters", "server": receiver.url("/mail").removesuffix("/mail"), "allow_private": "true", "timeout": "2s",
            "retry": {"max": "20", "base": "20ms", "cap": "100ms"}, "breaker": "off"}
    step = {"mail.post": {"text": "${.n}", "batch": {"max": "10", "wait": "200ms"}}}
    fleet = fleets({"store": database, "destinations": {"mail": mail}, "routes": {"all": {"from": "*", "to": [step]}}},
                   {"connectors/letters.yaml": LETTERS})
    ingest, *workers = [fleet.start_one(role) for role in ("ingest", "worker", "worker", "worker")]
    receiver.script("/many", reset(), reset(), answer(503), silence(), silence(), reset(), answer())
    ingest.post([event(payload={"n": f"text {n}"}) for n in range(40)])
    until(lambda: len(receiver.of("/many")) >= 4, "some to be on their way")
    workers[0].kill()
    fleet.expire(workers[0])
    fleet.again(workers[0])
    fleet.settled()
    sets = collections.defaultdict(set)
    for request in receiver.of("/many") + receiver.of("/one"):
        sets[request.key].add(request.body)
    assert all(len(bodies) == 1 for bodies in sets.values()), "a request changed under its key"
    assert max(collections.Counter(receiver.keys("/many")).values()) > 1, "none went out again"
    fleet.verify()
