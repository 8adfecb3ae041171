"""What a person sees on a terminal, and what a pipe gets instead."""
import fcntl
import os
import pty
import re
import shlex
import signal
import struct
import subprocess
import termios
import unicodedata

import pytest

from harness import BINARY, Server, command, environment, event, until
from receiver import answer, reset
from test_cli import DONE, good

COLUMNS = 80
COLOUR = re.compile(r"\033\[[0-9;]*m")


def terminal(server, *arguments, columns=COLUMNS):
    """What a command shows on a terminal of so many columns."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 25, columns, 0, 0))
    process = subprocess.Popen([BINARY, *arguments], cwd=server.folder, stdin=subprocess.DEVNULL, stdout=its, stderr=its,
                               env=environment(server.folder, {"TERM": "xterm"}))
    os.close(its)
    shown = b""
    while True:
        try:
            shown += os.read(ours, 65536)
        except OSError:  # as the kernel says that nobody has the other end open
            break
    os.close(ours)
    assert process.wait(30) == DONE, shown.decode()
    return shown.decode().replace("\r\n", "\n")


def width(line):
    plain = COLOUR.sub("", line)
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in plain)


def to(receiver, name, **more):
    return {"url": receiver.url(f"/{name}"), "allow_private": "true", **more}


def test_tables_fit_a_terminal_of_80_columns(serve, receiver):
    receiver.script("/bad", answer(422, b'{"why":"' + b"no, and no again " * 9 + b'"}'))
    names = ["customer-relations", "newsletter-and-more", "bad"]
    server = serve(destinations={name: to(receiver, name, limit=["1000/s", "30000/1m"]) for name in names},
                   routes={f"route-to-{name}": {"from": ["CUSTOMER_REGISTERED", "BAD"], "to": [name]} for name in names})
    for n in range(3):
        server.send(f"a-long-key-of-a-customer-{n}@example.com", kind="CUSTOMER_REGISTERED", source="landing-page-germany")
    server.send(kind="BAD", scheduled_at="2099-01-01T00:00:00Z")
    until(lambda: [one["status"] for one in server.every("/v1/deliveries")].count("FAILED") == 3, "the failed ones")
    for words in (["events", "list"], ["deliveries", "list"], ["destinations", "list"], ["routes", "list"],
                  ["chores", "list"], ["connectors", "list"]):
        lines = terminal(server, *words).splitlines()
        assert len(lines) > 1 and max(map(width, lines)) <= COLUMNS, (words, lines)


def test_what_is_said_fits_a_terminal_and_commands_stay_whole(serve, receiver):
    long = b"the recipient was refused by this server because of its policy, which it does not tell anybody about"
    receiver.script("/bad", answer(422, long))
    receiver.script("/auth", answer(401, long))
    names = ["bad", "auth", "a-destination-with-quite-a-long-name-all-told"[:40]]
    server = serve(destinations={name: to(receiver, name, retry={"max": "0"}, give_up="0s") for name in names},
                   routes={"all": {"from": "LEAD", "to": names}})
    sent = server.send()
    until(lambda: {one["destination"]: one["status"] for one in server.deliveries(sent)}.get("bad") == "FAILED", "the failed one")
    until(lambda: server.get("/v1/destinations/auth").json["paused"], "the pause")
    good(server.cli("destinations", "pause", names[2], "--reason", "so that its deliveries wait for as long as it takes"))
    server.send()
    for words in (["help"], ["help", "deliveries"], ["help", "replay", "plan"], ["help", "serve"], ["todo"], ["report"], ["status"],
                  ["connectors", "show", "hubspot"], ["connectors", "show", "mailgun"], ["replay", "plan", "--status", "FAILED"],
                  ["chores", "list"], ["events", "show", sent], ["destinations", "show", "auth"]):
        wide = [line for line in terminal(server, *words).splitlines() if width(line.split("\033[K")[-1]) > COLUMNS]
        assert [line for line in wide if len(line.split()) > 3 and not line.strip().startswith("drumbeat ")] == [], words
    shown = terminal(server, "todo").splitlines()
    items = server.get("/v1/todo").json["items"]
    assert len(items) == 3 and all("    " + item["command"] in shown for item in items), shown
    piped = good(server.cli("todo")).out
    assert all(item["error"] in piped and "      " + item["does"] + "\n" in piped for item in items), piped
    assert max(map(len, piped.splitlines())) > COLUMNS
    assert "DIFFERENCE" in server.cli("report").out


HOSTILE = "a\u202eb\u2066c\u2028d\x85e\u200bf\U000e0041g"
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e0fff]")
FAMILY = "\U0001f469\u200d\U0001f4bb"


def test_no_text_of_somebody_else_steers_a_terminal_or_hides_in_it(serve, receiver):
    receiver.script("/bad", answer(422, f"no: {HOSTILE}".encode()))
    server = serve(destinations={"bad": to(receiver, "bad", retry={"max": "0"}, give_up="0s")},
                   routes={"bad": {"from": "LEAD", "to": ["bad"]}})
    printable = HOSTILE.replace("\x85", "")  # a control is no part of a key
    sent = server.send(f"key {printable}", source=f"source {printable}", payload={f"name {HOSTILE}": f"{FAMILY} {HOSTILE} שלום"})
    server.settled(sent, "FAILED")
    delivery = server.deliveries(sent)[0]["id"]
    good(server.cli("destinations", "pause", "bad", "--reason", HOSTILE))
    for words in (["events", "list"], ["events", "show", sent], ["deliveries", "list"], ["deliveries", "show", delivery],
                  ["todo"], ["status"], ["destinations", "list"], ["destinations", "show", "bad"], ["audit", "list"],
                  ["events", "show", sent, "--jq", ".payload"], ["routes", "test", "bad", "--event", sent],
                  *(["events", "show", sent, "-o", form] for form in ("json", "ndjson"))):
        for shown in (terminal(server, *words), *([] if "--jq" in words else [server.cli(*words).out])):
            assert not HIDDEN.search(COLOUR.sub("", shown).replace(FAMILY, "")), (words, shown)
    shown = good(server.cli("events", "show", sent)).out
    assert "a\\u202eb\\u2066c\\u2028d\\u0085e\\u200bf\\udb40\\udc41g" in shown and f"{FAMILY} a" in shown and "שלום" in shown
    assert server.cli("events", "show", sent, "-o", "json").json == server.get(f"/v1/events/{sent}").json
    assert server.cli("events", "show", sent, "--jq", ".idempotency_key").out == f"key {printable}\n"  # a program gets the bytes
    assert not HIDDEN.search(server.text), server.text


def test_ids_are_short_on_a_terminal_and_name_what_they_did(serve, receiver):
    server = serve(destinations={name: to(receiver, name) for name in ("a", "b")},
                   routes={"both": {"from": "LEAD", "to": ["a", "b"]}})
    server.post([event() for _ in range(60)])  # many in one millisecond
    until(lambda: len(server.every("/v1/deliveries")) == 120, "the deliveries")
    for noun, least in (("events", 13), ("deliveries", 18)):
        whole = server.cli(noun, "list", "-o", "id").out.split()
        shown = [line.split()[0] for line in terminal(server, noun, "list", "--limit", "50").splitlines()[1:51]]
        assert [one for one, id in zip(shown, whole) if not id.startswith(one)] == []
        assert len(set(shown)) == 50 and max(map(len, shown)) < 36 and min(map(len, shown)) >= least
        for one, id in list(zip(shown, whole))[:5]:
            assert good(server.cli(noun, "show", one, "-o", "id")).out.strip() == id
        piped = good(server.cli(noun, "list")).out.splitlines()[1:]
        assert [line.split()[0] for line in piped] == whole[:50]
        assert whole[0] in terminal(server, noun, "list", "-v", "--limit", "1", columns=200)


def test_what_needs_a_person_has_colour_on_a_terminal_only(serve, receiver):
    receiver.script("/bad", answer(422))
    server = serve(destinations={"bad": to(receiver, "bad")}, routes={"bad": {"from": "BAD", "to": ["bad"]}})
    server.settled(server.send(kind="BAD"), "FAILED")
    assert "\033[33mNeeds you" in terminal(server, "status")
    assert "Needs you" in good(server.cli("status")).out and "\033" not in good(server.cli("status")).out


def test_a_list_of_events_shows_what_is_scheduled(serve):
    server = serve()
    server.send("now")
    server.send("then", scheduled_at="2099-01-01T00:00:00Z")
    lines = {line.split()[4]: line for line in good(server.cli("events", "list")).out.splitlines()[1:]}
    assert "2099-01-01T00:00:00Z" in lines["then"]
    assert len(lines["now"].split()) == len(lines["then"].split()) - 1
    assert "2099-01-01" in terminal(server, "events", "list")


def test_one_of_a_thing_is_not_called_many(serve, receiver):
    server = serve(destinations={"a": to(receiver, "a")}, routes={"a": {"from": "LEAD", "to": ["a"]}})
    assert "(1 destination, 1 route)" in good(server.cli("status")).out
    good(server.cli("destinations", "pause", "a"))
    server.send()
    until(lambda: server.every("/v1/deliveries"), "a delivery")
    assert "1 delivery waiting" in good(server.cli("destinations", "pause", "a")).out
    assert "1 delivery: a 1" in good(server.cli("deliveries", "cancel", "--destination", "a", "-n")).out
    server.configure(destinations={name: to(receiver, name) for name in "ab"},
                     routes={name: {"from": "LEAD", "to": [name]} for name in "ab"})
    server.restart()
    assert "(2 destinations, 2 routes)" in good(server.cli("status")).out


def test_what_waits_for_a_person_says_for_whom_and_what_helps(serve, receiver):
    receiver.script("/crm", answer(401, b'{"error":"bad token"}'), answer(200))
    server = serve(destinations={"crm": to(receiver, "crm")}, routes={"all": {"from": "*", "to": ["crm"]}})
    first = server.send()
    until(lambda: server.get("/v1/destinations/crm").json["paused"], "the pause after 401")
    until(lambda: server.deliveries(first)[0]["status"] in ("PENDING", "HELD"), "the refused one to stand")
    second = server.send()
    until(lambda: server.deliveries(second), "its routing")
    paused = server.get("/v1/destinations/crm").json
    words = f"crm is paused until {paused['paused_until'][:19]}Z: " if paused["paused_until"] else "crm is paused: "
    assert server.deliveries(second)[0]["waits_for"].startswith(words + paused["pause_reason"])
    helps = "; drumbeat destinations resume crm"
    for shown in (server.cli("events", "show", second), server.cli("send", "LEAD", "-d", "{}", "--wait", "--timeout", "1s")):
        assert words in shown.out and helps in shown.out and "not before" not in shown.out, shown
    assert "! crm: paused (" in server.cli("status").out and helps in server.cli("status").out
    resumed = server.cli("destinations", "resume", "crm")
    assert resumed.code == 0 and "held" not in resumed.out, resumed
    server.settled(second, "COMPLETED")
    assert server.deliveries(second)[0]["waits_for"] is None


def test_resume_says_what_stays_held(serve, receiver):
    receiver.script("/crm", reset(), answer(200))
    server = serve(destinations={"crm": to(receiver, "crm", on_unknown="hold")},
                   routes={"all": {"from": "*", "to": ["crm"]}})
    server.settled(server.send(), "HELD")
    resumed = server.cli("destinations", "resume", "crm")
    assert "1 stays held: drumbeat todo says why, and what helps\n" in resumed.out, resumed


def test_whoever_makes_a_key_is_told_what_it_changes_in_every_form(serve):
    server = serve()
    for form in ([], ["-o", "json"], ["-o", "id"], ["--jq", ".key"]):
        assert "From now on every request over HTTP needs a key" in server.cli("keys", "create", "--role", "read", *form).err
    assert good(server.cli("keys", "create", "--role", "read", "-q", "-o", "json")).err == ""


def test_help_is_wrapped_between_words_also_through_a_pager_and_where_the_width_is_unknown(serve):
    server = serve()
    for words in (["help"], ["-h"], ["help", "replay"]):
        shown = terminal(server, *words)
        assert max(map(width, shown.splitlines())) <= COLUMNS and "\n                          " in shown, shown
        assert good(server.cli(*words)).out == terminal(server, *words, columns=0) == shown, words
    assert good(server.cli("send", "-h")).out == terminal(server, "send", "-h")


@pytest.mark.parametrize("code, words", [
    ("E0502", ["another payload, type or source", "events list --key"]),
    ("E0112", ["id, name or path", "at least 6"]),
    ("E0118", ["deliveries show ID", "events show ID", "later run"]),
    ("E0216", ["connectors list", "beside this file", "'http'"]),
])
def test_a_code_says_what_it_means_and_what_helps(folder, code, words):
    shown = " ".join(good(command(folder, "explain", code)).out.split())
    for one in words:
        assert one in shown, shown


def test_check_names_warnings_beside_errors(folder):
    (folder / "drumbeat.yaml").write_text("""version: 1
