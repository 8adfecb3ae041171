"""A call for several that the provider refuses as a whole."""
import collections
import json
import re

import pytest

from harness import Server, event, until
from receiver import answer

MANY = """
version: 1
name: many
about: A provider that takes many at once, or none of them.
fields: {server: {required: true}}
actions:
  add:
    params: {n: required}
    request: {url: "${field.server}/one", headers: {Idempotency-Key: "${key}"}, json: {all: ["${.n}"]}}
    idempotency: {header: Idempotency-Key, keep: 1d}
    batch:
      max: 100
      request: {url: "${field.server}/add", headers: {Idempotency-Key: "${key}"}, json: {all: "${items}"}}
      item: "${.n}"
"""
BAD = 7


def judge(exchange):
    bad = BAD in json.loads(exchange.request.body)["all"]
    return answer(422 if bad else 200)(exchange)


def config(receiver):
    crm = {"type": "many", "server": receiver.url("/add").removesuffix("/add"), "allow_private": "true"}
    step = {"crm.add": {"n": "${.n}", "batch": {"max": "100", "wait": "1s"}}}
    return {"destinations": {"crm": crm}, "routes": {"all": {"from": "*", "to": [step]}}}


def error_rate(server):
    return float(re.search(r"^api_error_rate (\S+)$", server.get("/metrics").body.decode(), re.M)[1])


@pytest.fixture
def server(folder, receiver):
    (folder / "connectors").mkdir()
    (folder / "connectors/many.yaml").write_text(MANY)
    receiver.script("/add", judge)
    server = Server(folder, **config(receiver)).start()
    yield server
    server.close()


def test_one_bad_item_fails_alone(server, receiver):
    got = server.post([event(payload={"n": n}) for n in range(20)])
    for n, result in enumerate(got.json):
        server.settled(result["eventId"], "FAILED" if n == BAD else "COMPLETED")
    calls = [(request.key, json.loads(request.body)["all"]) for request in receiver.of("/add")]
    assert len({key for key, _ in calls}) == len(calls), "a key had two contents"
    done = collections.Counter(n for _, numbers in calls if BAD not in numbers for n in numbers)
    assert set(done) == set(range(20)) - {BAD} and set(done.values()) == {1}
    assert len(calls) < 15, "not in halves"
    # The refusals of calls that were cut are nobody's errors: one attempt in twenty failed.
    until(lambda: error_rate(server) > 0, "the one that failed")
    assert error_rate(server) <= 1 / 20
