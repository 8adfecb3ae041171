"""`tail`: what comes in and goes out, in order of time, also over the server's death."""
import contextlib
import json
import pathlib
import re
import signal
import subprocess

import pytest

from harness import BINARY, environment, until
from receiver import answer, reset
from test_cli import INTERRUPTED, NO_SERVER


def to(receiver, name, **more):
    return {"url": receiver.url(f"/{name}"), "allow_private": "true", **more}


def catches(pid, number):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"SigCgt:\s*(\w+)", status)[1], 16) >> (number - 1) & 1


@contextlib.contextmanager
def tailing(server, *arguments):
    """What it has shown so far, as a function."""
    out, err = server.folder / "tail.out", server.folder / "tail.err"
    with open(out, "wb") as stdout, open(err, "wb") as stderr:
        process = subprocess.Popen([BINARY, "tail", *arguments], cwd=server.folder, stdin=subprocess.DEVNULL,
                                   stdout=stdout, stderr=stderr, env=environment(server.folder))
    try:
        yield lambda: (out.read_text(), err.read_text())
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == INTERRUPTED


@pytest.fixture
def server(serve, receiver):
    receiver.script("/twice", reset(), answer(200))
    server = serve(destinations={name: to(receiver, name, on_unknown="retry", retry={"base": "10ms"})
                                 for name in ("good", "twice")},
                   routes={name: {"from": name.upper(), "to": [name]} for name in ("good", "twice")})
    return server


def test_lines_stand_in_order_of_time(server):
    for _ in range(5):
        server.settled(server.send(kind="GOOD"), "COMPLETED")
    with tailing(server, "--since", "1h") as shown:
        until(lambda: shown()[0].count("\n") == 10, lambda: f"ten lines: {shown()}")
        lines = shown()[0].splitlines()
        assert [line.split()[0] for line in lines] == sorted(line.split()[0] for line in lines)
        assert [line.split()[1] for line in lines] == ["GOOD", "good"] * 5


def test_an_event_stands_before_what_became_of_it(server):
    """Also of what comes while a look is under way, which asks twice."""
    with tailing(server, "--since", "1h") as shown:
        ids = [server.send(kind="GOOD" if n % 20 else "NOBODY") for n in range(600)]
        ends = lambda: shown()[0].count("delivered") + shown()[0].count("no route wants it")
        until(lambda: ends() == len(ids), lambda: f"the end of all: {ends()}")
        seen = set()
        for line in shown()[0].splitlines():
            [event_id] = re.findall("[0-9a-f]{8}-[0-9a-f-]{27}", line)
            assert (event_id in seen) != ("  event  " in line), line
            seen.add(event_id)
        assert seen == set(ids)


def test_an_event_that_no_route_wants_is_said_once(server):
    with tailing(server, "--since", "1h") as shown:
        event_id = server.send(kind="NOBODY")
        until(lambda: "no route wants it" in shown()[0], lambda: f"that it is unwanted: {shown()}")
        server.settled(server.send(kind="GOOD"), "COMPLETED")
        until(lambda: "delivered" in shown()[0], "the other one")
        assert shown()[0].count("no route wants it") == 1
        assert f"NOBODY  no route wants it, nothing is sent: drumbeat events show {event_id}" in shown()[0]
    with tailing(server, "--since", "1h", "-o", "id") as shown:
        until(lambda: event_id in shown()[0] and len(shown()[0].splitlines()) >= 3, lambda: f"what there is: {shown()}")
        server.settled(server.send(kind="GOOD"), "COMPLETED")
        until(lambda: len(shown()[0].splitlines()) >= 5, lambda: f"what comes: {shown()}")
        assert shown()[0].count(event_id) == 1, "programs are told of it once"


def batch(server, kind, count):
    """In one request, and so in one look or two."""
    lines = [json.dumps({"type": kind, "source": "test", "idempotency_key": f"{kind}-{n}", "payload": {"n": n}}) for n in range(count)]
    answer = server.request("POST", "/v1/events", "\n".join(lines), {"Content-Type": "application/x-ndjson"})
    assert answer.status == 200 and answer.body.count(b"ACCEPTED") == count, answer


def test_of_a_burst_that_no_route_wants_none_is_left_out(server):
    first = server.send(kind="GOOD")
    with tailing(server, "--since", "1h") as shown:
        until(lambda: first in shown()[0], "the first look")
        batch(server, "NOBODY", 230)  # more than one look asks for
        until(lambda: shown()[0].count("no route wants it") == 230, lambda: f"all of them: {shown()[0].count('wants it')}, {shown()[1]}")
        assert "left" not in shown()[1] and "came at once" not in shown()[1]


def said(pattern, text):
    return sum(map(int, re.findall(pattern, text)))


