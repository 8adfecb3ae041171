"""A person's acts, on one and on many: retries in a new run, cancels, resolutions, and what they leave to be seen."""
import contextlib
import json
import sqlite3

import pytest

from harness import event, until
from receiver import answer, reset
from test_deliver import one

PARTLY, CONFLICT, USAGE, NOT_FOUND = 8, 5, 2, 4


def good(result):
    assert result.code == 0, result
    return result


def failed_status(server):
    return server.get("/v1/status").json["failed"]


@pytest.fixture(params=["sqlite", "postgres"])
def store(request):
    return {} if request.param == "sqlite" else {"store": request.getfixturevalue("database")}


def mended(server, body):
    config = dict(server.config_given)
    config["routes"] = {"all": {"from": "*", "to": [{"hook": {"body": body}}]}}
    server.configure(**config)
    good(server.cli("apply"))


def broken(receiver, **more):
    return {**one(receiver), "routes": {"all": {"from": "*", "to": [{"hook": {"body": {"n": "${.n + \"x\"}"}}}]}}, **more}


def test_events_whose_routing_failed_are_routed_again(store, serve, receiver):
    given = broken(receiver, **store)
    server = serve(**given)
    server.config_given = given
    ids = [server.send() for _ in range(3)]
    for event_id in ids:
        until(lambda e=event_id: server.event(e)["status"] == "FAILED", "the routing to fail")
    assert failed_status(server) == 3
    mended(server, {"n": "${.n}"})
    plan = good(server.cli("events", "retry", "--status", "FAILED", "--since", "2h", "-n"))
    assert plan.out == "would retry 3 events: LEAD 3\n"
    done = good(server.cli("events", "retry", "--status", "FAILED", "--since", "2h", "-y", "-o", "json")).json
    assert (done["done"], done["refused"]) == (3, 0)
    for event_id in ids:
        until(lambda e=event_id: server.event(e)["status"] == "COMPLETED", "the second run")
    assert failed_status(server) == 0
    assert len(receiver.keys("/hook")) == 3


def test_a_retry_renders_anew_and_as_sent_does_not(serve, receiver):
    receiver.script("/hook", answer(422), answer(422), answer(200), answer(200))
    given = {**one(receiver), "routes": {"all": {"from": "*", "to": [{"hook": {"body": {"old": "${.n}"}}}]}}}
    server = serve(**given)
    server.config_given = given
    first, second = (server.settled(server.send(), "FAILED") for _ in range(2))
    mended(server, {"new": "${.n}"})
    good(server.cli("deliveries", "retry", first["id"]))
    until(lambda: server.event(first["event_id"])["status"] == "COMPLETED", "the new run")
    good(server.cli("deliveries", "retry", second["id"], "--as-sent"))
    until(lambda: server.event(second["event_id"])["status"] == "COMPLETED", "the run as sent")
    assert [call.body for call in receiver.of("/hook")][2:] == [b'{"new":1}', b'{"old":1}']


def test_a_delivery_that_a_later_run_replaced_names_it(serve, receiver):
    receiver.script("/hook", answer(422), answer(200))
    server = serve(**one(receiver))
    failed = server.settled(server.send(), "FAILED")
    assert failed["superseded_by"] is None and failed_status(server) == 1
    again = server.post({}, path=f"/v1/deliveries/{failed['id']}/retry").json
    until(lambda: failed_status(server) == 0, "nothing to need a person")
    assert server.get(f"/v1/deliveries/{failed['id']}").json["superseded_by"] == again["id"]
    refused = server.post({}, path=f"/v1/deliveries/{failed['id']}/retry")
    assert refused.status == 409 and again["id"] in refused.json["detail"] and "run 1" in refused.json["detail"]
    assert good(server.cli("status", "--exit-code")).code == 0


