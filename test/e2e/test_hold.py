"""hold, the emergency brake: nothing leaves, in no process and over restarts, until a release."""
from fleet import config
from harness import until
from receiver import silence
from test_cli import TIMED_OUT, good
from test_deliver import one


def held(server):
    return server.get("/v1/status").json["hold"]


def test_nothing_leaves_until_a_release(serve, receiver):
    server = serve(**one(receiver))
    said = server.cli("hold", "wrong text")
    assert said.code == 0 and "wrong text" in said.out and "drumbeat release" in said.out, said
    event = server.send()
    server.kill()
    server.start()
    assert held(server)
    assert "drumbeat release" in server.cli("status").out
    plan = server.cli("release", "-n")
    assert plan.code == 0 and "held: wrong text" in plan.err and "1 delivery is due now: 1 to hook" in plan.err, plan
    assert held(server) and not receiver.of("/hook")
    assert server.cli("release", "--yes").code == 0
    server.settled(event, "COMPLETED")
    assert not held(server) and len(receiver.of("/hook")) == 1


def test_who_asks_for_a_delivery_is_told_what_it_waits_for(serve, receiver):
    receiver.script("/hook", silence())
    hook = {"url": receiver.url("/hook"), "allow_private": "true", "on_unknown": "hold", "timeout": "300ms"}
    server = serve(destinations={"hook": hook}, routes={"all": {"from": "*", "to": [{"hook": {"order_by": ".who"}}]}})
    first = server.send(payload={"who": "ada"})
    delivery = server.settled(first, "HELD")["id"]
    words = f"waits for event {first} before it (order key ada), whose delivery is HELD: drumbeat deliveries resolve {delivery}"
    sent = server.cli("send", "LEAD", "--data", '{"who":"ada"}', "--wait", "--timeout", "1s")
    assert sent.code == TIMED_OUT and words in sent.out, sent
    [second] = [event["id"] for event in server.every("/v1/events?") if event["id"] != first]
    assert words in server.cli("events", "show", second).out
    assert "1 other waits in order behind what is open for hook" in server.cli("todo").out
    assert "order" in server.cli("status").out
    assert server.cli("hold", "a while").code == 0
    held = server.send(payload={"who": "bob"})
    assert "waits for the end of the hold: drumbeat release" in server.cli("events", "show", held).out


def test_a_release_counts_what_waits_in_its_order(serve, receiver):
    hook = {"url": receiver.url("/hook"), "allow_private": "true", "on_unknown": "retry"}
    server = serve(destinations={"hook": hook}, routes={"all": {"from": "*", "to": [{"hook": {"order_by": ".who"}}]}})
    good(server.cli("hold"))
    events = [server.send(payload={"who": who}) for who in ("ada", "ada", "ada", "bob")]
    until(lambda: server.get("/v1/status").json["pending"] == 4, "all to wait")
    said = good(server.cli("release", "-n")).err
    assert "2 deliveries are due now: 2 to hook; 0 later" in said and "2 wait for others of their order key" in said, said
    good(server.cli("release", "-y"))
    for event in events:
        server.settled(event, "COMPLETED")
    good(server.cli("hold"))
    assert "order key" not in good(server.cli("release", "-n")).err


def test_a_release_ends_a_start_with_hold(serve, receiver):
    server = serve("--hold", **one(receiver))
    event = server.send()
    assert held(server)
    assert "--hold" in server.cli("release", "-n").err
    assert server.cli("release", "--yes").code == 0
    server.settled(event, "COMPLETED")
    assert len(receiver.of("/hook")) == 1


def test_what_is_not_held_is_not_released(serve, receiver):
    said = serve(**one(receiver)).cli("release")
    assert said.code == 0 and "nothing is held" in said.out and "released" not in said.out, said


def test_a_release_says_what_stays(serve, receiver):
    server = serve(**one(receiver))
    assert server.cli("hold").code == 0 and server.cli("destinations", "pause", "hook").code == 0
    event = server.send()
    plan = server.cli("release", "-n").err
    assert "0 deliveries are due now" in plan, plan
    assert "1 delivery for hook stays: it is paused; drumbeat destinations resume hook" in plan, plan
    assert server.cli("release", "--yes").code == 0 and server.cli("destinations", "resume", "hook").code == 0
    server.settled(event, "COMPLETED")


def test_a_reason_is_a_text(serve, receiver):
    server = serve(**one(receiver))
    answer = server.post({"reason": 3}, path="/v1/hold")
    assert answer.status == 400 and answer.pointers == ["/reason"], answer
    assert not held(server)


def test_all_processes_of_a_store_are_held(fleets, database, receiver):
    fleet = fleets(config(database, receiver))
    one_of_them, other = fleet.start("all", "all")
    assert one_of_them.cli("hold").code == 0
    until(lambda: held(other), "the other process to hear of it")
    event = other.send()
    assert other.cli("release", "--yes").code == 0
    one_of_them.settled(event, "COMPLETED")
    until(lambda: not held(one_of_them), "the first process to hear of it")


def test_the_brake_works_while_the_file_is_no_yaml(serve, receiver):
    server = serve(**one(receiver))
    path = server.folder / "drumbeat.yaml"
    path.write_text(path.read_text() + 'routes: {a: "x"y"}\n  b: [\n')
    said = server.cli("hold")
    assert said.code == 0 and "error E0201" in said.err and "goes on with what it read before" in said.err, said
    assert held(server)
