"""A disk that is full: what is given up first (new events), and what goes on (deliveries, questions, starts)."""
import contextlib
import threading

import pytest

from harness import Server, event, until
from receiver import answer
from test_store_faults import check_stored, fill_up, is_refused_for_now

DISK_BYTES = "64m"
RESERVE_BYTES = 8 << 20


@pytest.fixture
def serve_on(disk, folder, receiver):
    """A server whose store is on the small disk, with one destination that is never silent for long."""
    servers = []

    def start():
        home = folder / "home"
        home.mkdir()
        crm = {"url": receiver.url("/crm"), "allow_private": "true", "retry": {"base": "20ms", "cap": "200ms"}}
        servers.append(Server(home, store=str(disk / "drumbeat.db"), destinations={"crm": crm},
                              routes={"all": {"from": "SEND", "to": ["crm"]}}).start())
        servers[-1].store = disk / "drumbeat.db"
        return servers[-1]

    yield start
    with contextlib.ExitStack() as ends:
        for server in servers:
            ends.callback(server.close)


def reserve(server):
    return server.store.with_name("drumbeat.db.reserve")


def refuse_events(server):
    """Posts until the disk is found to be full; what was acknowledged until then."""
    ids = []
    while (got := server.post(event(payload={"text": "x" * 20_000}))).status == 200:
        ids.append(got.json["eventId"])
        assert len(ids) < 1000, "a full disk took everything"
    is_refused_for_now(got, "E0121")
    return ids


def test_deliveries_go_on_in_the_room_that_was_kept_and_new_events_are_refused(serve_on, disk, receiver):
    server = serve_on()
    assert reserve(server).stat().st_blocks * 512 >= RESERVE_BYTES
    assert server.cli("destinations", "pause", "crm").code == 0
    waiting = [server.send(kind="SEND") for _ in range(50)]
    ballast = disk / "ballast"
    fill_up(ballast)
    ids = refuse_events(server)
    until(lambda: server.probe("/readyz") == 503, "/readyz to say so")
    assert server.get("/readyz").json == {"ready": False, "code": "E0121"}
    assert reserve(server).stat().st_size == 0
    until(lambda: "disk_full" in server.text, "a line in the log")
    [item] = [one for one in server.get("/v1/todo").json["items"] if one["cause"] == "disk"]
    assert item["error"] == f"less than 16 MiB are free on the disk of {server.store}", item
    assert "16 MiB are free" in " ".join(server.cli(*item["command"].split()[1:]).out.split())
    assert server.get("/v1/status").json["disk_full"] is True
    assert server.cli("destinations", "resume", "crm").code == 0  # what an operator does has room, too
    for event_id in waiting:
        server.settled(event_id, "COMPLETED")
    assert len(receiver.of("/crm")) == len(waiting)
    is_refused_for_now(server.post(event()), "E0121")
    server.restart_unready()
    is_refused_for_now(server.post(event()), "E0121")  # a restart does not give that room to new events
    assert server.get(f"/v1/events/{waiting[0]}").status == 200
    ballast.unlink()
    until(lambda: server.probe("/readyz") == 200, "/readyz")
    assert reserve(server).stat().st_blocks * 512 >= RESERVE_BYTES and "disk_has_space" in server.text
    check_stored(server, [*waiting, *ids, server.send()])


def exhaust(server, ballast):
    """The reserve's room is taken by another program as well."""
    ids = refuse_events(server)
    fill_up(ballast)
    return ids


def test_with_no_room_at_all_questions_are_answered_and_outcomes_wait(serve_on, disk, receiver):
    gate, good = threading.Event(), answer(200)
    receiver.script("/crm", lambda exchange: gate.wait(30) and good(exchange))
    server = serve_on()
    event_id = server.send(kind="SEND")
    until(lambda: receiver.of("/crm"), "the send")
    ballast = disk / "ballast"
    fill_up(ballast)
    ids = exhaust(server, ballast)
    for _ in range(200):  # what the log's file has of its own is used up
        server.request("POST", "/v1/destinations/crm/pause", b"{}", {"Content-Type": "application/json"})
        server.request("POST", "/v1/destinations/crm/resume", b"{}", {"Content-Type": "application/json"})
    gate.set()
    until(lambda: '"turn_dropped"' in server.text, "the outcome to find no room")
    for path in ("/v1/status", f"/v1/events/{event_id}", "/v1/destinations", "/v1/deliveries"):
        assert server.get(path).status == 200, path
    assert server.cli("status").code == 0
    assert server.probe("/healthz") == 200 and server.probe("/readyz") == 503
    ballast.unlink()
    until(lambda: server.probe("/readyz") == 200, "/readyz")
    delivery = server.settled(event_id, "COMPLETED")
    assert delivery["attempt_count"] == 1 and len(receiver.of("/crm")) == 1
    check_stored(server, [event_id, *ids])


def test_a_start_on_a_full_disk_works_and_says_why_it_is_not_ready(serve_on, disk):
    server = serve_on()
    first = server.send()
    ballast = disk / "ballast"
    fill_up(ballast)
    ids = [first, *exhaust(server, ballast)]
    server.kill()
    fill_up(ballast)
    server.restart_unready()
    assert server.get("/readyz").json == {"ready": False, "code": "E0121"}
    assert server.event(first)["id"] == first
    is_refused_for_now(server.post(event()), "E0121")
    ballast.unlink()
    until(lambda: server.probe("/readyz") == 200, "/readyz")
    check_stored(server, [*ids, server.send()])
