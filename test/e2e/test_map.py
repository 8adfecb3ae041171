"""What a source's `map` says by jq: the event's type, key and moment; and what becomes of a body that it fails on."""
import json
import os
import pathlib
import re
import signal

from harness import ROOT, command, until
from test_sources import TOKEN, counted, post, the_event

HEADERS = {"Authorization": f"Bearer {TOKEN}"}
ENV = {"TOKEN": TOKEN}
MAP = {"type": '.event | ascii_downcase | sub(" "; ".")', "key": r'"\(.order.id):\(.version)"', "at": ".due | todate?"}
SPINS = {"key": 'if .spin then (0 | until(. < 0; . + 1)) else .id | tostring end'}


def carrier(**wanted):
    return {"type": "bearer", "secret": "${TOKEN}", "map": wanted}


def test_jq_names_type_key_and_moment(serve):
    server = serve(env=ENV, sources={"shop": carrier(**MAP)})
    body = json.dumps({"event": "Order Paid", "order": {"id": "o-7"}, "version": 2, "due": 1900000000})
    assert counted(post(server, "/in/shop", body, HEADERS)) == (1, 0, 0)
    again = json.dumps({"event": "Order Paid", "order": {"id": "o-7"}, "version": 2, "tries": 2})
    assert counted(post(server, "/in/shop", again, HEADERS)) == (0, 1, 0)
    found = the_event(server, "shop:o-7:2")
    assert (found["type"], found["payload"]) == ("shop.order.paid", json.loads(body))
    assert found["scheduled_at"] == "2030-03-17T17:46:40Z"
    server.kill()
    server.start()
    assert counted(post(server, "/in/shop", again, HEADERS)) == (0, 1, 0)


def test_an_id_of_18_digits_is_read_where_jq_only_names_its_place(serve):
    server = serve(env=ENV, sources={"shop": carrier(key=".order.lines[0].id")})
    for last in (507, 508):
        body = '{"order":{"lines":[{"id":820982911946154%d}]}}' % last
        assert counted(post(server, "/in/shop", body, HEADERS)) == (1, 0, 0)
    assert {one["idempotency_key"] for one in server.every("/v1/events")} == {
        "shop:820982911946154507", "shop:820982911946154508"}


def test_a_body_that_jq_fails_on_is_kept_under_its_digest(serve):
    server = serve(env=ENV, sources={"shop": carrier(key=".id | ascii_downcase", type=".kind | ascii_downcase")})
    for body in ('{"id":7,"kind":"a"}', '{"id":"X","kind":[]}', '{"id":{"a":1},"kind":"a"}'):
        assert counted(post(server, "/in/shop", body, HEADERS)) == (1, 0, 0)
        assert counted(post(server, "/in/shop", body, HEADERS)) == (0, 1, 0)
    assert the_event(server, "shop:x")["type"] == "shop.event"
    assert server.get("/v1/sources/shop").json["key_missing"] == 4
    [line] = [one for one in server.log() if one["event"] == "key_missing"]
    assert line["why"].startswith("jq: a digest is the key"), line  # jq's own words may repeat the value


def test_a_moment_that_jq_cannot_tell_refuses_that_request_alone(serve):
    server = serve(env=ENV, sources={"shop": carrier(key=".id | tostring", at=".due | todate")})
    answer = post(server, "/in/shop", '{"id":1,"due":"soon"}', HEADERS)
    assert (answer.status, answer.json["code"]) == (400, "E0102") and "'at' in 'map'" in answer.json["detail"], answer
    assert counted(post(server, "/in/shop", '{"id":1,"due":1700000000}', HEADERS)) == (1, 0, 0)


