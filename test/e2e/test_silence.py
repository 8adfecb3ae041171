"""A PostgreSQL that goes silent: the server says that it stands still, comes back, and ends when it is told to."""
import re
import signal
import threading

import pytest

from cutter import Cutter
from harness import event, until

STOP_S = 2


@pytest.fixture
def line(database):
    with Cutter(database) as cutter:
        yield cutter


@pytest.fixture
def server(line, serve, database):
    return serve(store=line.through(database), server={"stop_timeout": f"{STOP_S}s"})


def post_aside(server):
    """A post that nobody waits for; what came of it."""
    answers = []
    thread = threading.Thread(target=lambda: answers.append(server.post(event())), daemon=True)
    thread.start()
    return thread, answers


def go_silent(server, line):
    line.blackhole()
    waiting = post_aside(server)
    until(lambda: server.probe("/readyz") == 503, "/readyz to say that the server stands still")
    return waiting


def test_a_server_that_stands_still_says_so_and_comes_back(server, line):
    first = server.send()
    thread, answers = go_silent(server, line)
    assert server.get("/readyz").json["code"] == "E0133"
    age = re.search(r"^drumbeat_loop_turn_age_seconds (\S+)$", server.get("/metrics").body.decode(), re.MULTILINE)
    assert float(age[1]) > 1
    assert server.probe("/healthz") == 200
    thread.join()
    assert answers[0].status == 503
    line.heal()
    until(lambda: server.post(event()).status == 200, "the server to take events again", 90)
    until(lambda: server.probe("/readyz") == 200, "/readyz")
    assert server.event(first)["id"] == first


def test_what_is_asked_of_a_silent_store_is_refused_in_time(server, line):
    """In the middle of a turn first, and then while the next connection is tried."""
    first = server.send()
    line.blackhole()
    tried = line.opened
    refused = [server.get(f"/v1/events/{first}"), server.post(event()), server.get("/v1/status"), server.post(event())]
    assert [answer.status for answer in refused] == [503] * 4
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in refused)
    until(lambda: line.opened > tried, "it to try")
    assert server.get(f"/v1/events/{first}").status == server.post(event()).status == 503
    line.heal()
    until(lambda: server.post(event()).status == 200, "the server to take events again", 90)
    until(lambda: server.get(f"/v1/events/{first}").status == 200, "questions to be answered again")


def test_a_stop_does_not_wait_for_a_silent_store(server, line):
    go_silent(server, line)
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(timeout=STOP_S + 2)
    line.heal()


def test_a_start_does_not_hang_at_a_silent_store(line, serve, database):
    server = serve(store=line.through(database))
    server.kill()
    line.blackhole()
    server.launch()
    assert server.wait() == 1 and "did not answer in time" in server.text
    tried = line.opened
    server.launch()
    until(lambda: line.opened > tried, "it to try")
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(timeout=5)


def test_a_silent_replica_is_done_without(line, serve, database):
    server = serve(store=database, postgres={"read_dsn": line.through(database)})
    event_id = server.send()
    until(lambda: [item["id"] for item in server.get("/v1/events").json["items"]] == [event_id], "the list")
    line.blackhole()
    later = server.send()
    for _ in range(10):
        assert {item["id"] for item in server.get("/v1/events").json["items"]} == {event_id, later}
    assert server.probe("/readyz") == 200
    line.heal()
