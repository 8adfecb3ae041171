"""`replay`: a plan that is stored says what would be sent again; applied, it does exactly that, whatever happens between."""
import json

import pytest

from harness import until
from receiver import answer
from test_acts import store  # noqa: F401 (a fixture)
from test_cli import CONFLICT, FAILED, NOT_FOUND, USAGE, good
from test_status import to


def failing(serve, receiver, count, **more):
    """A server with so many events of which the delivery to /hook failed."""
    receiver.script("/hook", *[answer(422)] * count, answer(200))
    server = serve(destinations={"hook": to(receiver, "hook", **more.pop("hook", {})), "log": to(receiver, "log")},
                   routes={"all": {"from": "*", "to": ["hook", "log"]}}, **more)
    ids = [server.send(payload={"n": n}) for n in range(count)]
    for one in ids:
        until(lambda e=one: server.event(e)["status"] == "FAILED", "the failure")
    return server, ids


def planned(server, *filters):
    """The first plan in which nothing was moving: what changed a second ago may still be, where processes share a store."""
    def still():
        plan = good(server.cli("replay", "plan", *filters, "-o", "json")).json
        return plan if not any(one["moving"] for one in plan["destinations"]) else None
    return until(still, "a plan of what stands still")


def part(replay, name):
    [found] = [one for one in replay["destinations"] if one["destination"] == name]
    return {key: value for key, value in found.items() if value and key != "destination"}


def over(server, replay):
    until(lambda: server.get(f"/v1/replays/{replay['id']}").json["status"] == "DONE",
          lambda: f"the end: {server.get(f'/v1/replays/{replay}').body}")
    return server.get(f"/v1/replays/{replay['id']}").json


def bodies(receiver, path):
    return [json.loads(request.body) for request in receiver.of(path)]


def test_a_day_is_replayed(store, serve, receiver):  # noqa: F811
    server, ids = failing(serve, receiver, 5, **store)
    plan = planned(server, "--since", "2h")
    assert part(plan, "hook") == {"send": 5, "left": 5} and part(plan, "log") == {"done": 5}, plan
    assert plan["events"] == 5 and plan["left"] == 5
    assert len(receiver.keys("/hook")) == 5, "a plan sends nothing"
    got = good(server.cli("replay", "apply", str(plan["id"]), "--wait", "-y"))
    assert "DONE" in got.out, got
    for one in ids:
        until(lambda e=one: server.event(e)["status"] == "COMPLETED", "the second run")
    assert len(receiver.keys("/hook")) == 10 and len(set(receiver.keys("/hook"))) == 10 and len(receiver.keys("/log")) == 5
    items = server.get(f"/v1/replays/{plan['id']}/items?destination=hook").json["items"]
    assert [(item["event_id"], item["would"], item["result"]) for item in items] == [(one, "send", "made") for one in ids]
    assert planned(server, "--since", "2h")["left"] == 0, "nothing is left to send"
    assert good(server.cli("verify")).out.endswith(" 0 violations\n")


def test_filters_choose(serve, receiver):
    server, _ = failing(serve, receiver, 3)
    other = server.send(kind="OTHER")
    until(lambda: server.event(other)["status"] == "COMPLETED", "one of another type")
    for filters, left in ((["--status", "FAILED"], 3), (["--destination", "hook"], 3), (["--destination", "log"], 0),
                          (["--error", "422"], 3), (["--error", "503"], 0), (["--type", "LEA*"], 3), (["--type", "OTHER"], 0),
                          (["--source", "test"], 3), (["--source", "nobody"], 0), (["--route", "all"], 3),
                          (["--until", "1h"], 0), (["--status", "COMPLETED", "--again", "--type", "LEAD"], 3)):
        assert planned(server, *filters)["left"] == left, filters
    assert server.cli("replay", "plan").code == USAGE
    assert server.cli("replay", "plan", "--route", "nowhere").code in (USAGE, NOT_FOUND)
    got = server.cli("replay", "plan", "--since", "1h", "--destination", "hok")
    assert got.code == NOT_FOUND and got.err.endswith("no destination is named 'hok'; did you mean 'hook'?\n"), got
    assert server.cli("replay", "apply", "77", "-y").code == NOT_FOUND


