"""How an event or a delivery is found: by key, by what is in it, by how it stands; and what a wrong filter is told."""
import json
import re

import pytest

from harness import ROOT, event, until
from receiver import answer, reset
from test_cli import NOT_FOUND, USAGE, good

PAGE = json.loads((ROOT / "docs/openapi.json").read_text())


def to(receiver, name, **more):
    return {"url": receiver.url(f"/{name}"), "allow_private": "true", **more}


def ids(result):
    return good(result).out.split()


def test_an_event_is_found_by_its_key(serve):
    server = serve()
    made = {key: server.send(key) for key in ("a", "lead 41/é", "b")}
    assert ids(server.cli("events", "list", "--key", "lead 41/é", "-o", "id")) == [made["lead 41/é"]]
    assert ids(server.cli("events", "list", "--key", "a", "--type", "OTHER", "-o", "id")) == []
    assert ids(server.cli("events", "list", "--key", "none", "-o", "id")) == []


def test_events_are_found_by_what_is_in_them(serve):
    server = serve()
    made = []
    for chunk in range(5):
        server.post([event(f"e{chunk}-{n}", payload={"email": f"{n}@example.com", "n": chunk * 100 + n, "big": 2**60 + n})
                     for n in range(100)])
    made = {one["idempotency_key"]: one["id"] for one in server.every("/v1/events")}
    found = ids(server.cli("events", "list", "--where", '.email == "7@example.com"', "-o", "id"))
    assert found == [made[f"e{chunk}-7"] for chunk in (4, 3, 2, 1, 0)]
    got = good(server.cli("events", "list", "--where", ".n % 2 == 0", "--limit", "60", "-o", "json")).json
    assert [one["payload"]["n"] for one in got["items"]] == list(range(498, 378, -2))
    rest = good(server.cli("events", "list", "--where", ".n % 2 == 0", "--limit", "1000", "-o", "json", "--cursor",
                           got["next"])).json
    assert [one["payload"]["n"] for one in rest["items"]] == list(range(378, -1, -2)) and rest["next"] is None
    whole = good(server.cli("events", "list", "--where", '$event.idempotency_key == "e2-3"', "-o", "ndjson")).out
    assert str(2**60 + 3) in whole, "as it was written, to the last digit"
    assert ids(server.cli("events", "list", "--where", ".n | test(\"x\")", "-o", "id")) == [], "it fails on each"
    refused = server.cli("events", "list", "--where", ".n ==")
    assert refused.code == USAGE and "--where" in refused.err
    for words in (("events", "list"), ("tail",)):
        refused = server.cli(*words, "--where", '.plan |\n .email |= "x"')
        assert refused.code == USAGE and "--where: '|=' at line 2, column 9 changes a value" in refused.err, refused


def test_a_failed_or_held_delivery_of_an_open_event_is_found(serve, receiver):
    receiver.script("/bad", answer(422))
    receiver.script("/doubt", reset())
    server = serve(destinations={name: to(receiver, name, on_unknown="hold") for name in ("good", "bad", "doubt")},
                   routes={"both": {"from": "BOTH", "to": ["bad", {"good": {"after": "3h"}}]},
                           "doubt": {"from": "DOUBT", "to": ["doubt"]}, "good": {"from": "GOOD", "to": ["good"]}})
    both, doubt, fine = (server.send(kind=kind) for kind in ("BOTH", "DOUBT", "GOOD"))
    server.settled(fine, "COMPLETED")
    until(lambda: {one["status"] for one in server.every("/v1/deliveries")} == {"FAILED", "PENDING", "HELD", "COMPLETED"},
          "all to stand")
    assert server.event(both)["status"] == "PROCESSING"
    assert ids(server.cli("events", "list", "--delivery", "FAILED", "-o", "id")) == [both]
    assert ids(server.cli("events", "list", "--delivery", "FAILED", "--status", "FAILED", "-o", "id")) == []
    assert ids(server.cli("events", "list", "--status", "HELD", "-o", "id")) == [doubt]
    assert server.get("/v1/events?delivery=HELD").json["items"][0]["id"] == doubt
    assert server.get("/v1/events?delivery=PENDING").status == 400


def test_what_may_have_arrived_twice_is_found(serve, receiver):
    receiver.script("/twice", reset(), answer(200))
    receiver.script("/again", answer(503), answer(200))
    server = serve(destinations={name: to(receiver, name, on_unknown="retry", retry={"base": "10ms"})
                                 for name in ("twice", "again")},
                   routes={name: {"from": name.upper(), "to": [name]} for name in ("twice", "again")})
    for kind in ("TWICE", "AGAIN"):
        server.settled(server.send(kind=kind), "COMPLETED")
    [found] = good(server.cli("deliveries", "list", "--resent", "-o", "json")).json["items"]
    assert found["destination"] == "twice"
    assert len(server.get("/v1/deliveries?resent=false").json["items"]) == 2


