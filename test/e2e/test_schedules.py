"""Schedules: when they are due, held against other implementations, and what a server makes of them."""
import datetime
import json
import os
import pathlib
import random
import sqlite3
import subprocess
import zoneinfo

import pytest

from harness import RELEASE, ROOT, command, until

DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
UTC = datetime.timezone.utc


def times(folder, schedule, zone="UTC", start="2026-01-01T00:00:00Z", count=100):
    """(local time, instant) pairs, as the program has them."""
    got = command(folder, "schedules", "test", schedule, "--zone", zone, "--from", start, "--next", count, "-o", "json",
                  binary=RELEASE)
    assert got.code == 0, got
    read = datetime.datetime.fromisoformat
    return [(read(item["nominal"]), read(item["due_at"])) for item in got.json["items"]]


# ---- zones, held against Python's zoneinfo

def first_shown(zone, nominal):
    """The first instant at which the zone's clocks show this time or a later one, by another way: instants are tried."""
    guess = nominal.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if guess.astimezone(zone).replace(tzinfo=None) == nominal:
        return guess
    low, high = nominal.replace(tzinfo=UTC) - datetime.timedelta(hours=27), guess + datetime.timedelta(hours=27)
    while high - low > datetime.timedelta(seconds=1):  # it was skipped: before the skip less is shown, behind it more
        middle = low + (high - low) / 2
        middle = middle.replace(microsecond=0)
        if middle.astimezone(zone).replace(tzinfo=None) >= nominal:
            high = middle
        else:
            low = middle
    return high


def assert_zone(folder, name, schedule, count, start="1970-06-01T00:00:00Z"):
    zone = zoneinfo.ZoneInfo(name)
    for nominal, due in times(folder, schedule, name, start, count):
        assert due == first_shown(zone, nominal), (name, nominal, due)


LIST = pathlib.Path("/usr/share/zoneinfo")
ZONES = {(LIST / name).read_bytes(): name for name in zoneinfo.available_timezones() if (LIST / name).is_file()}.values()


def test_every_zone_shows_what_another_reader_says(folder):
    """Sundays at night, when most clocks change, of every zone from 1970 to 2037."""
    assert len(ZONES) > 300
    for name in ZONES:
        assert_zone(folder, name, "Sun 02:30", 3500)


@pytest.mark.parametrize("name", ["Europe/Berlin", "Europe/Dublin", "America/New_York", "America/Nuuk", "Africa/Casablanca",
                                  "Asia/Tehran", "Australia/Lord_Howe", "Pacific/Apia", "America/Santiago"])
def test_every_half_hour_of_three_years(folder, name):
    assert_zone(folder, name, "*/30 * * * *", 52_000, "2009-06-01T00:00:00Z")


# ---- expressions, held against another implementation of cron

def draw_field(draw, low, high, names=()):
    def one():
        number = draw.randint(low, high)
        return names[number - low] if names and draw.random() < 0.5 and number - low < len(names) else str(number)

    def item():
        kind = draw.random()
        if kind < 0.5:
            return one()
        first, last = sorted(draw.sample(range(low, high + 1), 2))
        return f"{first}-{last}" + (f"/{draw.randint(1, 5)}" if kind < 0.75 else "")

    kind = draw.random()
    if kind < 0.35:
        return "*"
    if kind < 0.45:
        return f"*/{draw.randint(2, min(12, high - low))}"
    return ",".join(item() for _ in range(draw.randint(1, 3)))


def draw_schedule(draw):
    months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
    date, weekday = draw_field(draw, 1, 28), draw_field(draw, 0, 6, DAYS)
    # A date that begins with '*' and has a step is both or one of two to others: only crontab(5) says which.
    if date.startswith("*/") or weekday.startswith("*/"):
        date = "*"
    return " ".join([draw_field(draw, 0, 59), draw_field(draw, 0, 23), date, draw_field(draw, 1, 12, months), weekday])


CRONER = """
const { Cron } = require('croner');
const schedules = JSON.parse(require('fs').readFileSync(0));
console.log(JSON.stringify(schedules.map(it => {
    let at = new Date('2026-01-01T00:00:00Z'), found = [];
    const cron = new Cron(it, { timezone: 'UTC' });
    for (let i = 0; i < 60; i++) { at = cron.nextRun(at); found.push(at.toISOString()); }
    return found;
})));
"""


def test_drawn_expressions_are_due_when_another_implementation_says(folder):
    draw = random.Random(19)
    schedules = [draw_schedule(draw) for _ in range(80)]
    done = subprocess.run(["node", "-e", CRONER], input=json.dumps(schedules), capture_output=True, text=True, timeout=120,
                          env={**os.environ, "NODE_PATH": str(ROOT / "build/node/node_modules")})
    assert done.returncode == 0, done.stderr[-1000:]
    for schedule, expected in zip(schedules, json.loads(done.stdout)):
        found = [due for _, due in times(folder, schedule, count=60)]
        assert found == [datetime.datetime.fromisoformat(it) for it in expected], schedule


def test_what_is_no_schedule_is_told_why(folder):
    for words, said in ((["Tue 25:00"], "'25:00' is no time of day"), (["0 9 * * Foo"], "the weekday 'Foo'"),
                        (["Tue 09:00", "--zone", "Europe/Berln"], "no zone 'Europe/Berln'"),
                        (["Tue 09:00", "--from", "soon"], "--from takes"), (["Tue 09:00", "--next", "0"], "--next takes")):
        got = command(folder, "schedules", "test", *words)
        assert got.code == 2 and said in got.err and not got.out, got


