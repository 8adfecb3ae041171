"""hold, the emergency brake: nothing leaves, in no process and over restarts, until a release."""
from fleet import config
from harness import until
from receiver import silence
from test_cli import FINDINGS, NO_SERVER, TIMED_OUT, good
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


def test_a_held_store_says_so_without_a_server_too(serve, receiver):
    server = serve(**one(receiver))
    good(server.cli("hold", "wrong text"))
    event = server.send()
    assert "held since" in good(server.cli("status")).out and ": wrong text; drumbeat release\n" in server.cli("status").out
    assert server.terminate() == 0
    for words in (["-n"], ["-y"]):
        said = server.cli("release", *words)
        assert said.code == NO_SERVER and "nothing is held" not in said.out, said
        assert "held: wrong text" in said.err and "1 delivery is due now: 1 to hook" in said.err, said
        assert "Start it with `drumbeat serve`: it sends nothing before `drumbeat release`" in said.err, said
    status = server.cli("status")
    assert status.code == NO_SERVER and ": wrong text; drumbeat release, once a server runs\n" in status.out, status
    assert "all is held" in status.out, status
    found = server.cli("todo", "--exit-code")
    assert found.code == FINDINGS and "hold  wrong text\n    drumbeat release -n\n" in found.out, found
    server.start()
    assert "hold  wrong text\n    drumbeat release\n" in server.cli("todo").out
    good(server.cli("release", "-y"))
    server.settled(event, "COMPLETED")
    assert server.terminate() == 0
    said = good(server.cli("release", "-y"))
    assert said.out == "nothing is held: what is due is sent as soon as a server runs\n", said
    assert "held since" not in server.cli("status").out and good(server.cli("todo")).out == "nothing waits for you\n"


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


def test_a_second_hold_keeps_the_first_reason_and_says_since_when(serve, receiver):
    server = serve(**one(receiver))
    first = good(server.cli("hold", "wrong text", "-o", "json")).json
    assert first == {"held": True, "reason": "wrong text"}
    since = server.get("/v1/status").json["hold_since"]
    assert since
    said = good(server.cli("hold", "the provider is down")).out
    assert f"it was held already since {since[:19]}Z: wrong text. One release ends it" in said, said
    again = good(server.cli("hold", "-o", "json")).json
    both = "wrong text; the provider is down"
    assert again == {"held": True, "reason": both, "earlier": {"reason": both, "since": since}}
    assert f"held: {both}" in good(server.cli("release", "-n")).err
    assert [row["detail"] for row in server.get("/v1/audit").json["items"]] == ["by hand", "the provider is down", "wrong text"]
    good(server.cli("release", "-y"))
    status = server.get("/v1/status").json
    assert (status["hold_since"], status["may_be_stale"]) == (None, False)
    assert good(server.cli("hold", "anew", "-o", "json")).json == {"held": True, "reason": "anew"}
    assert server.get("/v1/status").json["hold_since"] > since


def test_a_second_pause_says_what_it_takes_the_place_of(serve, receiver):
    server = serve(**one(receiver))
    assert "already" not in good(server.cli("destinations", "pause", "hook", "--for", "6h", "--reason", "a look")).err
    until_when = server.get("/v1/destinations/hook").json["paused_until"][:19]
    said = good(server.cli("destinations", "pause", "hook")).err
    assert f"it was paused already until {until_when}Z: a look. This takes its place" in said, said


KEYLESS = """version: 1
name: forum
about: A provider that knows no keys, and one action that is for a day.
fields: {server: {required: true}}
actions:
  post:
    params: {text: required}
    request: {url: "${field.server}/posts", json: {text: "${.text}"}}
  note:
    params: {text: required}
    request: {url: "${field.server}/notes", json: {text: "${.text}"}}
    idempotency: {header: Once, keep: 1d}
"""


def test_a_release_after_a_restore_names_what_may_double(serve, receiver, folder):
    place = {"server": receiver.url(""), "allow_private": "true"}
    steps = [{f"{name}.{action}": {"text": "${.text}"}} for name, action in (("loud", "post"), ("dated", "note"), ("shut", "post"))]
    server = serve(**one(receiver))
    (server.folder / "connectors").mkdir()
    (server.folder / "connectors/forum.yaml").write_text(KEYLESS)
    server.configure(destinations={"hook": {"url": receiver.url("/hook"), "allow_private": "true"},
                                   **{name: {"type": "forum", **place} for name in ("loud", "dated", "shut", "idle")}},
                     routes={"all": {"from": "*", "to": ["hook", *steps]}})
    server.restart()
    good(server.cli("hold", "a look"))
    good(server.cli("destinations", "pause", "shut"))
    server.send(payload={"text": "hello"})
    until(lambda: server.get("/v1/status").json["pending"] == 4, "all to wait")
    assert "twice" not in good(server.cli("release", "-n")).err, "nothing that was sent is unknown to this store"
    file = good(server.cli("backup", "-o", "id")).out.strip()
    server.terminate()
    good(server.cli("restore", file, "--force"))
    server.start()
    status = server.get("/v1/status").json
    assert status["may_be_stale"] and status["hold_reason"].endswith("; held before: a look"), status["hold_reason"]
    good(server.cli("hold", "another look"))
    told = [line for line in good(server.cli("release", "-n")).err.splitlines() if line.startswith("! ")]
    assert [line.split()[1] for line in told] == ["dated", "loud", "shut"], told
    assert "knows a key again for 1d only" in told[0] and "takes no idempotency key" in told[1], told
    command = told[1].split(": drumbeat ")[1].split()
    assert good(server.cli(*command, "-o", "json")).json["items"][0]["destination"] == "loud"
    good(server.cli("release", "-y"))
    until(lambda: server.get("/v1/status").json["pending"] == 1, "the others to go")
    assert not server.get("/v1/status").json["may_be_stale"]
    server.restart("--hold")
    assert "! shut takes no" in good(server.cli("release", "-n")).err, "as after a restore on PostgreSQL"
