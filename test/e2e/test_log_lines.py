"""The log says what became of the process itself: one line each for what begins and what ends."""
import base64
import json
import os
import pathlib
import re
import signal
import subprocess

import pytest

from harness import Server, environment, until
from receiver import answer, silence
from test_cli import CONFIG, good


def lines(server, name):
    return [line for line in server.log() if line["event"] == name]


def line(server, name):
    """The only line of this event, once it is there."""
    until(lambda: lines(server, name), lambda: f"{name} in the log:\n{server.text}")
    [found] = lines(server, name)
    return found


def test_a_start_after_a_crash_says_how_long_and_what_it_found(serve, receiver):
    receiver.script("/silent", silence())
    server = serve(destinations={"crm": {"url": receiver.url("/silent"), "allow_private": "true", "on_unknown": "retry"},
                                 "post": {"url": receiver.url("/silent"), "allow_private": "true", "on_unknown": "hold"}},
                   routes={"crm": {"from": "CRM", "to": ["crm"]}, "post": {"from": "POST", "to": ["post"]}})
    for kind in ("CRM", "CRM", "POST"):
        server.send(kind=kind)
    until(lambda: len(receiver.of("/silent")) == 3, "three calls")
    server.kill()
    server.start("--hold")
    found = line(server, "recovered")
    assert (found["resumed"], found["unknown"]) == (2, 1) and found["down"].endswith("s"), found


def test_a_start_after_a_clean_end_has_nothing_to_say(serve):
    server = serve()
    server.send()
    assert server.terminate() == 0
    assert line(server, "stopping")["in_flight"] == 0 and line(server, "stopped")["in_flight"] == 0
    server.start()
    assert not lines(server, "recovered")


def test_what_is_applied_and_what_is_refused(serve):
    server = serve()
    good(server.cli("apply", "-y"))
    assert line(server, "config_applied")["routes"] == 0
    (server.folder / "drumbeat.yaml").write_text("version: 2\nzone: Nowhere/At-all\n")
    assert server.cli("apply", "-y").code == CONFIG
    refused = line(server, "config_refused")["problem"]  # all findings in one line
    assert re.fullmatch(r"drumbeat\.yaml:1:10: error E\d+: .*; drumbeat\.yaml:2:7: error E\d+: [^\n]*[^;\s]", refused), refused


def unused(*names):
    """No route names these destinations: a warning each."""
    return {"destinations": {name: {"url": "https://example.com/", "on_unknown": "retry"} for name in ("used", *names)},
            "routes": {"used": {"from": "LEAD", "to": ["used"]}}}


def test_warnings_of_the_configuration_are_said_at_the_start_and_at_each_reload(serve):
    server = serve(**unused("crm"))
    said = line(server, "config_warning")
    assert (said["level"], said["code"]) == ("warn", "W0319") and "'crm'" in said["problem"], said
    assert re.fullmatch(r"drumbeat\.yaml:\d+:\d+", said["place"]), said
    assert server.get("/v1/status").json["config_warnings"] == 1
    assert "1 warning: drumbeat check" in good(server.cli("status")).out

    server.configure(**unused(*(f"crm-{i}" for i in range(12))))  # many: the log is not flooded
    rehearsed = good(server.cli("apply", "-n"))
    assert rehearsed.err.count(": warning W0319: ") == 12, rehearsed
    assert len(lines(server, "config_warning")) == 1  # a rehearsal says it to whoever asked
    applied = good(server.cli("apply", "-y"))
    assert applied.err.count(": warning W0319: ") == 12, applied
    assert line(server, "config_warnings")["more"] == 9 and line(server, "config_warnings")["command"] == "drumbeat check"
    assert len(lines(server, "config_warning")) == 1 + 3
    assert len(good(server.cli("apply", "-o", "json")).json["warnings"]) == 12

    server.configure()
    os.kill(server.pid, signal.SIGHUP)
    until(lambda: len(lines(server, "config_applied")) == 3, "the reload")
    assert server.get("/v1/status").json["config_warnings"] == 0
    assert "drumbeat check" not in good(server.cli("status")).out


def test_a_jq_process_that_is_killed_is_started_again_and_said_once(serve, receiver):
    server = serve(destinations={"crm": {"url": receiver.url("/crm"), "allow_private": "true"}},
                   routes={"crm": {"from": "LEAD", "when": ".n == 1", "to": ["crm"]}})
    [child] = pathlib.Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    os.kill(int(child), signal.SIGKILL)
    server.send()
    assert line(server, "jq_restarted")["times"] == 1


# One line for each step, whoever caused it.

