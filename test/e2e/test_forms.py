"""Forms: what people fill in is an event once, what machines fill in is kept apart, and no page of another site gets in."""
import concurrent.futures
import re
import time
import urllib.parse
import uuid

import pytest

from harness import Server, until
from receiver import Receiver
from test_cli import FINDINGS

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
JSON = {"Content-Type": "application/json", "Accept": "application/json"}
FIELDS = {"email": "required", "name": "optional", "message": {"kind": "area"}}
OURS = "https://www.example.com"


def form(**more):
    return {"type": "form", "fields": FIELDS, "limit": "1000/m", **more}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    receiver = Receiver()
    server = Server(tmp_path_factory.mktemp("forms"), **{
        "server": {"proxies": ["127.0.0.1"], "url": "https://hooks.example.com"},
        "sources": {"contact": form(event="LEAD_CAPTURE", consent="Send me the letter.", thanks=f"{OURS}/thanks"),
                    "german": form(language="de", title="Kontakt"),
                    "ours": form(origins=[OURS]),
                    "anything": {"type": "form", "limit": "1000/m"},
                    "bounded": form(limit="3/h")},
        "destinations": {"crm": {"url": receiver.url("/crm"), "allow_private": "true", "limit": "1000/s"}},
        "routes": {"all": {"from": "*", "to": ["crm"]}}}).start()
    yield server, receiver
    server.close()
    receiver.close()


@pytest.fixture
def server(world):
    return world[0]


def fill(server, name, fields, headers=None, kind="application/x-www-form-urlencoded"):
    body = fields if isinstance(fields, (bytes, str)) else urllib.parse.urlencode(fields)
    return server.request("POST", f"/f/{name}", body, {"Content-Type": kind, **BROWSER, **(headers or {})})


def address():
    """One that no other test has."""
    return f"{uuid.uuid4().hex}@example.com"


def events(server, **query):
    return server.every("/v1/events?" + urllib.parse.urlencode(query))


def event_of(server, email):
    [event] = [event for event in events(server) if event["payload"].get("email") == email]
    return event


def multipart(*parts):
    lines = [f"--b0\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n" for head, value in parts]
    return ("".join(lines) + "--b0--\r\n").encode()


def test_a_form_is_an_event_in_each_of_its_forms(server):
    kinds = [("application/x-www-form-urlencoded", lambda email: urllib.parse.urlencode({"email": email})),
             ("multipart/form-data; boundary=b0", lambda email: multipart(('name="email"', email))),
             ("application/json", lambda email: f'{{"email": "{email}"}}')]
    for kind, body in kinds:
        email = address()
        got = fill(server, "contact", body(email), kind=kind)
        assert got.status == (200 if "json" in kind else 303), got
        event = event_of(server, email)
        assert (event["type"], event["source"]) == ("LEAD_CAPTURE", "contact")


def test_thanks_are_where_the_configuration_says(server):
    evil = {"_next": "https://evil.example", "thanks": "https://evil.example", "redirect": "//evil.example",
            "_redirect": "https://evil.example"}
    got = fill(server, "contact", {"email": address(), **evil}, {"Referer": "https://evil.example/?next=//evil.example"})
    assert (got.status, got.headers["Location"]) == (303, f"{OURS}/thanks") and "evil" not in str(got.headers)
    own = fill(server, "german", {"email": address(), **evil})
    assert own.status == 200 and "Vielen Dank" in own.body.decode() and b"evil" not in own.body
    assert own.headers["Location"] is None


def test_a_file_is_refused_by_the_name_of_its_field(server):
    body = multipart(('name="email"', address()), ('name="cv"; filename="cv.pdf"', "%PDF"))
    got = fill(server, "contact", body, {"Accept": "*/*"}, kind="multipart/form-data; boundary=b0")
    assert (got.status, got.pointers) == (415, ["/cv"]) and "'cv'" in got.json["detail"]
    page = fill(server, "german", body, kind="multipart/form-data; boundary=b0")
    assert page.status == 415 and "keine Dateien" in page.body.decode()
    empty = multipart(('name="email"', address()), ('name="cv"; filename=""', ""))
    assert fill(server, "contact", empty, kind="multipart/form-data; boundary=b0").status == 303


