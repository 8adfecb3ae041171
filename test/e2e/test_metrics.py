"""/metrics as Prometheus' own tools read it, its two forms, and what a look at it has for a consequence."""
import re
import shutil
import subprocess

from harness import until
from receiver import answer

OPEN = "application/openmetrics-text"
HEADERS = {"Accept": f"{OPEN};version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"}
ROUTES = {"lead": {"from": "LEAD", "to": ["crm"]}}


def promtool(text):
    assert shutil.which("promtool"), "promtool is not here: it is in Debian's package prometheus"
    return subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)


def numbers(server):
    lines = server.get("/metrics").body.decode().splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}


def test_prometheus_finds_nothing_to_blame(serve, receiver):
    server = serve(destinations={"crm": {"url": receiver.url("/"), "allow_private": True, "limit": ["100/s", "1000/15m"]}},
                   routes=ROUTES)
    server.settled(server.send(), "COMPLETED")
    until(lambda: numbers(server)['drumbeat_settled_total{destination="crm",status="COMPLETED"}'] == 1, "the delivery")
    done = promtool(server.get("/metrics").body.decode())
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_openmetrics_is_for_who_asks_for_it(serve):
    server = serve()
    server.send()
    until(lambda: numbers(server)["drumbeat_ingest_seconds_count"] == 1, "the event to be counted")
    plain, opened = server.get("/metrics"), server.get("/metrics", headers=HEADERS)
    assert plain.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert opened.headers["Content-Type"].startswith(f"{OPEN}; version=1.0.0")
    text = opened.body.decode()
    assert text.endswith("\n# EOF\n") and text.count("# EOF") == 1
    assert "# TYPE drumbeat_events counter\n" in text and 'drumbeat_events_total{status="accepted"} 1\n' in text
    assert "# TYPE drumbeat_loop_turn_age_seconds gauge\n" in text
    families = re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE)
    assert len(families) == len(set(families)) and b"# EOF" not in plain.body


def test_the_age_of_what_waits_grows_also_while_nothing_happens(serve):
    """A paused destination gives the loop nothing to do. What is looked at has new numbers made for the next look."""
    server = serve(destinations={"crm": {"url": "http://127.0.0.1:9/", "allow_private": True}}, routes=ROUTES)
    assert server.cli("destinations", "pause", "crm").code == 0
    server.send()
    lags = ("event_processing_lag", 'drumbeat_destination_lag_seconds{destination="crm"}')
    first = until(lambda: (got := numbers(server))[lags[0]] > 0 and got, "a lag")
    until(lambda: all(numbers(server)[lag] > first[lag] for lag in lags), "lags that grow")
    assert numbers(server)['drumbeat_needs_person{why="paused"}'] == 1


def test_what_needs_a_person_is_counted_by_its_kind(serve, receiver):
    receiver.script("/", answer(400))
    server = serve(destinations={"crm": {"url": receiver.url("/"), "allow_private": True}}, routes=ROUTES)
    server.settled(server.send(), "FAILED")
    until(lambda: numbers(server)['drumbeat_needs_person{why="failed"}'] == 1, "the dead letter")
    got = numbers(server)
    assert got['drumbeat_needs_person{why="held"}'] == got['drumbeat_needs_person{why="paused"}'] == 0
    assert got["drumbeat_store_up"] == 1 and got["drumbeat_disk_free_bytes"] > 0
    assert got["drumbeat_config_last_applied_seconds"] == got["process_start_time_seconds"] > 1e9


def test_a_limit_shows_how_much_of_it_is_used(serve, receiver):
    server = serve(destinations={"crm": {"url": receiver.url("/"), "allow_private": True, "limit": "4/1h"}}, routes=ROUTES)
    server.settled(server.send(), "COMPLETED")
    until(lambda: numbers(server)['drumbeat_limit_used_ratio{limit="crm"}'] == 0.25, "a quarter")
    assert numbers(server)['drumbeat_limit_remaining{limit="crm"}'] == 3