CANARY = "kanarienvogel"


def echo(status):
    """Answers with all that it was sent, as providers do when they say what is wrong with it."""
    def behave(exchange):
        request = exchange.request
        body = json.dumps({"error": {"message": f"{request.body.decode()} {dict(request.headers)}"}}).encode()
        return answer(status, body=body)(exchange)
    return behave


def test_each_step_is_a_line_of_debug_and_none_of_info(serve, receiver):
    config = {"destinations": {"crm": {"url": receiver.url("/crm"), "allow_private": "true", "retry": {"base": "10ms"}}},
              "routes": {"crm": {"from": "LEAD", "to": ["crm"]}}, "log": {"level": "debug"}}
    receiver.script("/crm", answer(503), answer(200))
    server = serve(**config)
    sent = server.post(json.dumps({"type": "LEAD", "source": "test", "idempotency_key": "a", "payload": {}}).encode(),
                       {"X-Request-Id": "mine-1", "traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"})
    event = sent.json["eventId"]
    server.settled(event, "COMPLETED")
    steps = [line for line in server.log() if line.get("event_id") == event]
    assert [line["event"] for line in steps] == ["event_accepted", "event_routed", "delivery_sent", "delivery_due_again",
                                                 "delivery_sent", "delivery_completed"], server.text
    assert all(line["level"] == "debug" and line["trace_id"] == "ab" * 16 for line in steps), steps
    delivery = server.event(event)["deliveries"][0]["id"]
    assert [line["delivery_id"] for line in steps[2:]] == [delivery] * 4
    assert (steps[3]["error"], steps[3]["http_status"], steps[3]["due_in"][-2:]) == ("answered", 503, "ms")
    [request] = [line for line in server.log() if line.get("request_id") == "mine-1" and line["event"] == "request"]
    assert (request["method"], request["path"], request["status"]) == ("POST", "/v1/events", 200)
    assert steps[0]["request_id"] == "mine-1"

    server.configure(**{**config, "log": {"level": "info"}})
    good(server.cli("apply", "-y"))
    before = len(server.log())
    server.settled(server.send(kind="LEAD"), "COMPLETED")
    assert [line["event"] for line in server.log()[before:] if line["event"] != "config_applied"] == [], server.text


def test_no_line_has_a_payload_a_secret_or_an_answer(serve, receiver):
    receiver.script(f"/lost?key={CANARY}", silence())
    for name, status in (("refused", 422), ("closed", 401), ("tired", 503)):
        receiver.script(f"/{name}?key={CANARY}", echo(status))
    there = {"allow_private": "true", "headers": {"authorization": "Bearer ${TOKEN}"}, "signing_secret": "${SIGN}",
             "timeout": "300ms", "on_unknown": "hold", "retry": {"max": 1, "base": "10ms"}, "give_up": "0s"}
    names = ("refused", "closed", "tired", "lost")
    secret = {"TOKEN": f"token-{CANARY}", "SIGN": "whsec_" + base64.b64encode(CANARY.encode() * 2).decode(), "HOOK": f"hook-{CANARY}"}
    server = serve(env=secret, log={"level": "debug", "fold": "0s"}, sources={"hook": {"type": "hmac", "secret": "${HOOK}", "header": "X-Signature"},
                            "open": {"type": "none", "secret": "${HOOK}", "map": {"key": ".email | tonumber | tostring"}},
                            "dated": {"type": "none", "secret": "${HOOK}", "map": {"at": ".email | tonumber | tostring"}}},
                   destinations={name: {**there, "url": receiver.url(f"/{name}?key={CANARY}")} for name in names},
                   routes={**{name: {"from": name.upper(), "to": [name]} for name in names},
                           "broken": {"from": "BROKEN", "to": [{"tired": {"body": {"n": "${.email | tonumber}"}}}]}})
    payload = {"email": f"{CANARY}@example.com"}
    for name, status in (("REFUSED", "FAILED"), ("CLOSED", "PENDING"), ("TIRED", "FAILED"), ("LOST", "HELD"),
                         ("BROKEN", "FAILED")):
        event = server.send(kind=name, payload=payload, key=f"key-{CANARY}-{name}")
        server.settled(event, status)
    headers = {"X-Mine": CANARY, "Authorization": f"Bearer {CANARY}"}
    assert server.post(b"{}", headers).status == 401
    assert server.post(f'{{"type":"{CANARY}'.encode(), {"X-Mine": CANARY}).status == 400
    assert server.post({"type": "REFUSED", "source": "test", "idempotency_key": f"key-{CANARY}-REFUSED",
                        "payload": {"other": CANARY}}, {"X-Mine": CANARY}).status == 422
    server.request("GET", f"/v1/events?{CANARY}=1", headers={"X-Mine": CANARY})
    server.request("GET", f"/u/{CANARY}")
    server.request("POST", "/in/hook", json.dumps(payload).encode(), {"X-Signature": CANARY, "Content-Type": "application/json"})
    for name in ("open", "dated"):
        server.request("POST", f"/in/{name}/{secret['HOOK']}", json.dumps(payload).encode(), {"Content-Type": "application/json"})
    until(lambda: lines(server, "destination_changed"), lambda: f"the pause: {server.text}")
    assert server.terminate() == 0
    said = {line["event"] for line in server.log()}
    assert {"request", "event_accepted", "event_conflict", "event_routed", "delivery_sent", "delivery_failed",
            "delivery_held", "delivery_due_again", "destination_changed", "source_refused", "key_missing"} - said == set()
    assert CANARY not in server.text, [line for line in server.text.splitlines() if CANARY in line]