destinations:
  wrong: {url: "https://a.example.com", limt: 3/s}
  lonely: {url: "https://b.example.com"}
  used: {url: "https://c.example.com", on_unknown: hold}
routes:
  twice:
    from: LEAD
    to: [wrong, used, used]
""")
    shown = command(folder, "check").err
    assert "error E0204" in shown and "1 error, 2 warnings" in shown, shown
    assert "W0319: no route uses destination 'lonely'" in shown and "W0320: route 'twice' names 'used' twice" in shown
    good_text = (folder / "drumbeat.yaml").read_text()
    (folder / "drumbeat.yaml").write_text(good_text.replace("  lonely:", "  slack: {}\n  lonely:"))
    shown = command(folder, "check").err
    assert "error E0204" in shown and "'url' is missing: connector 'slack' needs it" in shown, shown
    (folder / "drumbeat.yaml").write_text(good_text.replace("  lonely:", "  slack: {ulr: x}\n  lonely:"))
    assert "is missing" not in command(folder, "check").err, "it may be what was refused"
    (folder / "drumbeat.yaml").write_text(good_text.replace("used, used", "usd, used"))
    shown = command(folder, "check").err
    assert "E0311" in shown and "W0319" not in shown, "the route that is wrong may have meant the one that none uses"


def test_the_first_event_arrives_without_a_network(folder):
    told = good(command(folder, "init", "--yes")).err
    steps = [line.strip() for line in told.splitlines() if line.startswith("  drumbeat")]
    assert [step.split()[1] for step in steps] == ["check", "demo", "serve", "send"]
    assert good(command(folder, "check", "--strict")).err == ""
    shown = folder / "shown"
    with open(shown, "wb") as out:
        receiver = subprocess.Popen([BINARY, "demo", "--receiver", "--port", "0"], stdout=out, stderr=out,
                                    env=environment(folder))
    try:
        address = until(lambda: re.match(r"http://127\.0\.0\.1:\d+", shown.read_text()), "its address")[0]
        config = (folder / "drumbeat.yaml").read_text()
        config = config.replace("http://127.0.0.1:8129", address).replace("127.0.0.1:8120", "127.0.0.1:0")
        server = Server(folder)
        (folder / "drumbeat.yaml").write_text(config)
        server.start()
        try:
            sent = good(command(folder, *shlex.split(steps[3])[1:]))
            assert "delivered" in sent.out, sent
            assert '{"email":"ada@example.com"}' in shown.read_text() and "X-Drumbeat-Type: LEAD_CAPTURE" in shown.read_text()
        finally:
            server.close()
    finally:
        receiver.send_signal(signal.SIGINT)
        assert receiver.wait(30) == DONE
