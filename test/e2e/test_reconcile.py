"""`reconcile`: what nobody knows the end of is looked up by a person's word, and told apart from what cannot be."""
import pytest

from harness import until
from receiver import answer, reset
from test_acts import store  # noqa: F401 (a fixture)
from test_cli import NOT_FOUND, good
from test_filters import LOOKED_UP
from test_status import to


@pytest.fixture
def world(store, serve, receiver):  # noqa: F811
    server = serve(destinations={"hook": to(receiver, "hook")}, **store)
    (server.folder / "connectors").mkdir()
    (server.folder / "connectors/forum.yaml").write_text(LOOKED_UP)
    server.configure(destinations={"forum": {"server": receiver.url(""), "allow_private": "true", "on_unknown": "hold"},
                                   "hook": to(receiver, "hook", on_unknown="hold")},
                     routes={"news": {"from": "NEWS", "to": [{"forum.post": {"text": "${.text}"}}]},
                             "lead": {"from": "LEAD", "to": ["hook"]}}, **store)
    server.restart()
    return server


def test_what_can_be_looked_up_is_and_the_rest_is_named(world, receiver):
    receiver.script("/posts", reset())
    receiver.script("/hook", reset())
    receiver.script("/find", answer(200))
    assert good(world.cli("reconcile", "-y")).out == "nothing is in doubt\n"
    news, lead = world.send(kind="NEWS", payload={"text": "hello"}), world.send(kind="LEAD")
    world.settled(news, "HELD")
    world.settled(lead, "HELD")
    plan = good(world.cli("reconcile", "-n"))
    assert plan.out == "would look up 1 delivery\n" and "forum: 1 to be looked up" in plan.err, plan
    assert "deliveries resolve --status HELD --destination hook --as not-delivered\n" in plan.err
    assert receiver.keys("/find") == []
    done = good(world.cli("reconcile", "--destination", "forum", "-y", "-o", "json"))
    assert done.json == {"looked_up": 1, "by_hand": 0, "dry": False}
    world.settled(news, "COMPLETED")
    assert len(receiver.keys("/posts")) == 1
    got = good(world.cli("reconcile", "-y"))
    assert got.out == "nothing can be looked up\n" and world.delivery(lead)["status"] == "HELD"
    assert [item["act"] for item in world.get("/v1/audit").json["items"]] == ["reconcile"]
    assert world.cli("reconcile", "--destination", "nobody").code == NOT_FOUND


def test_doubts_of_a_destination_that_was_removed_are_named_with_what_helps(store, serve, receiver):  # noqa: F811
    given = {"routes": {"lead": {"from": "LEAD", "to": ["hook"]}}, **store}
    hook, other = to(receiver, "hook", on_unknown="hold"), to(receiver, "other")
    receiver.script("/hook", reset())
    server = serve(destinations={"hook": hook, "other": other}, **given)
    lead = server.send(kind="LEAD")
    server.settled(lead, "HELD")
    server.configure(destinations={"other": other}, **{**given, "routes": {"lead": {"from": "LEAD", "to": ["other"]}}})
    good(server.cli("apply", "-y"))
    told = good(server.cli("reconcile", "--destination", "hook", "-y"))
    assert told.out == "nothing can be looked up\n" and "the configuration has no such destination any more" in told.err, told
    command = told.err.split("sends them again): drumbeat ")[1].split()
    good(server.cli(*command, "-y"))
    server.settled(lead, "FAILED")
    misspelt = server.cli("reconcile", "--destination", "othr", "-y")
    assert misspelt.code == NOT_FOUND and "did you mean 'other'" in misspelt.err, misspelt
    assert server.cli("reconcile", "--destination", "hook").code == NOT_FOUND  # nothing is in doubt there any more