def test_what_a_plan_has_is_narrowed(serve, receiver):
    receiver.script("/hook", answer(422))
    hook, log = (to(receiver, name) for name in ("hook", "log"))
    server = serve(destinations={"hook": hook, "log": log}, routes={"leads": {"from": "LEAD", "to": ["hook"]},
                                                                    "orders": {"from": "ORDER", "to": ["hook", "log"]}})
    leads = [server.send(kind="LEAD") for _ in range(3)]
    order = server.send(kind="ORDER")
    until(lambda: server.get("/v1/status").json["failed"] == 4, "all to fail")
    receiver.script("/hook", answer(200))
    good(server.cli("events", "retry", leads[0], "-y"))
    until(lambda: server.event(leads[0])["status"] == "COMPLETED", "one to be mended")
    plan = str(planned(server, "--since", "1h")["id"])

    def show(*words):
        return good(server.cli("replay", "show", plan, "--destination", "hook", *words, "-o", "id")).out.split()

    assert show() == [*leads, order] and show("--would", "send") == [*leads[1:], order] and show("--would", "done") == leads[:1]
    assert show("--route", "orders") == [order] and show("--event", leads[1]) == [leads[1]] and show("--result", "made") == []
    assert show("--result", "none", "--limit", "1") == leads[:1]
    page = good(server.cli("replay", "show", plan, "--destination", "hook", "--would", "send", "--limit", "2", "-o", "json")).json
    assert [item["event_id"] for item in page["items"]] == leads[1:]
    assert show("--would", "send", "--cursor", page["next"]) == [order]
    assert "ROUTE" in good(server.cli("replay", "show", plan, "--destination", "hook")).out
    for words, code, said in (
            ([], USAGE, "name a --destination of the plan (hook, log), or --failed"),
            (["--destination", "hok"], NOT_FOUND, f"replay {plan} has nothing for 'hok'; did you mean 'hook'?"),
            (["--destination", "elsewhere"], NOT_FOUND, "it has: hook, log"), (["--failed", "--would", "send"], USAGE, "no other filter"),
            (["--destination", "hook", "--route", "order"], NOT_FOUND, "no route is named 'order'; did you mean 'orders'?")):
        got = server.cli("replay", "show", plan, *words)
        assert got.code == code and said in got.err, got
    good(server.cli("replay", "apply", plan, "--wait", "-y"))
    until(lambda: show("--result", "made") == [*leads[1:], order], "all to be made")
    one = str(planned(server, "--since", "1h", "--destination", "log")["id"])
    assert good(server.cli("replay", "show", one, "-o", "id")).out.split() == [order], "its only destination"
    none = str(planned(server, "--until", "1h")["id"])
    assert f"replay {none} has nothing in it" in server.cli("replay", "show", none).err


def test_jq_chooses(store, serve, receiver):  # noqa: F811
    server, ids = failing(serve, receiver, 4, **store)
    odd = server.send(payload={"n": "three"})
    until(lambda: server.event(odd)["status"] == "COMPLETED", "one on which it fails")
    plan = planned(server, "--since", "2h", "--when", '$event.type == "LEAD" and (.n | sqrt) >= 1', "--jq", ".")
    assert (plan["events"], plan["failed"]) == (3, 1) and part(plan, "hook") == {"send": 3, "left": 3}, plan
    got = good(server.cli("replay", "show", str(plan["id"]), "--failed", "-o", "json")).json["items"]
    assert [(item["n"], item["event_id"]) for item in got] == [(1, odd)] and "number required" in got[0]["error"], got
    assert "--when failed on 1 event, which is not in it" in good(server.cli("replay", "status", str(plan["id"]))).out
    good(server.cli("replay", "apply", str(plan["id"]), "--wait", "-y"))
    until(lambda: len(receiver.keys("/hook")) == 8, "three again")
    assert sorted(one["n"] for one in bodies(receiver, "/hook")[5:]) == [1, 2, 3]
    for wrong, words in (((".n ==", "unexpected"), ("'.n'", "at column 1"), ("(.n", "'(' at column 1 is not closed"),
                          ("nosuch", "nosuch/0 is not defined"),
                          ('.email = "x"', "'=' at column 8 changes a value and so is always true; == compares"), (".n == " + "1" * 2048, "longer than 2048 bytes"))):
        got = server.cli("replay", "plan", "--when", wrong)
        assert got.code == USAGE and words in got.err and "when" in got.err, got


def test_jq_that_never_ends_costs_little(serve, receiver):
    server, _ = failing(serve, receiver, 5)
    got = server.cli("replay", "plan", "--when", "until(.n > 9; .)", "-o", "json")
    assert got.code == FAILED and got.json["status"] == "CANCELLED", got
    assert got.json["failed"] == 3 and "stopped on three events" in got.json["reason"], got
    named = good(server.cli("replay", "show", str(got.json["id"]), "--failed", "-o", "json")).json["items"]
    assert [item["error"] for item in named] == ["stopped: it ran longer than 50ms"] * 3
    assert good(server.cli("replay", "plan", "--when", ".n > 2")).code == 0, "the next plan has an evaluator of its own"
    after = server.send(payload={"n": 9})
    until(lambda: server.event(after)["status"] == "COMPLETED", "an event behind it")


def test_again_sends_what_is_done_too(store, serve, receiver):  # noqa: F811
    server = serve(destinations={"hook": to(receiver, "hook")}, routes={"all": {"from": "*", "to": ["hook"]}}, **store)
    ids = [server.send(payload={"n": n}) for n in range(3)]
    for one in ids:
        server.settled(one, "COMPLETED")
    assert planned(server, "--since", "1h")["left"] == 0
    plan = planned(server, "--since", "1h", "--again")
    good(server.cli("replay", "apply", str(plan["id"]), "-y"))
    until(lambda: len(receiver.keys("/hook")) == 6, lambda: f"six: {server.get('/v1/deliveries').body}")
    assert sorted(one["n"] for one in bodies(receiver, "/hook")) == [0, 0, 1, 1, 2, 2]


