"""Receivers that lie: each of their ways has one outcome, memory stays flat, and nothing is called that must not be."""
import base64
import contextlib
import ipaddress
import pathlib
import re
import shutil
import socket
import tempfile

import pytest

from harness import BINARY, RELEASE, Server, event, until
from receiver import Receiver, answer, drip, flood, raw, reset, silence

OK = b"HTTP/1.1 200 OK\r\n"
MEGABYTE = b"x" * (1 << 20)

# Way: behaviour, outcome of the first attempt, its HTTP status. A full head says what happened, the rest is talk.
WAYS = {
    "reset-before": (reset(), "unknown", None),
    "closed-before": (raw(b""), "unknown", None),
    "silent": (silence(), "unknown", None),
    "reset-in-status": (reset(b"HTTP/1.1 2"), "unknown", None),
    "reset-in-headers": (reset(OK + b"Content-Le"), "unknown", None),
    "silent-in-headers": (silence(OK + b"X-A: 1\r\n"), "unknown", None),
    "byte-by-byte-head": (drip(OK * 40), "unknown", None),
    "garbage": (raw(b"\x00\x01\x02 garbage\r\n\r\n"), "unknown", None),
    "http-0-9": (raw(b"<html>done</html>"), "unknown", None),
    "status-of-letters": (raw(b"HTTP/1.1 abc OK\r\n\r\n"), "unknown", None),
    "endless-headers": (flood(OK, b"X-A: " + b"a" * 8000 + b"\r\n", 2000), "unknown", None),
    "endless-1xx": (flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100, 5000), "unknown", None),
    "silent-in-body": (silence(OK + b"Content-Length: 10\r\n\r\n12"), "done", 200),
    "reset-in-body": (reset(OK + b"Content-Length: 10\r\n\r\n12"), "done", 200),
    "length-too-long": (raw(OK + b"Content-Length: 1000\r\n\r\n{}"), "done", 200),
    "chunked-cut": (raw(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"), "done", 200),
    "chunked-garbage": (raw(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nab"), "done", 200),
    "byte-by-byte-body": (drip(b"x" * 1000, OK + b"Content-Length: 1000\r\n\r\n"), "done", 200),
    "a-few-1xx": (raw(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + OK + b"\r\n"), "done", 200),
    "no-length": (raw(OK + b"\r\nuntil the end"), "done", 200),
    "two-answers": (raw((OK + b"Content-Length: 2\r\n\r\n{}") * 2), "done", 200),
    "hundred-megabytes": (flood(OK + b"Content-Length: 104857600\r\n\r\n", MEGABYTE, 100), "done", 200),
    "endless-chunks": (flood(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"100000\r\n" + MEGABYTE + b"\r\n", 200),
                       "done", 200),
    "zip-that-is-none": (answer(200, b"not gzip", "Content-Encoding: gzip"), "done", 200),
    "error-and-reset": (reset(b"HTTP/1.1 500 No\r\nContent-Length: 10\r\n\r\n12"), "retry", 500),
    "redirect": (answer(302, b"", "Location: /elsewhere"), "failed", 302),
    "redirect-loop": (answer(301, b"", "Location: /redirect-loop"), "failed", 301),
    "redirect-to-metadata": (answer(307, b"", "Location: http://169.254.169.254/"), "failed", 307),
    "redirect-to-a-file": (answer(308, b"", "Location: file:///etc/passwd"), "failed", 308),
    "fine-with-an-error": (answer(200, b'{"ok":false}'), "done", 200),
}


class Alley:
    """One server, one liar with every way on a path of its own, and what came of a delivery to each."""

    def __init__(self, folder, binary):
        self.receiver = Receiver()
        for way, (behaviour, _, _) in WAYS.items():
            self.receiver.script(f"/{way}", behaviour)
        self.server = Server(
            folder,
            binary=binary,
            destinations={way: {"url": self.receiver.url(f"/{way}"), "allow_private": "true", "breaker": "off",
                                "timeout": "2s", "on_unknown": "hold", "retry": {"max": "0"}, "give_up": "0s"}
                          for way in WAYS},
            routes={way: {"from": way, "to": [way]} for way in WAYS}).start()
        self.before = self.memory()
        self.ids = {way: self.server.send(kind=way) for way in WAYS}

    def memory(self):
        """The most resident memory so far, in bytes."""
        status = pathlib.Path(f"/proc/{self.server.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) << 10

    def end(self, way):
        return self.server.settled(self.ids[way], "COMPLETED", "FAILED", "HELD")

    def close(self):
        self.server.close()
        self.receiver.close()


@contextlib.contextmanager
def opened_alley(binary):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="e2e-"))
    alley = Alley(folder, binary)
    yield alley
    alley.close()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def alley():
    with opened_alley(BINARY) as alley:
        yield alley


STATUS = {"done": "COMPLETED", "failed": "FAILED", "retry": "FAILED", "unknown": "HELD"}


@pytest.mark.parametrize("way", WAYS)
def test_each_way_has_one_outcome(alley, way):
    delivery = alley.end(way)
    _, outcome, status = WAYS[way]
    [attempt] = delivery["attempts"]
    assert (attempt["outcome"], attempt["http_status"]) == (outcome, status), delivery
    assert delivery["status"] == STATUS[outcome]
    assert len(alley.receiver.of(f"/{way}")) == 1
    assert len(attempt["answer"] or "") <= 65536


def test_memory_stays_flat_whatever_they_answer():
    with opened_alley(RELEASE) as alley:
        for way in WAYS:
            alley.end(way)
        assert alley.memory() - alley.before < 32 << 20


def test_redirects_are_not_followed(alley):
    for way in WAYS:
        alley.end(way)
    assert alley.receiver.of("/elsewhere") == []


def test_all_the_while_the_server_answers(alley):
    assert alley.server.post(event(kind="NOTHING")).outcome == (200, "ACCEPTED")
    assert alley.server.probe("/readyz") == 200


def test_a_connection_that_lied_is_not_used_again(serve, receiver):
    """The second answer in the first one's packet is not taken for the answer to the next request."""
    two = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"

    def twice(exchange):
        exchange.write(two)
        return True
    receiver.script("/hook", twice)
    server = serve(destinations={"hook": {"url": receiver.url("/hook"), "allow_private": "true", "concurrency": "1"}},
                   routes={"all": {"from": "*", "to": ["hook"]}})
    for _ in range(5):
        server.settled(server.send(), "COMPLETED")


# Where calls may go.

@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1",
                                  "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "127.0.0.1.",
                                  "user@127.0.0.1", "127.0.0.1%00.example.com"])