def test_a_list_takes_a_short_id_names_what_is_replaced_and_knows_the_destinations(serve, receiver):
    receiver.script("/hook", answer(422), answer(200))
    server = serve(**one(receiver))
    failed = server.settled(server.send(), "FAILED")
    other = server.send()
    server.settled(other, "COMPLETED")
    good(server.cli("deliveries", "retry", failed["id"]))
    until(lambda: server.event(failed["event_id"])["status"] == "COMPLETED", "the new run")
    whole = good(server.cli("deliveries", "list", "--event", failed["event_id"]))
    [replaced, *rest] = [line for line in whole.out.splitlines() if "(a later run replaced it)" in line]
    assert replaced.startswith(failed["id"]) and not rest and len(whole.out.splitlines()) == 3
    same = max(n for n in range(37) if failed["event_id"][:n] == other[:n])
    assert good(server.cli("deliveries", "list", "--event", failed["event_id"][:max(same + 1, 13)])).out == whole.out
    assert server.cli("deliveries", "list", "--event", "not-one").code == USAGE
    unknown = server.cli("deliveries", "list", "--destination", "hok")
    assert unknown.code == NOT_FOUND and "no destination is named 'hok'; did you mean 'hook'?" in unknown.err
    assert good(server.cli("deliveries", "list", "--destination", "hook", "--status", "HELD")).out.count("\n") <= 1
    for words in (["destinations", "show"], ["destinations", "pause"], ["destinations", "resume"], ["tail", "--destination"],
                  ["reconcile", "--destination"], ["destinations", "test"]):
        misspelt, foreign = server.cli(*words, "hok"), server.cli(*words, "mail")
        assert misspelt.code == foreign.code == NOT_FOUND
        assert misspelt.err == "error: no destination is named 'hok'; did you mean 'hook'?\n", words
        assert "no destination is named 'mail'" in foreign.err


def test_what_was_replaced_does_not_hide_what_failed(serve, receiver):
    receiver.script("/hook", answer(422))
    server = serve(**one(receiver))
    failed = [server.settled(server.send(), "FAILED")["id"] for _ in range(4)]
    for one_id in failed[1:]:
        good(server.cli("deliveries", "retry", one_id))
    until(lambda: failed_status(server) == 4, "the new runs to fail")
    standing = {item["id"] for item in server.every("/v1/deliveries?status=FAILED") if not item["superseded_by"]}
    assert len(standing) == 4 and failed[0] in standing
    listed = good(server.cli("deliveries", "list", "--status", "FAILED"))
    assert {line.split()[0] for line in listed.out.splitlines()[1:]} == standing
    assert listed.err == "3 deliveries that a later run replaced are left out; --superseded shows them too\n"
    page = good(server.cli("deliveries", "list", "--status", "FAILED", "--limit", "3"))
    assert len(page.out.splitlines()) == 4 and "there are more" in page.err, page
    cursor = page.err.split("--cursor ")[1].split()[0]
    rest = good(server.cli("deliveries", "list", "--status", "FAILED", "--cursor", cursor))
    assert [line.split()[0] for line in rest.out.splitlines()[1:]] == failed[:1], rest
    for words in (["--superseded"], ["-o", "id"]):
        assert set(failed) < set(good(server.cli("deliveries", "list", "--status", "FAILED", *words)).out.split())
    assert len(good(server.cli("deliveries", "list", "--status", "FAILED", "-o", "json")).json["items"]) == 7
    assert "replaced it" in good(server.cli("deliveries", "list")).out


def test_many_deliveries_by_filters_in_pages(serve, receiver):
    receiver.script("/hook", answer(422))
    server = serve(**one(receiver))
    for start in range(0, 120, 40):
        server.post([event(payload={"n": n}) for n in range(start, start + 40)])
    until(lambda: failed_status(server) == 120, "all to fail")
    plan = good(server.cli("deliveries", "retry", "--status", "FAILED", "--destination", "hook", "-n", "-o", "json"))
    assert plan.json == {"act": "retry", "count": 120, "by": {"hook": 120}, "done": 120, "refused": 0, "refusals": []}
    assert server.cli("deliveries", "retry", "--error", "no such words", "-y").code == NOT_FOUND
    assert server.cli("deliveries", "retry").code == USAGE
    receiver.script("/hook", answer(200))
    done = good(server.cli("deliveries", "retry", "--route", "all", "--status", "FAILED", "-y", "-o", "json")).json
    assert done["done"] == 120
    until(lambda: failed_status(server) == 0, "all to be done")


@pytest.mark.parametrize("words", [["deliveries", "retry", "--status", "FAILED"], ["events", "retry", "--status", "FAILED"],
                                   ["events", "retry", "--destination", "hook"]])
@pytest.mark.parametrize("order", [{}, {"order_by": ".who"}], ids=["no order", "order_by"])
def test_many_go_again_in_the_order_of_the_events(serve, receiver, words, order):
    """Also over pages of acts: what is newest must be written last, or old data lies on top of it."""
    receiver.script("/hook", answer(422))
    config = one(receiver, concurrency="1")
    config["routes"]["all"]["to"] = [{"hook": order}] if order else ["hook"]
    server = serve(**config)
    server.post([event(payload={"who": "ada", "n": n}) for n in range(60)])
    until(lambda: failed_status(server) == 60, "all to fail")
    before = len(receiver.of("/hook"))
    receiver.script("/hook", answer(200))
    good(server.cli(*words, "-y"))
    until(lambda: len(receiver.of("/hook")) == before + 60, "all to go again")
    assert [json.loads(request.body)["n"] for request in receiver.of("/hook")[before:]] == list(range(60))