def test_current_renders_anew_and_original_does_not(serve, receiver):
    receiver.script("/hook", *[answer(422)] * 2, answer(200))

    def routes(word):
        return {"all": {"from": "*", "to": [{"hook": {"body": {word: "${.n}"}}}]}}
    given = {"destinations": {"hook": to(receiver, "hook")}}
    server = serve(**given, routes=routes("old"))
    for n in range(2):
        server.settled(server.send(payload={"n": n}), "FAILED")
    server.configure(**given, routes=routes("new"))
    good(server.cli("apply"))
    original = planned(server, "--status", "FAILED", "--by", "original")
    current = planned(server, "--status", "FAILED")
    good(server.cli("replay", "apply", str(original["id"]), "-y"))
    over(server, original)
    until(lambda: len(receiver.keys("/hook")) == 4, "both")
    assert sorted(one["old"] for one in bodies(receiver, "/hook")[2:]) == [0, 1]
    good(server.cli("replay", "apply", str(current["id"]), "-y"))
    assert part(over(server, current), "hook")["moved"] == 2, "the other replay was there before"
    assert len(receiver.keys("/hook")) == 4


@pytest.mark.parametrize("kills", [3])
def test_a_replay_goes_on_after_a_kill(store, serve, receiver, kills):  # noqa: F811
    server, ids = failing(serve, receiver, 40, hook={"limit": "1000/10s", "concurrency": "2", "timeout": "2s"}, **store)
    plan = planned(server, "--status", "FAILED")
    good(server.cli("replay", "apply", str(plan["id"]), "-y"))
    for n in range(1, kills + 1):
        until(lambda n=n: server.get(f"/v1/replays/{plan['id']}").json["made"] >= 10 * n, "some of it")
        server.kill()
        server.start()
    done = over(server, plan)
    assert (done["made"], done["left"]) == (40, 0), done
    for one in ids:
        until(lambda e=one: server.event(e)["status"] == "COMPLETED", "each, as leases of the past run out", 120)
    keys = receiver.keys("/hook")
    assert len(set(keys)) == 80, "one run of each, whatever was sent twice under its key"


def test_an_order_is_kept(serve, receiver):
    receiver.script("/hook", *[answer(422)] * 6, answer(200))
    server = serve(destinations={"hook": to(receiver, "hook")},
                   routes={"all": {"from": "*", "to": [{"hook": {"order_by": ".who", "body": "${.}"}}]}})
    for n in range(6):
        server.settled(server.send(payload={"who": "ab"[n % 2], "n": n}), "FAILED")
    plan = planned(server, "--status", "FAILED")
    good(server.cli("replay", "apply", str(plan["id"]), "-y"))
    until(lambda: len(receiver.keys("/hook")) == 12, "all again")
    again = bodies(receiver, "/hook")[6:]
    for who, order in (("a", [0, 2, 4]), ("b", [1, 3, 5])):
        assert [one["n"] for one in again if one["who"] == who] == order


def test_a_dry_apply_says_whether_the_plan_can_be_let_go(serve, receiver):
    server, _ = failing(serve, receiver, 2)
    plan = planned(server, "--since", "2h")
    said = good(server.cli("replay", "apply", str(plan["id"]), "-n"))
    assert "replay 1 PLANNED: 2 events" in said.out and "a new run of 2 deliveries (--dry-run)" in said.err, said
    assert server.get(f"/v1/replays/{plan['id']}").json["status"] == "PLANNED", "nothing was begun"
    server.configure(destinations={"hook": to(receiver, "hook")}, routes={"other": {"from": "*", "to": ["hook"]}})
    good(server.cli("apply", "-y"))
    said = server.cli("replay", "apply", str(plan["id"]), "-n")
    assert said.code == CONFLICT and "is STALE" in said.err, said
    assert "STALE" in good(server.cli("replay", "list")).out
    assert server.cli("replay", "apply", str(plan["id"]), "-y").code == CONFLICT


def test_what_was_never_made_is_said_to_be_its_routes_to_decide(serve, receiver):
    server = serve(destinations={"hook": to(receiver, "hook")}, routes={"all": {"from": "*", "when": ".wanted", "to": ["hook"]}})
    server.send(payload={"wanted": False})
    until(lambda: "1 was never made: its route decides" in good(server.cli("replay", "plan", "--since", "2h")).out, "the plan")


def test_a_cancelled_replay_stays_so(serve, receiver):
    server, _ = failing(serve, receiver, 3)
    plan = planned(server, "--status", "FAILED")
    good(server.cli("replay", "cancel", str(plan["id"]), "-y"))
    got = server.cli("replay", "apply", str(plan["id"]), "-y")
    assert got.code == CONFLICT and "E0118" in got.err, got
    assert [item["status"] for item in good(server.cli("replay", "list", "-o", "json")).json["items"]] == ["CANCELLED"]
    assert len(receiver.keys("/hook")) == 3
