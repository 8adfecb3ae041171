"""The rules and the dashboard of deploy/, by Prometheus' own tools and in a real Prometheus and Alertmanager."""
import json
import re
import shutil
import subprocess

import pytest

from harness import ROOT, command, until
from receiver import answer
from watchers import Alertmanager, Prometheus

DEPLOY = ROOT / "deploy"
RULES = DEPLOY / "prometheus/drumbeat.rules.yml"
DASHBOARD = json.loads((DEPLOY / "grafana/dashboards/drumbeat.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
OF_PROMETHEUS = {"up"}
WORD = re.compile(r"\b((?:drumbeat|marketing|worker|api|event|queue|process)_[a-z_]+)\b")
ROUTES = {"lead": {"from": "LEAD", "to": ["crm"]}}


@pytest.fixture
def ends():
    """Services that end with the test, the last one first."""
    started = []
    yield started
    for service in reversed(started):
        service.close()


def tool(*arguments):
    assert shutil.which(arguments[0]), f"{arguments[0]} is not here: Debian's prometheus and prometheus-alertmanager have it"
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_tools_of_prometheus_find_nothing_wrong():
    assert "SUCCESS" in tool("promtool", "check", "rules", str(RULES))
    assert "SUCCESS" in tool("promtool", "check", "config", str(DEPLOY / "prometheus/prometheus.yml"))
    assert "SUCCESS" in tool("amtool", "check-config", str(DEPLOY / "alertmanager/alertmanager.yml"))


def test_each_alert_fires_where_it_must_and_not_elsewhere():
    assert "SUCCESS" in tool("promtool", "test", "rules", "test/e2e/alert_cases.yml")
    cases = (ROOT / "test/e2e/alert_cases.yml").read_text()
    for name in re.findall(r"alert: (\w+)", RULES.read_text()):
        fires = re.search(rf"alertname: {name}\n +eval_time: \w+\n +exp_alerts:\n", cases)
        silent = re.search(rf"alertname: {name}, eval_time: \w+, exp_alerts: \[\]", cases)
        assert fires and (silent or name == "Watchdog"), f"{name} has no case in which it fires, or none in which not"


def test_the_seeds_conditions_stand_word_for_word():
    text = RULES.read_text()
    assert re.search(r"expr: worker_retry_ratio > 0\.05\n +for: 5m\n", text)
    assert re.search(r"expr: event_processing_lag > 300\n +labels", text)
    assert re.search(r"expr: api_error_rate > 0\.02\n +labels", text)


def published(folder):
    """The names of samples that a server may show."""
    page = command(folder, "reference", "metrics").out
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|", page, re.MULTILINE)
    return {name + end for name, kind in rows
            for end in (("_bucket", "_sum", "_count") if kind == "histogram" else ("",))}


def test_each_number_that_rules_and_dashboard_name_exists(folder):
    there = published(folder)
    asked = [target["expr"] for panel in PANELS for target in panel["targets"]]
    asked += [item["definition"] for item in DASHBOARD["templating"]["list"] if "definition" in item]
    named = {word for text in [RULES.read_text(), *asked] for word in WORD.findall(text)}
    assert len(named) > 30 and named - there == set()


def test_a_broken_receiver_reaches_slack_and_so_does_its_recovery(serve, receiver, ends):
    receiver.script("/crm", answer(500))
    server = serve(destinations={"crm": {"url": receiver.url("/crm"), "allow_private": True,
                                         "retry": {"max": 100, "base": "50ms", "cap": "200ms"},
                                         "breaker": {"failures": 2, "open": "300ms"}}}, routes=ROUTES)
    ends.append(Alertmanager(receiver.url("/slack")).start())
    rules = re.sub(r"for: \d+m\b", "for: 200ms", RULES.read_text())
    ends.append(Prometheus([f"127.0.0.1:{server.port}"], rules, ends[0]).start())

    def said():
        return [json.loads(request.body)["attachments"][0]["title"] for request in receiver.of("/slack")]
    event_id = server.send()
    until(lambda: {"FIRING: BreakerOpen", "FIRING: ApiErrorRateHigh"} <= set(said()), lambda: f"the alerts: {said()}")
    [words] = [json.loads(request.body)["attachments"][0]["text"] for request in receiver.of("/slack")
               if "BreakerOpen" in json.loads(request.body)["attachments"][0]["title"]]
    assert words == "crm does not take what it is sent"
    receiver.script("/crm", answer(200))
    server.settled(event_id, "COMPLETED")
    until(lambda: "RESOLVED: BreakerOpen" in said(), lambda: f"the end of it: {said()}")
    assert "Watchdog" not in " ".join(said())


def test_the_panels_show_what_prometheus_has(serve, receiver, ends):
    """Grafana's own variables are put in as it would; every query is understood, and shows what there is to show."""
    receiver.script("/mail", answer(400))
    server = serve(destinations={"crm": {"url": receiver.url("/crm"), "allow_private": True, "limit": "1000/1h"},
                                 "mail": {"url": receiver.url("/mail"), "allow_private": True}},
                   routes={"lead": {"from": "LEAD", "to": ["crm", "mail"]}})
    ends.append(Prometheus([f"127.0.0.1:{server.port}"]).start())
    for _ in range(3):
        server.send()
    prometheus = ends[0]
    until(lambda: prometheus.query('drumbeat_settled_total{destination="mail",status="FAILED"} >= 3'), "the scrape")
    server.send()  # rates and quantiles want a change between two scrapes
    until(lambda: prometheus.query('drumbeat_settled_total{destination="mail",status="FAILED"} >= 4'), "another")
    silent_by_nature = re.compile("drumbeat_(limits|source|jq)_|drumbeat_paused")

    def filled(text):
        return text.replace("$__rate_interval", "1m").replace("$job", "drumbeat").replace("$destination", ".*")
    for panel in PANELS:
        for target in panel["targets"]:
            query = filled(target["expr"])
            got = until(lambda: prometheus.query(query) or silent_by_nature.search(query),
                        lambda: f"{panel['title']}: {query}")
            assert got, panel["title"]
    assert {labels["destination"] for labels, _ in prometheus.query(filled(
        'max by (destination) (drumbeat_destination_lag_seconds{job="$job",destination=~"$destination"})'))} == {"crm", "mail"}
    assert prometheus.query('drumbeat_needs_person{why="failed"}')[0][1] == 4


def test_the_panels_are_those_of_a_grafana_board():
    """What Grafana needs to show a panel, and no place that two of them take."""
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids)) and DASHBOARD["uid"] == "drumbeat"
    taken = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken and at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells
    titles = " ".join(panel["title"] for panel in PANELS)
    for seed in ("Ingestion rate", "Retry ratio", "Error rate", "Processing lag"):
        assert seed in titles
