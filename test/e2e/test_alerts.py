"""`alerts`: what waits for a person reaches a Slack-shaped webhook, once, on both stores; hours are scenarios' matter."""
import json

from harness import until
from receiver import answer
from test_acts import good, store  # noqa: F401 (a fixture)
from test_status import to

CONFLICT, FAILED = 5, 1


def world(serve, receiver, **more):
    receiver.script("/crm", answer(422))
    receiver.script("/slack", answer(200, b"ok"))
    return serve(env={"SLACK_URL": receiver.url("/slack")},
                 destinations={"crm": to(receiver, "crm"),
                               "slack": {"url": "${SLACK_URL}", "allow_private": "true", "limit": "100/s"}},
                 routes={"all": {"from": "*", "to": ["crm"]}},
                 alerts={"to": [{"slack": {"text": "${.text}"}}]}, **more)


def said(receiver):
    return [json.loads(request.body)["text"] for request in receiver.of("/slack")]


def failing(receiver):
    return [text for text in said(receiver) if text.startswith("drumbeat needs you: failed: destination crm")]


def test_a_failure_is_told_once_also_after_a_kill(store, serve, receiver):  # noqa: F811
    server = world(serve, receiver, **store)
    server.settled(server.send(), "FAILED")
    good(server.cli("apply"))  # looks at once, and so does a start
    until(lambda: failing(receiver), "the alert")
    [text] = failing(receiver)
    assert "answered 422" in text and "drumbeat deliveries retry --status FAILED --destination crm" in text
    shown = good(server.cli("alerts", "list", "-o", "json")).json["items"]
    assert [(item["state"], item["cause"], item["name"]) for item in shown] == [("firing", "failed", "crm")]
    server.kill()
    server.start()
    server.settled(server.send(), "FAILED")
    good(server.cli("apply"))
    assert "delivered" in good(server.cli("alerts", "test")).out
    until(lambda: said(receiver)[-1] == "drumbeat: this is a test, alerts arrive here", "the test")
    assert len(failing(receiver)) == 1 and len(receiver.of("/crm")) == 2, "its own events go nowhere else"


def test_two_processes_on_one_store_tell_it_once(database, serve, receiver):
    one, other = (world(serve, receiver, store=database) for _ in range(2))
    one.settled(one.send(), "FAILED")
    for server in (one, other, one):
        good(server.cli("apply"))
    until(lambda: failing(receiver), "the alert")
    for server in (one, other):
        assert good(server.cli("alerts", "list", "-o", "json")).json["items"][0]["state"] == "firing"
        good(server.cli("alerts", "test"))
    assert len(said(receiver)) == 3 and len(failing(receiver)) == 1, said(receiver)


def test_a_webhook_that_refuses_is_shown_and_tells_nothing_about_itself(serve, receiver):
    server = world(serve, receiver)
    receiver.script("/slack", answer(400, b"invalid_payload"))
    got = server.cli("alerts", "test")
    assert got.code == FAILED and "invalid_payload" in got.out, got
    good(server.cli("apply"))
    assert {item["name"] for item in server.get("/v1/todo").json["items"]} == {"slack"}
    assert good(server.cli("alerts", "list", "-o", "json")).json["items"] == []
    assert len(receiver.of("/slack")) == 1


def test_nobody_else_speaks_for_drumbeat_and_without_the_section_nobody_is_told(serve, receiver):
    server = serve(destinations={"crm": to(receiver, "crm")}, routes={"all": {"from": "*", "to": ["crm"]}})
    refused = server.post({"type": "drumbeat.alert", "source": "x", "idempotency_key": "k", "payload": {}})
    assert refused.status == 400 and refused.pointers == ["/type"]
    got = server.cli("alerts", "test")
    assert got.code == CONFLICT and "no section 'alerts'" in got.err, got
