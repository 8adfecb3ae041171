"""One trace for each event, as a collector gets it over OTLP: what is in it, what is kept, and what a bad collector costs."""
import re

import pytest

from collector import Collector
from harness import event, until
from receiver import answer

SERVER, CLIENT, INTERNAL = 2, 3, 1
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ROUTES = {"lead": {"from": "LEAD", "to": ["crm"]}}


@pytest.fixture(params=["http", "grpc"])
def collector(request):
    collector = Collector(request.param)
    yield collector
    collector.close()


@pytest.fixture
def collect():
    """collect(kind) is a collector; all end with the test."""
    made = []

    def make(kind="http"):
        made.append(Collector(kind))
        return made[-1]
    yield make
    for one in made:
        one.close()


def told(collector, **more):
    """The environment of a server that tells the collector soon."""
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc" if collector.kind == "grpc" else "http/protobuf",
            "OTEL_METRICS_EXPORTER": "none", "OTEL_BSP_SCHEDULE_DELAY": "50", **more}


def started(serve, receiver, collector, **more):
    return serve(env=told(collector, **more), routes=ROUTES, destinations={
        "crm": {"url": receiver.url("/crm?token=canary"), "allow_private": True, "retry": {"max": 3, "base": "20ms", "cap": "20ms"}, "breaker": "off"}})


def trace_of(event_id):
    return event_id.replace("-", "")


def spans_of(collector, event_id, count):
    """Of an event's trace by name, once so many are there."""
    spans = until(lambda: (found := [s for s in collector.spans if s.trace == trace_of(event_id)]) and len(found) >= count and found,
                  lambda: f"{count} spans of {event_id}: {collector.spans}")
    assert len(spans) == count and len({span.id for span in spans}) == count
    return spans


def test_an_event_is_one_trace_from_ingest_to_settle(serve, receiver, collector):
    server = started(serve, receiver, collector, OTEL_SERVICE_NAME="shop", OTEL_RESOURCE_ATTRIBUTES="deployment.environment=test,team=a%20b",
                     OTEL_EXPORTER_OTLP_HEADERS="x-key=a%2Cb,x-other=c")
    event_id = server.send()
    server.settled(event_id, "COMPLETED")
    spans = {span.name: span for span in spans_of(collector, event_id, 5)}
    root, attempt = spans["serve_request"], spans["transport.start"]
    assert root.parent == "" and root.kind == SERVER and attempt.kind == CLIENT
    assert {spans[name].parent for name in ("store_append", "route_events", "transport.start")} == {root.id}
    assert spans["settle_outcome"].parent == attempt.id
    assert root.start <= spans["store_append"].start <= spans["store_append"].end <= attempt.start <= attempt.end <= spans["settle_outcome"].end
    assert root.attributes["http.response.status_code"] == 200 and root.attributes["messaging.message.id"] == event_id
    assert root.attributes["drumbeat.event.type"] == "LEAD" and root.attributes["drumbeat.event.source"] == "test"
    assert attempt.attributes["server.address"] == "127.0.0.1" and attempt.attributes["server.port"] == receiver.port
    assert attempt.attributes["http.request.method"] == "POST" and attempt.attributes["messaging.destination.name"] == "crm"
    assert attempt.attributes["drumbeat.outcome"] == "done" and spans["settle_outcome"].attributes["drumbeat.delivery.status"] == "COMPLETED"
    assert not any(span.failed for span in spans.values())
    assert root.resource["service.name"] == "shop" and root.resource["team"] == "a b" and root.resource["deployment.environment"] == "test"
    [request] = receiver.of("/crm?token=canary")
    assert request["traceparent"] == f"00-{trace_of(event_id)}-{attempt.id}-01"
    message = next(one for one in collector.got if "race" in one["path"])
    assert message["headers"]["x-key"] == "a,b" and message["headers"]["x-other"] == "c"
    assert "canary" not in repr(collector.spans)