def test_a_pause_and_its_end_stand_in_their_order(serve, receiver):
    server = serve(destinations={"crm": {"url": receiver.url("/crm"), "allow_private": "true"}},
                   routes={"all": {"from": "*", "to": ["crm"]}})
    for _ in range(3):
        good(server.cli("destinations", "pause", "crm", "--reason", "holiday"))
        good(server.cli("destinations", "resume", "crm"))
    said = [(line["paused"], line.get("reason")) for line in lines(server, "destination_changed")]
    assert said == [("yes", "holiday"), ("no", None)] * 3, server.text


def test_a_provider_that_asks_to_wait_long_is_told_and_a_short_wait_is_not(serve, receiver):
    receiver.script("/short", answer(429, b"{}", "Retry-After: 5"))
    receiver.script("/long", answer(429, b"{}", "Retry-After: 3600"))
    server = serve(destinations={name: {"url": receiver.url(f"/{name}"), "allow_private": "true"} for name in ("short", "long")},
                   routes={"all": {"from": "*", "to": ["short", "long"]}})
    server.send()
    until(lambda: lines(server, "destination_waits"), lambda: f"the wait: {server.text}")
    until(lambda: all(item["quiet_until"] for item in server.get("/v1/destinations").json["items"]), "both to wait")
    [line] = lines(server, "destination_waits")
    assert line["destination"] == "long" and line["for"], line
    assert not lines(server, "destination_changed"), server.text


def test_a_delivery_that_its_route_cannot_make_has_a_line(serve, receiver):
    server = serve(destinations={"crm": {"url": receiver.url("/crm"), "allow_private": "true"}},
                   routes={"all": {"from": "*", "to": [{"crm": {"body": {"n": "${.n + \"x\"}"}}}]}})
    event = server.send()
    failed = server.settled(event, "FAILED")
    [line] = lines(server, "delivery_failed")
    assert (line["delivery_id"], line["event_id"], line["route"], line["destination"]) == (failed["id"], event, "all", "crm")
    good(server.cli("deliveries", "retry", failed["id"]))
    assert server.terminate() == 0  # what was folded is said
    assert [one.get("repeated") for one in lines(server, "delivery_failed")] == [None, 1], server.text


def test_every_line_stands_in_the_documentation():
    root = pathlib.Path(__file__).parents[2]
    table = (root / "docs/running.md").read_text()
    said = set()
    for file in root.glob("src/**/*.c"):
        for call in re.findall(r"\b(?:log_event|log_change|LOG|LOG_SINCE|DEBUG_LINE)\(([^;]*?);", file.read_text(), re.DOTALL):
            head = re.split(r"LOG_(?:TEXT|NUMBER|CODE|ABOUT)", call)[0]
            said |= {(name, file.name) for name in re.findall(r'"([a-z]+(?:_[a-z]+)*)"', head)}
    assert len(said) > 60, said
    assert {(name, file) for name, file in said if f"`{name}`" not in table} == set()


# How it is written.

LOGFMT = re.compile(r'(?:[a-z_]+=(?:"(?:[^"\\]|\\.)*"|[^\s"=\\]+) ?)+')


