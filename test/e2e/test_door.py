"""Who may come in: keys before bodies, and pages of other sites."""
import contextlib
import json
import shutil
import subprocess

import pytest

from harness import event, until

POST = b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def rest(sock):
    data = b""
    with contextlib.suppress(ConnectionError):
        while chunk := sock.recv(65536):
            data += chunk
    return data


@pytest.mark.parametrize("headers", [
    {"Host": "evil.example"}, {"Host": "evil.example:8120"}, {"Origin": "http://evil.example"}, {"Origin": "null"},
    {"Origin": "http://localhost:3000"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}],
    ids=lambda headers: " ".join(f"{name} {value}" for name, value in headers.items()))
def test_a_page_of_another_site_can_neither_look_nor_act(idle, headers):
    for method, path in [("GET", "/v1/events"), ("GET", "/metrics"), ("GET", "/healthz"), ("POST", "/v1/events"),
                         ("POST", "/v1/keys"), ("POST", "/v1/config/apply")]:
        body = json.dumps(event()).encode() if method == "POST" else None
        answer = idle.request(method, path, body, {"Content-Type": "application/json", **headers})
        assert answer.status == 403 and answer.json["code"] == "E0119" and answer.json["request_id"], (path, answer)
    assert idle.get("/v1/events", headers={"Host": f"localhost:{idle.port}"}).status == 200


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_acts_want_json_while_there_is_no_key(idle, kind):
    headers = {"Content-Type": kind} if kind else {}
    answer = idle.request("POST", "/v1/config/apply", b"{}", headers)
    assert answer.status == 415 and "application/json" in answer.json["detail"], answer


def test_the_first_key_is_made_on_the_machine_only(serve):
    server = serve()
    answer = server.post({"role": "owner"}, path="/v1/keys")
    assert answer.status == 403 and "keys create" in answer.json["detail"], answer
    made = server.cli("keys", "create", "--role", "owner", "-o", "json")
    assert made.code == 0, made
    server.key = made.json["key"]  # at once: it is known before it is told
    assert server.post({"role": "read"}, path="/v1/keys").status == 201


def test_a_key_is_looked_at_before_a_byte_of_the_body(serve):
    server = serve()
    assert server.cli("keys", "create", "--role", "owner", "-o", "json").code == 0
    with server.connect() as sock:
        sock.sendall(POST + b"Content-Length: 8000000\r\nExpect: 100-continue\r\n\r\n")
        assert rest(sock).startswith(b"HTTP/1.1 401 ")


def test_large_bodies_without_a_key_take_no_room_from_others(serve):
    server = serve()
    key = server.cli("keys", "create", "--role", "ingest", "-o", "json").json["key"]
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            sock = stack.enter_context(server.connect())
            with contextlib.suppress(OSError):
                sock.sendall(POST + b"Content-Length: 8388608\r\n\r\n" + b" " * 8388607)
        server.key = key
        assert server.post(event()).outcome == (200, "ACCEPTED")


def test_large_bodies_of_one_address_leave_room_for_small_ones(serve):
    server = serve()
    with contextlib.ExitStack() as stack:
        for _ in range(16):
            sock = stack.enter_context(server.connect())
            with contextlib.suppress(OSError):
                sock.sendall(POST + b"Content-Length: 8388608\r\n\r\n" + b" " * 8388607)
        assert server.post(event()).outcome == (200, "ACCEPTED")


def test_metrics_want_a_key_once_there_is_one_unless_they_are_open(serve):
    for config, status in (({}, 401), ({"metrics": "open"}, 200)):
        server = serve(server=config)
        assert server.get("/metrics").status == 200
        keys = {role: server.cli("keys", "create", "--role", role, "-o", "json").json["key"]
                for role in ("ingest", "read")}
        assert server.get("/metrics").status == status
        assert server.get("/metrics", headers={"Authorization": f"Bearer {keys['read']}"}).status == 200
        assert server.get("/healthz").status == 200


def test_guessing_is_slowed_and_a_key_in_use_goes_on_working(serve):
    server = serve()
    key = server.cli("keys", "create", "--role", "owner", "-o", "json").json["key"]
    good, bad = {"Authorization": f"Bearer {key}"}, {"Authorization": f"Bearer {key}x"}
    assert server.get("/v1/events", headers=good).status == 200
    answer = until(lambda: (slowed := server.get("/v1/events", headers=bad)).status == 429 and slowed, "429")
    assert answer.headers["Retry-After"] and answer.json["code"] == "E0127"
    assert server.get("/v1/events", headers=good).status == 200


CLIENT = """
const http = require('http');
const request = http.request({port: PORT, method: 'POST', path: '/v1/events',
                              headers: {'Content-Type': 'application/json', 'Content-Length': 20000000}});
request.on('response', answer => { console.log(answer.statusCode); process.exit(0); });
request.on('error', error => { console.log(error.code); process.exit(1); });
request.end(Buffer.alloc(20000000, 32));
"""


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
def test_node_reads_a_413(idle):
    for _ in range(5):
        done = subprocess.run(["node", "-e", CLIENT.replace("PORT", str(idle.port))], capture_output=True, text=True)
        assert done.stdout.strip() == "413", done


def test_python_reads_a_413(idle):
    for _ in range(5):
        with idle.connect() as sock:
            sock.sendall(POST + b"Content-Length: 20000000\r\n\r\n")
            sock.sendall(b" " * 20000000)  # does not look until all is sent
            assert rest(sock).startswith(b"HTTP/1.1 413 ")
