"""POST /v1/events: each row of the contract's table, and what each field may be."""
import json
import re

import pytest

from harness import event, until

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def test_a_new_event_is_accepted_and_stored(idle):
    answer = idle.post(event("new-1", payload={"email": "ada@example.com"}))
    assert answer.outcome == (200, "ACCEPTED")
    assert answer.json == {"success": True, "eventId": answer.json["eventId"]}
    assert UUID.fullmatch(answer.json["eventId"])
    stored = idle.event(answer.json["eventId"])
    assert (stored["type"], stored["source"], stored["idempotency_key"]) == ("LEAD", "test", "new-1")
    assert stored["payload"] == {"email": "ada@example.com"}


def test_an_event_that_no_route_wants_is_completed(idle):
    event_id = idle.send()
    until(lambda: idle.event(event_id)["status"] == "COMPLETED", "COMPLETED")
    assert idle.deliveries(event_id) == []


def test_an_event_shows_every_field_of_the_contract(idle):
    assert {"id", "type", "source", "idempotency_key", "payload", "fingerprint", "status", "retry_count", "last_error",
            "scheduled_at", "created_at", "updated_at", "deliveries"} <= set(idle.event(idle.send()))


def test_the_same_key_and_payload_is_a_duplicate_of_the_first(idle):
    first = idle.send("twice")
    again = idle.post(event("twice"))
    assert again.outcome == (200, "DUPLICATE")
    assert again.json == {"success": False, "error": "DUPLICATE_EVENT", "eventId": first}


def test_a_payload_that_only_looks_different_is_a_duplicate(idle):
    body = b'{"type":"LEAD","source":"test","idempotency_key":"looks","payload":%s}'
    first = idle.post(body % '{"a":"\u00e9","b":100}'.encode())
    again = idle.post(body % b'{ "b": 1e2, "a": "\\u00e9" }')
    assert (first.outcome, again.outcome) == ((200, "ACCEPTED"), (200, "DUPLICATE"))


def test_the_same_key_with_another_type_or_source_is_a_conflict(idle):
    idle.send("other-fact")
    for pointer, other in ({"/type": event("other-fact", kind="LOST"), "/source": event("other-fact", source="b")}).items():
        answer = idle.post(other)
        assert answer.outcome == (422, "CONFLICT") and answer.pointers == [pointer]
    items = idle.post([event("other-fact", kind="LOST"), event("other-fact")]).json
    assert [(item["status"], item.get("pointer")) for item in items] == [("CONFLICT", "/type"), ("DUPLICATE", None)]


def test_a_duplicate_that_asks_for_another_moment_is_told_the_one_in_force(idle):
    first = idle.post(event("moment", scheduled_at="2031-01-01T09:00:00Z"))
    again = idle.post(event("moment", scheduled_at="2032-01-01T09:00:00Z"))
    assert again.outcome == (200, "DUPLICATE") and again.json["eventId"] == first.json["eventId"]
    assert again.json["scheduled_at"] == idle.event(first.json["eventId"])["scheduled_at"]


@pytest.mark.parametrize("payload, pointer", [
    ({"user": {"tags": ["a", "c"]}}, "/payload/user/tags/1"),
    ({"user": {"tags": ["a", "b"], "more": 1}}, "/payload/user/more"),
    ({"user": {}}, "/payload/user/tags"),
])
def test_the_same_key_with_another_payload_is_a_conflict_that_points(idle, payload, pointer):
    key = f"conflict{pointer}"
    first = idle.send(key, payload={"user": {"tags": ["a", "b"]}})
    answer = idle.post(event(key, payload=payload))
    assert answer.outcome == (422, "CONFLICT")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.pointers == [pointer]
    assert answer.json["code"] == "E0502" and answer.json["status"] == 422
    assert idle.event(first)["payload"] == {"user": {"tags": ["a", "b"]}}


