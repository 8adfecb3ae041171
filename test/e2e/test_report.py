"""`report`: the sheet of a day, on both stores and without a server, and what is said when it does not add up."""
import sqlite3

from harness import until
from receiver import answer
from test_acts import store  # noqa: F401 (a fixture)
from test_cli import FINDINGS, NO_SERVER, USAGE, good
from test_status import to


def world(serve, receiver, **more):
    receiver.script("/bad", answer(422))
    return serve(destinations={name: to(receiver, name) for name in ("good", "bad")},
                 routes={"all": {"from": "LEAD", "to": ["good", "bad"]}}, **more)


def over(server):
    """Sends one event, one delivery of which fails."""
    event = server.send()
    until(lambda: server.event(event)["status"] == "FAILED", "the end of the event")


def line(sheet, name):
    [found] = [one for one in sheet["destinations"] if one["destination"] == name]
    return found


def test_the_sheet_of_today_adds_up(store, serve, receiver):  # noqa: F811
    server = world(serve, receiver, **store)
    for _ in range(5):
        over(server)
    server.send(kind="OTHER")
    until(lambda: server.get("/v1/status").json["unrouted"] == 1, "the one that no route takes")
    sheet = good(server.cli("report", "-o", "json")).json
    assert sheet["adds_up"] and sheet["difference"] == 0 and not sheet["running"]
    assert {name: count for name, count in sheet["events"].items() if count} == {"in": 6, "failed": 5, "unrouted": 1}
    assert line(sheet, "good")["completed"] == 5 and line(sheet, "bad")["failed"] == 5
    good(server.cli("deliveries", "retry", "--status", "FAILED", "-y"))
    until(lambda: line(good(server.cli("report", "-o", "json")).json, "bad")["superseded"] == 5, "the second runs")
    shown = good(server.cli("report")).out
    assert "6 events came in = 0 completed + 5 failed" in shown and shown.endswith("it adds up\n"), shown


def test_yesterday_is_empty_and_tomorrow_is_none(serve, receiver):
    server = world(serve, receiver)
    over(server)
    assert good(server.cli("report", "--day", "yesterday", "-o", "json")).json["events"]["in"] == 0
    for day in ("2999-01-01", "tomorrow", "2026-13-01"):
        assert server.cli("report", "--day", day).code == USAGE, day


def test_what_does_not_add_up_is_a_finding_everywhere(serve, receiver):
    server = world(serve, receiver)
    over(server)
    assert server.terminate() == 0
    damaged = sqlite3.connect(server.store, isolation_level=None)
    damaged.execute("UPDATE marketing_events SET status = 'COMPLETED'")
    damaged.close()
    got = server.cli("report")
    assert got.code in (FINDINGS, NO_SERVER) and "it does not add up, by 1" in got.out, got
    server.start()
    assert server.cli("report").code == FINDINGS
    assert any(one["event"] == "report_differs" for one in server.log()), server.text
    assert [item["command"] for item in server.get("/v1/todo").json["items"] if item["cause"] == "report"] == [
        "drumbeat verify"]
    assert server.cli("verify").code == FINDINGS
    assert server.terminate() == 0  # and no further check: it was damaged on purpose