def test_of_a_burst_the_number_that_is_left_out_is_said(server):
    first = server.send(kind="GOOD")
    with tailing(server, "--since", "1h") as shown:
        until(lambda: first in shown()[0], "the first look")
        batch(server, "NOBODY", 3500)

        def numbers():
            out, err = shown()
            events = len(re.findall("NOBODY  event  ", out))
            return (events, events + said(r"(\d+) more events? came at once than are shown", err),
                    out.count("no route wants it") + said(r"of (\d+) events? that came at once", err))
        until(lambda: numbers()[1] == 3500 and numbers()[2] == numbers()[0], lambda: f"the sums: {numbers()} {shown()[1]}")
        assert numbers()[0] < 3500, "nothing was left out: the burst is too small for this test"


def test_with_since_the_number_before_the_first_list_is_said(server):
    batch(server, "GOOD", 1200)
    until(lambda: server.get("/v1/status").json["waiting"]["due"] == 0 == server.get("/v1/status").json["processing"], "that all are sent")
    with tailing(server, "--since", "1h") as shown:
        until(lambda: shown()[0].count("\n") == 2000, lambda: f"the first look: {shown()[1]}")
        until(lambda: shown()[1].count("came at once") == 2, lambda: f"both numbers: {shown()[1]}")
        assert "200 more events came" in shown()[1] and "200 more deliveries came" in shown()[1]


def test_what_may_have_arrived_twice_is_said(server):
    with tailing(server, "--since", "1h") as shown:
        server.send(kind="TWICE")
        until(lambda: "sent 2 times, the first unknown" in shown()[0], lambda: f"that it was sent twice: {shown()}")


def test_it_waits_for_a_server_that_went_away(server):
    with tailing(server, "--since", "1h") as shown:
        first = server.send(kind="GOOD")
        until(lambda: "delivered" in shown()[0], "the first one")
        server.kill()
        until(lambda: "the server does not answer" in shown()[1], lambda: f"that it is away: {shown()}")
        server.start()
        second = server.send(kind="GOOD")
        until(lambda: shown()[0].count("delivered") == 2, lambda: f"the second one: {shown()}")
        assert "the server is back" in shown()[1] and shown()[1].count("does not answer") == 1
        assert shown()[0].count(f"event  {first}") == 1 and shown()[0].count(f"event  {second}") == 1


def test_it_shows_the_events_that_are_meant_and_their_deliveries(server):
    with tailing(server, "--since", "1h", "--where", ".n == 2", "-o", "ndjson") as shown:
        for n in (1, 2, 3):
            server.settled(server.send(kind="GOOD", payload={"n": n}), "COMPLETED")

        def lines():
            return [json.loads(line) for line in shown()[0].splitlines(keepends=True) if line.endswith("\n")]
        until(lambda: any(one.get("destination") for one in lines()), "a delivery")
        [wanted] = {one["id"] for one in lines() if "payload" in one}
        assert {one["event_id"] for one in lines() if "event_id" in one} == {wanted}
        assert {one["payload"]["n"] for one in lines() if "payload" in one} == {2}


def test_since_is_meant_of_deliveries_too_and_of_a_window_without_events(server):
    server.settled(server.send(kind="GOOD"), "COMPLETED")
    until(lambda: server.cli("deliveries", "list", "--since", "1s", "-o", "id").out == "", "that a second passes")
    with tailing(server, "--since", "1s") as shown:
        sent = []
        for _ in range(2):  # that the second is shown takes a second look
            sent.append(server.send(kind="GOOD"))
            until(lambda: re.search(f"delivered .*{sent[-1]}", shown()[0]), lambda: f"the new one: {shown()}")
        lines = [line for line in shown()[0].splitlines() if line.split()[1] == "good"]
        assert all(any(one in line for one in sent) for line in lines), shown()
        assert shown()[0].count(" event  ") == 2, shown()


@pytest.mark.parametrize("words", [["tail"], ["status", "--watch"]])
def test_the_closing_of_the_terminal_ends_what_watches(server, words):
    with open(server.folder / "watch.out", "wb") as stdout:
        process = subprocess.Popen([BINARY, *words], cwd=server.folder, stdin=subprocess.DEVNULL, stdout=stdout,
                                   stderr=stdout, env=environment(server.folder))
    until(lambda: catches(process.pid, signal.SIGHUP), "that it runs")
    process.send_signal(signal.SIGHUP)
    assert process.wait(30) == INTERRUPTED


def test_without_a_server_there_is_nothing_to_watch(serve):
    server = serve()
    assert server.terminate() == 0
    got = server.cli("tail")
    assert got.code == NO_SERVER and "no server answers" in got.err


def test_a_type_that_nobody_knows_is_told_and_waited_for(server):
    with tailing(server, "--type", "GOODD*") as shown:
        until(lambda: "no route names the type 'GOODD*', and no event of late has it; did you mean" in shown()[1], "the word")
        until(lambda: server.send(kind="GOODDAY") and "GOODDAY" in shown()[0], "one to come")  # the first look may be under way
