"""Certificates of the servers that are called: when they end is known before it hurts, and a refused one says who helps.

Certificates are made here by openssl, and shown by real servers. An authority that only the test knows is given as a
user gives one: by SSL_CERT_FILE, or `ca` of a destination."""
import contextlib
import json
import re
import time

import pytest

from harness import Server, until
from mailserver import MailServer
from receiver import Receiver, answer
from tokens import CLIENT, CLIENT_CREDENTIALS, CLIENT_SECRET, Provider

HOST = "127.0.0.1"
DAY = 86400
METRIC = re.compile(r'^drumbeat_destination_certificate_expiry_seconds\{destination="([^"]+)"\} (\S+)$', re.MULTILINE)


@pytest.fixture
def shows(authority):
    """A receiver whose certificate ends in so many days; of a subject that is not its own, if one is named."""
    started = []

    def start(days, subject=f"IP:{HOST}"):
        started.append(Receiver(authority.sign(f"server{len(started)}", subject, days=str(days))))
        started[-1].script("/hook", answer(200, b"", "Connection: close"))  # each call shows it anew
        return started[-1]
    yield start
    for receiver in started:
        receiver.close()


@pytest.fixture
def ends_with_test():
    with contextlib.ExitStack() as ends:
        yield ends


def renew(authority, receiver, days=90):
    """The server has another certificate. Sessions from before go on, where a client wants them to."""
    authority.sign("renewed", f"IP:{HOST}", days=str(days))
    receiver.context.load_cert_chain(authority.folder / "renewed.pem", authority.folder / "renewed.key")


def to(receiver, path="/hook", **more):
    return {"url": receiver.url(path), "allow_private": "true", **more}


def world(serve, authority, destinations):
    return serve(env={"SSL_CERT_FILE": str(authority.folder / "ca.pem")}, destinations=destinations,
                 routes={"all": {"from": "*", "to": list(destinations)}})


def ends(server):
    return {name: float(value) for name, value in METRIC.findall(server.get("/metrics").body.decode())}


def told(server):
    causes = ("certificate", "untrusted")
    return {item["name"]: item for item in server.get("/v1/todo").json["items"] if item["cause"] in causes}


def shop(folder, authority, api, tokens):
    """A server, not started yet, whose destination `it` gets its tokens from another server than it is called at."""
    tokens.script("/token", Provider(api).token)
    (folder / "connectors").mkdir()
    (folder / "connectors/shop.yaml").write_text(
        CLIENT_CREDENTIALS.replace('url: "${field.server}/token"', f'url: "{tokens.url("/token")}"'))
    return Server(folder, env={"SSL_CERT_FILE": str(authority.folder / "ca.pem"), "SHOP_SECRET": CLIENT_SECRET},
                  destinations={"it": {"type": "shop", "server": api.url(""), "id": CLIENT, "secret": "${SHOP_SECRET}",
                                       "allow_private": "true"}},
                  routes={"all": {"from": "*", "to": [{"it.send": {"text": "hi"}}]}})


def send(server):
    event_id = server.send()
    until(lambda: server.event(event_id)["status"] == "COMPLETED", lambda: f"its deliveries: {server.event(event_id)}")


def is_in(seconds, days):
    return abs(seconds - time.time() - days * DAY) < 3600


def test_one_that_ends_in_three_days_is_told_until_a_call_sees_another(serve, authority, shows):
    soon, late = shows(3), shows(90)
    server = world(serve, authority, {"soon": to(soon), "late": to(late)})
    assert ends(server) == {} and told(server) == {}, "nothing was called yet"
    send(server)
    until(lambda: len(ends(server)) == 2, "both numbers")
    assert is_in(ends(server)["soon"], 3) and is_in(ends(server)["late"], 90)
    assert set(told(server)) == {"soon"}
    item, host = told(server)["soon"], f"{HOST}:{soon.port}"
    assert item["error"].startswith(f"the certificate of {host} ends in 2 d 23 h, at 20") and "renew" in item["does"]
    assert item["command"] == "drumbeat destinations show soon"
    shown = server.cli("destinations", "show", "soon").out
    assert re.search(r"certificate until +\d", shown) and host in shown
    assert f"! soon: the certificate of {host} ends" in server.cli("status").out
    assert server.cli("status", "--exit-code").code == 9
    [line] = [one for one in server.log() if one["event"] == "certificate_ends"]
    assert (line["destination"], line["host"]) == ("soon", host)
    renew(authority, soon)
    send(server)
    until(lambda: not told(server), "the renewed one to be seen")
    until(lambda: is_in(ends(server)["soon"], 90), "its number")
    assert server.cli("status", "--exit-code").code == 0


