"""What a provider says reaches nobody's terminal with the characters that steer one."""
import json

import pytest

from harness import until
from receiver import answer

NASTY = "\x1b[2J\x1b]0;owned\x07\x9b31mred\x00\x7f"


@pytest.fixture
def server(serve, receiver):
    receiver.script("/text", answer(400, f"no: {NASTY}".encode()))
    receiver.script("/api/v1/statuses", answer(422, json.dumps({"error": f"no: {NASTY}"}).encode(), "Content-Type: application/json"))
    receiver.script("/away", answer(401, f"no: {NASTY}".encode()))
    http = {"allow_private": "true", "on_unknown": "hold"}
    return serve(destinations={"text": {"url": receiver.url("/text"), **http}, "away": {"url": receiver.url("/away"), **http},
                               "toots": {"type": "mastodon", "server": receiver.url("").rstrip("/"), "token": "${TOKEN}",
                                         "allow_private": "true"}},
                 routes={"all": {"from": "LEAD", "to": ["text", "away", {"toots.post": {"text": "Hi"}}]}},
                 env={"TOKEN": "tok-1a2b3c4d"})


def steering(text):
    return sorted({one for one in text if ord(one) < 32 and one not in "\n\t" or 127 <= ord(one) < 160})


def test_nothing_that_is_said_of_an_answer_steers_a_terminal(server):
    event = server.send()
    until(lambda: server.get("/v1/destinations/away").json["paused"], "the pause")
    for name, begins in (("text", "answered 400: no: "), ("toots", "answered 422: no: \\u001b[2J\\u001b]0;owned\\u0007\\u009b31mred")):
        [failed] = until(lambda: [one for one in server.deliveries(event) if (one["destination"], one["status"]) == (name, "FAILED")], name)
        assert failed["last_error"].startswith(begins) and steering(failed["last_error"]) == [], failed
    assert steering(server.get("/v1/destinations/away").json["pause_reason"]) == []
    assert steering(server.text) == []
    shown = ""
    for words in (["deliveries", "list"], ["deliveries", "show", failed["id"]], ["events", "list"], ["events", "show", event],
                  ["todo"], ["status"], ["destinations", "list"], ["destinations", "show", "away"], ["report"], ["audit", "list"],
                  ["deliveries", "retry", "--status", "FAILED", "-n"], ["destinations", "test", "text", "--send"]):
        got = server.cli(*words)
        shown += got.out
        assert steering(got.out + got.err) == [], (words, got)
    assert shown.count("owned") > 5
    assert steering(server.cli("deliveries", "show", failed["id"], "--jq", ".last_error").out) == []
