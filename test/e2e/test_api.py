"""Every path of the API, asked once, answers as docs/openapi.json says."""
import json
import re

import pytest

from harness import ROOT, Server, event, until
from receiver import Receiver, answer

OPENAPI = json.loads((ROOT / "docs/openapi.json").read_text())
SCHEMAS = OPENAPI["components"]["schemas"]
DATE_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$")
TYPES = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}

WORDS = set("type properties required additionalProperties items enum const oneOf pattern minLength maxLength format "
            "description".split())


# A validator for the words that docs/openapi.json uses; an unknown word is a mistake of the page.

def has_type(value, names):
    names = [names] if isinstance(names, str) else names
    return any(isinstance(value, TYPES[name]) and (name == "boolean") == isinstance(value, bool) for name in names)


def problems(schema, value, at=""):
    """What is wrong with a value, each with its place. Members that the schema does not name are wrong too."""
    if "$ref" in schema:
        return problems(SCHEMAS[schema["$ref"].rsplit("/", 1)[1]], value, at)
    unknown = set(schema) - WORDS
    assert not unknown, f"{at}: the page uses {unknown}"
    found = []
    if "oneOf" in schema and sum(not problems(one, value, at) for one in schema["oneOf"]) != 1:
        found.append(f"{at}: not exactly one form fits {value}")
    if "const" in schema and value != schema["const"]:
        found.append(f"{at}: {value!r} is not {schema['const']!r}")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{at}: {value!r} is none of {schema['enum']}")
    if "type" in schema and not has_type(value, schema["type"]):
        found.append(f"{at}: {value!r} is no {schema['type']}")
    if schema.get("format") == "date-time" and isinstance(value, str) and not DATE_TIME.match(value):
        found.append(f"{at}: {value!r} is no time")
    if isinstance(value, dict):
        found += object_problems(schema, value, at)
    if isinstance(value, list) and "items" in schema:
        found += [problem for n, item in enumerate(value) for problem in problems(schema["items"], item, f"{at}/{n}")]
    return found


def object_problems(schema, value, at):
    known = schema.get("properties", {})
    missing = [f"{at}: no {name}" for name in schema.get("required", []) if name not in value]
    extra = [f"{at}: {name} is not on the page" for name in value if known and name not in known]
    inner = [problems(known[name], value[name], f"{at}/{name}") for name in known if name in value]
    return missing + extra + [problem for found in inner for problem in found]


def test_the_validator_finds_what_is_wrong():
    whole = {"index": 1, "status": "ACCEPTED"}
    item = {"$ref": "#/components/schemas/BatchItem"}
    assert problems(item, whole) == []
    assert problems(item, {**whole, "index": True}) == ["/index: True is no integer"]
    assert problems(item, {**whole, "status": "?"}) and problems(item, {"index": 1}) and problems(item, [])
    assert problems(item, {**whole, "more": 1}) == [": more is not on the page"]
    assert problems({"oneOf": [item, item]}, whole) and problems({"type": "array", "items": item}, [{}])
    assert problems({"type": ["string", "null"], "format": "date-time"}, None) == []
    assert problems({"type": ["string", "null"], "format": "date-time"}, "yesterday")


# One server with one of each thing.