def test_the_form_and_the_level_are_chosen_and_reloaded(serve):
    server = serve("--log-format", "json")  # goes before the configuration's
    server.configure(log={"format": "logfmt", "level": "debug"})
    good(server.cli("apply", "-y"))
    server.send()
    assert lines(server, "event_accepted"), server.text
    server.terminate()
    server.launch()
    until(lambda: "event=ready" in server.text, lambda: f"the start: {server.text}")
    server.port = int(re.search(r" port=(\d+)", server.text)[1])
    server.send()
    os.kill(server.pid, signal.SIGTERM)
    assert server.wait() == 0
    told = server.text.splitlines()
    assert all(LOGFMT.fullmatch(one) for one in told), [one for one in told if not LOGFMT.fullmatch(one)]
    assert any(re.search(r"^time=\S+Z level=debug event=event_accepted event_id=", one) for one in told), server.text


AS_A_SERVICE = ("sh", "-c", 'JOURNAL_STREAM=$(stat -Lc %d:%i /proc/self/fd/2) exec "$@"', "sh")


@pytest.mark.parametrize("why, words, config, says", [
    ("config", [], {"destinations": {"crm": {"limt": "1/s", "url": "https://x.example/"}}}, "E0204"),
    ("listen", [], {"server": {"listen": "192.0.2.7:8120"}}, "192.0.2.7"),
    ("store", [], {"store": "/proc/nowhere/drumbeat.db"}, "/proc/nowhere"),
    ("role", ["--role", "worker"], {}, "postgres://"),
    ("usage", ["--no-such"], {}, "--no-such"),
    ("file", ["-c", "none.yaml"], {}, "none.yaml"),
])
def test_the_journal_gets_the_priority_of_a_start_that_fails(folder, why, words, config, says):
    server = Server(folder, wrap=AS_A_SERVICE, **config)
    server.launch(*words)
    assert server.wait() != 0
    assert says in server.text and all(one.startswith("<3>") for one in server.text.splitlines()), server.text


def test_the_journal_gets_the_priority_of_each_finding_and_of_what_is_no_trouble(folder):
    server = Server(folder, destinations={"crm": {"url": "https://x.example/", "limt": "1/s"}},
                    routes={"a": {"from": "LEAD", "to": ["crm"], "when": '.plan = "gold"'}})
    checked = subprocess.run([*AS_A_SERVICE, server.binary, "check"], cwd=folder, capture_output=True, text=True,
                             env=environment(folder))
    assert [one[:3] for one in sorted(checked.stderr.splitlines())] == ["<3>", "<4>", "<6>"], checked


def test_the_journal_gets_priorities_and_no_second_time(folder):
    server = Server(folder, wrap=AS_A_SERVICE)
    server.launch()
    until(lambda: '"event":"ready"' in server.text, lambda: f"the start: {server.text}")
    os.kill(server.process.pid, signal.SIGTERM)
    assert server.wait() == 0
    for one in server.text.splitlines():
        priority, rest = one[:3], json.loads(one[3:])
        assert priority == {"info": "<6>", "warn": "<4>", "error": "<3>"}[rest["level"]] and "time" not in rest, one


def test_what_repeats_is_one_line_and_a_number(serve, receiver):
    receiver.script("/crm", answer(422))
    server = serve(destinations={"crm": {"url": receiver.url("/crm"), "allow_private": "true"}},
                   routes={"crm": {"from": "LEAD", "to": ["crm"]}}, log={"fold": "1h"})
    events = [server.send(kind="LEAD") for _ in range(5)]
    for event in events:
        server.settled(event, "FAILED")
    assert len(lines(server, "delivery_failed")) == 1, server.text
    assert server.terminate() == 0  # nothing stays unsaid
    first, rest = lines(server, "delivery_failed")
    assert "repeated" not in first and rest["repeated"] == 4 and rest["http_status"] == 422
    assert {first["event_id"], rest["event_id"]} < set(events)


def test_a_request_has_an_id_that_is_answered(serve):
    server = serve()
    taken = server.request("GET", "/v1/events", headers={"X-Request-Id": "mine-7"})
    assert taken.headers["X-Request-Id"] == "mine-7"
    strange = ("x" * 65, 'say "so"', "back\\slash", "naïve")
    for own in (None, *strange):
        made = server.request("GET", "/v1/events", headers={"X-Request-Id": own.encode("latin-1")} if own else {})
        assert re.fullmatch("[0-9a-f]{16}", made.headers["X-Request-Id"]), (own, made)
    refused = server.request("GET", "/nowhere", headers={"X-Request-Id": "mine-8"})
    assert refused.json["request_id"] == refused.headers["X-Request-Id"] == "mine-8"
    denied = server.request("POST", "/v1/events", b"{}", {"Content-Length": "999999999", "X-Request-Id": "mine-9"})
    assert denied.json["request_id"] == denied.headers["X-Request-Id"] == "mine-9"
