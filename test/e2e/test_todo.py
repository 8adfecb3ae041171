"""`todo`: what waits for a person, each with the command that solves it. The commands are run as they are printed."""
import shlex

import pytest

from harness import until
from receiver import answer, reset
from test_cli import DONE, FINDINGS, USAGE, good
from test_status import to


def items(server):
    return server.get("/v1/todo").json["items"]


def causes(server):
    return {(item["cause"], item["name"]): item for item in items(server)}


def run(server, item):
    words = shlex.split(item["command"])
    assert words[0] == "drumbeat"
    return server.cli(*words[1:], "-y")


@pytest.fixture
def world(serve, receiver):
    return serve(
        destinations={name: to(receiver, name, retry={"max": "0"}, give_up="0s", **more) for name, more in
                      {"bad": {}, "doubt": {"on_unknown": "hold"}, "sleepy": {}, "late": {"limit": "1/24h"}}.items()},
        routes={"bad": {"from": "BAD", "to": ["bad"]}, "doubt": {"from": "DOUBT", "to": ["doubt"]},
                "sleepy": {"from": "SLEEPY", "to": ["sleepy"]},
                "jq": {"from": "JQ", "to": [{"bad": {"body": {"n": "${.n + \"x\"}"}}}]}})


def test_nothing_waits(world):
    assert items(world) == []
    got = world.cli("todo", "--exit-code")
    assert got.code == DONE and got.out == "nothing waits for you\n", got


def test_what_failed_is_one_line_for_one_cause_and_its_command_solves_it(world, receiver):
    receiver.script("/bad", answer(422, b"no list 17"), answer(422, b"no list 35"), answer(404), answer(200))
    for status in ("FAILED", "FAILED", "FAILED"):
        world.settled(world.send(kind="BAD"), status)
    found = sorted(items(world), key=lambda item: -item["count"])
    assert [item["count"] for item in found] == [2, 1] and {item["cause"] for item in found} == {"failed"}
    assert world.cli("todo", "--exit-code", "-q").code == FINDINGS
    assert good(world.cli("todo")).out.count("drumbeat deliveries retry --status FAILED --destination bad") == 2
    assert "2 done" in good(run(world, found[0])).out
    until(lambda: [item["count"] for item in items(world)] == [1], lambda: f"one to be left: {items(world)}")
    assert "1 done" in good(run(world, items(world)[0])).out
    until(lambda: items(world) == [], lambda: f"nothing to be left: {items(world)}")


def test_a_command_acts_on_its_own_cause_alone(world, receiver):
    common = b"the recipient was refused by this server: "
    receiver.script("/bad", answer(422, common + b"no user"), answer(422, common + b"policy 17"), answer(422, common), answer(200))
    for _ in range(3):
        world.settled(world.send(kind="BAD"), "FAILED")
    exact = [item for item in items(world) if "--error" in item["command"]]
    assert len(items(world)) == 3 and len(exact) == 2, items(world)
    for item in exact:
        said = world.cli(*shlex.split(item["command"])[1:], "-n")
        assert "1 " in said.out + said.err and "3 " not in said.out + said.err, (item, said)
    [other] = [item for item in items(world) if item not in exact]
    assert other["command"] == "drumbeat deliveries list --destination bad", other
    assert len(good(run(world, exact[0])).out) and len(items(world)) >= 2


def test_a_doubt_names_how_to_resolve_it(world, receiver):
    receiver.script("/doubt", reset())
    event = world.send(kind="DOUBT")
    until(lambda: world.delivery(event)["status"] == "HELD", "the doubt")
    item = causes(world)["doubt", "doubt"]
    command = "drumbeat deliveries resolve --status HELD --destination doubt --as 'delivered|not-delivered|retry'"
    assert item["command"] == command and item["count"] == 1, item
    assert run(world, item).code == USAGE and causes(world) == {("doubt", "doubt"): item}, "a copy declares nothing"
    good(world.cli(*shlex.split(item["command"])[1:-1], "delivered", "-y"))
    assert items(world) == [] and world.delivery(event)["status"] == "COMPLETED"


def test_a_paused_destination_is_resumed(world):
    good(world.cli("destinations", "pause", "sleepy", "--reason", "holiday"))
    event = world.send(kind="SLEEPY")
    until(lambda: causes(world)["paused", "sleepy"]["count"] == 1, "what waits to be counted")
    assert causes(world)["paused", "sleepy"]["error"] == "holiday"
    good(run(world, causes(world)["paused", "sleepy"]))
    world.settled(event, "COMPLETED")
    assert items(world) == []


def test_what_a_route_cannot_make_is_told_apart(world):
    world.settled(world.send(kind="JQ"), "FAILED")
    [item] = items(world)
    assert (item["cause"], item["name"]) == ("unroutable", "bad") and "mend the route" in item["does"], item


def test_what_a_removed_destination_leaves_is_there_without_a_server_too(serve, receiver):
    given = {"destinations": {name: to(receiver, name) for name in ("stays", "goes")},
             "routes": {"goes": {"from": "GOES", "to": ["goes"]}}}
    server = serve(**given)
    good(server.cli("destinations", "pause", "goes"))
    server.send(kind="GOES")
    server.configure(destinations={"stays": given["destinations"]["stays"]}, routes={})
    good(server.cli("apply"))
    until(lambda: ("gone", "goes") in causes(server), lambda: f"what is gone: {items(server)}")
    assert server.terminate() == 0
    got = server.cli("todo", "-o", "json").json
    assert [(item["cause"], item["name"]) for item in got["items"]] == [("gone", "goes")]
    server.configure(**given)
    server.start()
    until(lambda: ("gone", "goes") not in causes(server), "the deliveries to go on")


def test_a_configuration_that_was_refused_is_listed(world):
    (world.folder / "drumbeat.yaml").write_text("version: 1\nroutse: {}\n")
    assert world.cli("apply").code != DONE
    until(lambda: [item["cause"] for item in items(world)] == ["configuration"], lambda: items(world))
    assert run(world, items(world)[0]).code != DONE
