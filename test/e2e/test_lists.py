"""Lists: filters, pages, and the answers of the probes."""
import pathlib
import re
import shutil
import tempfile

import pytest

from harness import Server, event, until


@pytest.fixture(scope="module")
def shelf():
    """Ten events of two types and sources; five of them with a delivery that is held by a pause."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="e2e-"))
    server = Server(folder, destinations={"crm": {"url": "https://crm.example.com/"}},
                    routes={"sales": {"from": "SALE", "to": ["crm"]}}).start("--hold")
    server.ids = [server.send(f"shelf-{n}", kind="SALE" if n % 2 else "LEAD", source="shop" if n < 4 else "form")
                  for n in range(10)]
    yield server
    server.close()
    shutil.rmtree(folder, ignore_errors=True)


def listed(server, path):
    answer = server.get(path)
    assert answer.status == 200, answer
    return [item["id"] for item in answer.json["items"]]


def test_events_are_listed_newest_first(shelf):
    assert listed(shelf, "/v1/events") == shelf.ids[::-1]


@pytest.mark.parametrize("query, numbers", [
    ("type=SALE", [9, 7, 5, 3, 1]),
    ("source=shop", [3, 2, 1, 0]),
    ("type=SALE&source=shop", [3, 1]),
    ("type=NONE", []),
    ("status=FAILED", []),
    ("limit=2", [9, 8]),
    ("until=1h", []),
    ("since=2100-01-01T00:00:00Z", []),
    ("since=2000-01-01T00%3A00%3A00%2B01%3A00&limit=1", [9]),
])
def test_events_are_filtered(shelf, query, numbers):
    assert listed(shelf, f"/v1/events?{query}") == [shelf.ids[n] for n in numbers]


def test_events_are_filtered_by_status(shelf):
    until(lambda: len(listed(shelf, "/v1/events?status=COMPLETED")) == 5, "the unrouted ones to be completed")
    assert listed(shelf, "/v1/events?status=COMPLETED") == shelf.ids[8::-2]
    assert listed(shelf, "/v1/events?status=PROCESSING") == shelf.ids[9::-2]


@pytest.mark.parametrize("query", ["status=DONE", "limit=1001", "limit=-1", "limit=x", "cursor=x", "since=yesterday",
                                   "until=2026-12-01T09:00:00"])
def test_a_bad_filter_is_refused_and_named(shelf, query):
    answer = shelf.get(f"/v1/events?{query}")
    assert answer.status == 400 and query.split("=")[0] in answer.json["detail"]


def test_pages_hold_everything_once_and_link_to_the_next(shelf):
    path, seen = "/v1/events?type=SALE&limit=2", []
    for _ in range(3):
        answer = shelf.get(path)
        seen += [item["id"] for item in answer.json["items"]]
        link = answer.headers["Link"]
        assert bool(link) == (answer.json["next"] is not None)
        if link:
            path = re.fullmatch(r'<(/v1/events\?.*)>; rel="next"', link)[1]
            assert f"cursor={answer.json['next']}" in path and "type=SALE" in path
    assert seen == shelf.ids[9::-2]


def test_what_comes_in_meanwhile_does_not_shift_the_pages(serve):
    server = serve()
    ids = [server.send() for _ in range(4)]
    page = server.get("/v1/events?limit=2").json
    server.send()
    assert listed(server, f"/v1/events?limit=2&cursor={page['next']}") == [ids[1], ids[0]]


def test_deliveries_are_filtered(shelf):
    until(lambda: len(listed(shelf, "/v1/deliveries")) == 5, "five deliveries")
    assert len(listed(shelf, "/v1/deliveries?status=PENDING&destination=crm")) == 5
    assert listed(shelf, "/v1/deliveries?destination=other") == []
    assert listed(shelf, "/v1/deliveries?status=COMPLETED") == []
    [delivery] = shelf.get(f"/v1/deliveries?event_id={shelf.ids[1]}").json["items"]
    assert delivery["event_id"] == shelf.ids[1]


def test_a_delivery_shows_every_field_of_the_contract(shelf):
    [delivery] = shelf.get(f"/v1/deliveries?event_id={shelf.ids[1]}").json["items"]
    shown = shelf.get(f"/v1/deliveries/{delivery['id']}").json
    assert {"id", "key", "event_id", "destination", "run", "status", "retry_count", "due", "last_status", "last_error",
            "attempts"} <= set(shown)


def test_an_event_is_found_by_the_beginning_of_its_id(serve):
    server = serve()
    event_id = server.send()
    assert server.event(event_id[:13])["id"] == event_id


def test_held_events_are_stored_and_not_sent(shelf, receiver):
    assert {item["status"] for item in shelf.every("/v1/deliveries")} == {"PENDING"}
    assert {item["attempt_count"] for item in shelf.every("/v1/deliveries")} == {0}
    assert shelf.get("/v1/status").json["hold"] is True


def test_the_probes_and_the_description_answer(idle):
    assert idle.get("/healthz").status == 200 and idle.get("/readyz").status == 200
    description = idle.get("/openapi.json").json
    assert description["openapi"].startswith("3.") and "/v1/events" in description["paths"]


def test_metrics_are_prometheus_text_with_the_seeds_names(idle):
    idle.post(event())
    names = ["marketing_event_ingestion_rate", "worker_retry_ratio", "api_error_rate", "event_processing_lag",
             "queue_depth", "drumbeat_events_total"]

    def complete():
        text = idle.get("/metrics").body.decode()
        return text if all(re.search(rf"^{name}(\{{.*\}})? \d", text, re.MULTILINE) for name in names) else None
    text = until(complete, "all metrics")
    for line in text.splitlines():
        assert re.fullmatch(r"#.*|[a-z_]+(\{[^}]*\})? [-+0-9.eInfNa]+", line), line


def numbers_of(server):
    """The samples of /metrics by name and labels."""
    lines = server.get("/metrics").body.decode().splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}


def test_rooms_bring_their_own_numbers(serve):
    server = serve()
    server.send()
    server.request("POST", "/v1/events", b"{}", {"Transfer-Encoding": "chunked", "Content-Length": "2"})
    good = server.folder / "drumbeat.yaml"
    text = good.read_text()
    good.write_text("version: 2")
    assert server.cli("apply", "-y").code == 3
    good.write_text(text)
    assert server.cli("apply", "-y").code == 0
    server.send()
    file = server.folder / "data/drumbeat.db"

    def true():
        got = numbers_of(server)
        return (got["drumbeat_store_bytes"] == file.stat().st_size > 0
                and got["drumbeat_store_log_bytes"] == file.with_name("drumbeat.db-wal").stat().st_size
                and got["drumbeat_http_refused_total"] >= 1 and "drumbeat_http_connections" in got
                and got['drumbeat_config_reloads_total{result="applied"}'] == 1
                and got['drumbeat_config_reloads_total{result="refused"}'] == 1
                and got["drumbeat_commit_seconds_count"] >= 2
                and got['drumbeat_hops_total{hop="route_events"}'] >= 2
                and got["process_resident_memory_bytes"] > 1 << 20)
    until(true, lambda: f"true numbers: {numbers_of(server)}")


def test_head_is_get_without_a_body(idle):
    answer = idle.request("HEAD", "/v1/events")
    assert answer.status == 200 and answer.body == b""