def test_more_than_go_at_once_are_refused_rather_than_done_in_part(serve, receiver):
    """Those that would be done are the newest, and what is older would end on top of them."""
    receiver.script("/hook", answer(422), answer(200))
    server = serve(**one(receiver))
    server.settled(server.send(), "FAILED")
    server.terminate()
    with contextlib.closing(sqlite3.connect(server.store)) as file:
        names = [row[1] for row in file.execute("PRAGMA table_info(deliveries)")]
        given = {"seq": "seq + n", "id": "randomblob(16)", "event_id": "randomblob(16)"}
        values = ", ".join(given.get(name, f'"{name}"') for name in names)
        file.execute("WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 100001)"
                     f" INSERT INTO deliveries SELECT {values} FROM deliveries, t")
        file.commit()
    server.start()
    got = server.cli("deliveries", "retry", "--status", "FAILED", "-y")
    assert got.code == USAGE and "more than 100000 deliveries are meant" in got.err and "--until" in got.err, got
    assert len(receiver.of("/hook")) == 1
    server.terminate()
    with contextlib.closing(sqlite3.connect(server.store)) as file:
        file.execute("DELETE FROM deliveries WHERE event_id NOT IN (SELECT id FROM marketing_events)")
        file.commit()
    server.start()


def test_some_are_refused_and_the_others_done(serve, receiver):
    receiver.script("/hook", answer(422))
    server = serve(**one(receiver))
    failed, other = (server.settled(server.send(), "FAILED") for _ in range(2))
    server.post({}, path=f"/v1/deliveries/{failed['id']}/retry")
    partly = server.cli("deliveries", "retry", failed["id"], other["id"], "-o", "json")
    assert partly.code == PARTLY and (partly.json["done"], partly.json["refused"]) == (1, 1)
    assert partly.json["refusals"][0]["id"] == failed["id"]
    assert server.cli("deliveries", "cancel", failed["id"], other["id"]).code == CONFLICT


def test_a_retry_answers_how_it_stands_and_with_an_id_that_is(serve, receiver):
    receiver.script("/hook", answer(422), answer(200))
    given = {**one(receiver), "routes": {
        "all": {"from": "*", "to": [{"hook": {"key": ".k", "body": {"n": "${.n + \"x\"}"}}}]}}}
    server = serve(**given)
    failed = server.settled(server.send(payload={"n": 1, "k": "one"}), "FAILED")
    routes = {"all": {"from": "*", "to": [{"hook": {"key": ".k", "body": {"n": "${.n}"}}}]}}
    server.configure(**{**given, "routes": routes})
    good(server.cli("apply"))
    again = server.post({}, path=f"/v1/deliveries/{failed['id']}/retry").json
    assert again["status"] == "PROCESSING" and again["run"] == 1  # it left at once
    assert server.get(f"/v1/deliveries/{again['id']}").json["key"] == again["key"]
    until(lambda: server.get(f"/v1/deliveries/{again['id']}").json["status"] == "FAILED", "the receiver's 422")
    bulk = server.post({"ids": [again["id"]], "act": "retry"}, path="/v1/bulk/deliveries").json["items"][0]
    assert bulk["done"] and bulk["status"] == "PROCESSING" and bulk["id"] == again["id"] != bulk["is_now"]
    assert server.get(f"/v1/deliveries/{bulk['is_now']}").json["run"] == 2


def test_a_dry_run_and_the_run_agree(serve, receiver):
    receiver.script("/hook", answer(200), answer(422), answer(200))
    server = serve(**one(receiver))
    done, failed = server.settled(server.send(), "COMPLETED"), server.settled(server.send(), "FAILED")
    both = ("events", "retry", "--status", "COMPLETED")
    dry, run = server.cli(*both, "-n"), server.cli(*both, "-y")
    assert dry.code == run.code == CONFLICT
    assert dry.out == "would retry 0 of 1 event: LEAD 1; 1 would be refused\n"
    assert "all that its routes make of it is done" in dry.err and "all that its routes make of it is done" in run.err
    only = good(server.cli("events", "retry", "--type", "LEAD", "-n"))
    assert only.out == "would retry 1 event: LEAD 1\n" and "only what FAILED is meant" in only.err
    for flags in (["-n"], ["-y"]):
        misspelt = server.cli("events", "retry", "--route", "al", *flags)
        assert misspelt.code == NOT_FOUND and "no route is named 'al'; did you mean 'all'?" in misspelt.err
        assert "no destination is named 'hok'" in server.cli("deliveries", "retry", "--destination", "hok", *flags).err
    one_of = server.cli("deliveries", "retry", done["id"], failed["id"], "-n")
    assert one_of.code == PARTLY and one_of.out.startswith("would retry 1 of 2 deliveries")
    assert server.deliveries(failed["event_id"])[0]["run"] == 0  # nothing happened
    good(server.cli("events", "retry", "--route", "all", "-y"))
    until(lambda: server.event(failed["event_id"])["status"] == "COMPLETED", "the run")


