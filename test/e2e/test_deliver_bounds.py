"""Limits, concurrency, pauses, breakers and order: one destination's bounds, and that they are no other's."""
import contextlib
import os
import resource
import threading
import time

import pytest

from harness import event, until
from receiver import answer, reset, silence

FAST = {"max": "5", "base": "20ms", "cap": "50ms"}
JITTER_S = 0.05  # how much later than another a request may have arrived here


def hook(receiver, path="/hook", **settings):
    return {"url": receiver.url(path), "allow_private": "true", "retry": FAST, "breaker": "off", **settings}


def one(receiver, step="hook", **settings):
    return {"destinations": {"hook": hook(receiver, **settings)}, "routes": {"all": {"from": "*", "to": [step]}}}


def most_in_a_window(times, seconds):
    """By two pointers: the most that lie in any window of this length."""
    times, first, most = sorted(times), 0, 0
    for last, at in enumerate(times):
        while at - times[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def arrivals(receiver, *paths):
    return [request.at for path in paths for request in receiver.of(path)]


def test_a_limit_is_never_exceeded_also_across_kills(serve, receiver):
    server = serve(**one(receiver, limit="5/1s", concurrency="32"))
    server.post([event() for _ in range(30)])
    for mark in (7, 15):
        until(lambda: len(receiver.of("/hook")) >= mark, f"{mark} requests")
        server.restart()
    until(lambda: len(set(receiver.keys("/hook"))) == 30, "all 30")
    assert most_in_a_window(arrivals(receiver, "/hook"), 1 - JITTER_S) <= 5


def test_several_limits_hold_together_and_an_account_shares_them(serve, receiver):
    limits = {"limit": ["3/300ms", "5/2s"], "account": "shared"}
    server = serve(destinations={name: hook(receiver, f"/{name}", **limits) for name in ("a", "b")},
                   routes={"all": {"from": "*", "to": ["a", "b"]}})
    server.post([event() for _ in range(5)])
    until(lambda: len(arrivals(receiver, "/a", "/b")) == 10, "all 10")
    times = arrivals(receiver, "/a", "/b")
    assert most_in_a_window(times, 2 - JITTER_S) <= 5 and most_in_a_window(times, 0.3 - JITTER_S) <= 3


def test_retries_count_for_the_limit(serve, receiver):
    receiver.script("/hook", answer(500), answer(500), answer(500), answer(200))
    server = serve(**one(receiver, limit="2/500ms"))
    server.post([event() for _ in range(3)])
    until(lambda: len(receiver.of("/hook")) == 6, "3 and 3 again")
    assert most_in_a_window(arrivals(receiver, "/hook"), 0.5 - JITTER_S) <= 2


def test_concurrency_is_used_and_never_exceeded(serve, receiver):
    receiver.script("/hook", answer(delay=0.05))
    server = serve(**one(receiver, concurrency="3"))
    server.post([event() for _ in range(30)])
    until(lambda: len(receiver.of("/hook")) == 30, "all 30")
    assert receiver.peak("/hook") == 3


def test_a_dead_destination_does_not_stop_another(serve, receiver):
    receiver.script("/dead", silence())
    receiver.script("/slow", answer(delay=0.2))
    server = serve(destinations={name: hook(receiver, f"/{name}", timeout="10m") for name in ("dead", "slow", "good")},
                   routes={"all": {"from": "*", "to": ["dead", "slow", "good"]}})
    server.post([event() for _ in range(100)])
    until(lambda: len(receiver.of("/good")) == 100, "the good one to have all")
    assert len(receiver.of("/dead")) <= 8 and len(receiver.of("/slow")) < 100
    good = server.every("/v1/deliveries?destination=good")
    until(lambda: len(server.every("/v1/deliveries?destination=good&status=COMPLETED")) == len(good) == 100, "settled")


def test_a_pause_holds_and_a_resume_lets_go(serve, receiver):
    server = serve(**one(receiver))
    assert server.post({"reason": "moving"}, path="/v1/destinations/hook/pause").status == 200
    sent = [server.send() for _ in range(5)]
    until(lambda: server.get("/v1/destinations/hook").json["pending"] == 5, "five to wait")
    assert server.get("/v1/destinations/hook").json["pause_reason"] == "moving"
    assert receiver.requests == []
    server.post({}, path="/v1/destinations/hook/resume")
    for event_id in sent:
        server.settled(event_id, "COMPLETED")


def test_a_pause_for_a_time_ends_by_itself(serve, receiver):
    server = serve(**one(receiver))
    server.post({"for": "600ms"}, path="/v1/destinations/hook/pause")
    paused = time.monotonic()
    server.settled(server.send(), "COMPLETED")
    assert receiver.of("/hook")[0].at - paused > 0.3


def test_an_open_breaker_spares_the_destination_and_a_resume_closes_it(serve, receiver):
    receiver.script("/hook", *[reset()] * 3, answer(200))
    server = serve(**one(receiver, breaker={"failures": "3", "open": "1h"}, concurrency="1"))
    sent = [server.send() for _ in range(10)]
    until(lambda: server.get("/v1/destinations/hook").json["breaker"] == "open", "the breaker to open")
    assert len(receiver.of("/hook")) == 3
    assert [item["name"] for item in server.get("/v1/status").json["troubled"]] == ["hook"]
    server.restart()
    assert server.get("/v1/destinations/hook").json["breaker"] == "open"
    assert len(receiver.of("/hook")) == 3
    server.post({}, path="/v1/destinations/hook/resume")
    for event_id in sent:
        server.settled(event_id, "COMPLETED")


def test_a_breaker_probes_and_closes_by_itself(serve, receiver):
    receiver.script("/hook", *[answer(503)] * 4, answer(200))
    server = serve(**one(receiver, breaker={"failures": "3", "open": "200ms"}))
    sent = [server.send() for _ in range(20)]
    for event_id in sent:
        server.settled(event_id, "COMPLETED")
    until(lambda: server.get("/v1/destinations/hook").json["breaker"] == "closed", "closed")


@pytest.mark.parametrize("kill", [False, True], ids=["running", "killed"])
def test_order_is_kept_per_key_also_over_failures(serve, receiver, kill):
    failures = {"/hook": 12}
    lock = threading.Lock()

    def sometimes(exchange):
        with lock:
            failures["/hook"] -= 1
            bad = failures["/hook"] >= 0 and failures["/hook"] % 3 != 1
        return answer(503 if bad else 200)(exchange)
    receiver.script("/hook", sometimes)
    server = serve(**one(receiver, step={"hook": {"order_by": ".user"}}, concurrency="16", retry={**FAST, "max": "50"}))
    order = {}
    for n in range(60):
        user = f"user-{n % 7}"
        order.setdefault(user, []).append(server.send(payload={"user": user, "n": n}))
    if kill:
        until(lambda: len(receiver.of("/hook")) > 10, "the first ones")
        server.restart()
    ids = [event_id for events in order.values() for event_id in events]
    until(lambda: {request["X-Drumbeat-Event"] for request in receiver.of("/hook")} == set(ids), "all")
    for events in order.values():
        seen = [request["X-Drumbeat-Event"] for request in receiver.of("/hook")
                if request["X-Drumbeat-Event"] in set(events)]
        assert list(dict.fromkeys(seen)) == events  # by first arrival
        assert seen == sorted(seen, key=events.index)  # and none again after its successor


def test_other_keys_go_on_while_one_waits(serve, receiver):
    def by_user(exchange):
        return (silence() if b"stuck" in exchange.request.body else answer())(exchange)
    receiver.script("/hook", by_user)
    server = serve(**one(receiver, step={"hook": {"order_by": ".user"}}, timeout="10m"))
    for _ in range(5):
        server.send(payload={"user": "stuck"})
    for _ in range(10):
        server.settled(server.send(payload={"user": "free"}), "COMPLETED")
    assert len([request for request in receiver.of("/hook") if b"stuck" in request.body]) == 1


def open_connections(pid):
    """Those over TCP: each holds a descriptor, which a send could have when it is closed."""
    rows = [line.split() for line in open("/proc/net/tcp")][1:]
    established = {f"socket:[{row[9]}]" for row in rows if row[3] in ("01", "08")}
    held = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            held.add(os.readlink(f"/proc/{pid}/fd/{name}"))
    return held & established


def test_sends_that_this_machine_has_no_room_for_are_put_back_counted_and_told_once(serve, receiver):
    server = serve(**one(receiver, breaker={"failures": "1"}))
    server.cli("destinations", "pause", "hook", "--for", "2s")
    sent = [server.send() for _ in range(3)]
    soft, hard = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    until(lambda: not open_connections(server.pid), "the connections of the test to be closed")
    taken = max(int(name) for name in os.listdir(f"/proc/{server.pid}/fd")) + 1
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (taken, hard))
    until(lambda: [line for line in server.log() if line["event"] == "no_room_for_sends"], "the line in the log")
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (soft, hard))
    for event_id in sent:
        delivery = server.settled(event_id, "COMPLETED")
        assert (delivery["retry_count"], delivery["attempt_count"]) == (0, 1)
    until(lambda: [line for line in server.log() if line["event"] == "room_for_sends"], "the end in the log")
    assert len([line for line in server.log() if line["event"] == "no_room_for_sends"]) == 1
    assert server.get("/v1/destinations/hook").json["breaker"] == "closed"
    unsent = server.get("/v1/status").json["unsent"]
    assert unsent >= 1 and f"Put back  {unsent} send" in server.cli("status").out
    until(lambda: f"drumbeat_sends_without_room_total {unsent}\n" in server.get("/metrics").body.decode(), "the number")
