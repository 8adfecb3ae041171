"""Posts on Bluesky against the server on which its accounts live: @atproto/pds, with one account, on loopback."""
import base64
import json
import os
import pathlib
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest

from harness import ROOT, until
from receiver import answer, silence
from services import free_port
from tokens import KEY

POST, CUT = "/xrpc/com.atproto.repo.putRecord", "3s"


class Pds:
    def __init__(self, folder):
        self.port = free_port()
        self.log = open(folder / "log", "w+")
        self.process = subprocess.Popen(["node", ROOT / "test/e2e/pds.js", folder, str(self.port)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.log, text=True,
                                        env={"PATH": os.environ["PATH"], "HOME": str(folder), "LOG_ENABLED": "false"})
        line = self.process.stdout.readline()
        assert line, pathlib.Path(self.log.name).read_text()
        self.account = json.loads(line)

    def ask(self, method, path, headers=(), body=None):
        request = urllib.request.Request(f"http://localhost:{self.port}{path}", data=body, headers=dict(headers), method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as got:
                return got.status, got.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def records(self):
        """Those of the account, by their text."""
        query = urllib.parse.urlencode({"repo": self.account["handle"], "collection": "app.bsky.feed.post", "limit": 100})
        status, body = self.ask("GET", f"/xrpc/com.atproto.repo.listRecords?{query}")
        assert status == 200, body
        found = {}
        for record in json.loads(body)["records"]:
            found.setdefault(record["value"]["text"], []).append(record)
        return found

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.log.close()


@pytest.fixture(scope="module")
def pds(tmp_path_factory):
    one = Pds(tmp_path_factory.mktemp("pds"))
    yield one
    one.close()


@pytest.fixture
def relay(receiver, pds):
    """The account's server behind a receiver, which hands on every request; with `lose` the answer is kept."""
    def ask(exchange):
        request = exchange.request
        wanted = {name: value for name, value in request.headers if name.lower() in ("content-type", "authorization")}
        receiver.said = pds.ask(request.method, request.path, wanted, request.body or None)

    def hand_on(exchange):
        ask(exchange)
        return answer(*receiver.said, "Content-Type: application/json")(exchange)

    def lose(exchange):
        ask(exchange)
        receiver.lost = receiver.said
        return silence()(exchange)
    for path in (POST, "/xrpc/com.atproto.server.createSession", "/xrpc/com.atproto.server.refreshSession"):
        receiver.script(path, hand_on)
    receiver.hand_on, receiver.lose = hand_on, lose
    return receiver


def start(serve, url, account, password=None):
    return serve(destinations={"bluesky": {"server": url, "handle": account["handle"], "app_password": "${APP_PASSWORD}",
                                           "allow_private": "true", "timeout": CUT}},
                 routes={"all": {"from": "*", "to": [{"bluesky.post": {"text": "${.text}", "langs": ["en"]}}]}},
                 env={"APP_PASSWORD": password or account["password"], "DRUMBEAT_TOKEN_KEY": KEY})


def test_a_post_is_a_record_with_the_time_of_its_event(serve, pds):
    server = start(serve, f"http://localhost:{pds.port}", pds.account)
    event_id = server.send(payload={"text": "Winter is here"})
    server.settled(event_id, "COMPLETED")
    [record] = pds.records()["Winter is here"]
    assert record["value"]["langs"] == ["en"]
    assert record["value"]["createdAt"] == server.get(f"/v1/events/{event_id}").json["created_at"]


def test_a_lost_answer_makes_no_second_post(serve, pds, relay):
    relay.script(POST, relay.lose, relay.hand_on)
    server = start(serve, relay.url("").rstrip("/"), pds.account)
    settled = server.settled(server.send(payload={"text": "Once"}), "COMPLETED")
    assert [attempt["outcome"] for attempt in settled["attempts"]] == ["unknown", "done"]
    status, body = relay.lost
    [record] = pds.records()["Once"]
    assert status == 200 and json.loads(body)["cid"] == record["cid"]
    first, second = relay.of(POST)
    assert first.body == second.body


def token_scope(request):
    """What the token of a request may be used for."""
    claims = request["Authorization"].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["scope"]


def test_a_session_that_ended_is_renewed(serve, pds, relay):
    relay.script(POST, answer(400, b'{"error":"ExpiredToken","message":"Token has expired"}'), relay.hand_on)
    server = start(serve, relay.url("").rstrip("/"), pds.account)
    settled = server.settled(server.send(payload={"text": "Renewed"}), "COMPLETED")
    assert settled["retry_count"] == 0 and len(pds.records()["Renewed"]) == 1
    [made], [renewed] = relay.of("/xrpc/com.atproto.server.createSession"), relay.of("/xrpc/com.atproto.server.refreshSession")
    assert made["Authorization"] is None and renewed.body == b""
    assert "refresh" in token_scope(renewed) and "refresh" not in token_scope(relay.of(POST)[-1])


def test_what_it_refuses_is_said_in_its_words(serve, pds):
    server = start(serve, f"http://localhost:{pds.port}", pds.account)
    failed = server.settled(server.send(payload={"text": "x" * 3001}), "FAILED")
    assert "string too big (maximum 3000" in failed["last_error"]
    assert "x" * 3001 not in pds.records()


def test_a_wrong_password_pauses_the_destination(serve, pds):
    server = start(serve, f"http://localhost:{pds.port}", pds.account, "wrong-word")
    server.send(payload={"text": "Never"})
    shown = until(lambda: server.get("/v1/destinations/bluesky").json["pause_reason"], "the destination to be paused")
    assert "Invalid identifier or password" in shown
    assert "Never" not in pds.records()