def test_what_another_process_left_unknown_is_by_hand_where_its_destination_is_gone(database, serve, receiver):
    receiver.script("/posts", reset())
    first, other = (serve(destinations={"hook": to(receiver, "hook")}, store=database) for _ in range(2))
    (other.folder / "connectors").mkdir()
    (other.folder / "connectors/forum.yaml").write_text(LOOKED_UP.replace("settle: 1s", "settle: 1h"))
    other.configure(destinations={"forum": {"server": receiver.url(""), "allow_private": "true"}}, store=database,
                    routes={"news": {"from": "NEWS", "to": [{"forum.post": {"text": "${.text}"}}]}})
    other.restart()
    event = other.send(kind="NEWS", payload={"text": "hello"})
    other.settled(event, "UNKNOWN")
    told = good(first.cli("reconcile", "-y"))
    assert told.out == "nothing can be looked up\n" and "to be looked up" not in told.err, told
    assert "the configuration has no such destination any more" in told.err
    assert good(other.cli("reconcile", "-n")).out == "would look up 1 delivery\n"
    command = told.err.split("sends them again): drumbeat ")[1].split()
    assert command[3] == "UNKNOWN"
    good(first.cli(*command, "-y"))
    other.settled(event, "FAILED")


def test_an_unknown_one_that_waits_for_its_time_waits_no_longer(store, serve, receiver):  # noqa: F811
    receiver.script("/posts", reset())
    receiver.script("/find", answer(200))
    server = serve(destinations={"hook": to(receiver, "hook")}, **store)
    (server.folder / "connectors").mkdir()
    (server.folder / "connectors/forum.yaml").write_text(LOOKED_UP.replace("settle: 1s", "settle: 1h"))
    server.configure(destinations={"forum": {"server": receiver.url(""), "allow_private": "true"}},
                     routes={"news": {"from": "NEWS", "to": [{"forum.post": {"text": "${.text}"}}]}}, **store)
    server.restart()
    event = server.send(kind="NEWS", payload={"text": "hello"})
    server.settled(event, "UNKNOWN")
    [item] = server.get("/v1/todo").json["items"]
    assert (item["cause"], item["command"]) == ("unknown", "drumbeat reconcile --destination forum")
    good(server.cli("reconcile", "--destination", "forum", "-y"))
    server.settled(event, "COMPLETED")
    until(lambda: server.get("/v1/todo").json["items"] == [], "nothing to be left")


KEYLESS = """version: 1
name: board
about: A provider that knows no keys.
fields: {server: {required: true}}
actions:
  post:
    params: {text: required}
    request: {url: "${field.server}/notes", json: {text: "${.text}"}}
"""


def test_who_sends_what_is_in_doubt_again_is_told_that_it_may_happen_twice(serve, receiver):
    receiver.script("/notes", reset(), answer(200))
    receiver.script("/hook", reset(), answer(200), answer(200))
    server = serve(destinations={"hook": to(receiver, "hook", on_unknown="hold")}, routes={})
    (server.folder / "connectors").mkdir()
    (server.folder / "connectors/board.yaml").write_text(KEYLESS)
    server.configure(destinations={"hook": to(receiver, "hook", on_unknown="hold"),
                                   "board": {"server": receiver.url(""), "allow_private": "true"}},
                     routes={"news": {"from": "NEWS", "to": [{"board.post": {"text": "${.text}"}}]},
                             "lead": {"from": "LEAD", "to": ["hook"]}})
    server.restart()
    news, lead = (server.settled(server.send(kind=kind, payload={"text": "hello"}), "HELD")["id"] for kind in ("NEWS", "LEAD"))
    shown = server.get(f"/v1/deliveries/{news}").json
    assert shown["in_doubt"] and shown["keys_kept_seconds"] == 0
    for words in (["retry", news, "-n"], ["resolve", news, "--as", "retry", "-n"]):
        said = good(server.cli("deliveries", *words)).err
        assert "may have arrived; then this makes it happen twice, as board takes no idempotency key" in said, said
        assert f"drumbeat deliveries resolve {news} --as delivered\n" in said, said
    said = good(server.cli("deliveries", "retry", "--status", "HELD", "-n"))
    assert "nobody knows what became of an earlier try of 2 of them, which may have arrived" in said.err, said
    assert "arrived" not in good(server.cli("deliveries", "cancel", "--status", "HELD", "-n")).err
    said = good(server.cli("deliveries", "retry", lead))
    assert "if hook does not know its key again" in said.err, said
    server.settled(shown["event_id"], "HELD")
    until(lambda: server.get(f"/v1/deliveries/{lead}").json["status"] == "COMPLETED", "the second try")
    again = server.get(f"/v1/deliveries/{lead}").json
    assert not again["in_doubt"] and len(receiver.keys("/notes")) == 1