def test_a_private_address_is_refused_however_it_is_written(serve, receiver, host):
    server = serve()
    server.configure(destinations={"hook": {"url": f"http://{host}:{receiver.port}/hook", "breaker": "off",
                                            "retry": {"max": "1", "base": "10ms"}, "give_up": "0s"}},
                     routes={"all": {"from": "*", "to": ["hook"]}})
    applied = server.cli("apply", "-y")
    if applied.code == 3:
        return  # refused where it is written
    assert applied.code == 0, applied
    server.settled(server.send(), "FAILED", "HELD")
    assert receiver.requests == []


def private_name():
    """A name that is not localhost and leads to a private address: this machine's own, where its hosts file has it."""
    name = socket.gethostname()
    with contextlib.suppress(OSError):
        if ipaddress.ip_address(socket.gethostbyname(name)).is_private:
            return name
    return pytest.skip(f"the machine's own name, {name}, leads to no private address")


def test_the_refusal_of_an_address_says_so(serve, receiver):
    """A name may lead to a private address for a minute only: it is tried again, and a person decides at the end."""
    server = serve(destinations={"hook": {"url": f"http://{private_name()}:{receiver.port}/hook", "breaker": "off",
                                          "retry": {"max": "2", "base": "10ms"}, "give_up": "0s"}},
                   routes={"all": {"from": "*", "to": ["hook"]}})
    delivery = server.settled(server.send(), "HELD")
    assert "allow_private" in delivery["last_error"] and delivery["retry_count"] == 2, delivery
    assert receiver.requests == [] and len(delivery["attempts"]) == 3


def test_sends_leave_descriptors_to_the_door_and_blame_nobody(serve, receiver):
    receiver.script("/slow", silence())
    server = serve(wrap=("prlimit", "--nofile=200:256"), routes={"all": {"from": "*", "to": ["slow"]}},
                   destinations={"slow": {"url": receiver.url("/slow"), "allow_private": "true", "timeout": "10m",
                                          "concurrency": "256"}})
    [ready] = [line for line in server.log() if line["event"] == "ready"]
    assert ready["descriptors"] == 256 and 0 < ready["sends"] <= 64 and 0 < ready["connections"] <= 64, ready
    server.post([event() for _ in range(300)])
    until(lambda: len(receiver.of("/slow")) == ready["sends"], "as many sends as there are places")
    assert server.cli("status").code == 0
    [desk] = server.get("/v1/destinations").json["items"]
    assert desk["breaker"]["state"] == "closed" if isinstance(desk["breaker"], dict) else desk["breaker"] == "closed"


