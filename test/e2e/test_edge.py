"""The worker of deploy/edge in workerd, the runtime of Cloudflare, in front of a real drumbeat that goes away and comes
back."""
import base64
import hashlib
import hmac
import json
import os
import pathlib
import subprocess
import time

import pytest

from harness import PATIENCE_S, ROOT, event, until
from receiver import answer, raw
from services import free_port

KEY = "db_ingest_of_a_page"
SECRET = "whsec_" + base64.b64encode(b"canary-signing-77aa").decode()
STRIPE = "whsec_of_the_shop_5d1f"


class Edge:
    def __init__(self, folder, origin, key="", kv=True, queue=True):
        bindings = {"ORIGIN": origin, "DRUMBEAT_KEY": key, "INGEST_KEYS": f"0, {hashlib.sha256(KEY.encode()).hexdigest()}",
                    "SOURCES": json.dumps({"shop": {"type": "stripe", "secret": STRIPE},
                                           "relay": {"type": "standard-webhooks", "secret": SECRET},
                                           "code": {"type": "github", "secret": "code-secret"}})}
        setup = json.dumps({"bindings": bindings, "kv": kv, "queue": queue})
        self.log = open(folder / "edge.log", "w+")
        self.process = subprocess.Popen(["node", ROOT / "test/e2e/edge.js", setup], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.log, text=True,
                                        env={"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder)})
        assert self.hear() == {"ready": True}

    def hear(self):
        line = self.process.stdout.readline()
        self.log.flush()
        assert line, pathlib.Path(self.log.name).read_text()
        return json.loads(line)

    def tell(self, **what):
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()
        return self.hear()

    def post(self, body, path="/v1/events", key=KEY, **headers):
        headers.setdefault("Content-Type", "application/json")
        if key:
            headers["Authorization"] = f"Bearer {key}"
        body = body if isinstance(body, str) else json.dumps(body)
        return self.tell(method="POST", path=path, headers=headers, body=body)

    def close(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE_S)
        self.log.close()


@pytest.fixture
def edge(folder):
    made = []

    def make(*arguments, **options):
        made.append(Edge(folder, *arguments, **options))
        return made[-1]
    yield make
    for each in made:
        each.close()


@pytest.fixture
def server(serve):
    """One whose port stays the same."""
    server = serve(server={"listen": f"127.0.0.1:{free_port()}"},
                   sources={"shop": {"type": "stripe", "secret": "${STRIPE_SECRET}", "tolerance": "1d"}},
                   env={"STRIPE_SECRET": STRIPE})
    server.key = json.loads(server.cli("keys", "create", "--role", "owner", "-o", "json").out)["key"]
    server.ingest = json.loads(server.cli("keys", "create", "--role", "ingest", "-o", "json").out)["key"]
    return server


def origin(server):
    return f"http://127.0.0.1:{server.port}"


def stripe(body, secret=STRIPE, at_s=None):
    at_s = at_s or int(time.time())
    signature = hmac.new(secret.encode(), f"{at_s}.{body}".encode(), hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={at_s},v1={signature}"}


def test_an_answer_of_200_is_drumbeats_own(server, edge):
    worker = edge(origin(server), server.ingest)
    said = worker.post(event(key="lead-41"))
    assert (said["status"], said["headers"]["x-event-status"]) == (200, "ACCEPTED")
    assert server.event(json.loads(said["body"])["eventId"])["idempotency_key"] == "lead-41"
    assert worker.post(event(key="lead-41"))["headers"]["x-event-status"] == "DUPLICATE"
    assert worker.post(event(key="lead-41", payload={"n": 2}))["status"] == 422
    assert worker.post("{")["status"] == 400
    unnamed = worker.post({"type": "LEAD", "source": "page", "payload": {}})
    assert server.event(json.loads(unnamed["body"])["eventId"])["idempotency_key"].startswith("edge-")
    batch = worker.post([event(), event()])
    assert [item["status"] for item in json.loads(batch["body"])] == ["ACCEPTED", "ACCEPTED"]


def test_who_has_no_key_and_no_signature_is_refused_at_the_edge(edge, receiver):
    worker = edge(receiver.url(""), "own")
    for key in (None, "wrong", KEY + "x"):
        assert worker.post(event(), key=key)["status"] == 401
    body = '{"id":"evt_1"}'
    for headers in ({}, stripe(body, "other"), stripe(body + " "), stripe(body, at_s=int(time.time()) - 3600)):
        assert worker.post(body, "/in/shop", None, **headers)["status"] == 401
    assert worker.post("x" * (8 * 1024 * 1024 + 1))["status"] == 413
    assert worker.tell(method="GET", path="/v1/events")["status"] == 405
    assert worker.post(event(), "/v1/keys")["status"] == 404
    assert receiver.requests == [], "drumbeat was not asked"
    good = hmac.new(b"code-secret", body.encode(), hashlib.sha256).hexdigest()
    assert worker.post(body, "/in/code", None, **{"X-Hub-Signature-256": f"sha256={good}"})["status"] == 200
    at = str(int(time.time()))
    signed = base64.b64encode(hmac.new(b"canary-signing-77aa", f"m1.{at}.{body}".encode(), hashlib.sha256).digest()).decode()
    relay = {"webhook-id": "m1", "webhook-timestamp": at, "webhook-signature": f"v1,x v1,{signed}"}
    assert worker.post(body, "/in/relay", None, **relay)["status"] == 200
    assert worker.post(event(), KEY and "/v1/events")["status"] == 200
    assert receiver.requests[-1]["Authorization"] == "Bearer own", "the caller's key goes no further"


@pytest.mark.parametrize("place", ["queue", "kv"])
def test_what_comes_while_drumbeat_is_away_is_delivered_once(server, edge, place):
    worker = edge(origin(server), server.ingest, queue=place == "queue")
    server.kill()
    body = '{"id":"evt_1","type":"invoice.paid"}'
    kept = [worker.post(event(key="lead-41")), worker.post({"type": "LEAD", "source": "page", "payload": {}}),
            worker.post(body, "/in/shop", None, **stripe(body))]
    assert [(said["status"], said["headers"]["x-event-status"]) for said in kept] == [(202, "QUEUED")] * 3
    if place == "kv":
        worker.tell(timer=True)
        assert len(worker.tell(kept="waiting/")["kept"]) == 3, "drumbeat is still away"
        assert KEY not in json.dumps(worker.tell(kept="waiting/"))
    server.start()

    def arrived():
        if place == "kv":
            worker.tell(timer=True)
        return len(server.every("/v1/events")) == 3
    until(arrived, lambda: f"three events: {server.every('/v1/events')}", 90)
    assert worker.post(event(key="lead-41"))["headers"]["x-event-status"] == "DUPLICATE"
    assert {item["source"] for item in server.every("/v1/events")} == {"test", "page", "shop"}
    if place == "kv":
        assert worker.tell(kept="waiting/") == {"kept": []}


def test_a_lost_answer_makes_no_second_event(edge, receiver):
    """The origin takes it and its answer is lost; then it is sent again, under the same key."""
    receiver.script("/v1/events", raw(b""), answer())
    worker = edge(receiver.url(""), "own", queue=False)
    assert worker.post({"type": "LEAD", "source": "page", "payload": {}})["status"] == 202
    worker.tell(timer=True)
    first, second = receiver.of("/v1/events")
    assert first.key.startswith("edge-") and second.key == first.key and second.body == first.body


def test_what_cannot_be_kept_is_not_promised(edge, receiver):
    receiver.script("/v1/events", answer(503))
    receiver.script("/in/unnamed", answer(503))
    worker = edge(receiver.url(""), "own")
    nameless = [{"type": "LEAD", "source": "page", "payload": {}}]
    for said in (worker.post(nameless), worker.post("{", "/in/unnamed", None), worker.post("{")):
        assert said["status"] == 503 and said["headers"]["retry-after"]
    assert worker.tell(kept="waiting/") == {"kept": []}


def test_with_nowhere_to_keep_it_is_503(edge):
    worker = edge(f"http://127.0.0.1:{free_port()}", "own", kv=False, queue=False)
    said = worker.post(event())
    assert said["status"] == 503 and said["headers"]["retry-after"] == "30"


def test_what_is_refused_later_is_put_aside(edge, receiver):
    receiver.script("/v1/events", answer(503), answer(422, b"a conflict"), answer(429))
    worker = edge(receiver.url(""), "own", queue=False)
    assert worker.post(event(key="lead-41"))["status"] == 202
    worker.tell(timer=True)
    [refused] = worker.tell(kept="refused/")["kept"]
    assert (refused["status"], refused["said"]) == (422, "a conflict") and worker.tell(kept="waiting/") == {"kept": []}
    assert worker.post(event(key="lead-42"))["status"] == 429, "drumbeat's own word is passed on"