def test_what_waits_is_cancelled_and_resolved_in_bulk(serve, receiver):
    server = serve(**one(receiver))
    good(server.cli("destinations", "pause", "hook"))
    for _ in range(3):
        server.send()
    until(lambda: server.get("/v1/status").json["pending"] == 3, "three to wait")
    good(server.cli("deliveries", "cancel", "--destination", "hook", "-y"))
    assert server.get("/v1/status").json["pending"] == 0
    assert server.cli("deliveries", "resolve", "--status", "HELD", "--as", "delivered", "-y").code == NOT_FOUND


def test_what_waits_for_a_destination_that_goes_is_counted_held_and_freed(store, serve, receiver):
    given = {**one(receiver), **store}
    server = serve(**given)
    good(server.cli("destinations", "pause", "hook"))
    ids = [server.send() for _ in range(2)]
    until(lambda: server.get("/v1/status").json["pending"] == 2, "two to wait")
    gone = {**given, "destinations": {"other": given["destinations"]["hook"]},
            "routes": {"all": {"from": "*", "to": ["other"]}}}
    server.configure(**gone)
    assert "! 2 deliveries wait for hook, which is gone" in good(server.cli("apply", "-n")).out
    assert good(server.cli("apply", "-o", "json")).json["stranded"] == [{"destination": "hook", "count": 2}]
    if store:  # others may have the configuration before for a minute
        why = server.get("/v1/status").json["waiting"]["why"]
        assert {"destination": "hook", "reason": "no such destination", "count": 2} in why
        good(server.cli("deliveries", "cancel", "--destination", "hook", "-y"))
    else:
        until(lambda: all("no such destination" in (server.delivery(e)["last_error"] or "") for e in ids), "both held")
        gone = {"kind": "destination", "name": "hook", "gone": True, "held": 2}
        assert gone in server.get("/v1/status").json["troubled"]
        assert "! hook is gone from the configuration, and 2 deliveries are held for it" in server.cli("status").out
        server.configure(**given)
        good(server.cli("apply"))
        good(server.cli("destinations", "resume", "hook"))
    for event_id in ids:
        until(lambda e=event_id: server.event(e)["status"] == "COMPLETED", "the cancelled ones, or those that are freed")
    assert len(receiver.of("/hook")) == (0 if store else 2)


def test_what_waits_for_a_destination_that_was_renamed_goes_over(store, serve, receiver):
    given = {**one(receiver), **store}
    server = serve(**given)
    good(server.cli("destinations", "pause", "hook"))
    ids = [server.send() for _ in range(2)]
    until(lambda: server.get("/v1/status").json["pending"] == 2, "two to wait")
    keys = {server.event(i)["deliveries"][0]["key"] for i in ids}
    crm = {**given["destinations"]["hook"], "was": "hook"}
    server.configure(**{**given, "destinations": {"crm": crm}, "routes": {"all": {"from": "*", "to": ["crm"]}}})
    said = good(server.cli("apply", "-n")).out
    assert "destination hook renamed to crm" in said, said
    assert "2 open deliveries of hook go over to crm, with what failed, its pause and its limits" in said, said
    applied = good(server.cli("apply", "-o", "json")).json
    assert applied["adopted"] == [{"destination": "crm", "was": "hook", "renamed": True, "count": 2}] and not applied["stranded"]
    until(lambda: len(server.get("/v1/deliveries?destination=crm").json["items"]) == 2, "both to go over")
    server.restart()
    assert not receiver.of("/hook")  # the pause went over, too
    good(server.cli("destinations", "resume", "crm"))
    for event_id in ids:
        server.settled(event_id, "COMPLETED")
    assert set(receiver.keys("/hook")) == keys
    assert "nothing waits under hook; what was done under it is known as done by 'was' in crm" in good(server.cli("apply", "-n")).out