BAD_JSON = {
    "nothing": b"",
    "text": b"lead",
    "cut": b'{"type":"LEAD"',
    "comma": b'{"type":"LEAD",}',
    "two documents": b'{"type":"LEAD"} {}',
    "bad UTF-8": b'{"type":"LEAD","source":"\xff"}',
    "key twice": b'{"type":"LEAD","type":"LEAD","source":"a","idempotency_key":"a","payload":{}}',
    "NaN": b'{"payload":{"a":NaN}}',
    "control character": b'{"source":"a\nb"}',
}


@pytest.mark.parametrize("body", BAD_JSON.values(), ids=BAD_JSON.keys())
def test_bad_json_is_invalid(idle, body):
    answer = idle.post(body)
    assert answer.outcome == (400, "INVALID")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json["code"] == "E0101"


# What is changed in a good event, and where the refusal must point.
BAD_FIELDS = [
    ({"type": None}, "/type"),
    ({"type": ""}, "/type"),
    ({"type": "1LEAD"}, "/type"),
    ({"type": "LE AD"}, "/type"),
    ({"type": "L" * 65}, "/type"),
    ({"source": 1}, "/source"),
    ({"source": ""}, "/source"),
    ({"source": "s" * 65}, "/source"),
    ({"source": "a\u0007b"}, "/source"),
    ({"idempotency_key": ["k"]}, "/idempotency_key"),
    ({"idempotency_key": ""}, "/idempotency_key"),
    ({"idempotency_key": "k" * 256}, "/idempotency_key"),
    ({"idempotency_key": "a\nb"}, "/idempotency_key"),
    ({"payload": "text"}, "/payload"),
    ({"payload": []}, "/payload"),
    ({"payload": None}, "/payload"),
    ({"scheduled_at": 1764576000}, "/scheduled_at"),
    ({"scheduled_at": "2026-12-01T09:00:00"}, "/scheduled_at"),
    ({"scheduled_at": "2026-12-01 09:00"}, "/scheduled_at"),
    ({"scheduled_at": "2026-13-01T09:00:00Z"}, "/scheduled_at"),
    ({"scheduled_at": "2026-02-30T09:00:00Z"}, "/scheduled_at"),
    ({"scheduled_at": "tomorrow"}, "/scheduled_at"),
    ({"priority": 1}, "/priority"),
    ({"a/b~c": 1}, "/a~1b~0c"),
]


@pytest.mark.parametrize("change, pointer", BAD_FIELDS, ids=[json.dumps(change)[:40] for change, _ in BAD_FIELDS])
def test_a_bad_field_is_invalid_and_pointed_at(idle, change, pointer):
    answer = idle.post({**event(), **change})
    assert answer.outcome == (400, "INVALID"), answer
    assert answer.pointers == [pointer]
    assert answer.json["code"].startswith("E01") and answer.json["request_id"]


@pytest.mark.parametrize("field", ["type", "source", "payload", "idempotency_key"])
def test_a_missing_field_is_invalid_and_pointed_at(idle, field):
    body = event()
    del body[field]
    answer = idle.post(body)
    assert answer.outcome == (400, "INVALID") and answer.pointers == [f"/{field}"]


def test_the_longest_texts_are_accepted(idle):
    answer = idle.post(event("k" * 255, kind="T" * 64, source="s" * 64))
    assert answer.outcome == (200, "ACCEPTED")
    stored = idle.event(answer.json["eventId"])
    assert (stored["idempotency_key"], stored["type"], stored["source"]) == ("k" * 255, "T" * 64, "s" * 64)


def test_a_type_that_is_not_declared_is_refused_where_types_are(serve):
    server = serve(types=["LEAD", "OTHER"])
    assert server.post(event(kind="OTHER")).outcome == (200, "ACCEPTED")
    answer = server.post(event(kind="SALE"))
    assert answer.outcome == (400, "INVALID") and answer.pointers == ["/type"] and answer.json["code"] == "E0103"