def test_a_program_that_runs_away_stores_nothing_and_stops_nobody_else(serve):
    server = serve(env=ENV, sources={"shop": carrier(**SPINS), "other": carrier(key=".id | tostring")})
    assert counted(post(server, "/in/shop", '{"id":"before"}', HEADERS)) == (1, 0, 0)
    for n in range(3):
        answer = post(server, "/in/shop", '{"spin":%d}' % n if n else '{"spin":true}', HEADERS)
        assert (answer.status, answer.json["code"]) == (503, "E0138"), answer
        assert int(answer.headers["Retry-After"]) > 0 and "ran longer than 50ms" in answer.json["detail"]
        assert counted(post(server, "/in/other", '{"id":"o-%d"}' % n, HEADERS)) == (1, 0, 0)
    refused = post(server, "/in/shop", '{"id":"after"}', HEADERS)
    assert refused.status == 503 and "is tried again in" in refused.json["detail"], refused
    assert counted(post(server, "/in/other", '{"id":"last"}', HEADERS)) == (1, 0, 0)
    assert len(server.every("/v1/events")) == 5
    line = b'drumbeat_source_requests_total{source="shop",outcome="put_off"} 4'
    until(lambda: line in server.get("/metrics").body, "the counter")
    last = server.get("/v1/sources/shop").json["last_refused"]
    assert last["code"] == "E0138" and "ran away" in last["why"]
    server.configure(sources={"shop": carrier(key=".id"), "other": carrier(key=".id | tostring")})
    assert server.cli("apply").code == 0
    assert counted(post(server, "/in/shop", '{"id":"after"}', HEADERS)) == (1, 0, 0)


def test_no_worker_that_runs_jq_loses_an_event(serve):
    server = serve(env=ENV, sources={"shop": carrier(key=".id | tostring")})
    for n in range(5):
        children = pathlib.Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        assert counted(post(server, "/in/shop", '{"id":%d}' % n, HEADERS)) == (1, 0, 0)
    assert {one["idempotency_key"] for one in server.every("/v1/events")} == {f"shop:{n}" for n in range(5)}


def test_jq_that_does_not_compile_is_named_by_its_place(folder):
    file = folder / "drumbeat.yaml"
    file.write_text("version: 1\nsources:\n  shop:\n    type: bearer\n    secret: ${TOKEN}\n    map:\n"
                    "      type: kind\n      key: .id | nope\n")
    got = command(folder, "check", env=ENV)
    assert got.code == 3
    assert "drumbeat.yaml:7:13: error E0224: jq: kind/0 is not defined, in 'type' in 'map' of source 'shop'" in got.err
    assert "begins with '/' or '.'" in got.err
    assert "drumbeat.yaml:8:12: error E0224: jq: nope/0 is not defined, in 'key' in 'map' of source 'shop'" in got.err
    file.write_text(file.read_text().replace(".id | nope", ".id | ("))
    assert "8:12: error E0224: jq: '(' at column 7 is not closed" in command(folder, "check", env=ENV).err


def test_sources_test_asks_jq_as_the_server_does(serve):
    server = serve(env=ENV, sources={"shop": carrier(**MAP)})
    got = server.cli("sources", "test", "shop", "--set", "event=Order Paid", "--set", "order.id=o-8", "--set", "version=1")
    assert got.code == 0 and "shop.order.paid" in got.out and "shop:o-8:1" in got.out, got


def test_the_pages_map(serve):
    """The block of docs/sources.md, as it stands there."""
    section = (ROOT / "docs/sources.md").read_text().split("## Name type, key and moment yourself")[1]
    text = re.search(r"```yaml\n(.*?)```", section, re.S)[1]
    server = serve(env={"SHOP_TOKEN": TOKEN})
    (server.folder / "drumbeat.yaml").write_text('version: 1\nserver: {listen: "127.0.0.1:0"}\n' + text)
    server.restart()
    body = json.dumps({"event": {"kind": "paid"}, "order": {"id": 7, "version": 1}, "due": 1900000000})
    assert counted(post(server, "/in/shop", body, HEADERS)) == (1, 0, 0)
    found = the_event(server, "shop:7:1")
    assert (found["type"], found["scheduled_at"]) == ("shop.paid", "2030-03-17T17:46:40Z")