# What is not known is refused.

def filled(path):
    return re.sub(r"\{\w+\}", "none", path)


@pytest.mark.parametrize("path, method", [(path, method) for path, operations in PAGE["paths"].items()
                                          for method in operations if path.startswith("/v1") or path == "/openapi.json"])
def test_a_parameter_that_is_not_on_the_page_is_refused_and_named(idle, path, method):
    got = idle.request(method.upper(), filled(path) + "?limt=2", b"{}" if method == "post" else None,
                       {"Content-Type": "application/json"})
    assert got.status == 400 and got.json["code"] == "E0105" and "'limt'" in got.json["detail"], got
    stated = [one["name"] for one in PAGE["paths"][path][method].get("parameters", []) if one["in"] == "query"]
    if "limit" in stated:
        assert "did you mean 'limit'?" in got.json["detail"]
    for name in stated:
        told = idle.request(method.upper(), filled(path) + f"?{name}=", b"{}", {"Content-Type": "application/json"})
        assert "unknown parameter" not in told.body.decode(), told


@pytest.mark.parametrize("query, words", [
    ("limit=0", "'limit' must be a number from 1 to 1000"),
    ("cursor=-1", "'cursor' must be"),
    ("limit=2&limit=3", "'limit' is given twice"),
    ("stat%75s=FAILED&x=1", "unknown parameter 'x'; there are: status type"),
    ("idempotency_key=", "'idempotency_key'"),
])
def test_a_value_that_says_nothing_is_refused(idle, query, words):
    got = idle.get(f"/v1/events?{query}")
    assert got.status == 400 and words in got.json["detail"], got


def test_a_misspelt_source_is_refused_and_one_of_a_senders_own_is_not(serve):
    server = serve(sources={"shop": {"type": "none", "secret": "${TOKEN}", "map": {"type": "/kind"}}}, env={"TOKEN": "t" * 32})
    for words in (["events", "list"], ["replay", "plan"]):
        refused = server.cli(*words, "--source", "shp")
        assert refused.code == NOT_FOUND, refused
        assert refused.err.endswith("no source is named 'shp', and no event of late came from it; did you mean 'shop'?\n")
        assert "no source" not in good(server.cli(*words, "--source", "shop")).err
        said = good(server.cli(*words, "--source", "a-sender-of-its-own")).err
        assert "no source is named 'a-sender-of-its-own', and no event of late came from it; there are: shop\n" in said
    server.send(source="site-1")
    assert "did you mean 'site-1'?" in good(server.cli("events", "list", "--source", "site-2")).err, "there may be such a one"


def test_a_type_that_nobody_knows_is_told(serve, receiver):
    server = serve(destinations={"hook": to(receiver, "hook")},
                   routes={"leads": {"from": ["LEAD_CAPTURE", "landing.*"], "to": ["hook"]}, "all": {"from": "*", "to": ["hook"]}})
    made = server.send(kind="landing.submitted")
    until(lambda: server.event(made)["status"] == "COMPLETED", "it to be over")
    said = "no route names the type '%s', and no event of late has it"
    for words in (["events", "list"], ["events", "list", "-o", "json"], ["events", "retry"], ["events", "list", "--since", "1h"],
                  ["replay", "plan"]):
        misspelt, foreign = server.cli(*words, "--type", "LEAD_CAPTRE"), server.cli(*words, "--type", "ORDER")
        assert misspelt.code == foreign.code == (NOT_FOUND if "retry" in words else 0), misspelt
        assert said % "LEAD_CAPTRE" + "; did you mean 'LEAD_CAPTURE'?\n" in misspelt.err, misspelt
        assert said % "ORDER" + "; there are: LEAD_CAPTURE, landing.*, landing.submitted\n" in foreign.err, foreign
    for words in (["--type", "LEAD_CAPTURE"], ["--type", "landing.submitted", "--status", "FAILED"]):
        assert "no route" not in good(server.cli("events", "list", *words)).err
    whole = good(server.cli("events", "list", "--type", "landing.*")).err
    assert "--type takes a whole name here, and 'landing.*' is a pattern\n" in whole, whole
    slip = good(server.cli("events", "list", "--type", "landing.submited")).err
    assert "no event of late has the type 'landing.submited', which a route takes by 'landing.*'; did you mean 'landing.submitted'?" \
        in slip, slip
    assert server.cli("deliveries", "list", "--destination", "ho*").code == NOT_FOUND, "no destination is named so"
    assert "no route" not in good(server.cli("replay", "plan", "--type", "landing.sub*")).err
    assert said % "X*" in good(server.cli("replay", "plan", "--type", "X*")).err
    server.terminate()
    assert "no event of late has the type 'LEAD_CAPTRE'" in good(server.cli("events", "list", "--type", "LEAD_CAPTRE")).err