@pytest.mark.parametrize("header, key", [
    ("lead-41", "lead-41"),
    ('"lead 42"', "lead 42"),
    ('"a\\"b\\\\c"', 'a"b\\c'),
])
def test_the_key_may_come_in_the_header_bare_or_quoted(idle, header, key):
    body = event()
    del body["idempotency_key"]
    answer = idle.post(body, {"Idempotency-Key": header})
    assert answer.outcome == (200, "ACCEPTED"), answer
    assert idle.event(answer.json["eventId"])["idempotency_key"] == key


def test_the_header_wins_over_the_body(idle):
    answer = idle.post(event("in the body"), {"Idempotency-Key": "in-the-header"})
    assert idle.event(answer.json["eventId"])["idempotency_key"] == "in-the-header"
    assert idle.post(event("in the body")).outcome == (200, "ACCEPTED")


@pytest.mark.parametrize("header", ['"open', "k" * 256, ""])
def test_a_broken_key_header_is_refused(idle, header):
    assert idle.post(event(), {"Idempotency-Key": header}).outcome == (400, "INVALID")


@pytest.mark.parametrize("given, stored", [
    ("2036-12-01T09:00:00+01:00", "2036-12-01T08:00:00Z"),
    ("2036-12-01T09:00:00-05:30", "2036-12-01T14:30:00Z"),
    ("2036-12-01T09:00:00Z", "2036-12-01T09:00:00Z"),
    ("2036-12-01T09:00:00.250Z", "2036-12-01T09:00:00.25Z"),
])
def test_a_time_with_an_offset_is_the_same_instant(idle, given, stored):
    def plain(text):
        return re.sub(r"\.?0*Z$", "Z", text) if "." in text else text
    shown = idle.event(idle.send(scheduled_at=given))
    assert plain(shown["scheduled_at"]) == stored
    assert shown["status"] == "PENDING"


def test_an_event_is_due_now_when_no_time_is_given(idle):
    shown = idle.event(idle.send())
    assert shown["scheduled_at"] == shown["created_at"]


# Kept byte for byte: read back as text out of the answer, not as parsed JSON.
PAYLOADS = {
    "blanks": b'{ "a" :\t[ 1 , 2 ]\n }',
    "order of members": b'{"z":1,"a":2}',
    "big integer": b'{"n":123456789012345678901234567890}',
    "precision": b'{"n":0.1000000000000000055511151231257827,"m":1.0,"e":1E+2}',
    "unicode": '{"name":"Zoë ☃ 😀 \u202e"}'.encode(),
    "escapes": b'{"name":"\\u00e9\\/\\ud83d\\ude00\\b"}',
    "NUL": b'{"a":"\\u0000"}',
    "empty names": b'{"":{"":[]}}',
    "looks like the envelope": b'{"payload":{"type":"X"},"type":"}"}',
}


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
def test_a_payload_is_kept_byte_for_byte(idle, payload):
    key = f"bytes-{payload.hex()}"[:255].encode()
    answer = idle.post(b'{"payload":%s,"type":"LEAD","source":"test","idempotency_key":"%s"}' % (payload, key))
    assert answer.outcome == (200, "ACCEPTED"), answer
    shown = idle.get(f"/v1/events/{answer.json['eventId']}").body
    assert b'"payload":' + payload + b',"fingerprint"' in shown


def test_a_name_written_with_escapes_is_the_same_name(idle):
    answer = idle.post(b'{"type":"LEAD","source":"test","idempotency_key":"escaped","p\\u0061yload":{"a":1}}')
    assert answer.outcome == (200, "ACCEPTED"), answer
    assert idle.event(answer.json["eventId"])["payload"] == {"a": 1}


def nested(depth):
    """An event whose whole JSON has this depth."""
    inner = depth - 2  # the event and the payload
    return b'{"type":"LEAD","source":"test","idempotency_key":"deep-%d","payload":{"a":%s}}' % (
        depth, b"[" * inner + b"]" * inner)


def test_depth_64_is_accepted_and_65_refused(idle):
    assert idle.post(nested(64)).outcome == (200, "ACCEPTED")
    answer = idle.post(nested(65))
    assert answer.outcome == (400, "INVALID") and answer.json["code"] == "E0101"


