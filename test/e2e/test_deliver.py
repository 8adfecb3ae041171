"""What reaches a destination, and what becomes of a delivery by the answer it gets."""
import base64
import datetime
import email.utils
import hashlib
import hmac
import json
import re
import time

import pytest

from harness import delivery_key, event, until
from receiver import answer, silence

FAST = {"max": "5", "base": "20ms", "cap": "50ms"}


def hook(receiver, path="/hook", **settings):
    """An http destination at the receiver, quick to retry."""
    return {"url": receiver.url(path), "allow_private": "true", "retry": FAST, "breaker": "off", **settings}


def one(receiver, step="hook", **settings):
    """A configuration with one route to one destination."""
    return {"destinations": {"hook": hook(receiver, **settings)}, "routes": {"all": {"from": "*", "to": [step]}}}


def instant(text):
    return datetime.datetime.fromisoformat(text).timestamp()


# The request.

def test_the_request_has_everything_the_contract_names(serve, receiver):
    server = serve(env={"CRM_TOKEN": "t0ken"}, **one(receiver, headers={"authorization": "Bearer ${CRM_TOKEN}"}))
    event_id = server.send(kind="LEAD_CAPTURE", payload={"email": "ada@example.com"})
    delivery = server.settled(event_id, "COMPLETED")
    [request] = receiver.of("/hook")
    assert request.method == "POST" and json.loads(request.body) == {"email": "ada@example.com"}
    assert request["Content-Type"] == "application/json"
    assert request["Idempotency-Key"] == request["webhook-id"] == delivery["key"]
    assert delivery["key"] == delivery_key(server.event(event_id)["idempotency_key"], "hook", "all", 0) != delivery["id"]
    assert delivery["id"][:13] == event_id[:13]  # in order of time
    assert abs(int(request["webhook-timestamp"]) - request.wall) < 60
    assert request["webhook-signature"] is None
    assert request["X-Drumbeat-Event"] == event_id
    assert request["X-Drumbeat-Type"] == "LEAD_CAPTURE"
    assert request["X-Drumbeat-Attempt"] == "1"
    assert re.fullmatch(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[01]", request["traceparent"])
    assert request["Authorization"] == "Bearer t0ken"
    assert request["Host"] == f"127.0.0.1:{receiver.port}"


def test_the_body_is_the_payload_byte_for_byte(serve, receiver):
    payload = '{ "n": 12345678901234567890.10, "name":"Zoë \\u2603 😀",\n\t"a" : [ ] }'.encode()
    server = serve(**one(receiver))
    posted = server.post(b'{"type":"LEAD","source":"test","idempotency_key":"k","payload":%s}' % payload)
    server.settled(posted.json["eventId"], "COMPLETED")
    assert [request.body for request in receiver.of("/hook")] == [payload]


@pytest.mark.parametrize("secret, key", [
    ("whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode(), b"0123456789abcdef01234567"),
    (base64.b64encode(b"another secret of 24 byte").decode(), b"another secret of 24 byte"),
])
def test_a_signature_verifies_as_standard_webhooks_say(serve, receiver, secret, key):
    server = serve(env={"HOOK_SECRET": secret}, **one(receiver, signing_secret="${HOOK_SECRET}"))
    server.settled(server.send(payload={"text": "\u2603"}), "COMPLETED")
    [request] = receiver.of("/hook")
    signed = f"{request['webhook-id']}.{request['webhook-timestamp']}.".encode() + request.body
    digest = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    assert request["webhook-signature"] == f"v1,{digest}"


def test_all_attempts_have_the_same_key_and_body_and_count_up(serve, receiver):
    receiver.script("/hook", answer(500), answer(503), answer(200))
    server = serve(**one(receiver))
    delivery = server.settled(server.send(), "COMPLETED")
    requests = receiver.of("/hook")
    assert [request["X-Drumbeat-Attempt"] for request in requests] == ["1", "2", "3"]
    assert {request.key for request in requests} == {request["webhook-id"] for request in requests} == {delivery["key"]}
    assert len({request.body for request in requests}) == 1
    assert [(attempt["number"], attempt["outcome"], attempt["http_status"]) for attempt in delivery["attempts"]] == [
        (1, "retry", 500), (2, "retry", 503), (3, "done", 200)]
    assert delivery["retry_count"] == 2 and delivery["last_status"] == 200


def test_the_key_is_derived_so_that_another_store_makes_the_same(serve, receiver):
    for _ in range(2):
        server = serve(**one(receiver))
        server.settled(server.send("the-fact"), "COMPLETED")
    first, second = receiver.keys("/hook")
    assert first == second


# The answer.

@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_2xx_is_completed(serve, receiver, status):
    receiver.script("/hook", answer(status, b""))
    server = serve(**one(receiver))
    delivery = server.settled(server.send(), "COMPLETED")
    assert delivery["last_status"] == status and len(receiver.of("/hook")) == 1


@pytest.mark.parametrize("status", [400, 404, 409, 422, 300, 304])
def test_other_4xx_and_3xx_fail_at_once(serve, receiver, status):
    receiver.script("/hook", answer(status, b'{"error":"no such list"}' if status != 304 else b""))
    server = serve(**one(receiver))
    event_id = server.send()
    delivery = server.settled(event_id, "FAILED")
    assert delivery["last_status"] == status and len(receiver.of("/hook")) == 1
    assert [attempt["outcome"] for attempt in delivery["attempts"]] == ["failed"]
    assert server.event(event_id)["status"] == "FAILED"


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_temporary_trouble_is_tried_again(serve, receiver, status):
    receiver.script("/hook", answer(status), answer(200))
    server = serve(**one(receiver))
    server.settled(server.send(), "COMPLETED")
    assert len(receiver.of("/hook")) == 2


def test_the_answer_is_kept_as_an_excerpt(serve, receiver):
    receiver.script("/hook", answer(400, b'{"error":"email is taken"}'))
    server = serve(**one(receiver))
    assert "email is taken" in server.settled(server.send(), "FAILED")["attempts"][0]["answer"]


def test_it_gives_up_after_max_retries_where_there_is_no_slow_lane(serve, receiver):
    receiver.script("/hook", answer(500))
    server = serve(**one(receiver, retry={**FAST, "max": "2"}, give_up="0s"))
    event_id = server.send()
    delivery = server.settled(event_id, "FAILED")
    assert len(receiver.of("/hook")) == len(delivery["attempts"]) == 3
    assert "500" in delivery["last_error"] or delivery["last_status"] == 500
    assert server.event(event_id)["status"] == "FAILED"


def test_after_the_fast_lane_comes_a_try_an_hour(serve, receiver):
    receiver.script("/hook", answer(500))
    server = serve(**one(receiver, retry={**FAST, "max": "1"}))
    event_id = server.send()
    until(lambda: len(receiver.of("/hook")) == 2, "two attempts")

    def far():
        [delivery] = server.deliveries(event_id)
        return delivery["status"] == "PENDING" and instant(delivery["due"]) - time.time() > 3000
    until(far, "the slow lane")


def test_a_failed_delivery_is_sent_again_as_a_new_run(serve, receiver):
    receiver.script("/hook", answer(400), answer(200))
    server = serve(**one(receiver))
    event_id = server.send()
    first = server.settled(event_id, "FAILED")
    again = server.post({}, path=f"/v1/deliveries/{first['id']}/retry")
    assert again.status == 200 and again.json["run"] == 1
    until(lambda: [item["status"] for item in server.deliveries(event_id)] == ["FAILED", "COMPLETED"], "the second run")
    keys = receiver.keys("/hook")
    assert keys == [first["key"], again.json["key"]] and keys[0] != keys[1]
    until(lambda: server.event(event_id)["status"] != "PROCESSING", "the event to be settled")


@pytest.mark.parametrize("status", [403, 410])
def test_one_refused_delivery_is_held_and_the_others_go_on(serve, receiver, status):
    receiver.script("/hook", answer(status), answer(200))
    server = serve(**one(receiver))
    held = server.settled(server.send(), "HELD")
    assert "no other delivery is refused" in held["last_error"]
    assert not server.get("/v1/destinations/hook").json["paused"]
    server.settled(server.send(), "COMPLETED")


def test_refused_credentials_pause_the_destination_and_nothing_is_lost(serve, receiver):
    receiver.script("/hook", answer(401), answer(200))
    server = serve(**one(receiver))
    sent = [server.send()]
    until(lambda: server.get("/v1/destinations/hook").json["paused"], "the pause")
    sent += [server.send() for _ in range(3)]
    shown = server.get("/v1/destinations/hook").json
    assert shown["pause_reason"] and shown["pending"] == 4
    assert len(receiver.of("/hook")) == 1
    assert server.post({}, path="/v1/destinations/hook/resume").status == 200
    for event_id in sent:
        server.settled(event_id, "COMPLETED")
    assert len(receiver.of("/hook")) == 5


# Unknown outcomes.

def test_an_unknown_outcome_is_tried_again_under_the_same_key(serve, receiver):
    receiver.script("/hook", silence(), answer(200))
    server = serve(**one(receiver, timeout="200ms"))
    delivery = server.settled(server.send(), "COMPLETED")
    assert [attempt["outcome"] for attempt in delivery["attempts"]] == ["unknown", "done"]
    assert receiver.keys("/hook") == [delivery["key"]] * 2


def held_in_doubt(serve, receiver):
    receiver.script("/hook", silence(), answer(200))
    server = serve(**one(receiver, timeout="200ms", on_unknown="hold"))
    event_id = server.send()
    return server, event_id, server.settled(event_id, "HELD")


@pytest.mark.parametrize("word, status, requests", [("delivered", "COMPLETED", 1), ("not-delivered", "FAILED", 1),
                                                    ("retry", "COMPLETED", 2)])
def test_an_unknown_outcome_waits_for_a_person_where_told(serve, receiver, word, status, requests):
    server, event_id, delivery = held_in_doubt(serve, receiver)
    assert len(receiver.of("/hook")) == 1 and delivery["attempts"][0]["outcome"] == "unknown"
    assert server.event(event_id)["status"] == "PROCESSING"
    resolved = server.post({"as": word, "note": "seen"}, path=f"/v1/deliveries/{delivery['id']}/resolve")
    assert resolved.status == 200, resolved
    server.settled(event_id, status)
    assert len(receiver.of("/hook")) == requests and set(receiver.keys("/hook")) == {delivery["key"]}


def test_a_lie_the_other_way_has_one_key(serve, receiver):
    """The effect happened and the answer was 500: the receiver can tell the second by its key."""
    effects = set()

    def effect(exchange):
        first = exchange.request.key not in effects
        effects.add(exchange.request.key)
        return answer(500 if first else 200)(exchange)
    receiver.script("/hook", effect)
    server = serve(**one(receiver))
    sent = [server.send() for _ in range(10)]
    for event_id in sent:
        server.settled(event_id, "COMPLETED")
    assert len(effects) == 10 and len(receiver.of("/hook")) == 20


# Times that the provider names. All at once, each on a destination of its own.

def http_date(seconds):
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


NAMED = {  # the headers of a 429, and the least wait in seconds: what cannot be meant gives the own backoff
    "seconds": (["Retry-After: 2"], 2),
    "date": (["Retry-After: {date}"], None),
    "past-date": (["Retry-After: Fri, 31 Dec 1999 23:59:59 GMT"], 0),
    "negative": (["Retry-After: -5"], 0),
    "garbage": (["Retry-After: soon"], 0),
    "two": (["Retry-After: 2", "Retry-After: 2"], 2),
    "reset": (["RateLimit-Remaining: 0", "RateLimit-Reset: 2"], 2),
    "none": ([], 0),
}
DAYS = {"ten-years": ["Retry-After: 315360000"], "a-day": ["Retry-After: 86400"]}


def test_a_named_time_is_obeyed_never_earlier(serve, receiver):
    date = http_date(3)
    for name, (headers, _) in NAMED.items():
        receiver.script(f"/{name}", answer(429, b"", *[line.format(date=date) for line in headers]), answer(200))
    for name, headers in DAYS.items():
        receiver.script(f"/{name}", answer(429, b"", *headers))
    names = [*NAMED, *DAYS]
    server = serve(destinations={name: hook(receiver, f"/{name}") for name in names},
                   routes={name: {"from": name, "to": [name]} for name in names})
    sent = {name: server.send(kind=name) for name in names}
    for name, (_, least) in NAMED.items():
        server.settled(sent[name], "COMPLETED")
        first, second = receiver.of(f"/{name}")
        if least is None:
            assert second.wall >= email.utils.parsedate_to_datetime(date).timestamp() - 0.01
        else:
            assert second.at - first.at >= least - 0.01, (name, second.at - first.at)
    for name in DAYS:
        until(lambda: server.deliveries(sent[name])[0]["status"] == "PENDING", "PENDING")
        wait = instant(server.deliveries(sent[name])[0]["due"]) - time.time()
        assert 23 * 3600 < wait <= 24 * 3600, (name, wait)
        assert len(receiver.of(f"/{name}")) == 1


# Routes.

def routed(serve, receiver, step, **route):
    return serve(destinations={"hook": hook(receiver)}, routes={"r": {"from": "*", **route, "to": [step]}})


def test_when_unless_and_source_choose(serve, receiver):
    server = serve(destinations={"hook": hook(receiver), "other": hook(receiver, "/other")}, routes={
        "chosen": {"from": ["LEAD", "landing.*"], "source": "web", "when": ".email != null",
                   "to": [{"hook": {"unless": ".plan == \"paid\""}}, {"other": {"when": ".n > 1"}}]}})

    def statuses(**fields):
        event_id = server.send(**fields)
        until(lambda: server.event(event_id)["status"] == "COMPLETED", "COMPLETED")
        return {item["destination"]: item["status"] for item in server.deliveries(event_id)}
    lead = {"email": "a", "n": 2}
    assert statuses(source="web", payload=lead) == {"hook": "COMPLETED", "other": "COMPLETED"}
    assert statuses(source="web", payload=lead, kind="landing.form") == {"hook": "COMPLETED", "other": "COMPLETED"}
    assert statuses(source="app", payload=lead) == {}
    assert statuses(source="web", payload=lead, kind="SALE") == {}
    assert statuses(source="web", payload={"n": 2}) == {}
    assert statuses(source="web", payload={**lead, "plan": "paid"})["hook"] == "SKIPPED"
    assert statuses(source="web", payload={"email": "a", "n": 1}) == {"hook": "COMPLETED"}
    assert len(receiver.of("/hook")) == 3 and len(receiver.of("/other")) == 3


def test_a_body_is_filled_from_the_event(serve, receiver):
    body = {"kind": "followup", "email": "${.email}", "text": "Hi ${.name}, you are ${.age}", "age": "${.age}",
            "list": ["${.tags[]}", "$${.name}"], "of": "${$event.type}", "whole": "${.}", "none": "${.missing}"}
    server = routed(serve, receiver, {"hook": {"body": body}})
    payload = {"email": "ada@example.com", "name": "A\"da\\\n\u2603", "age": 36, "tags": ["a"]}
    server.settled(server.send(payload=payload), "COMPLETED")
    [request] = receiver.of("/hook")
    assert json.loads(request.body) == {
        "kind": "followup", "email": "ada@example.com", "text": "Hi A\"da\\\n\u2603, you are 36", "age": 36,
        "list": ["a", "${.name}"], "of": "LEAD", "whole": payload, "none": None}


def test_after_waits_from_the_events_own_time(serve, receiver):
    server = routed(serve, receiver, {"hook": {"after": "1s"}})
    event_id = server.send()
    until(lambda: server.deliveries(event_id), "the delivery")
    created = instant(server.event(event_id)["scheduled_at"])
    assert abs(instant(server.deliveries(event_id)[0]["due"]) - created - 1) < 0.001
    server.settled(event_id, "COMPLETED")
    assert receiver.of("/hook")[0].wall >= created + 1 - 0.01


def test_a_scheduled_event_leaves_at_its_time_and_not_before(serve, receiver):
    server = routed(serve, receiver, "hook")
    due = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=1.5)
    event_id = server.send(scheduled_at=due.isoformat())
    assert server.event(event_id)["status"] == "PENDING"
    server.settled(event_id, "COMPLETED")
    assert receiver.of("/hook")[0].wall >= due.timestamp() - 0.01


@pytest.mark.parametrize("where", ["route", "delivery"])
def test_what_is_late_is_held_and_not_sent(serve, receiver, where):
    step, route = ({"hook": {"late": "1h"}}, {}) if where == "delivery" else ("hook", {"late": "1h"})
    server = routed(serve, receiver, step, **route)
    delivery = server.settled(server.send(scheduled_at="2026-01-01T00:00:00Z"), "HELD")
    assert "late" in delivery["last_error"]
    server.settled(server.send(), "COMPLETED")
    assert len(receiver.of("/hook")) == 1
    assert server.post({"as": "retry"}, path=f"/v1/deliveries/{delivery['id']}/resolve").status == 200
    until(lambda: len(receiver.of("/hook")) == 2, "the held one, once a person said so")


def test_an_event_that_a_route_fails_on_is_failed_with_the_reason_and_holds_up_nobody(serve, receiver):
    server = routed(serve, receiver, "hook", when=".n / .d > 1")
    bad = server.send(payload={"n": "text", "d": 1})
    good = server.send(payload={"n": 4, "d": 2})
    server.settled(good, "COMPLETED")
    until(lambda: server.event(bad)["status"] == "FAILED", "FAILED")
    [unmade] = server.deliveries(bad)
    assert unmade["status"] == "FAILED" and unmade["attempts"] == []
    assert "route r" in unmade["last_error"] and unmade["last_error"] == server.event(bad)["last_error"]


def test_a_program_that_runs_away_is_stopped_and_holds_up_nobody(serve, receiver):
    server = serve(destinations={"hook": hook(receiver)}, routes={
        "bomb": {"from": "BOMB", "when": "[range(1e9)] | length > 0", "to": ["hook"]},
        "calm": {"from": "LEAD", "to": ["hook"]}})
    bomb = server.send(kind="BOMB")
    for _ in range(5):
        server.settled(server.send(), "COMPLETED")
    until(lambda: server.event(bomb)["status"] == "FAILED", "FAILED")
    assert server.event(bomb)["last_error"]


def test_programs_see_no_environment(serve, receiver):
    server = serve(env={"HOOK_SECRET": "CANARY"}, destinations={"hook": hook(receiver)}, routes={
        "r": {"from": "*", "to": [{"hook": {"body": {"env": "${env}", "dollar": "${$ENV}"}}}]}})
    event_id = server.send()
    until(lambda: server.event(event_id)["status"] in ("COMPLETED", "FAILED"), "an end")
    assert not [request for request in receiver.of("/hook") if b"CANARY" in request.body]


def test_two_deliveries_of_one_event_are_told_apart_by_their_key(serve, receiver):
    server = serve(destinations={"hook": hook(receiver)}, routes={
        "r": {"from": "*", "to": ["hook", {"hook": {"key": ".id", "body": {"kind": "second"}}}]}})
    event_id = server.send(payload={"id": "x"})
    until(lambda: [item["status"] for item in server.deliveries(event_id)] == ["COMPLETED"] * 2, "both")
    assert len(set(receiver.keys("/hook"))) == 2


def test_a_duplicate_sends_nothing(serve, receiver):
    server = serve(**one(receiver))
    server.settled(server.send("once"), "COMPLETED")
    assert server.post(event("once")).outcome == (200, "DUPLICATE")
    server.settled(server.send("other"), "COMPLETED")
    assert len(receiver.of("/hook")) == 2