def test_after_a_restart_it_is_told_from_the_first_call_on(serve, authority, shows):
    soon = shows(3)
    server = world(serve, authority, {"soon": to(soon)})
    send(server)
    until(lambda: set(told(server)) == {"soon"}, "the item")
    assert server.terminate() == 0
    server.start()
    assert ends(server) == {} and told(server) == {}, "nothing was called yet"
    send(server)
    until(lambda: set(told(server)) == {"soon"}, "the item again")


def test_one_of_a_destination_that_is_gone_or_elsewhere_is_forgotten(serve, authority, shows):
    soon, late = shows(3), shows(90)
    server = world(serve, authority, {"moves": to(soon), "goes": to(soon), "stays": to(soon)})
    send(server)
    until(lambda: len(told(server)) == 3, "all of them")
    rest = {"moves": to(late), "stays": to(soon, concurrency="3")}
    server.configure(destinations=rest, routes={"all": {"from": "*", "to": list(rest)}})
    assert server.cli("apply").code == 0
    until(lambda: set(told(server)) == {"stays"}, lambda: f"the others to be forgotten: {told(server)}")
    send(server)
    until(lambda: is_in(ends(server).get("moves", 0), 90), "where it moved to")
    assert set(told(server)) == {"stays"}


def test_one_that_another_destination_was_shown_counts_for_all_at_that_server(serve, authority, shows):
    """Who goes over a connection that is there already is shown nothing itself."""
    soon = shows(3)
    soon.script("/hook", answer(200))
    server = serve(env={"SSL_CERT_FILE": str(authority.folder / "ca.pem")}, destinations={"one": to(soon), "other": to(soon)},
                   routes={name: {"from": name, "to": [name]} for name in ("one", "other")})
    for name in ("one", "other"):
        server.settled(server.send(kind=name), "COMPLETED")
    assert set(told(server)) == {"one", "other"} and len(soon.connections) == 1


def test_one_of_a_mail_server_is_seen_behind_starttls(serve, authority):
    mail = MailServer(context=authority.sign("localhost", "DNS:localhost", days="3"))
    server = serve(destinations={"mail": {"type": "smtp", "url": mail.url("localhost"), "allow_private": "true",
                                          "ca": (authority.folder / "ca.pem").read_text(), "from": "shop@example.com"}},
                   routes={"all": {"from": "*", "to": [{"mail.mail": {"to": "ada@example.com", "subject": "hi",
                                                                      "text": "hi"}}]}})
    server.settled(server.send(), "COMPLETED")
    until(lambda: told(server), "the cause")
    assert f"localhost:{mail.port} ends in 2 d 23 h" in told(server)["mail"]["error"]
    until(lambda: is_in(ends(server).get("mail", 0), 3), "the number")
    mail.close()


def test_one_of_a_token_server_counts_for_its_destination(folder, ends_with_test, authority, shows):
    server = shop(folder, authority, api=shows(90), tokens=(tokens := shows(3)))
    ends_with_test.callback(server.close)
    server.start()
    server.settled(server.send(), "COMPLETED")
    until(lambda: told(server), "the cause")
    assert f"{HOST}:{tokens.port} ends in" in told(server)["it"]["error"]
    until(lambda: is_in(ends(server).get("it", 0), 3), "the number")