# ---- a server

def sources(**more):
    return {"daily": {"type": "schedule", "schedule": "daily 09:00", "payload": {"list": "readers"}, **more}}


def put_back(server, minutes):
    """As if the server had been away for so long."""
    with sqlite3.connect(server.store) as file:
        assert file.execute("UPDATE marks SET position = position - ? WHERE source <> '*'", (minutes,)).rowcount == 1
    file.close()


@pytest.mark.parametrize("catch_up, made", [("skip", 0), ("once", 1), ("all", 3)])
def test_times_that_passed_while_no_server_ran(serve, catch_up, made):
    server = serve(sources=sources(catch_up=catch_up))
    until(lambda: {it["name"]: it["looked_at"] for it in server.get("/v1/chores").json["items"]}["schedules"],
          "the first look")
    assert server.terminate() == 0
    put_back(server, 3 * 1440)
    server.start()
    until(lambda: "schedule_missed" in server.text or made == 3, "the look back")
    until(lambda: len(server.every("/v1/events")) == made, f"{made} events")
    for event in server.every("/v1/events"):
        payload = event["payload"]
        assert event["type"] == "daily.due" and payload["list"] == "readers" and payload["nominal"].endswith("T09:00")
        assert event["idempotency_key"] == f"daily:{payload['nominal']}"
        assert event["scheduled_at"] == payload["due_at"] == payload["nominal"] + ":00Z"
    server.kill()
    server.start()
    assert len(server.every("/v1/events")) == made


def test_a_minute_of_the_real_clock(serve, receiver):
    """Every minute: two servers on two stores would make two, one server killed in between makes one a minute."""
    server = serve(sources={"often": {"type": "schedule", "schedule": "* * * * *"}},
                   destinations={"crm": {"url": receiver.url("/crm"), "allow_private": "true"}},
                   routes={"all": {"from": "often.due", "to": ["crm"]}})
    until(lambda: server.every("/v1/events"), "the next minute", 90)
    server.kill()
    server.start()
    [event] = server.every("/v1/events")
    server.settled(event["id"], "COMPLETED")
    until(lambda: len(server.every("/v1/events")) == 2, "the minute after", 90)
    keys = [it["idempotency_key"] for it in server.every("/v1/events")]
    assert len(set(keys)) == 2 and all(key.startswith("often:") and key.count(":") == 2 for key in keys)


def test_two_processes_make_one_event(database, serve):
    server = serve(store=database, sources={"often": {"type": "schedule", "schedule": "* * * * *"}})
    other = serve(store=database, sources={"often": {"type": "schedule", "schedule": "* * * * *"}})
    until(lambda: server.every("/v1/events"), "the next minute", 90)
    until(lambda: len(server.every("/v1/events")) >= 2, "the one after", 90)
    keys = [it["idempotency_key"] for it in server.every("/v1/events")]
    assert len(keys) == len(set(keys))
    counts = [int(it.get("/v1/sources/often").json["accepted"]) for it in (server, other)]
    assert sum(counts) == len(keys), counts


def test_what_is_due_next_is_shown(serve):
    server = serve(zone="Europe/Berlin", sources={
        "weekly": {"type": "schedule", "schedule": "Tue 09:00"}, "news": {"type": "schedule", "schedule": "1st Mon 07:00",
                                                                        "zone": "UTC", "event": "news.send"}})
    got = server.cli("schedules", "list", "--next", "3", "-o", "json").json["items"]
    assert len(got) == 6 and got == sorted(got, key=lambda it: it["due_at"])
    assert {it["event"] for it in got} == {"weekly.due", "news.send"}
    table = server.cli("schedules", "list").out
    assert "weekly" in table and "1st Mon 07:00" in table
    assert "Next" in server.cli("status").out and "weekly (Tue 09:00 Europe/Berlin)" in server.cli("status").out
    shown = server.cli("sources", "show", "weekly").out
    assert "Tue 09:00" in shown and "the clock" in shown
    tried = server.cli("sources", "test", "weekly", "-o", "json").json
    assert tried["type"] == "weekly.due" and tried["idempotency_key"] == f"weekly:{tried['payload']['nominal']}"
    refused = server.cli("trigger", "weekly")
    assert refused.code == 2 and "makes its events itself" in refused.err


def test_what_is_wrong_with_a_schedule_is_found_at_its_place(folder):
    (folder / "drumbeat.yaml").write_text("""version: 1
sources:
  weekly:
    type: schedule
    schedule: Tue 25:00
  daily:
    type: schedule
    schedule: daily 09:00
    payload:
      nominal: mine
""")
    got = command(folder, "check")
    assert got.code == 3
    assert "drumbeat.yaml:5:5: error E0222: 'schedule' in source 'weekly' cannot be 'Tue 25:00'" in got.err, got
    assert "drumbeat.yaml:10:7: error E0222: 'nominal' in 'payload' in source 'daily'" in got.err, got


def test_a_zone_that_is_none_is_one_error(folder):
    (folder / "drumbeat.yaml").write_text("version: 1\nzone: Europe/Berln\nsources:\n  weekly: {type: schedule, schedule: Tue 09:00}\n")
    said = command(folder, "check", "drumbeat.yaml")
    assert "drumbeat.yaml:2:7: error E0207: 'zone': the IANA list has no time zone 'Europe/Berln'" in said.err, said
    assert "E0223" not in said.err and "1 error," in said.err, said