TOKEN = "a-secret-of-sources"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A server, and an id for each place of a path."""
    receiver = Receiver()
    receiver.script("/bad", answer(422, b'{"why":"no"}'))
    server = Server(tmp_path_factory.mktemp("api"), env={"TOKEN": TOKEN}, **{
        "sources": {"carrier": {"type": "bearer", "secret": "${TOKEN}"}, "open": {"type": "none", "secret": "${TOKEN}"},
                    "meta": {"secret": "${TOKEN}", "verify_token": "${TOKEN}"}, "slack": {"secret": "${TOKEN}"},
                    "weekly": {"type": "schedule", "schedule": "Tue 09:00", "zone": "Europe/Berlin"},
                    "posts": {"type": "folder", "path": "posts"},
                    "contact": {"type": "form", "fields": {"email": "required"}, "limit": "30/m"},
                    "thanked": {"type": "form", "thanks": "https://example.com/thanks",
                                "origins": ["https://example.com"], "limit": "2/h"}},
        "destinations": {name: {"url": receiver.url(f"/{name}"), "allow_private": "true", "limit": "1000/s"}
                         for name in ("good", "bad")},
        "routes": {"good": {"from": "GOOD", "source": "test", "when": ".n != null", "to": ["good"]},
                   "bad": {"from": "BAD", "to": ["bad", {"good": {"body": {"n": "${.n}"}, "after": "9h"}}]}}}).start()
    world = {"server": server, "good": server.send(kind="GOOD"), "bad": server.send(kind="BAD"),
             "later": server.send(kind="BAD", scheduled_at="2099-01-01T00:00:00Z")}
    server.settled(world["good"], "COMPLETED")
    until(lambda: any(one["status"] == "FAILED" for one in server.deliveries(world["bad"])), "the failed one")
    for delivery in server.deliveries(world["bad"]):
        world["failed" if delivery["status"] == "FAILED" else "waiting"] = delivery["id"]
    yield world
    server.close()
    receiver.close()


def ask(world, method, path, body=None, headers=None):
    """The answer, after it was held against the page."""
    server = world["server"]
    plain = path.split("?")[0]
    [pattern] = [one for one in OPENAPI["paths"] if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", one), plain)]
    operation = OPENAPI["paths"][pattern][method.lower()]
    got = (server.post(body, path=path, headers=headers) if method == "POST"
           else server.request(method, path, headers=headers))
    stated = operation["responses"].get(str(got.status))
    assert stated, f"{method} {path}: {got.status} is not on the page: {got.body}"
    content = got.headers["Content-Type"]
    if "content" in stated:
        value = got.json if "json" in content else got.body.decode()
        assert problems(stated["content"][content]["schema"], value) == [], got
    world.setdefault("asked", set()).add((method, pattern))
    return got


LISTS = {
    "/v1/events": "id type source idempotency_key payload fingerprint status retry_count last_error scheduled_at "
                  "created_at updated_at",
    "/v1/deliveries": "id key event_id destination action route step run status retry_count due last_status last_error "
                      "superseded_by waits_for in_doubt created_at updated_at attempt_count",
    "/v1/destinations": "name type account limits remaining in_flight concurrency breaker breaker_until breaker_reason quiet_until "
                        "paused paused_until pause_reason token_expires login_expires certificate_expires certificate_host "
                        "pending processing unknown held",
    "/v1/routes": "name from source when to stopped",
    "/v1/sources": "name type sender address facts old_secret counted_since accepted duplicate invalid refused greeted put_off spam key_missing fields_unknown unkept last_refused",
    "/v1/schedules": "source schedule zone event catch_up nominal due_at",
    "/v1/keys": "id name role created_at revoked_at",
    "/v1/audit": "seq at actor act subject detail",
}


# What sources of some kinds have besides.
OF_A_KIND = {"/v1/sources": {"schedule", "zone", "next_at", "path", "trouble", "too_many", "files"}}


@pytest.mark.parametrize("path", LISTS)
def test_a_list_and_all_fields_of_its_items(world, path):
    world["server"].cli("keys", "create", "--role", "read", "--name", "list")  # puts a line into keys and audit
    world["server"].key = None
    world["server"].cli("destinations", "resume", "good")
    for key in world["server"].cli("keys", "list", "-o", "json").json["items"]:
        world["server"].cli("keys", "revoke", key["id"], "--open", "-y")  # without a valid key the door is open again
    got = ask(world, "GET", path)
    assert got.status == 200 and got.json["items"]
    for item in got.json["items"]:
        assert [name for name in item if name not in OF_A_KIND.get(path, ())] == LISTS[path].split()


def test_one_event_with_its_deliveries_and_attempts(world):
    got = ask(world, "GET", f"/v1/events/{world['good']}").json
    assert list(got) == [*LISTS["/v1/events"].split(), "deliveries", "acts"]
    [delivery] = got["deliveries"]
    [attempt] = delivery["attempts"]
    assert list(attempt) == "number started_at finished_at outcome lookup http_status error answer".split()
    assert (attempt["number"], attempt["outcome"], attempt["http_status"]) == (1, "done", 200)


def test_one_delivery_with_its_content(world):
    got = ask(world, "GET", f"/v1/deliveries/{world['waiting']}").json
    assert got["params"] == {"n": 1} and got["attempts"] == []
    assert ask(world, "GET", f"/v1/deliveries/{world['failed']}").json["attempts"][0]["answer"] == '{"why":"no"}'


def test_one_destination(world):
    got = ask(world, "GET", "/v1/destinations/good").json
    assert (got["name"], got["type"], got["limits"], got["breaker"]) == ("good", "http", ["1000/1s"], "closed")


@pytest.mark.parametrize("path", ["/v1/events/01a20e240d3c", "/v1/deliveries/01a20e240d3c", "/v1/destinations/none"])
def test_what_is_not_there(world, path):
    got = ask(world, "GET", path)
    assert (got.status, got.json["code"]) == (404, "E0112")


def test_events_come_in_one_by_one_and_in_a_batch(world):
    assert ask(world, "POST", "/v1/events", event("api")).outcome == (200, "ACCEPTED")
    assert ask(world, "POST", "/v1/events", event("api")).outcome == (200, "DUPLICATE")
    assert ask(world, "POST", "/v1/events", event("api", payload={})).outcome == (422, "CONFLICT")
    assert ask(world, "POST", "/v1/events", {"type": "?"}).outcome == (400, "INVALID")
    assert ask(world, "POST", "/v1/events", event(), {"Content-Type": "text/html"}).status == 415
    assert ask(world, "POST", "/v1/events", event(payload={"x": "y" * 300_000})).status == 413
    items = ask(world, "POST", "/v1/events", [event("api"), event("api", payload={}), event("api2"), {}]).json
    assert [item["status"] for item in items] == ["DUPLICATE", "CONFLICT", "ACCEPTED", "INVALID"]


def test_what_an_operator_does_to_an_event_and_to_deliveries(world):
    server = world["server"]
    cancelled = ask(world, "POST", f"/v1/events/{world['later']}/cancel", {}).json
    assert cancelled["id"] == world["later"]
    again = ask(world, "POST", f"/v1/deliveries/{world['failed']}/retry", {}).json
    assert again["run"] == 1 and again["id"] != world["failed"]
    until(lambda: server.get(f"/v1/deliveries/{again['id']}").json["status"] == "FAILED", "the second run")
    resolved = ask(world, "POST", f"/v1/deliveries/{again['id']}/resolve", {"as": "delivered", "note": "seen"})
    assert resolved.status == 409, "a failed delivery is in no doubt"
    assert ask(world, "POST", f"/v1/deliveries/{world['failed']}/retry", {"as_sent": True}).status == 409
    skipped = ask(world, "POST", f"/v1/deliveries/{world['waiting']}/cancel", {})
    assert skipped.json["status"] == "SKIPPED"
    many = {"act": "retry", "ids": [world["failed"], again["id"]]}
    bulk = ask(world, "POST", "/v1/bulk/deliveries", many).json
    assert [item["done"] for item in bulk["items"]] == [False, True] and (bulk["done"], bulk["refused"]) == (1, 1)
    assert ask(world, "POST", "/v1/bulk/deliveries", {**many, "act": "lose"}).pointers == ["/act"]
    assert ask(world, "POST", "/v1/bulk/deliveries", {"act": "cancel", "ids": []}).pointers == ["/ids"]
    assert ask(world, "POST", "/v1/bulk/deliveries", {"act": "cancel", "ids": ["x"]}).pointers == ["/ids/0"]


def test_an_event_runs_again(world):
    server = world["server"]
    until(lambda: server.event(world["bad"])["status"] == "FAILED", "the end of what ran")
    assert ask(world, "POST", f"/v1/events/{world['bad']}/retry", {}).json["status"] == "PROCESSING"
    until(lambda: server.event(world["bad"])["status"] in ("FAILED", "PROCESSING"), "another end")
    assert ask(world, "POST", f"/v1/events/{world['good']}/retry", {}).status == 409, "all of it is done"
    bulk = ask(world, "POST", "/v1/bulk/events", {"ids": [world["good"]], "all": True}).json
    assert bulk["done"] == 1
    until(lambda: server.event(world["good"])["status"] == "COMPLETED", "all of it once more")


def test_pause_and_resume(world):
    paused = ask(world, "POST", "/v1/destinations/good/pause", {"for": "6h", "reason": "holiday"}).json
    assert paused["paused"] and paused["pause_reason"] == "holiday" and paused["paused_until"]
    resumed = ask(world, "POST", "/v1/destinations/good/resume", {}).json
    assert not resumed["paused"] and resumed["paused_until"] is None


def test_a_token_that_is_sealed_for_nobody_is_not_kept(world):
    """What a login really does stands in test_tokens.py."""
    refused = ask(world, "POST", "/v1/destinations/good/login", {"sealed": "v1.AAAA"})
    assert refused.status == 400 and refused.pointers == ["/sealed"]
    assert ask(world, "POST", "/v1/destinations/good/login", {"expires": "soon"}).pointers == ["/expires"]


def test_status_verify_and_apply(world):
    status = ask(world, "GET", "/v1/status").json
    assert set(status) == set(SCHEMAS["Status"]["properties"])
    assert {item["cause"] for item in ask(world, "GET", "/v1/todo").json["items"]} >= {"failed"}
    assert ask(world, "POST", "/v1/verify?deep=true", {}).status == 202
    until(lambda: not ask(world, "GET", "/v1/verify").json["running"], "the end of the round")
    found = ask(world, "GET", "/v1/verify").json
    assert [it["name"] for it in ask(world, "GET", "/v1/chores").json["items"]] == [
        "leases", "giving-up", "retirement", "orphans", "verify", "strays", "overflow", "clock", "report",
        "reconciliation", "replay", "alerts", "schedules", "folders"]
    assert found["deep"] and found["violation_count"] == 0 and found["events"] >= 3
    assert ask(world, "POST", "/v1/reconcile", {}).json == {"items": [], "dry": False, "next": None}
    assert ask(world, "POST", "/v1/reconcile", {"destination": "nobody"}).status == 404
    assert ask(world, "POST", "/v1/reconcile", {"cursor": "x"}).pointers == ["/cursor"]
    assert ask(world, "POST", "/v1/report?day=tomorrow", {}).status == 400
    assert ask(world, "POST", "/v1/report", {}).status == 202
    until(lambda: not ask(world, "GET", "/v1/report").json["running"], "the sheet")
    assert ask(world, "GET", "/v1/report").json["adds_up"]
    assert ask(world, "POST", "/v1/hold", {"reason": "a look"}).json == {"held": True, "reason": "a look"}
    assert ask(world, "POST", "/v1/release", {}).json == {"held": False, "reason": ""}
    assert ask(world, "POST", "/v1/backup", {}).status == 202
    until(lambda: not ask(world, "GET", "/v1/backup").json["running"], "the copy")
    assert ask(world, "GET", "/v1/backup").json["file"].endswith(".part")
    applied = ask(world, "POST", "/v1/config/apply", {"dry": True}).json
    assert {one["level"] for one in applied.pop("warnings")} == {"warning"}
    assert applied == {"valid": True, "applied": False, "changes": [], "removed": [], "adopted": [], "stranded": []}


def test_a_replay_from_its_plan_to_its_end(world):
    server = world["server"]
    assert ask(world, "POST", "/v1/replays", {}).status == 400
    assert ask(world, "POST", "/v1/replays", {"status": "GONE"}).pointers == ["/status"]
    assert ask(world, "POST", "/v1/replays", {"since": "soon"}).pointers == ["/since"]
    plan = ask(world, "POST", "/v1/replays", {"status": "FAILED"})
    assert plan.status == 202
    path = f"/v1/replays/{plan.json['id']}"
    until(lambda: ask(world, "GET", path).json["status"] == "PLANNED", "the plan")
    assert [item["would"] for item in ask(world, "GET", f"{path}/items?destination=bad").json["items"]]
    assert ask(world, "GET", f"{path}/items").status == 400
    assert ask(world, "GET", f"{path}/failures").json == {"items": [], "next": None}
    assert ask(world, "POST", "/v1/replays", {"when": ".n ="}).pointers == ["/when"]
    assert ask(world, "GET", "/v1/replays").json["items"][0]["id"] == plan.json["id"]
    assert ask(world, "POST", f"{path}/pause", {}).status == 409
    assert ask(world, "POST", f"{path}/resume", {}).status == 409
    assert ask(world, "POST", f"{path}/apply", {}).json["status"] == "APPLYING"
    until(lambda: ask(world, "GET", path).json["status"] == "DONE", lambda: f"its end: {server.get(path).json}")
    other = ask(world, "POST", "/v1/replays", {"type": "BAD"}).json["id"]
    assert ask(world, "POST", f"/v1/replays/{other}/cancel", {}).json["status"] == "CANCELLED"
    assert ask(world, "POST", f"/v1/replays/{other}/apply", {}).json["code"] == "E0118"
    assert ask(world, "POST", "/v1/replays/999/apply", {}).status == 404


def test_alerts(world):
    assert ask(world, "GET", "/v1/alerts").json == {"items": [], "next": None}
    assert ask(world, "POST", "/v1/alerts/test", {}).status == 409, "nobody is told"


def test_wrong_values_of_a_request(world):
    for path in ("/v1/events?limit=x", "/v1/events?status=DONE", "/v1/deliveries?event_id=x",
                 "/v1/deliveries?since=soon", "/v1/audit?cursor=-1"):
        assert ask(world, "GET", path).status == 400, path
    for path in (f"/v1/deliveries/{world['failed']}/resolve", "/v1/destinations/good/pause", "/v1/keys",
                 "/v1/config/apply"):
        assert ask(world, "POST", path, []).status == 400, path
    assert ask(world, "POST", "/v1/destinations/good/pause", {"for": "long"}).pointers == ["/for"]
    assert ask(world, "POST", f"/v1/deliveries/{world['failed']}/resolve", {"as": "lost"}).pointers == ["/as"]
    assert ask(world, "POST", "/v1/keys", {"role": "king"}).pointers == ["/role"]


def test_what_senders_post(world):
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert ask(world, "POST", "/in/carrier", {"type": "lead"}, bearer).json["accepted"] == 1
    assert ask(world, "POST", "/in/carrier", {"type": "lead"}, bearer).json["duplicates"] == 1
    assert ask(world, "POST", "/in/carrier", [], bearer).status == 400
    assert ask(world, "POST", "/in/carrier", {"text": "x" * 300_000}, bearer).status == 413
    assert ask(world, "POST", "/in/nobody", {}).status == 401
    assert ask(world, "POST", f"/in/open/{TOKEN}", {"type": "lead"}).json["accepted"] == 1
    assert ask(world, "POST", "/in/open/other", {"type": "lead"}).status == 401
    assert ask(world, "GET", f"/in/meta?hub.verify_token={TOKEN}&hub.challenge=7").body == b"7"
    assert ask(world, "GET", "/in/carrier").status == 401
    assert ask(world, "GET", "/v1/sources/carrier").json["accepted"] == 1
    assert ask(world, "GET", "/v1/sources/nobody").status == 404


def test_what_people_fill_in(world):
    assert ask(world, "POST", "/f/contact", {"email": "ada@example.com"}).json["accepted"] == 1
    assert ask(world, "POST", "/f/contact", {"email": "ada@example.com"}).json["duplicates"] == 1
    assert ask(world, "POST", "/f/contact", []).status == 400
    assert ask(world, "POST", "/f/contact", {}).pointers == ["/email"]
    assert ask(world, "POST", "/f/contact", {}, {"Content-Type": "text/plain"}).status == 415
    page = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"}
    assert ask(world, "POST", "/f/contact", b"email=grace@example.com", page).status == 200
    assert ask(world, "POST", "/f/contact", b"email=", page).status == 422
    assert ask(world, "POST", "/f/contact", b"email=", {**page, "Content-Type": "text/plain"}).status == 415
    assert ask(world, "POST", "/f/contact", {"email": "a@example.com", "text": "x" * 300_000}).status == 200  # not kept
    assert ask(world, "POST", "/f/thanked", b"a=1", {**page, "Origin": "https://evil.example"}).status == 403
    assert ask(world, "POST", "/f/thanked", b"a=1", page).status == 303
    assert ask(world, "POST", "/f/thanked", {"text": "x" * 300_000}).status == 422
    assert ask(world, "POST", "/f/thanked", b"a=2", page).status == 429
    assert ask(world, "GET", "/f/contact").status == 200
    assert ask(world, "GET", "/f/thanked").status == 404  # it declares no fields
    assert ask(world, "OPTIONS", "/f/thanked", headers={"Origin": "https://example.com"}).status == 204
    assert ask(world, "OPTIONS", "/f/nobody").status == 404
    assert ask(world, "POST", "/f/contact", {"email": "spam@example.com", "_gotcha": "x"}).json["accepted"] == 1
    [spam] = world["server"].every("/v1/events?type=spam.contact")
    assert ask(world, "POST", f"/v1/events/{spam['id']}/release", {}).json["released"] is True
    assert ask(world, "POST", f"/v1/events/{spam['id']}/release", {}).json["released"] is False
    assert ask(world, "POST", f"/v1/events/{world['good']}/release", {}).status == 409
    assert ask(world, "POST", "/v1/events/none/release", {}).status in (400, 404)
    assert ask(world, "POST", "/f/nobody", {}).status == 404
    assert ask(world, "POST", "/f/carrier", {}).status == 404  # a source, and no form
    assert ask(world, "POST", "/in/contact", {}).status == 401
    assert ask(world, "GET", "/v1/sources/contact").json["address"] == "/f/contact"


def test_what_is_due_by_the_clock(world):
    times = ask(world, "GET", "/v1/schedules?next=2").json["items"]
    assert [it["nominal"][10:] for it in times] == ["T09:00"] * 2 and times[0]["event"] == "weekly.due"
    assert ask(world, "GET", "/v1/schedules?next=0").status == 400
    assert ask(world, "GET", "/v1/sources/weekly").json["next_at"] == times[0]["due_at"]
    folder = ask(world, "GET", "/v1/sources/posts").json
    assert folder["open"] == [] and folder["files"]["all"] == 0


def test_what_the_listener_answers_by_itself(world):
    for path in ("/healthz", "/readyz", "/metrics"):
        assert ask(world, "GET", path).status == 200


def test_the_page_is_served_as_it_is(world):
    assert ask(world, "GET", "/openapi.json").json == OPENAPI


ROLES = {"ingest": {"ingest"}, "read": {"read"}, "operate": {"ingest", "read", "operate"},
         "owner": {"ingest", "read", "operate", "owner"}}


def test_each_path_is_open_to_its_roles_alone_and_all_were_asked(world):
    """The last test of this file: it makes keys, and looks back at what was asked."""
    server = world["server"]
    keys = {role: server.cli("keys", "create", "--role", role).out.strip() for role in ROLES}
    server.key = keys["owner"]
    made = ask(world, "POST", "/v1/keys", {"role": "read", "name": "page"})
    assert made.status == 201 and made.json["key"].startswith("db_read_")
    assert ask(world, "POST", f"/v1/keys/{made.json['id']}/revoke", {}).json == {
        "id": made.json["id"], "revoked": True, "open": False}
    server.key = None
    for path, operations in OPENAPI["paths"].items():
        for method, operation in operations.items():
            check_roles(server, keys, made.json["key"], method.upper(), path, operation)
    every = {(method.upper(), path) for path, operations in OPENAPI["paths"].items() for method in operations}
    assert every == world["asked"]


def ask_with(server, key, method, path, body=None):
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    return server.request(method, path, None if body is None else json.dumps(body).encode(), headers)


def check_roles(server, keys, revoked, method, path, operation):
    """Bodies are wrong on purpose: what counts is who gets as far as that."""
    needed, path = operation.get("x-role"), re.sub(r"\{\w+\}", "none", path)
    body = [] if method == "POST" else None
    if path.startswith("/in/"):  # what counts is a signature, and no key is one
        for key in (None, *keys.values()):
            assert ask_with(server, key, method, path, body).json["code"] == "E0135"
        return
    if path.startswith("/f/"):  # open to everybody, and there is none of this name
        for key in (None, *keys.values()):
            assert ask_with(server, key, method, path, body).status == 404
        return
    for key in (None, revoked, "db_owner_" + "0" * 40):
        refused = ask_with(server, key, method, path, body).status in (401, 429)  # so many wrong keys are slowed
        assert refused == (needed is not None), (method, path)
    for role, key in keys.items():
        status = ask_with(server, key, method, path, body).status
        allowed = needed is None or needed in ROLES[role]
        assert (status not in (401, 403)) if allowed else status == 403, (method, path, role, status)
