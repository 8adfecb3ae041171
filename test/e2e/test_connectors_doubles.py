"""Connectors against receivers that act as their providers, whose answer to the first request is lost: one for each way
of telling a resend from a second delivery. What counts is how often the effect happened."""
import json
import urllib.parse

import pytest

from harness import until
from receiver import answer, silence

CUT = "200ms"  # after which an answer is lost


class Double:
    """Takes effects into account by name, and swallows its first answer after the effect happened."""

    def __init__(self, name, body):
        self.name, self.body, self.effects, self.calls = name, body, {}, []

    def __call__(self, exchange):
        self.calls.append(exchange.request)
        key = self.name(exchange.request)
        self.effects[key] = self.effects.get(key, 0) + 1
        return (silence() if len(self.calls) == 1 else answer(200, json.dumps(self.body).encode()))(exchange)


def body(request):
    return json.loads(request.body)


def form(request):
    return dict(urllib.parse.parse_qsl(request.body.decode()))


CASES = {
    # destination, delivery, path, what names the effect at the provider, what it answers
    "by the effect's own name": (
        {"type": "activecampaign", "token": "${TOKEN}"},
        {"it.contact": {"email": "${.email}", "first_name": "Ada"}}, "/api/3/contact/sync",
        lambda request: body(request)["contact"]["email"], {"contact": {"id": "113"}}),
    "by a key in a header": (
        {"type": "mastodon", "token": "${TOKEN}"}, {"it.post": {"text": "Hello ${.email}"}}, "/api/v1/statuses",
        lambda request: request.key, {"id": "1"}),
    "by a key in the body": (
        {"type": "segment", "token": "${TOKEN}"},
        {"it.track": {"user_id": "${.email}", "event": "Signed up"}}, "/v1/track",
        lambda request: body(request)["messageId"], {"success": True}),
}


def start(serve, receiver, destination, delivery, **more):
    url = receiver.url("").rstrip("/")
    where = {"url": url} if destination["type"] == "activecampaign" else {"server": url}
    return serve(destinations={"it": {**destination, **where, "allow_private": "true", "timeout": CUT, **more}},
                 routes={"all": {"from": "*", "to": [delivery]}}, env={"TOKEN": "tok-1a2b3c4d"})


@pytest.mark.parametrize("destination, delivery, path, name, says", CASES.values(), ids=CASES.keys())
def test_a_lost_answer_is_no_second_effect(serve, receiver, destination, delivery, path, name, says):
    double = Double(name, says)
    receiver.script(path, double)
    server = start(serve, receiver, destination, delivery)
    settled = server.settled(server.send(payload={"email": "ada@example.com"}), "COMPLETED")
    assert [attempt["outcome"] for attempt in settled["attempts"]] == ["unknown", "done"]
    assert len(double.calls) == 2 and len(double.effects) == 1, double.calls
    assert double.calls[0].body == double.calls[1].body


def test_where_nothing_tells_them_apart_a_person_is_asked(serve, receiver):
    double = Double(lambda request: body(request)["personalizations"][0]["custom_args"]["delivery_id"], {})
    receiver.script("/v3/mail/send", double)
    server = start(serve, receiver, {"type": "sendgrid", "token": "${TOKEN}"},
                   {"it.mail": {"to": "${.email}", "from": "shop@example.com", "subject": "Hello", "text": "Hi"}})
    settled = server.settled(server.send(payload={"email": "ada@example.com"}), "HELD")
    assert list(double.effects.values()) == [1] and list(double.effects) == [settled["key"]]


def test_one_that_can_be_searched_is_asked_before_anything_else_is_sent(serve, receiver):
    """How the answer to the search is read stands in the golden files; its wait is longer than a test may take."""
    double = Double(lambda request: form(request)["v:delivery_id"], {})
    receiver.script("/v3/mg.example.com/messages", double)
    server = start(serve, receiver, {"type": "mailgun", "token": "${TOKEN}", "domain": "mg.example.com"},
                   {"it.mail": {"from": "shop@mg.example.com", "to": "${.email}", "subject": "Hello", "text": "Hi"}})
    event_id = server.send(payload={"email": "ada@example.com"})
    until(lambda: server.delivery(event_id)["status"] == "UNKNOWN", "the delivery to be in doubt")
    assert list(double.effects) == [server.delivery(event_id)["key"]] and len(double.calls) == 1
