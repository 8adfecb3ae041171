"""The real nginx and the real Caddy in front of drumbeat, with the files of deploy/proxy: only names, ports and
certificates are this machine's."""
import contextlib
import http.client
import json
import os
import re
import socket
import ssl
import subprocess

import pytest

from harness import ROOT, event, until
from receiver import answer, reset
from services import free_port

PROXY = ROOT / "deploy/proxy"
NGINX = """worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    {paths}
    {snippet}
}}
"""
PATHS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def here(text, *changes):
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


def nginx(folder, port, behind):
    snippet = here((PROXY / "nginx.conf").read_text(), ("127.0.0.1:8120", f"127.0.0.1:{behind}"),
                   ("listen 443", f"listen 127.0.0.1:{port}"), ("hooks.example.com", "localhost"),
                   ("/etc/ssl/drumbeat/fullchain.pem", f"{folder}/localhost.pem"),
                   ("/etc/ssl/drumbeat/privkey.pem", f"{folder}/localhost.key"))
    paths = "\n    ".join(f"{name}_temp_path {folder}/{name};" for name in PATHS)
    user = "user root;\n" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(user + NGINX.format(folder=folder, paths=paths, snippet=snippet))
    return ["/usr/sbin/nginx", "-p", folder, "-e", folder / "log", "-c", folder / "nginx.conf", "-g", "daemon off;"]


def caddy(folder, port, behind):
    site = here((PROXY / "Caddyfile").read_text(), ("127.0.0.1:8120", f"127.0.0.1:{behind}"),
                ("hooks.example.com {", f"https://localhost:{port} {{\n\tbind 127.0.0.1\n"
                                        f"\ttls {folder}/localhost.pem {folder}/localhost.key"))
    (folder / "Caddyfile").write_text("{\n\tadmin off\n\tauto_https disable_redirects\n}\n" + site)
    return ["caddy", "run", "--config", folder / "Caddyfile", "--adapter", "caddyfile"]


class Front:
    """A client of the proxy's."""

    def __init__(self, folder, port):
        self.port, self.context = port, ssl.create_default_context(cafile=folder / "ca.pem")

    def connection(self, address="127.0.0.1"):
        """From one of this machine's own addresses."""
        return http.client.HTTPSConnection("localhost", self.port, timeout=30, context=self.context,
                                           source_address=(address, 0))

    def request(self, method, path, body=None, headers=None, address="127.0.0.1"):
        with contextlib.closing(self.connection(address)) as connection:
            with contextlib.suppress(OSError):  # refused before the body was read
                connection.request(method, path, body, headers or {})
            reply = connection.getresponse()
            return reply.status, reply.headers, reply.read()


@pytest.fixture(params=[nginx, caddy], ids=["nginx", "caddy"])
def front(request, folder, authority):
    """front(port) is a client of the proxy in front of that port."""
    authority.sign("localhost", "DNS:localhost,IP:127.0.0.1")
    processes = []

    def start(behind):
        port = free_port()
        with open(folder / "out", "wb") as out:
            processes.append(subprocess.Popen(request.param(folder, port, behind), cwd=folder, stdout=out, stderr=out,
                                              env={"PATH": os.environ["PATH"], "HOME": str(folder)}))

        def answers():
            assert processes[0].poll() is None, (folder / "out").read_text()
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return True
        until(answers, "the proxy to listen")
        return Front(folder, port)
    yield start
    for process in processes:
        process.terminate()
        process.wait(30)


def test_events_and_answers_pass_as_they_are(serve, front):
    server = serve()
    key = json.loads(server.cli("keys", "create", "--role", "owner", "-o", "json").out)["key"]
    proxy = front(server.port)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    body = json.dumps(event(key="lead-41")).encode()
    for outcome in ("ACCEPTED", "DUPLICATE"):
        status, said, _ = proxy.request("POST", "/v1/events", body, headers)
        assert (status, said["X-Event-Status"]) == (200, outcome)
    status, _, text = proxy.request("POST", "/v1/events", body, {**headers, "Authorization": "Bearer wrong"})
    assert status == 401 and json.loads(text)["code"] == "E0110"
    large = event(payload={"text": "x" * 8 * 1024 * 1024})  # above server.max_body, below the proxy's bound
    status, _, text = proxy.request("POST", "/v1/events", json.dumps(large).encode(), headers)
    assert status == 413 and json.loads(text)["code"], "it is drumbeat that says so"
    larger = event(payload={"text": "x" * 10 * 1024 * 1024})
    assert proxy.request("POST", "/v1/events", json.dumps(larger).encode(), headers)[0] == 413
    assert proxy.request("GET", "/metrics", headers=headers)[0] == 404 and server.get("/metrics").status == 401
    assert proxy.request("GET", "/healthz")[0] == 200


def test_who_asks_is_who_the_proxy_says(front, receiver):
    proxy = front(receiver.port)
    assert proxy.request("GET", "/who", headers={"X-Forwarded-For": "203.0.113.7"})[0] == 200
    [request] = receiver.of("/who")
    assert request["X-Forwarded-For"] == "127.0.0.1" and request["X-Forwarded-Proto"] == "https"
    assert re.match(r"localhost(:\d+)?$", request["Host"])


def test_a_limit_for_each_address_holds_behind_it(serve, front):
    server = serve(server={"proxies": ["127.0.0.1"]}, sources={"contact": {"type": "form", "limit": "3/h"}})
    assert server.cli("keys", "create", "--role", "owner").code == 0  # else only localhost may ask
    proxy = front(server.port)

    def fill(address, said):
        headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Forwarded-For": said}
        return proxy.request("POST", "/f/contact", b"email=ada%40example.com", headers, address)[0]
    answers = [fill("127.0.0.2", f"203.0.113.{n}") for n in range(4)]
    assert answers[3] == 429 and 429 not in answers[:3], f"what a client says of itself counts: {answers}"
    assert fill("127.0.0.3", "127.0.0.2") != 429, "another client has a limit of its own"


def test_no_request_is_sent_twice(front, receiver):
    receiver.script("/v1/events", answer(), reset())
    proxy = front(receiver.port)
    headers = {"Content-Type": "application/json", "Idempotency-Key": "lead-41"}
    assert proxy.request("POST", "/v1/events", b"{}", headers)[0] == 200  # a connection that is kept
    assert proxy.request("POST", "/v1/events", b"{}", headers)[0] == 502
    assert len(receiver.of("/v1/events")) == 2


def test_a_stream_leaves_as_it_comes(front, receiver):
    seen = []

    def stream(exchange):
        exchange.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(3):  # each waits until the client has seen the one before
            text = f"data: {number}\n\n".encode()
            exchange.write(f"{len(text):x}\r\n".encode() + text + b"\r\n")
            until(lambda: len(seen) > number, "the client to see it")
        exchange.write(b"0\r\n\r\n")
        return True
    receiver.script("/v1/stream", stream)
    with contextlib.closing(front(receiver.port).connection()) as connection:
        connection.request("GET", "/v1/stream")
        reply = connection.getresponse()
        for number in range(3):
            assert reply.readline() == f"data: {number}\n".encode() and reply.readline() == b"\n"
            seen.append(number)
        assert reply.read() == b""