def test_what_is_wrong_is_shown_with_what_was_typed(server):
    got = fill(server, "german", {"email": "ada@", "name": '"><script>alert(1)</script>', "message": "Zeile 1\r\nZeile 2"})
    page = got.body.decode()
    assert got.status == 422 and got.headers["Content-Type"] == "text/html; charset=utf-8"
    assert '<html lang="de">' in page and "<h1>Kontakt</h1>" in page
    assert "E-Mail-Adresse ist keine vollständige E-Mail-Adresse" in page
    assert 'aria-describedby="f-email-wrong" value="ada@"' in page and 'id="f-email-wrong"' in page
    assert 'value="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"' in page and "<script" not in page
    assert ">\nZeile 1\nZeile 2</textarea>" in page
    assert "script-src" not in got.headers["Content-Security-Policy"]
    assert got.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
    script = fill(server, "german", '{"name": "x"}', JSON, kind="application/json")
    assert (script.status, script.json["code"], script.pointers) == (422, "E0137", ["/email"])
    assert script.json["errors"][0]["detail"] == "E-Mail-Adresse fehlt."
    assert not [event for event in events(server) if event["payload"].get("name") == "x"]


def test_consent_and_the_way_are_kept(server):
    email = address()
    page = f"{OURS}/fair?utm_source=fair&utm_campaign=spring"
    fill(server, "contact", {"email": email, "consent": "on", "_referrer": "https://search.example/", "utm_medium": "web"},
         {"Referer": page})
    event = event_of(server, email)
    consent = event["payload"]["consent"]
    assert consent == {"given": True, "text": "Send me the letter.", "at": event["created_at"], "page": page}
    assert event["payload"]["utm"] == {"source": "fair", "medium": "web", "campaign": "spring"}
    assert event["payload"]["form"] == {"page": page, "referrer": "https://search.example/", "language": "en"}
    without = address()
    fill(server, "contact", {"email": without})
    assert event_of(server, without)["payload"]["consent"]["given"] is False


# twice

def token_of(server, name):
    page = server.get(f"/f/{name}").body.decode()
    return re.search(r'name="_token" autocomplete="off" value="([^"]+)"', page)[1]


def test_a_second_click_is_one_event(server):
    for token in ({}, {"_token": str(uuid.uuid4())}):
        email = address()
        filled = {"email": email, **token}
        assert [fill(server, "contact", filled).status for _ in range(3)] == [303] * 3
        first = event_of(server, email)
        again = fill(server, "contact", {**filled, "name": "Ada"})  # went back, and wrote more
        assert again.status == 303 and len([one for one in events(server) if one["payload"].get("email") == email]) == 2
        script = fill(server, "contact", filled, {"Accept": "application/json"})
        assert (script.json["accepted"], script.json["duplicates"], script.json["eventIds"]) == (0, 1, [first["id"]])
    assert token_of(server, "contact") != token_of(server, "contact")


