"""What is given up first when something runs out (docs/guarantees.md): new events. What goes on: deliveries and their
outcomes, questions, what operators do, health. The full disk is in test_full_disk.py."""
import threading

import pytest

from cutter import Cutter
from harness import event, until
from receiver import answer
from services import sql

QUEUE = 5


def crm(receiver, **more):
    return {"destinations": {"crm": {"url": receiver.url("/crm"), "allow_private": "true", **more}},
            "routes": {"all": {"from": "*", "to": ["crm"]}}}


def test_a_full_queue_refuses_new_events_and_nothing_else(serve, receiver):
    server = serve(server={"queue": QUEUE}, **crm(receiver, queue=QUEUE))
    assert server.cli("destinations", "pause", "crm").code == 0
    first = server.post(event("first"))
    ids = [first.json["eventId"]]
    while (got := server.post(event())).status == 200:
        ids.append(got.json["eventId"])
        assert len(ids) < 100, "the queue has no end"
    assert got.status == 503 and got.json["code"] == "E0120" and int(got.headers["Retry-After"]) >= 1
    assert server.probe("/healthz") == 200 and server.probe("/readyz") == 200
    for path in ("/v1/status", f"/v1/events/{ids[0]}", "/v1/deliveries", "/v1/destinations", "/metrics"):
        assert server.get(path).status == 200, path
    assert server.cli("destinations", "resume", "crm").code == 0
    for event_id in ids:
        server.settled(event_id, "COMPLETED")
    assert len(receiver.of("/crm")) == len(ids)
    until(lambda: server.post(event()).status == 200, "new events to be taken again")


def logged(server, name):
    return [line for line in server.log() if line["event"] == name]


def test_half_of_the_queue_warns_and_a_destination_has_its_own(serve, receiver):
    server = serve(server={"queue": 8}, destinations={
        "crm": {"url": receiver.url("/crm"), "allow_private": "true"},
        "other": {"url": receiver.url("/other"), "allow_private": "true"}},
        routes={"crm": {"from": "LEAD", "to": ["crm"]}, "other": {"from": "OTHER", "to": ["other"]}})
    assert server.cli("destinations", "pause", "crm").code == 0
    ids = [server.send() for _ in range(12)]
    held = until(lambda: len(rows := server.every("/v1/deliveries?status=HELD")) == 8 and rows, "the overflow")
    assert all("too many wait for this destination" in row["last_error"] for row in held)
    status = server.get("/v1/status").json
    assert status["queue"] == {"waiting": 4, "most": 8, "half_full": True}
    assert [(it["name"], it["overflows"]) for it in status["troubled"]] == [("crm", True)]
    assert "! 4 of 8 places in the queue are taken" in server.cli("status").out
    until(lambda: "drumbeat_queue_waiting 4" in (said := server.get("/metrics").body.decode())
          and 'drumbeat_destination_overflows{destination="crm"} 1' in said, "the numbers")
    until(lambda: logged(server, "queue_half_full"), "the warning")
    assert len(logged(server, "deliveries_overflow")) == 1
    assert server.post(event(kind="OTHER")).status == 200
    until(lambda: receiver.of("/other"), "the other destination's delivery")
    assert server.cli("destinations", "resume", "crm").code == 0
    for event_id in ids:
        server.settled(event_id, "COMPLETED")
    until(lambda: logged(server, "queue_has_room"), "the all-clear")


@pytest.fixture
def line(database):
    with Cutter(database) as cutter:
        yield cutter


def test_a_silent_database_costs_new_events_and_no_outcome(line, serve, database, receiver):
    gate, good = threading.Event(), answer(200)
    receiver.script("/crm", lambda exchange: gate.wait(60) and good(exchange))
    server = serve(store=line.through(database), **crm(receiver, timeout="60s"))
    event_id = server.send()
    until(lambda: receiver.of("/crm"), "the send")
    line.blackhole()
    got = []
    poster = threading.Thread(target=lambda: got.append(server.post(event("late"))), daemon=True)
    poster.start()
    until(lambda: server.probe("/readyz") == 503, "/readyz to say that the server stands still")
    gate.set()
    assert server.probe("/healthz") == 200 and server.probe("/metrics") == 200
    poster.join()
    assert got[0].status == 503
    line.heal()
    delivery = server.settled(event_id, "COMPLETED")
    assert delivery["attempt_count"] == 1 and len(receiver.of("/crm")) >= 1
    assert sql(database, "SELECT count(*) FROM deliveries WHERE status = 'UNKNOWN' OR in_doubt <> 0") == [(0,)]
    until(lambda: server.post(event("late")).status == 200, "the refused event to be taken")
