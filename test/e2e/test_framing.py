"""Hostile framing on a raw socket: refused with 4xx, the connection closed, nothing of it taken in, others unharmed."""
import contextlib
import json
import pathlib
import re
import shutil
import tempfile
import threading

import pytest

from harness import Server, event, until

BODY = json.dumps(event("smuggled")).encode()
HEAD = b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
NEXT = HEAD + LENGTH + b"\r\n" + BODY  # what must not be served on the same connection


@pytest.fixture(scope="module")
def idle():
    """As conftest's, with a shorter patience for what never comes."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="e2e-"))
    server = Server(path, server={"body_timeout": "2s"}).start()
    yield server
    server.close()
    shutil.rmtree(path, ignore_errors=True)


def rest(sock):
    """All bytes until the other side closes."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while chunk := sock.recv(65536):
            data += chunk
    return data


def answers(data):
    """The status codes in a stream of answers."""
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", data)]


ATTACKS = {
    "length and chunked": HEAD + LENGTH + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKED,
    "chunked and length": HEAD + b"Transfer-Encoding: chunked\r\n" + LENGTH + b"\r\n" + CHUNKED,
    "two lengths": HEAD + LENGTH + b"Content-Length: 0\r\n\r\n" + BODY,
    "two equal lengths": HEAD + LENGTH + LENGTH + b"\r\n" + BODY,
    "list of lengths": HEAD + b"Content-Length: 5, 5\r\n\r\n12345",
    "signed length": HEAD + b"Content-Length: +%d\r\n\r\n" % len(BODY) + BODY,
    "negative length": HEAD + b"Content-Length: -1\r\n\r\n" + BODY,
    "hexadecimal length": HEAD + b"Content-Length: 0x10\r\n\r\n" + BODY,
    "length beyond 64 bits": HEAD + b"Content-Length: 18446744073709551617\r\n\r\n" + BODY,
    "unknown coding": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n" + CHUNKED,
    "two codings": HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + CHUNKED,
    "coding behind a tab": HEAD + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + CHUNKED,
    "chunked on 1.0": HEAD.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKED,
    "blank before the colon": HEAD + b"Content-Length : %d\r\n\r\n" % len(BODY) + BODY,
    "two hosts": HEAD + b"Host: b\r\n" + LENGTH + b"\r\n" + BODY,
    "no host": HEAD.replace(b"Host: localhost\r\n", b"") + LENGTH + b"\r\n" + BODY,
    "folded line": HEAD + b"X-A: 1\r\n 2\r\n" + LENGTH + b"\r\n" + BODY,
    "folded coding": HEAD + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + CHUNKED,
    "bare LF": HEAD.replace(b"\r\n", b"\n") + LENGTH + b"\r\n" + BODY,
    "bare CR": HEAD + b"X-A: 1\rX-B: 2\r\n" + LENGTH + b"\r\n" + BODY,
    "NUL in a value": HEAD + b"X-A: 1\x002\r\n" + LENGTH + b"\r\n" + BODY,
    "control in a value": HEAD + b"X-A: 1\x012\r\n" + LENGTH + b"\r\n" + BODY,
    "control in a name": HEAD + b"X\x01A: 1\r\n" + LENGTH + b"\r\n" + BODY,
    "control in the target": HEAD.replace(b"/v1/events", b"/v1/\x01events") + LENGTH + b"\r\n" + BODY,
    "blank in the target": HEAD.replace(b"/v1/events", b"/v1/events x") + LENGTH + b"\r\n" + BODY,
    "version 1.2": HEAD.replace(b"1.1", b"1.2") + LENGTH + b"\r\n" + BODY,
    "version 2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64 + b"\r\n\r\n",
    "bad chunk size": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + BODY,
    "chunk longer than its size": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n" + BODY + b"\r\n0\r\n\r\n",
    "huge chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n" + BODY,
    "huge header": HEAD + b"X-A: " + b"a" * 20_000 + b"\r\n" + LENGTH + b"\r\n" + BODY,
    "many headers": HEAD + b"".join(b"X-%d: a\r\n" % n for n in range(3000)) + LENGTH + b"\r\n" + BODY,
    "huge target": HEAD.replace(b"/v1/events", b"/" + b"a" * 20_000) + LENGTH + b"\r\n" + BODY,
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_it_is_refused_closed_and_nothing_behind_it_is_served(idle, attack):
    before = idle.every("/v1/events")
    with idle.connect() as sock:
        with contextlib.suppress(ConnectionError):
            sock.sendall(attack + NEXT)
        codes = answers(rest(sock))  # the end is the server's: it closes
    # Some lengths the HTTP library refuses by itself, with the head of its answer twice.
    assert len(set(codes)) <= 1 and all(400 <= code < 600 and code != 503 for code in codes), codes
    assert idle.every("/v1/events") == before
    assert idle.post(event()).outcome == (200, "ACCEPTED")


@pytest.mark.parametrize("name", ["length and chunked", "two lengths", "two hosts", "folded line", "chunked on 1.0",
                                  "control in a value", "bare LF"])
def test_the_refusal_is_a_problem_with_400(idle, name):
    with idle.connect() as sock:
        sock.sendall(ATTACKS[name])
        data = rest(sock)
    head, body = data.split(b"\r\n\r\n", 1)
    assert answers(data) == [400] and b"application/problem+json" in head and b"Connection: close" in head
    assert json.loads(body)["code"] == "E0105"


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_a_body_where_none_is_expected_is_not_the_next_request(idle, method):
    before = idle.every("/v1/events")
    with idle.connect() as sock:
        sock.sendall(b"%s /v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
                     % (method, len(NEXT), NEXT))
        codes = answers(rest(sock))
    assert len(codes) == 1 and idle.every("/v1/events") == before


def test_pipelined_good_requests_are_answered_in_order(idle):
    bodies = [json.dumps(event(f"pipelined-{n}")).encode() for n in range(3)]
    with idle.connect() as sock:
        sock.sendall(b"".join(HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(body), body) for body in bodies)
                     + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert answers(rest(sock)) == [200] * 4
    kept = [item["idempotency_key"] for item in idle.get("/v1/events?limit=3").json["items"]]
    assert kept == ["pipelined-2", "pipelined-1", "pipelined-0"]


def test_a_chunked_request_and_a_request_byte_by_byte_are_fine(idle):
    with idle.connect() as sock:
        sock.sendall(HEAD + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
        for byte in CHUNKED:
            sock.sendall(bytes([byte]))
        assert answers(rest(sock)) == [200]


def test_expect_100_continue_is_told_to_go_on_or_refused_at_once(idle):
    with idle.connect() as sock:
        sock.sendall(HEAD + b"Expect: 100-continue\r\nConnection: close\r\n" + LENGTH + b"\r\n")
        assert sock.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(BODY)
        assert answers(rest(sock)) == [200]
    with idle.connect() as sock:
        sock.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n")
        assert answers(rest(sock)) == [413]


# Slow and many.

@pytest.mark.parametrize("start", [b"", HEAD, HEAD + LENGTH + b"\r\n" + BODY[:10]], ids=["nothing", "header", "body"])
def test_a_request_that_comes_too_slowly_is_ended(serve, start):
    server = serve(server={"header_timeout": "300ms", "body_timeout": "300ms", "idle_timeout": "1s"})
    with server.connect() as sock:
        sock.sendall(start)
        stop = threading.Event()

        def trickle():  # never idle: only a deadline on the whole helps
            with contextlib.suppress(OSError):
                while start and not stop.wait(0.02):
                    sock.sendall(b"X" if start == HEAD else b" ")
        thread = threading.Thread(target=trickle)
        thread.start()
        try:
            codes = answers(rest(sock))
        finally:
            stop.set()
            thread.join()
    assert codes in ([], [408])
    assert server.post(event()).outcome == (200, "ACCEPTED")


def test_connections_from_one_address_are_bounded(serve):
    server = serve(server={"connections_per_address": "20"})
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(server.connect()) for _ in range(300)]

        def ended():
            count = 0
            for sock in socks:
                sock.setblocking(False)
                try:
                    count += sock.recv(1) == b""
                except BlockingIOError:
                    pass
                except ConnectionError:
                    count += 1
            return count
        until(lambda: ended() >= 280, lambda: f"280 of 300 to be closed: {ended()}")
        assert ended() == 280
        for sock in socks:  # those that were let in still work
            sock.setblocking(True)
        assert server.cli("status").code == 0
    until(lambda: server.probe("/healthz") == 200, "room again")
    assert server.post(event()).outcome == (200, "ACCEPTED")


def test_a_slow_reader_does_not_hold_up_others(serve):
    server = serve()
    server.post([event(payload={"text": "x" * 4000}) for _ in range(1000)])
    with server.connect() as slow:
        slow.sendall(b"GET /v1/events?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3)
        for _ in range(20):
            assert server.post(event()).outcome == (200, "ACCEPTED")
        assert slow.recv(12) == b"HTTP/1.1 200"


def test_a_client_that_goes_away_in_the_middle_harms_nobody(idle):
    before = idle.every("/v1/events")
    for cut in range(0, len(NEXT), 7):
        with idle.connect() as sock:
            sock.sendall(NEXT[:cut])
    assert idle.every("/v1/events") == before
    assert idle.post(event()).outcome == (200, "ACCEPTED")