def test_one_of_the_collector_of_traces_is_told_as_such(serve, authority, shows, receiver):
    collector = shows(3)
    collector.script("/v1/traces", answer(200, b"", "Content-Type: application/x-protobuf"))
    server = serve(env={"SSL_CERT_FILE": str(authority.folder / "ca.pem"), "OTEL_METRICS_EXPORTER": "none",
                        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url(""), "OTEL_BSP_SCHEDULE_DELAY": "50",
                        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
                   destinations={"crm": to(receiver)}, routes={"all": {"from": "*", "to": ["crm"]}})
    send(server)
    host = f"{HOST}:{collector.port}"
    until(lambda: told(server), "the cause")
    [item] = told(server).values()
    assert (item["kind"], item["name"], item["command"]) == ("collector", host, "drumbeat status") and "ends in" in item["error"]
    assert f"! collector: the certificate of {host} ends" in server.cli("status").out
    until(lambda: is_in(ends(server).get("(collector)", 0), 3), "the number")
    assert server.cli("apply").code == 0 and set(told(server)) == {host}, "a reload changes no collector"


def test_an_alert_tells_it_and_that_it_is_over(serve, authority, shows, receiver):
    soon = shows(3)
    server = serve(env={"SSL_CERT_FILE": str(authority.folder / "ca.pem")},
                   destinations={"crm": to(soon), "chat": to(receiver, "/chat", limit="100/s")},
                   routes={"all": {"from": "LEAD", "to": ["crm"]}}, alerts={"to": [{"chat": {"body": {"text": "${.text}"}}}]})
    server.settled(server.send(), "COMPLETED")
    assert server.cli("apply").code == 0  # looks at once
    until(lambda: receiver.of("/chat"), "the alert")
    text = json.loads(receiver.of("/chat")[0].body)["text"]
    assert text.startswith("drumbeat needs you: certificate: destination crm, since ") and f"{HOST}:{soon.port} ends in" in text


REFUSED = {
    "expired": ("has expired; whoever runs that server must renew it", dict(days=-1)),
    "another-host": ("is for other names; look at the address", dict(days=3, subject="DNS:example.com")),
    "unknown": ("is signed by nobody who is trusted here; ca: names who is", dict(days=3)),
}


def test_a_refused_one_of_a_token_server_pauses_and_says_so(folder, ends_with_test, authority, shows):
    """Else its deliveries would wait, and nobody could tell for what."""
    api, tokens = shows(90), shows(-1)
    server = shop(folder, authority, api, tokens)
    ends_with_test.callback(server.close)
    server.start()
    event_id = server.send()
    until(lambda: told(server), "the cause")
    item = told(server)["it"]
    assert item["error"] == f"no token: not trusted: the certificate of {HOST}:{tokens.port} {REFUSED['expired'][0]}"
    assert item["command"] == "drumbeat destinations resume it"
    renew(authority, tokens)
    assert server.cli("destinations", "resume", "it").code == 0
    server.settled(event_id, "COMPLETED")
    assert told(server) == {}


def test_a_trial_says_until_when_it_holds_or_why_it_is_refused(serve, authority, shows):
    good, bad = shows(90), shows(-1)
    server = world(serve, authority, {"good": to(good), "bad": to(bad)})
    tried = {name: server.cli("destinations", "test", name, "--send", env=server.env) for name in ("good", "bad")}
    assert "The certificate of its server ends " in tried["good"].out + tried["good"].err, tried["good"]
    said = tried["bad"].out + tried["bad"].err
    assert tried["bad"].code == 1 and REFUSED["expired"][0] in said and "token" not in said and "nothing was sent" in said
    asked = server.cli("destinations", "test", "good", "--send", "-o", "json", env=server.env).json
    assert re.fullmatch(r"20\d\d-.*Z", asked["result"]["certificate_expires"])


@pytest.mark.parametrize("kind", REFUSED)
def test_a_refused_one_says_where_and_why_and_who_helps(serve, authority, shows, kind):
    words, shown = REFUSED[kind]
    receiver = shows(**shown)
    server = serve(env={} if kind == "unknown" else {"SSL_CERT_FILE": str(authority.folder / "ca.pem")},
                   destinations={"crm": to(receiver)}, routes={"all": {"from": "*", "to": ["crm"]}})
    event_id = server.send()
    until(lambda: told(server), "the cause")
    item, delivery = told(server)["crm"], server.delivery(event_id)
    error = f"not trusted: the certificate of {HOST}:{receiver.port} {words}"
    assert (item["error"], item["command"]) == (error, "drumbeat destinations resume crm"), item
    assert "nothing was sent" in item["does"] and "credentials" not in item["does"]
    assert item["cause"] == "untrusted"  # of its own: that an end was told keeps no refusal back
    assert (delivery["last_error"], delivery["retry_count"], delivery["attempt_count"]) == (error, 0, 1)
    assert receiver.requests == [] and server.get("/v1/destinations/crm").json["certificate_expires"] is None
    if kind == "unknown":
        own = (authority.folder / "ca.pem").read_text()
        server.configure(destinations={"crm": to(receiver, ca=own)}, routes={"all": {"from": "*", "to": ["crm"]}})
        assert server.cli("apply").code == 0
    else:
        renew(authority, receiver, days=3)
    assert server.cli("destinations", "resume", "crm").code == 0
    server.settled(event_id, "COMPLETED")
    until(lambda: "ends in" in told(server)["crm"]["error"], "the end of the new one in place of the refusal")