def test_a_depth_bomb_is_refused(idle):
    assert idle.post(b"[" * 200_000).status == 400
    assert idle.post(b'{"a":' * 40_000).status == 400


BATCH = [event("batch-1"), event("batch-1"), {**event("batch-1"), "payload": {"n": 2}}, {**event(), "type": 7},
         "no event", event("batch-2")]
BATCH_STATUSES = ["ACCEPTED", "DUPLICATE", "CONFLICT", "INVALID", "INVALID", "ACCEPTED"]


def check_batch(answer):
    assert answer.status == 200, answer
    items = answer.json
    assert [item["index"] for item in items] == list(range(len(BATCH)))
    assert [item["status"] for item in items] == BATCH_STATUSES
    assert items[0]["eventId"] == items[1]["eventId"] != items[5]["eventId"]
    assert items[2]["pointer"] == "/payload/n" and items[3]["pointer"] == "/type"


def test_an_array_is_answered_item_by_item_in_order(serve):
    check_batch(serve().post(BATCH))


def test_ndjson_is_answered_line_by_line_in_order(serve):
    check_batch(serve().ndjson(*BATCH))


def test_ndjson_takes_blank_lines_and_crlf_and_names_a_broken_line(serve):
    server = serve()
    lines = [json.dumps(event()).encode() + b"\r", b"", b'{"type":', json.dumps(event()).encode()]
    assert [item["status"] for item in server.ndjson(*lines).json] == ["ACCEPTED", "INVALID", "ACCEPTED"]


def test_an_array_of_depth_64_inside_each_event_is_accepted(serve):
    answer = serve().post(b"[" + nested(64) + b"]")
    assert [item["status"] for item in answer.json] == ["ACCEPTED"]


def test_a_header_key_for_many_events_is_refused(idle):
    assert idle.post([event(), event()], {"Idempotency-Key": "one"}).outcome == (400, "INVALID")


def test_an_empty_batch_is_an_empty_answer(idle):
    assert idle.post([]).json == []


@pytest.mark.parametrize("media", ["text/plain", "application/xml", "application/x-www-form-urlencoded", ""])
def test_another_media_type_is_415_and_names_those_taken(idle, media):
    answer = idle.post(event(), {"Content-Type": media})
    assert answer.status == 415
    assert "application/json" in answer.json["detail"] and "application/x-ndjson" in answer.json["detail"]


def test_json_with_a_charset_is_json(idle):
    assert idle.post(event(), {"Content-Type": "Application/JSON; charset=utf-8"}).outcome == (200, "ACCEPTED")


def test_a_format_made_of_json_is_json(idle):
    body = {"Content-Type": "application/vnd.leads+json"}
    assert idle.post(event(), body).outcome == (200, "ACCEPTED")


def test_a_byte_order_mark_is_named(idle):
    answer = idle.post(b"\xef\xbb\xbf" + json.dumps(event()).encode())
    assert answer.status == 400 and "byte order mark" in answer.json["detail"], answer


def test_a_method_that_is_not_there_names_those_that_are(idle):
    for path, methods in (("/v1/events", {"GET", "HEAD", "POST"}), ("/v1/status", {"GET", "HEAD"}),
                          ("/v1/destinations/x/pause", {"POST"}), ("/healthz", {"GET", "HEAD"})):
        answer = idle.request("DELETE", path)
        assert answer.status == 405 and set(answer.headers["Allow"].split(", ")) == methods, (path, answer)


def test_a_path_or_method_that_is_not_there(idle):
    assert idle.get("/v1/nothing").status == 404
    assert idle.request("DELETE", "/v1/events").status == 405
    assert idle.get("/v1/events/00000000-0000-7000-8000-000000000000").status == 404


def test_an_answer_names_the_request(idle):
    answer = idle.post(b"", {"X-Request-Id": "mine-7"})
    assert answer.json["request_id"] == "mine-7"