def test_a_proxy_of_the_environment_is_not_used(serve, receiver):
    proxy = Receiver()
    env = {name: proxy.url() for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")}
    server = serve(env=env, destinations={"hook": {"url": receiver.url("/hook"), "allow_private": "true"}},
                   routes={"all": {"from": "*", "to": ["hook"]}})
    server.settled(server.send(), "COMPLETED")
    assert proxy.requests == [] and len(receiver.of("/hook")) == 1
    proxy.close()


def test_a_proxy_that_a_destination_names_carries_its_requests(serve):
    proxy = Receiver()
    (name, secret) = ("ada", "a-password-of-a-proxy")
    server = serve(env={"PROXY_PASSWORD": secret},
                   destinations={"hook": {"url": "http://crm.example.test/hook",
                                          "proxy": f"http://{name}:${{PROXY_PASSWORD}}@127.0.0.1:{proxy.port}"}},
                   routes={"all": {"from": "*", "to": ["hook"]}})
    server.settled(server.send(), "COMPLETED")
    (request,) = proxy.requests
    assert request.path == "http://crm.example.test/hook"  # a name that nobody but the proxy could find
    assert dict(request.headers)["Proxy-Authorization"] == "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()
    assert secret not in server.text and secret not in server.cli("check").out
    proxy.close()


# TLS.

def serve_tls(serve, authority, context):
    receiver = Receiver(context)
    server = serve(env={"SSL_CERT_FILE": str(authority.folder / "ca.pem")},
                   destinations={"hook": {"url": receiver.url("/hook"), "allow_private": "true", "breaker": "off",
                                          "retry": {"max": "3", "base": "20ms", "cap": "20ms"}}},
                   routes={"all": {"from": "*", "to": ["hook"]}})
    return server, receiver


def test_a_certificate_of_a_known_authority_is_accepted(serve, authority):
    server, receiver = serve_tls(serve, authority, authority.sign("good", "IP:127.0.0.1"))
    server.settled(server.send(), "COMPLETED")
    assert len(receiver.of("/hook")) == 1
    receiver.close()


def test_an_authority_of_a_destination_counts_for_it_alone(serve, authority):
    receiver = Receiver(authority.sign("good", "IP:127.0.0.1"))
    common = {"allow_private": "true", "breaker": "off", "retry": {"max": "3", "base": "20ms", "cap": "20ms"}}
    server = serve(env={"OWN_CA": (authority.folder / "ca.pem").read_text()},
                   destinations={"knows": {"url": receiver.url("/knows"), "ca": "${OWN_CA}", **common},
                                 "asks": {"url": receiver.url("/asks"), **common}},
                   routes={"all": {"from": "*", "to": ["knows", "asks"]}})
    event_id = server.send()
    until(lambda: receiver.of("/knows") and server.get("/v1/destinations/asks").json["paused"], "both to be tried")
    by_name = {delivery["destination"]: delivery for delivery in server.deliveries(event_id)}
    assert by_name["knows"]["status"] == "COMPLETED" and "certificate" in by_name["asks"]["last_error"]
    assert receiver.of("/asks") == []
    receiver.close()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("kind", ["self-signed", "another-host", "expired", "tls-1.1"])
def test_a_certificate_that_cannot_be_trusted_is_refused_without_a_storm(serve, authority, kind):
    if kind == "self-signed":
        context = authority.self_signed("own")
    elif kind == "expired":
        context = authority.sign("old", "IP:127.0.0.1", days="-1")
    else:
        context = authority.sign("other", "DNS:example.com" if kind == "another-host" else "IP:127.0.0.1")
    if kind == "tls-1.1":
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.maximum_version = context.minimum_version = 0x0302
    server, receiver = serve_tls(serve, authority, context)
    event_id = server.send()
    server.settled(event_id, "PENDING", tried=True)
    assert server.delivery(event_id)["last_error"]
    assert receiver.requests == []
    if kind != "tls-1.1":
        assert server.get("/v1/destinations/hook").json["paused"] is True
        assert server.delivery(event_id)["attempt_count"] == 1
    receiver.close()
