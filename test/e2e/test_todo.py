"""`todo`: what waits for a person, each with the command that solves it. The commands are run as they are printed."""
import shlex

import pytest

from harness import until
from receiver import answer, reset
from test_cli import CONFLICT, DONE, FINDINGS, good
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


@pytest.mark.parametrize("one", [True, False], ids=["by its id", "by filters"])
def test_what_failed_can_be_put_aside(world, receiver, one):
    """No such user: nothing more is to be done, and nobody is asked to do it."""
    receiver.script("/bad", answer(422, b"no such user"), answer(200))
    event = world.send(kind="BAD")
    world.settled(event, "FAILED")
    failed = good(world.cli("deliveries", "list", "--status", "FAILED", "-o", "id")).out.strip()
    assert "deliveries cancel" in good(world.cli("todo")).out
    assert "nothing to cancel" in world.cli("deliveries", "cancel", "--destination", "bad", "-y").err, "it is asked for"
    good(world.cli("deliveries", "cancel", *([failed] if one else ["--status", "FAILED", "--destination", "bad"]), "-y"))
    assert items(world) == []
    runs = world.event(event)["deliveries"]
    assert sorted(run["status"] for run in runs) == ["FAILED", "SKIPPED"] and "cancelled by" in runs[-1]["last_error"]
    assert world.cli("status", "--exit-code", "-q").code == DONE
    assert world.cli("verify").code == DONE
    assert world.cli("events", "retry", event, "-y").code == CONFLICT
    assert len(receiver.of("/bad")) == 1, "a person said that it shall not be"


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


def test_a_command_has_no_character_that_an_alert_would_change(world, receiver):
    receiver.script("/bad", answer(422, b"Ada Lovelace, <ada@a.example>, is known"), answer(422, b"Ada Lovelace, 'x' > y: no"), answer(422, b"other"))
    for _ in range(3):
        world.settled(world.send(kind="BAD"), "FAILED")
    for item in items(world):
        assert not set("<>\u2039\u203a") & set(item["command"]), item
        if "--error" in item["command"]:
            assert "1 delivery" in good(world.cli(*shlex.split(item["command"])[1:], "-n")).out, item
    assert len([item for item in items(world) if "--error" in item["command"]]) == 3, items(world)


def test_a_doubt_names_how_to_resolve_it(world, receiver):
    receiver.script("/doubt", reset())
    event = world.send(kind="DOUBT")
    until(lambda: world.delivery(event)["status"] == "HELD", "the doubt")
    item = causes(world)["doubt", "doubt"]
    command = "drumbeat deliveries resolve --status HELD --destination doubt --as not-delivered"
    assert item["command"] == command and item["count"] == 1, item
    good(run(world, item))
    assert world.delivery(event)["status"] == "FAILED" and [one["cause"] for one in items(world)] == ["failed"], "it is not forgotten"
    receiver.script("/doubt", reset())
    other = world.send(kind="DOUBT")
    until(lambda: world.delivery(other)["status"] == "HELD", "the doubt")
    good(world.cli(*shlex.split(causes(world)["doubt", "doubt"]["command"])[1:-1], "delivered", "-y"))
    assert world.delivery(other)["status"] == "COMPLETED"


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


def test_a_breaker_says_what_it_counted(serve, receiver):
    receiver.script("/crm", answer(503, b"down for maintenance"))
    server = serve(destinations={"crm": to(receiver, "crm", breaker={"failures": "1"}, retry={"base": "10s"})},
                   routes={"all": {"from": "*", "to": ["crm"]}})
    server.send()
    until(lambda: ("breaker", "crm") in causes(server), lambda: f"the breaker: {items(server)}")
    assert causes(server)["breaker", "crm"]["error"].startswith("answered 503"), items(server)
    assert server.get("/v1/destinations/crm").json["breaker_reason"].startswith("answered 503")
    assert "crm: breaker open (answered 503" in good(server.cli("status")).out
    assert "answered 503" in good(server.cli("destinations", "show", "crm")).out
    [line] = [one for one in server.log() if one["event"] == "destination_changed"]
    assert (line["breaker"], line["reason"]) == ("open", "answered 503"), line
    good(run(server, causes(server)["breaker", "crm"]))
    until(lambda: len(receiver.of("/crm")) == 2, "the next try")


def test_what_a_removed_destination_leaves_has_commands_that_work_and_end_nothing_else(serve, receiver):
    receiver.script("/goes", reset(), answer(422, b"no such list"), answer(200))
    goes = to(receiver, "goes", on_unknown="hold", retry={"max": "0"}, give_up="0s")
    server = serve(destinations={"stays": to(receiver, "stays"), "goes": goes}, routes={"goes": {"from": "GOES", "to": ["goes"]}})
    doubted = server.send(kind="GOES")
    until(lambda: server.delivery(doubted)["status"] == "HELD", "the doubt")
    failed = server.settled(server.send(kind="GOES"), "FAILED")
    good(server.cli("destinations", "pause", "goes"))
    waiting = server.send(kind="GOES")
    server.configure(destinations={"stays": to(receiver, "stays")}, routes={})
    good(server.cli("apply", "-y"))
    until(lambda: {"gone", "doubt", "failed"} <= {cause for cause, _ in causes(server)}, lambda: f"all: {items(server)}")
    doubt, gone, lost = (causes(server)[cause, "goes"] for cause in ("doubt", "gone", "failed"))
    assert "--as retry" not in doubt["does"] and lost["command"] == "drumbeat apply", items(server)
    for item in (gone, lost):
        drop = item["does"][item["does"].index("drumbeat deliveries cancel"):].split(" drops")[0].split(" puts")[0]
        assert good(server.cli(*shlex.split(drop)[1:], "-n")).out.startswith("would cancel 1 delivery"), drop
        good(server.cli(*shlex.split(drop)[1:], "-y"))
    assert server.delivery(doubted)["status"] == "HELD" and server.delivery(waiting)["status"] == "SKIPPED"
    assert server.event(failed["event_id"])["deliveries"][-1]["status"] == "SKIPPED"
    good(run(server, doubt))
    until(lambda: [item["cause"] for item in items(server)] == ["failed"], lambda: items(server))


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
