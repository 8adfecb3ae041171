"""Senders post what they sign with their own libraries, and drumbeat believes them alone."""
import base64
import concurrent.futures
import hmac
import http.client
import json
import pathlib
import re
import signal
import subprocess
import time
import urllib.parse

import pytest

from harness import PATIENCE_S, Answer, Server, event, until

SIGNERS = ["node", str(pathlib.Path(__file__).with_name("signers.js"))]
URL = "https://hooks.example.com"
CANARY = "canary-5f2a"
STANDARD = "whsec_" + base64.b64encode(b"canary-5f2a-standard-key").decode()
TOKEN = "canary-5f2a-0123456789"  # of each other source
SOURCES = "stripe github shopify slack typeform calendly hubspot mailgun twilio meta paddle lemon-squeezy tally cal".split()


def node(*jobs):
    """What signers.js came to with each job."""
    done = subprocess.run([*SIGNERS, json.dumps(jobs)], capture_output=True, text=True, timeout=PATIENCE_S * 2)
    assert done.returncode == 0, f"the senders' libraries are missing (./dev test fetches them) or failed: {done.stderr}"
    return json.loads(done.stdout)


def now_s():
    return int(time.time())


def post(server, path, body, headers=None, method="POST", host=None):
    """Without any API key, as the world does."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    headers = {"Content-Type": "application/json", **({"Host": host} if host else {}), **(headers or {})}
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def counted(answer):
    """Accepted, duplicates, invalid."""
    assert answer.status == 200, answer
    return tuple(answer.json[name] for name in ("accepted", "duplicates", "invalid"))


def mac(secret, message, digest="sha256"):
    return hmac.new(secret.encode(), message.encode(), digest)


def github(body, secret=TOKEN, delivery="d-1", kind="push"):
    return {"X-Hub-Signature-256": f"sha256={mac(secret, body).hexdigest()}", "X-GitHub-Event": kind,
            "X-GitHub-Delivery": delivery}


def config(**more):
    """Every type that a shared secret is enough for."""
    sources = {name: {"secret": "${TOKEN}"} for name in SOURCES}
    sources |= {name: {"secret": "${STANDARD}"} for name in ("standard-webhooks", "svix", "resend")}
    sources |= {"postmark": {"secret": "${WORDS}"}, "words": {"type": "basic", "secret": "${WORDS}"},
                "carrier": {"type": "bearer", "secret": "${TOKEN}"}, "open": {"type": "none", "secret": "${TOKEN}"},
                "billing": {"type": "hmac", "secret": "${TOKEN}", "header": "X-Billing-Signature", "prefix": "v1=",
                            "algorithm": "sha512", "encoding": "base64", "time": "X-Billing-Time",
                            "signed": "{method} {url} {time}.{body}", "map": {"type": "/kind", "key": "/id"}}}
    sources["meta"]["verify_token"] = "${TOKEN}"
    return {"server": {"url": URL}, "sources": sources | more}


ENV = {"TOKEN": TOKEN, "STANDARD": STANDARD, "WORDS": f"ada:{CANARY}"}


@pytest.fixture(scope="module")
def hooks(tmp_path_factory):
    """A server that knows every sender; the tests that share it use keys of their own."""
    server = Server(tmp_path_factory.mktemp("hooks"), env=ENV, **config()).start()
    yield server
    server.close()


def the_event(server, key):
    [found] = [one for one in server.every("/v1/events") if one["idempotency_key"] == key]
    return found


# ---- the senders' own libraries ----

def test_stripes_library_signs(hooks):
    body = json.dumps({"id": "evt_lib", "object": "event", "type": "invoice.paid", "data": {"object": {"é": 1}}}, indent=2)
    [headers] = node({"with": "stripe", "secret": TOKEN, "body": body, "at_s": now_s()})
    assert counted(post(hooks, "/in/stripe", body.encode(), headers)) == (1, 0, 0)
    found = the_event(hooks, "stripe:evt_lib")
    assert (found["type"], found["source"], found["payload"]) == ("stripe.invoice.paid", "stripe", json.loads(body))
    assert counted(post(hooks, "/in/stripe", body.encode(), headers)) == (0, 1, 0)
    assert post(hooks, "/in/stripe", body.encode() + b" ", headers).status == 401


def test_a_request_that_stripe_signed_an_hour_ago_is_stale(hooks):
    body = json.dumps({"id": "evt_old", "type": "invoice.paid"})
    old, coming = node({"with": "stripe", "secret": TOKEN, "body": body, "at_s": now_s() - 3600},
                       {"with": "stripe", "secret": TOKEN, "body": body, "at_s": now_s() + 3600})
    for headers in (old, coming):
        answer = post(hooks, "/in/stripe", body, headers)
        assert (answer.status, answer.json["code"]) == (401, "E0136"), answer


def test_githubs_library_signs(hooks):
    body = json.dumps({"action": "published", "release": {"name": "ünder"}}, ensure_ascii=False)
    [headers] = node({"with": "github", "secret": TOKEN, "body": body})
    headers |= {"X-GitHub-Event": "release", "X-GitHub-Delivery": "lib-1"}
    assert counted(post(hooks, "/in/github", body.encode(), headers)) == (1, 0, 0)
    assert the_event(hooks, "github:lib-1")["type"] == "github.release.published"


@pytest.mark.parametrize("name, library", [("standard-webhooks", "standard-webhooks"), ("svix", "svix"), ("resend", "svix")])
def test_standard_webhooks_libraries_sign(hooks, name, library):
    body = json.dumps({"type": "user.created", "data": {}})
    [headers] = node({"with": library, "secret": STANDARD, "body": body, "id": f"msg_{name}", "at_s": now_s()})
    assert counted(post(hooks, f"/in/{name}", body, headers)) == (1, 0, 0)
    assert the_event(hooks, f"{name}:msg_{name}")["type"] == f"{name}.user.created"


def test_a_public_key_of_standard_webhooks(serve):
    body = json.dumps({"type": "user.created", "data": {}})
    [headers] = node({"with": "ed25519", "body": body, "id": "msg_key", "at_s": now_s()})
    server = serve(sources={"standard-webhooks": {"secret": "${KEY}"}}, env={"KEY": "whpk_" + headers.pop("key")})
    assert counted(post(server, "/in/standard-webhooks", body, headers)) == (1, 0, 0)
    assert post(server, "/in/standard-webhooks", body, {**headers, "webhook-id": "msg_kez"}).status == 401


def test_twilios_library_signs_forms_and_json(hooks):
    fields = {"To": "+15551234", "Body": "Grüße & more=%", "SmsStatus": "received", "Media": ["b", "a", "b"], "Empty": ""}
    query = "token=1&x=%20y"
    text = '{"EventType":"onMessageAdded"}'
    [digest] = node({"with": "twilio-digest", "body": text})
    json_query = f"a=b&bodySHA256={digest}"
    form, of_json = node({"with": "twilio", "secret": TOKEN, "url": f"{URL}/in/twilio?{query}", "fields": fields},
                         {"with": "twilio", "secret": TOKEN, "url": f"{URL}/in/twilio?{json_query}", "fields": {}})
    form |= {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8", "I-Twilio-Idempotency-Token": "tw-1"}
    body = urllib.parse.urlencode(fields, doseq=True)
    answer = post(hooks, f"/in/twilio?{query}", body, form)
    assert answer.status == 200 and answer.headers["Content-Type"] == "text/xml" and b"<Response>" in answer.body, answer
    assert the_event(hooks, "twilio:tw-1")["payload"] == fields
    of_json |= {"I-Twilio-Idempotency-Token": "tw-2"}
    assert post(hooks, f"/in/twilio?{json_query}", text, of_json).status == 200
    assert the_event(hooks, "twilio:tw-2")["type"] == "twilio.onMessageAdded"
    assert post(hooks, f"/in/twilio?{json_query}", text.replace("Added", "added"), of_json).status == 401


def test_sendgrids_library_agrees(serve):
    body = json.dumps([{"sg_event_id": "sg-1", "event": "delivered"}, {"sg_event_id": "sg-2", "event": "open"}]) + "\r\n"
    [headers] = node({"with": "sendgrid", "body": body, "at_s": now_s()})
    server = serve(sources={"sendgrid": {"secret": "${KEY}"}}, env={"KEY": headers.pop("key")})
    assert counted(post(server, "/in/sendgrid", body, headers)) == (2, 0, 0)
    assert {one["type"] for one in server.every("/v1/events")} == {"sendgrid.delivered", "sendgrid.open"}
    assert post(server, "/in/sendgrid", body[:-2], headers).status == 401


def test_the_standard_library_believes_drumbeat(serve, receiver):
    server = serve(env=ENV, destinations={"hook": {"url": receiver.url("/hook"), "allow_private": "true", "on_unknown": "retry",
                                                   "signing_secret": "${STANDARD}"}},
                   routes={"all": {"from": "LEAD", "to": ["hook"]}})
    server.settled(server.send(payload={"name": "Grüße", "n": 1.50}), "COMPLETED")
    [got] = receiver.of("/hook")
    job = {"with": "verify", "secret": STANDARD, "body": got.body.decode(),
           "headers": {name: got[name] for name in ("webhook-id", "webhook-timestamp", "webhook-signature")}}
    right, changed, other = node(job, {**job, "body": job["body"] + " "},
                                 {**job, "secret": "whsec_" + base64.b64encode(b"x" * 24).decode()})
    assert right is True and changed is not True and other is not True


# ---- the others, signed as their pages say ----

def signed(name, body):
    """Headers, by hand."""
    at = str(now_s())
    words = "Basic " + base64.b64encode(f"ada:{CANARY}".encode()).decode()
    long = base64.b64encode(mac(TOKEN, f"POST {URL}/in/billing {at}.{body}", "sha512").digest()).decode()

    def hexadecimal(message):
        return mac(TOKEN, message).hexdigest()

    def base(message):
        return base64.b64encode(mac(TOKEN, message).digest()).decode()

    return {
        "shopify": {"X-Shopify-Hmac-Sha256": base(body), "X-Shopify-Topic": "orders/create", "X-Shopify-Webhook-Id": "sh-1"},
        "slack": {"X-Slack-Signature": "v0=" + hexadecimal(f"v0:{at}:{body}"), "X-Slack-Request-Timestamp": at},
        "typeform": {"Typeform-Signature": "sha256=" + base(body)},
        "calendly": {"Calendly-Webhook-Signature": f"t={at},v1={hexadecimal(f'{at}.{body}')}"},
        "hubspot": {"X-HubSpot-Signature-v3": base(f"POST{URL}/in/hubspot{body}{at}000"),
                    "X-HubSpot-Request-Timestamp": at + "000"},
        "meta": {"X-Hub-Signature-256": "sha256=" + hexadecimal(body)},
        "paddle": {"Paddle-Signature": f"ts={at};h1={hexadecimal(f'{at}:{body}')}"},
        "lemon-squeezy": {"X-Signature": hexadecimal(body)},
        "tally": {"Tally-Signature": base(body)},
        "cal": {"X-Cal-Signature-256": hexadecimal(body)},
        "postmark": {"Authorization": words}, "words": {"Authorization": words},
        "carrier": {"Authorization": f"Bearer {TOKEN}"},
        "billing": {"X-Billing-Signature": "v1=" + long, "X-Billing-Time": at},
        "open": {},
    }[name]


BODIES = {
    "shopify": ({"id": 820982911946154508}, ["shopify.orders.create shopify:sh-1"]),
    "slack": ({"event_id": "Ev1", "event": {"type": "app_mention"}}, ["slack.app_mention slack:Ev1"]),
    "typeform": ({"event_id": "01H", "event_type": "form_response"}, ["typeform.form_response typeform:01H"]),
    "calendly": ({"event": "invitee.created", "created_at": "2026", "payload": {"uri": "u"}},
                 ["calendly.invitee.created calendly:invitee.created:u:2026"]),
    "hubspot": ([{"eventId": n, "subscriptionId": 9, "objectId": 5, "subscriptionType": "contact.creation",
                  "attemptNumber": 0} for n in (1, 2)],
                ["hubspot.contact.creation hubspot:1:9:5", "hubspot.contact.creation hubspot:2:9:5"]),
    "meta": ({"object": "page", "entry": [{"id": "1", "time": n, "changes": [{"field": "feed"}]} for n in (1, 2)]},
             ["meta.feed meta:sha256:*", "meta.feed meta:sha256:*"]),
    "paddle": ({"event_id": "evt_01", "event_type": "transaction.completed"}, ["paddle.transaction.completed paddle:evt_01"]),
    "lemon-squeezy": ({"meta": {"event_name": "order_created"}}, ["lemon-squeezy.order_created lemon-squeezy:sha256:*"]),
    "tally": ({"eventId": "e1", "eventType": "FORM_RESPONSE"}, ["tally.FORM_RESPONSE tally:e1"]),
    "cal": ({"triggerEvent": "BOOKING_CREATED", "createdAt": "2026", "payload": {"uid": "u1"}},
            ["cal.BOOKING_CREATED cal:BOOKING_CREATED:2026:u1"]),
    "postmark": ({"RecordType": "Open", "MessageID": "m-1"}, ["postmark.Open postmark:sha256:*"]),
    "words": ({"type": "lead"}, ["words.lead words:sha256:*"]),
    "carrier": ({"type": "lead"}, ["carrier.lead carrier:sha256:*"]),
    "open": ({"type": "lead"}, ["open.lead open:sha256:*"]),
    "billing": ({"kind": "paid", "id": "in-7"}, ["billing.paid billing:in-7"]),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_sender_that_signs_by_hand(hooks, name):
    value, expected = BODIES[name]
    body = json.dumps(value)
    path = f"/in/{name}" + (f"/{TOKEN}" if name == "open" else "")
    before = len([one for one in hooks.every("/v1/events") if one["source"] == name])
    assert post(hooks, path[:-1] if name == "open" else path, body, {"X-Nothing": "1"}).status == 401
    assert before == len([one for one in hooks.every("/v1/events") if one["source"] == name]) == 0
    assert counted(post(hooks, path, body, signed(name, body))) == (len(expected), 0, 0)
    assert counted(post(hooks, path, body, signed(name, body))) == (0, len(expected), 0)
    found = sorted(f"{one['type']} {re.sub('sha256:.{64}$', 'sha256:*', one['idempotency_key'])}"
                   for one in hooks.every("/v1/events") if one["source"] == name)
    assert found == expected


def test_mailgun_signs_within_the_body(hooks):
    at = str(now_s())
    body = json.dumps({"signature": {"timestamp": at, "token": "t1", "signature": mac(TOKEN, at + "t1").hexdigest()},
                       "event-data": {"id": "mg-1", "event": "opened"}})
    assert counted(post(hooks, "/in/mailgun", body)) == (1, 0, 0)
    assert the_event(hooks, "mailgun:mg-1")["type"] == "mailgun.opened"
    assert post(hooks, "/in/mailgun", body.replace('"t1"', '"t2"')).status == 401


def test_a_second_try_that_differs_is_a_duplicate(serve):
    server = serve(env=ENV, **config())

    def attempt(number):
        body = json.dumps([{"eventId": 77, "subscriptionId": 1, "objectId": 1, "subscriptionType": "deal.creation",
                            "attemptNumber": number}])
        return counted(post(server, "/in/hubspot", body, signed("hubspot", body)))

    assert [attempt(0), attempt(1), attempt(2)] == [(1, 0, 0), (0, 1, 0), (0, 1, 0)]
    assert the_event(server, "hubspot:77:1:1")["payload"]["attemptNumber"] == 0
    body = json.dumps([{"eventId": 90, "subscriptionId": 1, "objectId": 1, "subscriptionType": "deal.creation"}, 7, []])
    assert counted(post(server, "/in/hubspot", body, signed("hubspot", body))) == (1, 0, 2)  # two items are no events


def test_greetings(hooks):
    body = json.dumps({"type": "url_verification", "challenge": "3eZbrw1aB", "token": "x"})
    answer = post(hooks, "/in/slack", body, signed("slack", body))
    assert (answer.status, answer.json) == (200, {"challenge": "3eZbrw1aB"})
    query = urllib.parse.urlencode({"hub.mode": "subscribe", "hub.verify_token": TOKEN, "hub.challenge": "1158201444"})
    answer = post(hooks, f"/in/meta?{query}", None, method="GET")
    assert (answer.status, answer.headers["Content-Type"], answer.body) == (200, "text/plain", b"1158201444")
    assert post(hooks, f"/in/meta?{query.replace(TOKEN, 'other')}", None, method="GET").status == 401
    assert post(hooks, f"/in/stripe?{query}", None, method="GET").status == 401


# ---- who is not believed ----

def told(answer):
    """All that a stranger hears, but for what differs between any two answers."""
    problem = answer.json
    assert problem.pop("request_id")
    headers = {name: value for name, value in answer.headers.items() if name not in ("Date", "X-Request-Id")}
    headers.pop("Content-Length")  # a request's id is as long as its sender likes
    return answer.status, headers, problem


def test_an_unknown_source_answers_as_a_bad_signature(hooks):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    asked = [("POST", b"{}", {}), ("POST", b"{}", github("other")), ("POST", b"", {}), ("POST", b"{", {}),
             ("POST", b"a=%FF", form), ("POST", b"&" * 1001, form), ("GET", None, {}), ("POST", b"x" * 300_000, {}),
             ("POST", b"{}", {"Authorization": "Bearer db_nothing"}), ("POST", b"{}", {"Origin": "https://evil.example"})]
    for method, body, headers in asked:
        unknown = told(post(hooks, "/in/nobody", body, headers, method=method))
        assert unknown[0] == 401 and unknown[2]["code"] == "E0135"
        for name in ("github", "stripe", "mailgun", "twilio", "words", "carrier", "open", "hubspot", "slack", "meta"):
            assert told(post(hooks, f"/in/{name}", body, headers, method=method)) == unknown, (name, method, body)
        if method == "POST":
            assert told(post(hooks, "/in/nobody/secret", body, headers)) == unknown
            assert told(post(hooks, "/in/open/secret", body, headers)) == unknown


def test_a_body_that_is_signed_and_no_event(hooks):
    for body in ("[1]", "nothing", "", "{", "7"):
        answer = post(hooks, "/in/github", body, github(body))
        assert answer.status == 400 and answer.json["detail"], answer


def test_other_methods_and_paths(hooks):
    answer = post(hooks, "/in/github", b"{}", method="PUT")
    assert answer.status == 405 and "POST" in answer.headers["Allow"]
    for path in ("/in", "/in/", "/in/github/a/b"):
        assert post(hooks, path, b"{}", github("{}")).status == 404, path


# ---- with keys, under other names, after a restart ----

def test_no_key_is_needed_and_none_helps(serve):
    server = serve(env=ENV, **config())
    assert counted(post(server, "/in/github", "{}", github("{}", delivery="before"))) == (1, 0, 0)
    key = server.cli("keys", "create", "--role", "owner").out.strip()
    until(lambda: server.get("/v1/events").status == 401, "the key to be in force")
    assert counted(post(server, "/in/github", "{}", github("{}", delivery="after"))) == (1, 0, 0)
    assert post(server, "/in/github", "{}", {"Authorization": f"Bearer {key}"}).status == 401
    assert post(server, "/v1/sources", None, method="GET").status == 401
    server.key = key
    assert [one["name"] for one in server.get("/v1/sources").json["items"]] == list(config()["sources"])


def test_a_public_host_name_and_a_browsers_origin(hooks):
    host = "hooks.example.com"
    assert counted(post(hooks, "/in/github", "{}", github("{}", delivery="host"), host=host)) == (1, 0, 0)
    headers = {**github("{}", delivery="origin"), "Origin": "https://github.example", "Sec-Fetch-Site": "cross-site"}
    assert counted(post(hooks, "/in/github", "{}", headers, host=host)) == (1, 0, 0)
    assert post(hooks, "/v1/events", json.dumps(event()), host=host).status == 403


def test_a_restart_keeps_what_was_taken(serve):
    server = serve(env=ENV, **config())
    assert counted(post(server, "/in/github", '{"n":1}', github('{"n":1}'))) == (1, 0, 0)
    server.restart()
    assert counted(post(server, "/in/github", '{"n":2}', github('{"n":2}'))) == (0, 1, 0)
    assert the_event(server, "github:d-1")["payload"] == {"n": 1}


def test_on_postgres_too(serve, database):
    server = serve(env=ENV, store=database, **config())
    body = json.dumps(BODIES["hubspot"][0])
    assert counted(post(server, "/in/hubspot", body, signed("hubspot", body))) == (2, 0, 0)
    assert counted(post(server, "/in/hubspot", body, signed("hubspot", body))) == (0, 2, 0)
    form = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/x-www-form-urlencoded"}
    assert counted(post(server, "/in/carrier", "type=lead&nul=%00&name=%F0%9F%98%80", form)) == (1, 0, 0)
    [found] = [one for one in server.every("/v1/events") if one["source"] == "carrier"]
    assert found["payload"] == {"type": "lead", "nul": "\0", "name": "😀"}


def test_a_reload_changes_the_secret(serve):
    other = "another-secret-0123"
    server = serve(env={**ENV, "NEXT": other}, **config())
    server.configure(**config(github={"secret": "${NEXT}", "old_secret": "${TOKEN}"}))
    plan = server.cli("apply", "-n")
    assert "source github: secret changed" in plan.out and "source github: old_secret changed" in plan.out, plan
    assert CANARY not in plan.out + plan.err and other not in plan.out + plan.err
    server.process.send_signal(signal.SIGHUP)
    until(lambda: post(server, "/in/github", "{}", github("{}", other)).status == 200, "the new secret")
    assert post(server, "/in/github", "{}", github("{}", TOKEN)).status == 200
    server.configure(**config(github={"secret": "${NEXT}"}))
    assert server.cli("apply").code == 0
    assert post(server, "/in/github", "{}", github("{}", TOKEN)).status == 401
    assert post(server, "/in/github", "{}", github("{}", other)).status == 200
    server.configure(**config(github={"secret": "${NOWHERE}"}))
    assert server.cli("apply").code == 3
    assert post(server, "/in/github", "{}", github("{}", other)).status == 200


def test_ten_equal_posts_at_once_are_one_event(hooks):
    body = '{"ref":"refs/heads/main"}'
    headers = github(body, delivery="at-once")
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: counted(post(hooks, "/in/github", body, headers)), range(10)))
    assert sorted(answers) == [(0, 1, 0)] * 9 + [(1, 0, 0)]


# ---- what is told, and what is not ----

def test_counts_and_the_log_line(serve):
    server = serve(env=ENV, **config())
    for headers in (github("{}", "wrong"), github("{}"), github("{}"), github("{}", delivery="d-2"), github("other"), {}):
        post(server, "/in/github", "{}", headers)
    post(server, "/in/github", "[]", github("[]"))
    for name in ("nobody", "x" * 500, "a%0Ab"):
        assert post(server, f"/in/{name}", "{}").status == 401
    expected = {'{source="github",outcome="accepted"}': "2", '{source="github",outcome="duplicate"}': "1",
                '{source="github",outcome="invalid"}': "1", '{source="github",outcome="refused"}': "3",
                '{source="",outcome="refused"}': "3"}

    def total():
        return dict(re.findall(r"drumbeat_source_requests_total(\{.*?\}) (\d+)", server.get("/metrics").body.decode()))

    until(lambda: total() == expected, lambda: f"the counters, which are {total()}")  # /metrics is made anew once a second
    [item] = [one for one in server.get("/v1/sources").json["items"] if one["name"] == "github"]
    counts = {name: item[name] for name in ("accepted", "duplicate", "invalid", "refused", "greeted", "key_missing")}
    assert counts == {"accepted": 2, "duplicate": 1, "invalid": 1, "refused": 3, "greeted": 0, "key_missing": 0}
    assert item["address"] == f"{URL}/in/github" and item["old_secret"] is False
    post(server, "/in/stripe", "{}")  # what others did before keeps nobody from being named
    line, strange, other = [one for one in server.log() if one["event"] == "source_refused"]  # at most one a minute of each
    assert (line["source"], line["code"]) == ("github", "E0135")
    assert line["why"] == "the signature does not fit (another secret, or something changed the request on its way)", line
    assert (strange["source"], other["source"]) == ("nobody", "stripe") and other["not_written"] == 0


def test_the_last_refusal_is_kept(serve):
    server = serve(env=ENV, **config())
    assert server.get("/v1/sources/github").json["last_refused"] is None
    post(server, "/in/github", "{}", github("{}", "wrong"))
    assert "does not fit" in server.get("/v1/sources/github").json["last_refused"]["why"]
    post(server, "/in/github", "[1]", github("[1]"))
    last = server.get("/v1/sources/github").json["last_refused"]
    assert last["code"] != "E0135" and last["at"].startswith("20")
    shown = server.cli("sources", "show", "github").out
    assert last["code"] in shown and last["why"] in shown
    assert server.get("/v1/sources/stripe").json["last_refused"] is None
    assert post(server, "/in/nobody", "{}").status == 401
    assert all(one["last_refused"] is None for one in server.get("/v1/sources").json["items"] if one["name"] != "github")


def test_strangers_trouble_nobody_and_a_sender_that_is_refused_does(serve):
    server = serve(env={**ENV, "OTHER": "canary-5f2a-another-one"}, **config())

    def waiting():
        return [(one["cause"], one["name"], one["count"]) for one in server.get("/v1/todo").json["items"]]

    for _ in range(7):
        assert post(server, "/in/github", None, method="GET").status == 401
        assert post(server, "/in/nobody", "{}").status == 401
    assert waiting() == [] and server.get("/v1/sources/github").json["last_refused"] is None
    for _ in range(7):  # however many: nobody knows yet how often something good comes
        post(server, "/in/github", "{}", github("{}", "wrong"))
    assert waiting() == []
    assert counted(post(server, "/in/github", "{}", github("{}"))) == (1, 0, 0)
    for _ in range(7):  # noise beside a sender that was just heard
        post(server, "/in/github", "{}", github("{}", "wrong"))
    assert waiting() == [] and "does not fit" in server.get("/v1/sources/github").json["last_refused"]["why"]
    server.configure(**config(github={"secret": "${OTHER}"}))
    assert server.cli("apply", "-y").code == 0
    for count in range(1, 6):  # the secret in the file was changed, the sender's was not
        assert waiting() == [], count
        post(server, "/in/github", "{}", github("{}"))
    assert waiting() == [("source", "github", 5)]
    assert "It is over when something good comes" in server.cli("todo").out
    assert counted(post(server, "/in/github", "{}", github("{}", "canary-5f2a-another-one"))) == (0, 1, 0)
    assert waiting() == []


def test_a_body_without_the_keys_place(serve):
    server = serve(env=ENV, **config(carrier={"type": "bearer", "secret": "${TOKEN}", "map": {"key": "/order/id"}}))
    headers = {"Authorization": f"Bearer {TOKEN}"}
    for body in ('{"type":"lead","order":{"id":7}}', '{"type":"lead","n":1}', '{"type":"lead","n":2}'):
        assert counted(post(server, "/in/carrier", body, headers)) == (1, 0, 0)
    keys = sorted(re.sub("sha256:.{64}$", "sha256:*", one["idempotency_key"]) for one in server.every("/v1/events"))
    assert keys == ["carrier:7", "carrier:sha256:*", "carrier:sha256:*"]
    assert server.get("/v1/sources/carrier").json["key_missing"] == 2
    [line] = [one for one in server.log() if one["event"] == "key_missing"]  # at most one a minute
    assert (line["source"], line["key"]) == ("carrier", "/order/id")
    until(lambda: b'drumbeat_source_keys_missing_total{source="carrier"} 2' in server.get("/metrics").body, "the counter")
    assert "digest" in server.cli("sources", "show", "carrier").err


def test_no_secret_is_shown_or_kept(serve):
    server = serve(env=ENV, **config())
    post(server, f"/in/open/{TOKEN}", '{"type":"lead"}')
    post(server, f"/in/nobody/{TOKEN}", "{}")
    post(server, f"/in/github/{TOKEN}", "{}", {"Authorization": f"Bearer {TOKEN}"})
    post(server, "/in/carrier", '{"type":"lead"}', {"Authorization": f"Bearer {TOKEN}"})
    post(server, "/in/words", '{"type":"lead"}', signed("words", ""))
    assert len(server.every("/v1/events")) == 3
    said = [server.get(path).body.decode()
            for path in ("/v1/sources", "/v1/sources/open", "/v1/status", "/v1/audit", "/metrics", "/v1/events")]
    for words in (["sources", "list"], ["sources", "show", "open"], ["status"], ["check"], ["apply", "-n"]):
        got = server.cli(*words)
        said.append(got.out + got.err)
    server.terminate()
    said.append(server.text)
    kept = [path.read_bytes() for path in server.folder.rglob("*") if path.is_file()]
    for secret in (CANARY, STANDARD[6:], base64.b64encode(f"ada:{CANARY}".encode()).decode()):
        assert not [text for text in said if secret in text], secret
        assert not [data for data in kept if secret.encode() in data], secret