def test_a_destination_that_is_gone_is_known_as_long_as_the_store_has_it(serve, receiver):
    server = serve(destinations={"hook": to(receiver, "hook"), "old": to(receiver, "old")},
                   routes={"leads": {"from": "*", "to": ["hook", "old"]}})
    made = server.send()
    until(lambda: server.event(made)["status"] == "COMPLETED", "it to be over")
    server.configure(destinations={"hook": to(receiver, "hook")}, routes={"leads": {"from": "*", "to": ["hook"]}})
    good(server.cli("apply"))
    assert good(server.cli("deliveries", "list", "--destination", "old", "--status", "FAILED", "-o", "id")).out == ""
    assert server.cli("deliveries", "list", "--destination", "odl", "--status", "FAILED").code == NOT_FOUND


def test_a_path_says_which_methods_it_takes_and_has_a_head_where_it_has_a_get(idle):
    for path, operations in PAGE["paths"].items():
        wrong = idle.request("DELETE", filled(path))
        allowed = {one.strip() for one in wrong.headers.get("Allow", "").split(",")}
        assert wrong.status == 405 and {one.upper() for one in operations} <= allowed, (path, wrong)
        if "get" in operations:
            head, get = idle.request("HEAD", filled(path)), idle.get(filled(path))
            assert (head.status, head.body) == (get.status, b"") and "HEAD" in allowed, (path, head)


# Acts of operators.

def test_the_audit_goes_on_from_its_cursor_and_links_to_the_next(serve):
    server = serve(destinations={"crm": {"url": "https://crm.example.com/"}})
    for _ in range(3):
        good(server.cli("destinations", "pause", "crm"))
        good(server.cli("destinations", "resume", "crm"))
    rows, path = [], "/v1/audit?limit=2"
    while path:
        got = server.get(path)
        rows += got.json["items"]
        link = got.headers["Link"]
        path = link and re.fullmatch(r'<(/v1/audit\?.*)>; rel="next"', link)[1]
    assert [row["act"] for row in rows] == ["destination.resume", "destination.pause"] * 3
    assert len({row["seq"] for row in rows}) == 6


def test_who_did_what_and_why_is_shown(serve, receiver):
    receiver.script("/doubt", reset())
    server = serve(destinations={"doubt": to(receiver, "doubt", on_unknown="hold")},
                   routes={"doubt": {"from": "DOUBT", "to": ["doubt"]}})
    event_id = server.send(kind="DOUBT")
    [delivery] = until(lambda: [one for one in server.deliveries(event_id) if one["status"] == "HELD"], "one that is held")
    good(server.cli("deliveries", "resolve", delivery["id"], "--as", "delivered", "--note", "seen at the provider"))
    for words in (["audit", "list"], ["events", "show", event_id], ["deliveries", "show", delivery["id"]]):
        shown = good(server.cli(*words)).out
        assert "resolve delivered" in shown and "seen at the provider" in shown and "unix" in shown, shown
    [act] = server.event(event_id)["acts"]
    assert (act["subject"], act["act"], act["detail"]) == (delivery["id"], "resolve delivered", "HELD: seen at the provider")
    assert server.get(f"/v1/deliveries/{delivery['id']}").json["acts"] == [act]
    assert server.terminate() == 0
    assert "seen at the provider" in good(server.cli("audit", "list")).out, "also without a server"


LOOKED_UP = """version: 1
name: forum
about: A provider that can be asked.
fields: {server: {required: true}}
actions:
  post:
    params: {text: required}
    request: {url: "${field.server}/posts", json: {text: "${.text}"}}
    lookup:
      request: {url: "${field.server}/find", method: GET}
      answers:
        - {status: 200, is: found}
        - {status: 204, is: absent}
      settle: 1s
"""


@pytest.mark.parametrize("found, words, sends", [(answer(200), "found by a lookup", 1), (answer(204), "sent 2 times", 2)])
def test_a_lookup_is_no_send(serve, receiver, found, words, sends):
    receiver.script("/posts", reset(), answer(200))
    receiver.script("/find", found)
    server = serve(destinations={"slow": to(receiver, "slow")})
    (server.folder / "connectors").mkdir()
    (server.folder / "connectors/forum.yaml").write_text(LOOKED_UP)
    server.configure(destinations={"forum": {"server": receiver.url(""), "allow_private": "true"}},
                     routes={"all": {"from": "NEWS", "to": [{"forum.post": {"text": "${.text}"}}]}})
    server.restart()
    event_id = server.send(kind="NEWS", payload={"text": "hello"})
    server.settled(event_id, "COMPLETED")
    shown = good(server.cli("events", "show", event_id)).out
    assert words in shown and "unknown" not in shown, shown
    [delivery] = server.event(event_id)["deliveries"]
    assert [one["lookup"] for one in delivery["attempts"]].count(False) == sends
    assert server.get("/v1/deliveries?resent=true").json["items"] == [], "what was looked up is in no doubt"
    assert server.get("/v1/status").json["resent"] == 0
