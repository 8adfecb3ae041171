"""What `status` says: what waits and why, what needs a person, and what it is worth as an exit code."""
import re
import signal
import sqlite3
import subprocess

from harness import BINARY, environment, until
from receiver import answer, reset
from test_cli import DONE, FINDINGS, INTERRUPTED, NO_SERVER, good


def to(receiver, name, **more):
    return {"url": receiver.url(f"/{name}"), "allow_private": "true", **more}


def numbers(server):
    waiting = server.get("/v1/status").json["waiting"]
    return waiting["due"], waiting["held_back"], waiting["later"]


def test_waiting_is_three_numbers_and_says_what_holds_back(serve, receiver):
    server = serve(destinations={"limited": to(receiver, "limited", limit="1/24h"), "paused": to(receiver, "paused"),
                                 "patient": to(receiver, "patient")},
                   routes={"limited": {"from": "LIMITED", "to": ["limited"]},
                           "paused": {"from": "PAUSED", "to": ["paused"]},
                           "patient": {"from": "PATIENT", "to": [{"patient": {"after": "3h"}}]}})
    good(server.cli("destinations", "pause", "paused"))
    for kind, count in (("LIMITED", 3), ("PAUSED", 2), ("PATIENT", 1)):
        for _ in range(count):
            server.send(kind=kind)
    until(lambda: numbers(server) == (0, 4, 1), lambda: f"4 held back and 1 later: {server.get('/v1/status').json}")
    why = {item["destination"]: (item["reason"], item["count"]) for item in server.get("/v1/status").json["waiting"]["why"]}
    assert why == {"limited": ("limit", 2), "paused": ("pause", 2)}
    shown = good(server.cli("status")).out
    assert "0 due now · 4 held back · 1 later" in shown
    assert "2 for limited: its limit is used up" in shown and "2 for paused: it is paused" in shown
    until(lambda: re.search(r"^queue_depth 4$", server.get("/metrics").body.decode(), re.MULTILINE), "a depth of 4")


def test_a_provider_that_asks_to_wait_is_not_called_our_limit(serve, receiver):
    receiver.script("/crm", answer(429, b"{}", "Retry-After: 3600"))
    server = serve(destinations={"crm": to(receiver, "crm", limit="100/1m")}, routes={"all": {"from": "*", "to": ["crm"]}})
    first = server.send()
    until(lambda: server.get("/v1/deliveries").json["items"][0]["last_status"] == 429, "the 429")
    server.send()
    until(lambda: numbers(server) == (0, 2, 0), lambda: f"2 held back: {server.get('/v1/status').json}")
    [why] = server.get("/v1/status").json["waiting"]["why"]
    [destination] = server.get("/v1/destinations").json["items"]
    assert why["reason"] == "quiet" and why["until"][:19] == destination["quiet_until"][:19]
    assert "2 for crm: the provider asked us to wait until 2" in good(server.cli("status")).out
    waits = {item["event_id"]: item["waits_for"] for item in server.get("/v1/deliveries").json["items"]}
    asked = f"crm asked us to wait until {why['until'][:19]}Z"
    assert waits.pop(first) == f"{asked} (429)" and [*waits.values()] == [asked]
    assert "; crm asked us to wait until" in good(server.cli("events", "show", first)).out
    [delivery] = server.get(f"/v1/events/{first}").json["deliveries"]
    assert re.search(r"waits +crm asked us to wait until .* \(429\)", good(server.cli("deliveries", "show", delivery["id"])).out)


def test_without_a_server_the_store_is_shown_and_the_exit_code_says_so(serve):
    server = serve()
    assert server.terminate() == 0
    got = server.cli("status")
    assert got.code == NO_SERVER and "no server runs here" in got.out and "Needs you" in got.out, got


def test_findings_are_an_exit_code_for_who_asks(serve, receiver):
    receiver.script("/bad", answer(422))
    server = serve(destinations={"bad": to(receiver, "bad")}, routes={"bad": {"from": "BAD", "to": ["bad"]}})
    assert server.cli("status", "--exit-code").code == DONE
    server.settled(server.send(kind="BAD"), "FAILED")
    assert server.cli("status", "--exit-code").code == FINDINGS
    assert server.cli("status").code == DONE
    assert "1 failed\n" in server.cli("status").out, "a cause that has a number is not counted twice"


def test_what_needs_you_has_a_colour_only_when_something_does(serve, receiver):
    receiver.script("/bad", answer(422))
    server = serve(destinations={"bad": to(receiver, "bad")}, routes={"bad": {"from": "BAD", "to": ["bad"]}})
    assert "\033[33mNeeds you" not in server.cli("status", "--color", "always").out
    server.settled(server.send(kind="BAD"), "FAILED")
    assert "\033[33mNeeds you" in server.cli("status", "--color", "always").out


def test_watching_goes_on_through_a_restart(serve):
    server = serve()
    shown = server.folder / "shown"
    with open(shown, "w") as out:
        process = subprocess.Popen([BINARY, "status", "--watch"], cwd=server.folder, stdout=out, stderr=out,
                                   env=environment(server.folder))
    until(lambda: "up " in shown.read_text(), "a first look")
    server.kill()
    until(lambda: "no server runs here" in shown.read_text(), "a look at the store alone")
    server.start()
    seen = len(shown.read_text())
    until(lambda: "up " in shown.read_text()[seen:], "a look at the server that came back")
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == INTERRUPTED


def test_what_may_have_arrived_twice_is_said(serve, receiver):
    receiver.script("/twice", reset(), answer(200))
    server = serve(destinations={"twice": to(receiver, "twice", on_unknown="retry", retry={"base": "10ms"})},
                   routes={"twice": {"from": "TWICE", "to": ["twice"]}})
    got = good(server.cli("send", "TWICE", "-d", "{}", "--wait"))
    assert "delivered" in got.out and "sent 2 times, the first unknown" in got.out, got
    assert "sent 2 times, the first unknown" in good(server.cli("events", "show", got.out.split()[0])).out
    assert server.get("/v1/status").json["resent"] == 1
    assert "In doubt  1 since the start" in good(server.cli("status")).out
    until(lambda: "\ndrumbeat_deliveries_resent_total 1\n" in server.get("/metrics").body.decode(), "the number")


def test_a_reader_of_the_store_does_not_keep_a_server_from_starting(serve):
    server = serve()
    assert server.terminate() == 0
    reader = sqlite3.connect(server.store)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM marketing_events").fetchone()
    lock = server.store.with_name("drumbeat.db.lock")
    before = lock.stat().st_mtime_ns
    server.launch()
    until(lambda: lock.stat().st_mtime_ns != before, "the server to have come as far as the file")
    reader.close()
    until(server.ready, lambda: f"the server to be ready:\n{server.text}")
