"""Limits that hold for each value of a parameter, over processes that share a store and over their deaths."""
import collections
import json

import pytest

from harness import event, until
from services import sql
from test_limits_shared import TOLERANCE_S, most_in_a_window

ROOMS = """
version: 1
name: rooms
about: A provider that bears little in each room.
fields: {server: {required: true}}
limits: [100/s, 2/1s per room]
actions:
  say:
    params: {room: required, n: required}
    request: {url: "${field.server}/say", headers: {Idempotency-Key: "${key}"}, json: {room: "${.room}", n: "${.n}"}}
    idempotency: {header: Idempotency-Key, keep: 1d}
"""


def rooms(url, receiver, redis=None):
    chat = {"type": "rooms", "server": receiver.url("/say").removesuffix("/say"), "allow_private": "true",
            "timeout": "2s", "breaker": "off", "concurrency": "64"}
    step = {"chat.say": {"room": "${.room}", "n": "${.n}"}}
    both = {"store": url, "destinations": {"chat": chat}, "routes": {"all": {"from": "*", "to": [step]}}}
    return {**both, **({"redis": {"url": redis.url, "timeout": "500ms"}} if redis else {})}


def said(receiver):
    return [json.loads(request.body) for request in receiver.of("/say")]


def starts_by_room(url):
    found = collections.defaultdict(list)
    rows = sql(url, "SELECT d.params::json ->> 'room', a.started FROM attempts a JOIN deliveries d"
                    " ON d.seq = a.delivery_seq ORDER BY a.started")
    for room, at in rows:
        found[room].append(at / 1e6)
    return found


def judge(url, count, window_s):
    for room, times in starts_by_room(url).items():
        most = most_in_a_window(times, window_s - TOLERANCE_S)
        assert most <= count, f"{most} in {window_s} s in {room}"


@pytest.mark.parametrize("by", ["redis", "store"])
def test_three_processes_keep_the_limit_of_each_room(fleets, database, receiver, redis, by):
    fleet = fleets(rooms(database, receiver, redis if by == "redis" else None), {"connectors/rooms.yaml": ROOMS})
    servers = fleet.start("all", "worker", "worker")
    crowded = [event(payload={"room": "crowded", "n": n}) for n in range(12)]
    others = [event(payload={"room": f"room {n}", "n": n}) for n in range(30)]
    servers[0].post(crowded + others)
    until(lambda: len({body["room"] for body in said(receiver)}) == 31, lambda: f"every room: {fleet.standing()}")
    assert sum(body["room"] == "crowded" for body in said(receiver)) < 12, "the crowded room was not limited"
    if by == "redis":
        redis.kill()  # limits of values are the store's
    until(lambda: len(said(receiver)) == 42, lambda: f"42, not {len(said(receiver))}: {fleet.standing()}")
    if by == "redis":
        redis.recover()
    fleet.settled()
    judge(database, 2, 1)
    fleet.verify()


def test_a_room_keeps_its_limit_over_deaths(fleets, database, receiver):
    text = ROOMS.replace("2/1s per room", "2/3s per room")
    fleet = fleets(rooms(database, receiver), {"connectors/rooms.yaml": text})
    servers = fleet.start("all", "all")
    servers[0].post([event(payload={"room": room, "n": n}) for n in range(4) for room in "ab"])
    until(lambda: sum(map(len, starts_by_room(database).values())) == 4, "the first of each room to be settled")
    for server in servers:
        server.kill()
        server.start("--role", "all")
    until(lambda: len(said(receiver)) == 8, lambda: f"8, not {len(said(receiver))}: {fleet.standing()}")
    fleet.settled()
    judge(database, 2, 3)
    fleet.verify()


def test_what_waits_for_its_room_says_so(fleets, database, receiver):
    fleet = fleets(rooms(database, receiver), {"connectors/rooms.yaml": ROOMS.replace("2/1s per room", "1/1h per room")})
    [server] = fleet.start("all")
    server.post([event(payload={"room": "a", "n": n}) for n in (1, 2)])

    def waiting():
        items = server.get("/v1/deliveries?status=PENDING").json["items"]
        return [item["waits_for"] for item in items] == ["chat's limit per room"]
    until(waiting, "one to wait")
    assert len(said(receiver)) == 1


def test_values_that_are_over_leave_the_store(fleets, database, receiver):
    fleet = fleets(rooms(database, receiver), {"connectors/rooms.yaml": ROOMS})
    [server] = fleet.start("all")
    server.post([event(payload={"room": f"room {n}", "n": n}) for n in range(60)])
    until(lambda: len(said(receiver)) == 60, "all")
    fleet.settled()
    server.post([event(payload={"room": "last", "n": n}) for n in range(40)])  # turns for twenty seconds
    until(lambda: sql(database, "SELECT count(*) FROM limit_uses WHERE name LIKE 'chat/room%'")[0][0] == 0,
          "what no window counts to go")
    fleet.verify()
