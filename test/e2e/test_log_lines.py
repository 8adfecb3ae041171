"""The log says what became of the process itself: one line each for what begins and what ends."""
import os
import pathlib
import signal

from harness import until
from receiver import silence
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
    (server.folder / "drumbeat.yaml").write_text("version: 2\n")
    assert server.cli("apply", "-y").code == CONFIG
    assert "version" in line(server, "config_refused")["problem"]


def test_a_jq_process_that_is_killed_is_started_again_and_said_once(serve, receiver):
    server = serve(destinations={"crm": {"url": receiver.url("/crm"), "allow_private": "true"}},
                   routes={"crm": {"from": "LEAD", "when": ".n == 1", "to": ["crm"]}})
    [child] = pathlib.Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    os.kill(int(child), signal.SIGKILL)
    server.send()
    assert line(server, "jq_restarted")["times"] == 1