def test_no_boundary_between_windows_makes_two(folder):
    """The first click in the second half of a window, the second in the next window."""
    server = Server(folder, sources={"contact": form(window="6s")}).start()
    filled = {"email": address()}
    accepted = lambda: fill(server, "contact", filled, {"Accept": "application/json"}).json["accepted"]  # noqa: E731
    until(lambda: 3 < time.time() % 6 < 5, "the second half of a window")
    window = time.time() // 6
    assert accepted() == 1
    until(lambda: time.time() // 6 > window, "the next window")
    assert accepted() == 0
    server.close()


# machines

def test_what_a_machine_fills_in_is_kept_apart_and_can_be_released(world):
    server, receiver = world
    email, quick = address(), address()
    person = fill(server, "contact", {"email": address()})
    machine = fill(server, "contact", {"email": email, "_gotcha": "http://spam.example"})
    fast = fill(server, "contact", {"email": quick, "_token": token_of(server, "contact")})
    same = lambda got: (got.status, got.headers["Location"], got.body)  # noqa: E731
    assert same(machine) == same(fast) == same(person)
    kept = {event["payload"]["payload"]["email"]: event for event in events(server, type="spam.contact")}
    assert "no person sees" in kept[email]["payload"]["why"] and "faster" in kept[quick]["payload"]["why"]
    assert server.event(kept[email]["id"])["deliveries"] == []  # though a route takes *
    assert server.get("/v1/sources/contact").json["spam"] == 2
    shown = server.cli("sources", "show", "contact")
    assert "events list --type spam.contact" in shown.err
    listed = server.cli("events", "list", "--type", "spam.contact", "-o", "id").out.split()
    assert listed == [kept[quick]["id"], kept[email]["id"]]
    released = server.cli("events", "release", kept[quick]["id"])
    assert released.code == 0 and released.out.startswith("released as ")
    event = event_of(server, quick)
    assert event["type"] == "LEAD_CAPTURE"
    server.settled(event["id"], "COMPLETED")
    assert "is the event already" in server.cli("events", "release", kept[quick]["id"]).out
    refused = server.cli("events", "release", event["id"])
    assert refused.code == 5 and "not kept as spam" in refused.err
    acts = server.get("/v1/audit?limit=10").json["items"]
    assert [act["subject"] for act in acts if act["act"] == "event.release"] == [kept[quick]["id"]] * 2


def test_spam_with_what_the_form_refuses_is_not_released(world):
    server, _ = world
    email = address()
    assert fill(server, "contact", {"email": email, "name": "Ad\x1ba", "_gotcha": "x"}).status == 303
    [kept] = [event for event in events(server, type="spam.contact") if event["payload"]["payload"].get("email") == email]
    assert kept["payload"]["payload"]["name"] == "Ad\ufffda" and kept["payload"]["problems"][0]["field"] == "name"
    refused = server.cli("events", "release", kept["id"])
    assert refused.code == 5 and "E0137" in refused.err and "characters that cannot be used" in refused.err, refused


def test_a_line_break_in_a_field_of_one_line_is_a_blank(world):
    server, _ = world
    email = address()
    assert fill(server, "contact", {"email": email, "name": "Ada\r\nBcc: x"}).status == 303
    assert event_of(server, email)["payload"]["name"] == "Ada Bcc: x"


def test_one_address_may_send_so_often(server):
    """The proxy names the address, which must be believed because it is configured."""
    from_one = {"X-Forwarded-For": "203.0.113.5"}
    for _ in range(3):
        assert fill(server, "bounded", {"email": address()}, from_one).status == 200
    slowed = fill(server, "bounded", {"email": address()}, from_one)
    assert slowed.status == 429 and 0 < int(slowed.headers["Retry-After"]) <= 1201
    assert b"<html" in slowed.body
    script = fill(server, "bounded", {"email": address()}, {**from_one, "Accept": "application/json"})
    assert (script.status, script.json["code"]) == (429, "E0128")
    assert fill(server, "bounded", {"email": address()}, {"X-Forwarded-For": "203.0.113.5, 203.0.113.6"}).status == 200
    assert fill(server, "bounded", {"email": address()}, {"X-Forwarded-For": "203.0.113.6, 203.0.113.5"}).status == 429


def test_what_strangers_send_is_nothing_to_do(server):
    fill(server, "contact", "x", kind="text/plain")
    assert server.get("/v1/sources/contact").json["last_refused"]["code"] == "E0115"
    assert [item for item in server.get("/v1/todo").json["items"] if "contact" in str(item)] == []


# pages of other sites

def test_origins(server):
    from_page = lambda origin, **more: fill(server, "ours", {"email": address()}, {"Origin": origin, **more})  # noqa: E731
    ours = from_page(OURS, Accept="application/json")
    assert ours.status == 200 and ours.headers["Access-Control-Allow-Origin"] == OURS and ours.headers["Vary"] == "Origin"
    assert from_page("https://evil.example").status == 403
    script = from_page("https://evil.example", Accept="application/json")
    assert (script.status, script.json["code"]) == (403, "E0119")
    assert script.headers["Access-Control-Allow-Origin"] is None
    assert from_page("null").status == 403
    assert from_page(f"http://127.0.0.1:{server.port}").status == 200  # its own page
    assert from_page("https://hooks.example.com").status == 200  # by its public name
    assert fill(server, "ours", {"email": address()}).status == 200  # no browser at all
    anywhere = fill(server, "anything", {"a": address()}, {"Origin": "https://other.example"})
    assert anywhere.status == 200 and anywhere.headers["Access-Control-Allow-Origin"] is None


def test_a_script_of_a_listed_page_may_ask_first(server):
    asks = lambda origin: server.request("OPTIONS", "/f/ours", headers={  # noqa: E731
        "Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"})
    allowed = asks(OURS)
    assert allowed.status == 204 and allowed.headers["Access-Control-Allow-Origin"] == OURS
    assert allowed.headers["Access-Control-Allow-Methods"] == "POST"
    assert allowed.headers["Access-Control-Allow-Headers"] == "Content-Type"
    assert asks("https://evil.example").headers["Access-Control-Allow-Origin"] is None


# odd requests

@pytest.mark.parametrize("kind, body, status", [
    ("text/plain", b"email=a", 415), ("application/json", b"{", 400), ("application/json", b"[]", 400),
    ("application/json", b'{"email": {}}', 400), ("multipart/form-data", b"--b--", 400),
    ("multipart/form-data; boundary=b0", b"--b0\r\n\r\n", 400), ("application/x-www-form-urlencoded", b"email=%ff", 400),
    ("application/x-www-form-urlencoded", b"email=a%00@example.com", 422), ("application/x-www-form-urlencoded", b"", 422),
    ("application/json", b'{"email": "\\u0000@example.com"}', 422),
    ("application/x-www-form-urlencoded", b"&".join(b"a=1" for _ in range(1001)), 400),
])
def test_bodies_that_are_no_form(server, kind, body, status):
    before = len(events(server))
    for accept in ({"Accept": "application/json"}, BROWSER):
        got = fill(server, "contact", body, accept, kind=kind)
        assert got.status == status, got
        assert got.headers["Content-Type"].startswith("text/html" if accept == BROWSER and "json" not in kind
                                                      else "application/problem+json")
    assert len(events(server)) == before


def test_a_form_without_fields_takes_what_comes(server):
    mark = address()
    assert fill(server, "anything", [("email", mark), ("tag", "a"), ("tag", "b"), ("_own", "x")]).status == 200
    payload = event_of(server, mark)["payload"]
    assert payload["tag"] == ["a", "b"] and "_own" not in payload
    assert server.get("/f/anything").status == 404
    wrong = fill(server, "anything", {"email": "ada", "free": "text"})
    assert wrong.status == 422 and 'name="free" autocomplete="on" value="text"' in wrong.body.decode()


def test_a_field_that_is_not_declared_is_told(server):
    fill(server, "ours", {"email": address(), "budget": "7"})
    told = lambda: [line["field"] for line in server.log()  # noqa: E731
                    if line["event"] == "field_unknown" and line["source"] == "ours"]
    until(told, "the line")
    assert told() == ["budget"]


def test_a_name_that_anybody_makes_up_writes_no_message_of_its_own(folder):
    server = Server(folder, **{"sources": {"contact": form()}, "routes": {}}).start()
    for _ in range(3):
        assert fill(server, "contact", {"email": address(), "\n\nURGENT: https://evil.example/x\u202e\nrun": "1"}).status == 200
    [error] = [one["error"] for one in server.get("/v1/todo").json["items"] if one["cause"] == "fields"]
    assert error.endswith(": '__URGENT__https___evil_example_x_u202e_r'"), error


def test_a_page_with_a_field_that_the_form_lacks_is_told_until_it_is_declared(folder):
    config = {"sources": {"contact": form()}, "routes": {}}
    server = Server(folder, **config).start()
    causes = lambda: [one for one in server.get("/v1/todo").json["items"] if one["cause"] == "fields"]  # noqa: E731
    lost = lambda: {one["field"]: one["count"] for one in server.get("/v1/sources/contact").json["unkept"]}  # noqa: E731
    person = lambda **more: fill(server, "contact", {"email": address(), **more})  # noqa: E731
    for fields in ({"phone": "1", "phone2": "2", "unused": ""}, {"phone": "1"}):
        assert person(**fields).status == 200
    assert lost() == {"phone": 2, "phone2": 1}
    assert person(phone="1", email="no address").status == 422  # nothing was stored without it
    assert person(phone="1", _gotcha="x").status == 200         # nor of a machine
    again = {"email": address(), "phone": "3"}
    assert lost()["phone"] == 2 and causes() == []
    assert fill(server, "contact", again).status == fill(server, "contact", again).status == 200  # one event
    assert server.get("/v1/sources/contact").json["fields_unknown"] == 3
    [cause] = causes()
    assert (cause["kind"], cause["name"], cause["count"]) == ("source", "contact", 3)
    status = server.cli("status", "--exit-code")
    assert status.code == FINDINGS and "0 failed · 1 more: drumbeat todo\n" in status.out, status
    assert server.cli("status", "--exit-code", "-o", "json").code == FINDINGS and "1 more: " in server.cli().out
    assert cause["error"].endswith(": 'phone'") and cause["command"] == "drumbeat sources show contact"
    shown = server.cli("sources", "show", "contact")
    assert shown.code == 0 and "fields lost" in shown.out and "phone2" in shown.out and "apply" in shown.err, shown
    until(lambda: b'drumbeat_source_fields_unknown_total{source="contact"} 3' in server.get("/metrics").body, "the counter")

    config["sources"]["contact"]["fields"] = {**FIELDS, "phone": "optional"}
    server.configure(**config)
    assert server.cli("apply", "-y").code == 0
    assert causes() == [] and lost() == {"phone2": 1}
    email = address()
    assert fill(server, "contact", {"email": email, "phone": "4"}).status == 200
    assert event_of(server, email)["payload"]["phone"] == "4"
    assert server.terminate() == 0
    server.start()
    assert lost() == {}
    server.close()


def test_with_keys_a_form_is_still_open(folder):
    server = Server(folder, sources={"contact": form()}).start()
    server.cli("keys", "create", "--role", "owner")
    assert server.get("/v1/events").status == 401
    assert server.get("/f/contact").status == 200 and fill(server, "contact", {"email": address()}).status == 200
    server.close()


def test_what_was_thanked_for_is_there_after_a_power_cut(folder):
    server = Server(folder, sources={"contact": form()}).start()
    email = address()
    assert fill(server, "contact", {"email": email}).status == 200
    server.kill()
    server.start()
    first = event_of(server, email)
    assert fill(server, "contact", {"email": email}).status == 200  # the person tries again
    assert event_of(server, email)["id"] == first["id"]
    server.close()


def test_two_processes_on_postgres_take_a_click_each_and_it_is_one_event(folder, database):
    servers = []
    for name in ("a", "b"):
        (folder / name).mkdir()
        servers.append(Server(folder / name, store=database, sources={"contact": form()}).start())
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            filled = {"email": address()}
            clicks = [pool.submit(fill, server, "contact", filled, {"Accept": "application/json"}) for server in servers * 2]
            answers = [click.result().json for click in clicks]
            assert sum(answer["accepted"] for answer in answers) == 1
            assert len({answer["eventIds"][0] for answer in answers}) == 1
    fill(servers[0], "contact", {"email": "a\0b", "name": "Grace", "_gotcha": "x"})
    [spam] = events(servers[1], type="spam.contact")
    assert spam["payload"]["payload"] | {"form": None} == {"email": "a\ufffdb", "name": "Grace", "form": None}
    assert servers[1].cli("events", "release", spam["id"]).code == 5
    fill(servers[0], "contact", {"email": address(), "name": "Grace", "_gotcha": "x"})
    kept = [event["id"] for event in events(servers[1], type="spam.contact") if event["id"] != spam["id"]]
    assert servers[1].cli("events", "release", *kept).code == 0
    assert [event["payload"]["name"] for event in events(servers[0], type="contact.submitted") if "name" in event["payload"]] == ["Grace"]
    for server in servers:
        server.close()


# the command line

def test_the_form_is_printed_and_a_sample_of_it_sent(server):
    html = server.cli("sources", "show", "contact", "--html")
    assert html.code == 0 and html.out.startswith('<form method="post" action="https://hooks.example.com/f/contact"')
    assert '<label for="f-email">E-mail address <span class="must">(required)</span></label>' in html.out
    assert 'id="f-email" name="email" autocomplete="email" required' in html.out
    tried = server.cli("sources", "test", "contact", "-o", "json")
    assert tried.code == 0 and tried.json["type"] == "LEAD_CAPTURE" and tried.json["payload"]["email"] == "ada@example.com"
    wrong = server.cli("sources", "test", "contact", "--set", "email=ada")
    assert wrong.code == 1 and "E0137" in wrong.err and "complete e-mail address" in wrong.err
    mark = address()
    sent = server.cli("trigger", "contact", "--set", f"email={mark}")
    assert sent.code == 0 and event_of(server, mark)["id"].startswith(sent.out.split()[0])
    assert server.cli("sources", "show", "anything", "--html").code == 1