def test_an_event_that_no_route_takes_is_not_retried_with_all_either(serve, receiver):
    server = serve(**{**one(receiver), "routes": {"all": {"from": "LEAD", "to": ["hook"]}}})
    event_id = server.settled(server.send(kind="LEAD"), "COMPLETED")["event_id"]
    gone = server.send(kind="OTHER")
    until(lambda: server.event(gone)["status"] == "COMPLETED", "its routing")
    for flags in ([], ["--all"], ["--all", "-n"]):
        refused = server.cli("events", "retry", gone, *flags)
        assert refused.code == CONFLICT and "no route takes its type and source" in refused.err, refused
    assert server.event(gone)["acts"] == [] and server.get("/v1/status").json["unrouted"] == 1
    good(server.cli("events", "retry", event_id, "--all"))


def test_all_of_a_type_are_done_again_with_all(serve, receiver):
    server = serve(**{**one(receiver), "routes": {"all": {"from": "*", "to": ["hook"]}}})
    for _ in range(3):
        server.settled(server.send(kind="ORDER"), "COMPLETED")
    server.settled(server.send(kind="OTHER"), "COMPLETED")
    nothing = server.cli("events", "retry", "--type", "ORDER", "-n")
    assert nothing.code == NOT_FOUND and "without --status or --all only what FAILED is meant" in nothing.err, nothing
    assert good(server.cli("events", "retry", "--type", "ORDER", "--all", "-n")).out == "would retry 3 events: ORDER 3\n"
    assert good(server.cli("events", "retry", "--route", "all", "--all", "-n")).out == "would retry 4 events: hook 4\n"
    none = server.cli("events", "retry", "--type", "ORDER", "--status", "FAILED", "--all", "-n")
    assert none.code == NOT_FOUND, "what is named holds"
    assert "3 done" in good(server.cli("events", "retry", "--type", "ORDER", "--all", "-y")).out
    until(lambda: len(receiver.of("/hook")) == 7, "each to be sent again")


def test_what_has_no_destination_any_more_is_not_retried(serve, receiver):
    receiver.script("/hook", reset(), answer(422))
    given = one(receiver, on_unknown="hold")
    server = serve(**given)
    doubtful = server.settled(server.send(), "HELD")
    failed = server.settled(server.send(), "FAILED")
    server.configure(**{**given, "destinations": {"other": given["destinations"]["hook"]},
                        "routes": {"all": {"from": "*", "to": ["other"]}}})
    good(server.cli("apply"))
    before = {one["id"]: server.get(f"/v1/deliveries/{one['id']}").json for one in (doubtful, failed)}
    for words in (["retry"], ["retry", "--as-sent"], ["resolve", "--as", "retry"]):
        for ids in ([doubtful["id"]], [doubtful["id"], failed["id"]]):
            refused = server.cli("deliveries", words[0], *ids, *words[1:])
            assert refused.code == CONFLICT and "add it again" in refused.err, refused
            assert "'was: hook'" in refused.err and "drumbeat deliveries cancel" in refused.err, refused
    lost = server.cli("deliveries", "retry", failed["id"])
    assert lost.code == CONFLICT and "'was: hook'" in lost.err and "cancel" not in lost.err
    assert {one: server.get(f"/v1/deliveries/{one}").json for one in before} == before
    good(server.cli("deliveries", "cancel", doubtful["id"]))
    ended = server.cli("deliveries", "retry", doubtful["id"])
    assert ended.code == CONFLICT and "not in the configuration" in ended.err


def test_an_event_that_no_route_wants_says_which_rule_kept_it_out(serve, receiver):
    routes = {"typed": {"from": "OTHER", "to": ["hook"]}, "sourced": {"from": "*", "source": "shop", "to": ["hook"]},
              "asked": {"from": "*", "when": ".n > 5", "to": ["hook"]}}
    server = serve(**{**one(receiver), "routes": routes})
    event_id = server.send()
    until(lambda: server.event(event_id)["status"] == "COMPLETED", "its routing")
    assert {it["route"]: it["why"] for it in server.event(event_id)["unwanted"]} == {
        "typed": "from: OTHER, and its type is LEAD", "sourced": "source: shop, and its source is test",
        "asked": "when: .n > 5, which does not hold"}
    assert "  route typed: from: OTHER, and its type is LEAD\n" in good(server.cli("events", "show", event_id)).out
    sent = good(server.cli("send", "LEAD", "--data", '{"n":1}', "--wait"))
    assert "no route wants it" in sent.err and "route asked: when: .n > 5" in sent.err
    assert server.get("/v1/status").json["unrouted"] == 2
    unwanted = "Unwanted  2 events since the start that no route took; once one does: drumbeat replay plan --since 1d"
    assert unwanted in good(server.cli("status")).out
