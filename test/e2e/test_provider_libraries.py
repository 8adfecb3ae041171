"""What connectors send, against libraries for their providers, where no description of the provider's is in a package:
Resend's own client must make the same requests of the same calls, and a body for Discord must be one that the types of
discord-api-types (which follow Discord's documentation) allow.

The requests are those of test/connectors/*.json, which test/unit/connect/test_goldens.c holds against the renderer.
"""
import copy
import json
import subprocess
import urllib.parse

import pytest

from harness import ROOT

CALLS = {"reply_to": "replyTo", "scheduled_at": "scheduledAt", "topic_id": "topicId"}  # a parameter, as the client calls it
MAILBOXES = {"from", "to", "cc", "bcc", "reply_to"}


def library(name, asked):
    done = subprocess.run(["node", ROOT / "test/e2e/providers.js", name, json.dumps(asked)], capture_output=True, text=True,
                          timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def golden(connector, action):
    return json.loads((ROOT / f"test/connectors/{connector}.json").read_text())["actions"][action]


def mail(params, body):
    """The client passes mailboxes on as it is given them, so that names in quotes are ours to write (RFC 5322)."""
    return {CALLS.get(name, name): body[name] if name in MAILBOXES else value for name, value in params.items()}


def call(request):
    """What the client is asked for, to make the request of a golden file."""
    params, body, key = request["params"], request["body"], request["headers"]["Idempotency-Key"]
    if isinstance(params, list):
        return {"mails": [mail(*one) for one in zip(params, body, strict=True)], "key": key}
    return {"mail": mail(params, body), "key": key}


def differences(ours, theirs):
    """Where our request is another one than the client's."""
    headers = {name: theirs["headers"].get(name.lower()) for name in ours["headers"]}
    headers["Authorization"] = headers["Authorization"].replace("token", "${token}")
    pairs = {"method": (ours["method"], theirs["method"]), "headers": (ours["headers"], headers), "body": (ours["body"], theirs["body"]),
             "path": (urllib.parse.urlsplit(ours["url"]).path, theirs["path"])}
    return [name for name, (one, other) in pairs.items() if one != other]


def mails():
    action = golden("resend", "mail")
    return action["requests"] + [action["batch"]]


def test_resends_own_client_makes_the_same_requests():
    requests = mails()
    used = set().union(*(request["params"] for request in requests if isinstance(request["params"], dict)))
    assert used >= {"from", "to", "subject", "html", "text", "cc", "bcc", "headers", "tags", "attachments", *CALLS}
    for ours, theirs in zip(requests, library("resend", list(map(call, requests))), strict=True):
        assert differences(ours, theirs) == [], (ours, theirs)


@pytest.mark.parametrize("name, change", {
    "body": lambda request: request["body"].update(replyTo=request["body"].pop("reply_to")),
    "path": lambda request: request.update(url="https://api.resend.com/email"),
    "headers": lambda request: request["headers"].update({"Idempotency-Key": ""}),
}.items())
def test_another_request_than_the_clients_is_found(name, change):
    ours = next(copy.deepcopy(request) for request in mails() if "reply_to" in request["params"])
    theirs, = library("resend", [call(ours)])
    change(ours)
    assert differences(ours, theirs) == [name]


def posts(connector):
    return [request for request in golden(connector, "message")["requests"]]


def test_bodies_for_discord_are_of_its_types():
    asked = [("discord-bot", "message", request) for request in posts("discord-bot")]
    asked += [("discord", "webhook", request) for request in posts("discord")]
    found = library("discord", [{"type": kind, "body": request["body"]} for _, kind, request in asked])
    for (connector, _, request), says in zip(asked, found, strict=True):
        address = json.loads((ROOT / f"test/connectors/{connector}.json").read_text())["fields"].get("url", "")
        url = urllib.parse.urlsplit(request["url"].replace("${url}", address))
        assert says["wrong"] == [], request
        assert urllib.parse.urlsplit(says["url"]).path.removeprefix("/api/v10") == url.path.removeprefix("/api").removeprefix("/v10")
        assert connector == "discord" or says["url"] == url.geturl()


BROKEN = {
    "a text that is a number": ("message", {"content": 8}),
    "a member nobody knows": ("message", {"content": "Hi", "enforce_nonces": True}),
    "a nonce that is a list": ("message", {"content": "Hi", "nonce": ["a"]}),
    "an embed with a member nobody knows": ("webhook", {"embeds": [{"titel": "Lead"}]}),
    "a mention of nobody's kind": ("webhook", {"content": "Hi", "allowed_mentions": {"parse": ["everybody"]}}),
    "a nonce, which webhooks do not take": ("webhook", {"content": "Hi", "nonce": "1"}),
}


def test_a_broken_body_is_found():
    found = library("discord", [{"type": kind, "body": body} for kind, body in BROKEN.values()])
    assert [name for name, says in zip(BROKEN, found, strict=True) if not says["wrong"]] == []