def test_a_trace_from_outside_goes_on_also_in_a_later_process(serve, receiver, collector):
    """The parent is kept in the store: the first process dies before the receiver takes it."""
    receiver.script("/crm?token=canary", answer(503))
    server = started(serve, receiver, collector)
    answered = server.post(event(), headers={"traceparent": PARENT})
    event_id = answered.json["eventId"]
    until(lambda: receiver.of("/crm?token=canary"), "a first attempt")
    server.kill()
    receiver.script("/crm?token=canary", answer(200))
    server.start()
    delivery = server.settled(event_id, "COMPLETED")
    trace = PARENT.split("-")[1]

    def ended():
        found = [s for s in collector.spans if s.trace == trace]
        return any(s.attributes.get("drumbeat.outcome") == "done" for s in found) and found
    spans = until(ended, lambda: f"the last attempt: {collector.spans}")
    assert {s["traceparent"].split("-")[1] for s in receiver.of("/crm?token=canary")} == {trace}
    last = next(s for s in spans if s.attributes.get("drumbeat.outcome") == "done")
    assert last.links and last.links[0][0] == trace and last.attributes["http.request.resend_count"] == len(delivery["attempts"]) - 1
    roots = [s for s in collector.spans if s.name == "serve_request"]
    assert all(root.parent == "b7ad6b7169203331" for root in roots)


def test_a_failed_attempt_says_so_and_its_next_one_is_linked(serve, receiver, collect):
    collector = collect()
    receiver.script("/crm?token=canary", answer(503, b"canary"), answer(400, b"canary"))
    server = started(serve, receiver, collector)
    event_id = server.send()
    server.settled(event_id, "FAILED")
    spans = spans_of(collector, event_id, 7)
    first, second = sorted((s for s in spans if s.name == "transport.start"), key=lambda s: s.start)
    assert first.failed and first.attributes["error.type"] == "503" and first.links == []
    assert second.failed and second.words == "400" and second.links == [(trace_of(event_id), first.id)]
    settles = sorted((s for s in spans if s.name == "settle_outcome"), key=lambda s: s.start)
    assert [s.failed for s in settles] == [False, True] and "canary" not in repr(spans)


@pytest.mark.parametrize("parent, sampler, kept", [(None, "always_off", False), (None, "parentbased_always_off", False),
                                                   (PARENT, "parentbased_always_off", True), (PARENT[:-2] + "00", "parentbased_always_on", False),
                                                   (PARENT[:-2] + "00", "always_on", True), (PARENT.upper(), "parentbased_always_off", False)])
def test_the_head_decides_and_the_receiver_is_told(serve, receiver, collect, parent, sampler, kept):
    collector = collect()
    server = started(serve, receiver, collector, OTEL_TRACES_SAMPLER=sampler)
    event_id = server.post(event(), headers={"traceparent": parent} if parent else {}).json["eventId"]
    server.settled(event_id, "COMPLETED")
    [request] = receiver.of("/crm?token=canary")
    assert request["traceparent"].endswith("-01" if kept else "-00")
    receiver.script("/crm?token=canary", answer(400))
    server.settled(server.send(), "FAILED")  # an error is always kept: when its spans are there, all before it were sent
    until(lambda: any(s.failed and s.name == "settle_outcome" for s in collector.spans), "the error's spans")
    trace = parent.split("-")[1] if parent and parent.islower() else trace_of(event_id)
    assert any(s.trace == trace for s in collector.spans) is kept


def test_a_ratio_keeps_its_share_and_every_hop_agrees(serve, receiver, collect):
    collector = collect()
    server = started(serve, receiver, collector, OTEL_TRACES_SAMPLER="traceidratio", OTEL_TRACES_SAMPLER_ARG="0.5")
    ids = [item["eventId"] for item in server.post([event() for _ in range(200)]).json]
    until(lambda: len(receiver.of("/crm?token=canary")) == 200, "all deliveries")
    kept = {r["traceparent"].split("-")[1] for r in receiver.of("/crm?token=canary") if r["traceparent"].endswith("01")}
    assert 60 < len(kept) < 140
    until(lambda: len(collector.spans) == 5 * len(kept), lambda: f"{5 * len(kept)} spans, {len(collector.spans)} came")
    assert {s.trace for s in collector.spans} == kept <= {trace_of(i) for i in ids}


def number(server, name):
    found = re.search(rf"^{re.escape(name)} (\S+)$", server.get("/metrics").body.decode(), re.MULTILINE)
    return float(found[1]) if found else None


@pytest.mark.parametrize("how", ["silent", "nonsense", "unavailable", "refuse"])
def test_a_bad_collector_costs_no_event(serve, receiver, collector, how):
    collector.answer(how)
    server = started(serve, receiver, collector, OTEL_EXPORTER_OTLP_TIMEOUT="300")
    for _ in range(3):
        server.settled(server.send(), "COMPLETED")
    until(lambda: any(line["event"] == "export_failing" for line in server.log()), lambda: f"a word of it: {server.text}")
    server.settled(server.send(), "COMPLETED")
    collector.answer("take")
    server.settled(server.send(), "COMPLETED")
    until(lambda: any(line["event"] == "export_back" for line in server.log()), lambda: f"its end: {server.text}")
    assert [line["event"] for line in server.log()].count("export_failing") == 1
    until(lambda: number(server, 'drumbeat_exports_total{signal="traces",result="sent"}') >= 1, "the count")
    if how in ("nonsense", "refuse"):
        assert number(server, 'drumbeat_spans_total{result="dropped"}') > 0


def test_nobody_there_is_the_same(serve, receiver):
    server = serve(env={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_BSP_SCHEDULE_DELAY": "50"}, routes=ROUTES,
                   destinations={"crm": {"url": receiver.url("/crm"), "allow_private": True}})
    server.settled(server.send(), "COMPLETED")
    until(lambda: any(line["event"] == "export_failing" for line in server.log()), "a word of it")
    assert server.terminate() == 0


def test_what_waits_is_sent_before_a_stop(serve, receiver, collector):
    server = started(serve, receiver, collector, OTEL_BSP_SCHEDULE_DELAY="3600000")
    event_id = server.send()
    server.settled(event_id, "COMPLETED")
    assert collector.spans == [] and server.terminate() == 0
    spans_of(collector, event_id, 5)


def test_what_cannot_be_understood_is_told_and_passed_over(serve):
    server = serve(env={"OTEL_EXPORTER_OTLP_ENDPOINT": "ftp://there", "OTEL_TRACES_SAMPLER": "often", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:9/x",
                        "OTEL_EXPORTER_OTLP_HEADERS": "secret-canary", "OTEL_EXPORTER_OTLP_PROTOCOL": "carrier-pigeon"})
    reasons = " ".join(line["reason"] for line in server.log() if line["event"] == "otel_ignored")
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_SAMPLER", "OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        assert name in reasons
    assert "canary" not in server.text


def test_numbers_go_the_same_way(serve, receiver, collector):
    server = started(serve, receiver, collector, OTEL_METRICS_EXPORTER="otlp", OTEL_METRIC_EXPORT_INTERVAL="100", OTEL_TRACES_EXPORTER="none")
    server.settled(server.send(), "COMPLETED")

    def settled():
        points = collector.metrics.get("drumbeat_settled_total")
        return points and any(p.as_double == 1 for p in points.sum.data_points)
    until(settled, lambda: f"the delivery in {list(collector.metrics)}")
    metrics = collector.metrics
    assert metrics["drumbeat_settled_total"].sum.is_monotonic and metrics["drumbeat_settled_total"].sum.aggregation_temporality == 2
    times = metrics["drumbeat_ingest_seconds"].histogram.data_points[0]
    assert times.count == sum(times.bucket_counts) == 1 and len(times.bucket_counts) == len(times.explicit_bounds) + 1
    assert metrics["event_processing_lag"].HasField("gauge") and metrics["drumbeat_ingest_seconds"].unit == "s"
    assert collector.spans == []


def test_an_example_leads_from_a_bucket_to_its_trace(serve, receiver, collect):
    server = started(serve, receiver, collect())
    event_id = server.send()
    server.settled(event_id, "COMPLETED")

    def example():
        text = server.get("/metrics", headers={"Accept": "application/openmetrics-text"}).body.decode()
        return set(re.findall(r'^drumbeat_(ingest|delivery)_seconds_bucket\{.*\} \d+ # \{trace_id="(\w+)"\}', text, re.MULTILINE))
    until(lambda: example() == {("ingest", trace_of(event_id)), ("delivery", trace_of(event_id))}, example)
