"""drumbeat from outside: a server of its own folder and port, and ways to talk to it.

Nothing here waits for a length of time: `until` waits for a condition and
fails with what was expected when its bound passes.
"""
import contextlib
import hashlib
import http.client
import itertools
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import uuid

from services import free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
RELEASE = os.environ.get("DRUMBEAT_RELEASE") or str(ROOT / "build/drumbeat")  # as users run it
BINARY = os.environ.get("DRUMBEAT_BIN") or os.environ.get("DRUMBEAT") or RELEASE
SANITIZERS = ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS")
REPORT = re.compile(r"^.*(?:(?:ERROR|WARNING): \w+Sanitizer|runtime error: |LeakSanitizer has encountered).*",
                    re.MULTILINE)
PATIENCE_S = 30  # a bound against hanging, far above what anything takes
POLL_S = 0.01

numbers = itertools.count(1)


def until(condition, what, seconds=PATIENCE_S):
    """The first true value of condition(); fails with `what` after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"waited {seconds} s for {what() if callable(what) else what}"
        time.sleep(POLL_S)


def event(key=None, kind="LEAD", source="test", payload=None, **more):
    """An event as POST /v1/events takes it; the key is a new one unless given."""
    return {"type": kind, "source": source, "idempotency_key": key or f"key-{next(numbers)}",
            "payload": {"n": 1} if payload is None else payload, **more}


def delivery_key(event_key, destination, step, run):
    """What the provider must see: SHA-256 over the parts, each behind its length, cut to a UUID of version 8."""
    parts = [part.encode() for part in (event_key, destination, step, str(run))]
    digest = hashlib.sha256(b"".join(len(part).to_bytes(8, "big") + part for part in parts)).digest()
    bits = int.from_bytes(digest[:16], "big") & ~(0xf000 << 64 | 0xc000 << 48) | 0x8000 << 64 | 0x8000 << 48
    return str(uuid.UUID(int=bits))


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def outcome(self):
        """Status and X-Event-Status, as the contract's table has them."""
        return self.status, self.headers.get("X-Event-Status")

    @property
    def pointers(self):
        return [error["pointer"] for error in self.json["errors"]]

    def __repr__(self):
        return f"<{self.status} {dict(self.headers)} {self.body[:300]}>"


class Result:
    """What a command came to."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"<exit {self.code}\n{self.out}\n{self.err}>"


def check_sanitizers(text):
    """Fails with the report of a sanitizer, where a program wrote one."""
    found = REPORT.search(text)
    assert not found, f"a sanitizer found something:\n{text[found.start():]}"


def environment(folder, more=None):
    """Nothing of the caller's that could change what the program does, but for what sanitizers are to do."""
    sanitizers = {name: os.environ[name] for name in SANITIZERS if name in os.environ}
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder), **sanitizers, **(more or {})}


def command(folder, *arguments, stdin="", env=None, binary=BINARY):
    done = subprocess.run([binary, *map(str, arguments)], cwd=folder, input=stdin, capture_output=True, text=True,
                          env=environment(folder, env), timeout=PATIENCE_S * 2)
    check_sanitizers(done.stderr)
    return Result(done.returncode, done.stdout, done.stderr)


class Server:
    """`drumbeat serve` with a drumbeat.yaml of its own. JSON is YAML, so the configuration is a dict.

    With a store on PostgreSQL, `store=URL`, several may share it. The socket is then named for the port, which is
    known before the start.
    """

    def __init__(self, folder, env=None, wrap=(), binary=BINARY, **config):
        self.folder, self.env, self.wrap, self.binary = pathlib.Path(folder), env or {}, wrap, binary
        self.store = self.folder / "data/drumbeat.db"
        self.process, self.port, self.starts, self.key = None, None, 0, None
        self.own_port = 0  # 0 = any
        self.configure(**config)

    def configure(self, **config):
        config = {"version": 1, **config}
        if config.get("store", "").startswith("postgres"):
            self.own_port = self.own_port or free_port()
        config["server"] = {"listen": f"127.0.0.1:{self.own_port}", **config.get("server", {})}
        (self.folder / "drumbeat.yaml").write_text(json.dumps(config, indent=2))

    # its life

    def launch(self, *arguments):
        """Starts it and does not wait."""
        self.starts += 1
        self.port = None
        log = self.folder / f"log.{self.starts}"
        with open(log, "wb") as stderr:
            self.process = subprocess.Popen([*self.wrap, self.binary, "serve", *arguments], cwd=self.folder, stderr=stderr,
                                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                            env=environment(self.folder, self.env), start_new_session=True)
        return self

    def start(self, *arguments):
        self.launch(*arguments)
        until(self.ready, lambda: f"the server to be ready:\n{self.text}")
        return self

    def ready(self):
        assert self.process.poll() is None, f"the server ended with {self.process.returncode}:\n{self.text}"
        if self.port is None:
            self.port = next((line["port"] for line in self.log() if line.get("event") == "ready"), None)
        return self.port is not None and self.probe("/readyz") == 200

    def probe(self, path):
        """The status of a GET, or None where nobody answers."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.get(path).status

    @property
    def pid(self):
        """The server's own process, also when it runs under another program."""
        if not self.wrap:
            return self.process.pid
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])

    @property
    def socket(self):
        """The CLI's way in."""
        return self.folder / f"drumbeat-{self.port}.sock" if self.own_port else self.folder / "data/drumbeat.db.sock"

    @property
    def text(self):
        """The log since the last start."""
        return (self.folder / f"log.{self.starts}").read_text(errors="replace")

    def log(self):
        lines = self.text.splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def wait(self):
        code = self.process.wait(timeout=PATIENCE_S)
        check_sanitizers(self.text)
        return code

    def kill(self):
        """As a power cut for the process: SIGKILL to it and its children."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.wait()

    def terminate(self):
        os.kill(self.pid, signal.SIGTERM)
        return self.wait()

    def restart(self, *arguments):
        if self.process.poll() is None:
            self.kill()
        return self.start(*arguments)

    def restart_unready(self):
        """A start that comes up and may say that it takes nothing."""
        if self.process.poll() is None:
            self.kill()
        self.launch()
        until(lambda: self.ready() or self.port, lambda: f"the server to be there:\n{self.text}")
        return self

    def close(self):
        """The end of a test: what a sanitizer found fails it, and so does a broken invariant."""
        if self.process is None:
            return
        if self.process.poll() is not None:
            check_sanitizers(self.text)
            return
        found = self.cli("verify", "-o", "json")
        self.kill()
        assert found.code == 0, f"verify: {found}\n{self.text}"

    # talking to it

    def connect(self, seconds=PATIENCE_S):
        return socket.create_connection(("127.0.0.1", self.port), timeout=seconds)

    def request(self, method, path, body=None, headers=None, seconds=PATIENCE_S):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        headers = dict(headers or {})
        if self.key:
            headers.setdefault("Authorization", f"Bearer {self.key}")
        try:
            with contextlib.suppress(BrokenPipeError):  # refused before the body was read: the answer is there
                connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, body, headers=None, path="/v1/events"):
        """An event, a list of them, or bytes."""
        if not isinstance(body, bytes):
            body = json.dumps(body, ensure_ascii=False).encode()
        return self.request("POST", path, body, {"Content-Type": "application/json", **(headers or {})})

    def ndjson(self, *lines):
        body = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
        return self.request("POST", "/v1/events", body, {"Content-Type": "application/x-ndjson"})

    def send(self, *arguments, **fields):
        """An event that must be new; its id."""
        answer = self.post(event(*arguments, **fields))
        assert answer.outcome == (200, "ACCEPTED"), answer
        return answer.json["eventId"]

    def event(self, event_id):
        answer = self.get(f"/v1/events/{event_id}")
        assert answer.status == 200, answer
        return answer.json

    def deliveries(self, event_id):
        """Those of an event, in the order they were made."""
        return self.event(event_id)["deliveries"]

    def delivery(self, event_id):
        """The only one of an event, with its attempts."""
        [delivery] = self.deliveries(event_id)
        return self.get(f"/v1/deliveries/{delivery['id']}").json

    def settled(self, event_id, *statuses, tried=False):
        """The event's only delivery once it has one of the statuses and, if asked, was tried."""
        def settled():
            deliveries = self.deliveries(event_id)
            return len(deliveries) == 1 and deliveries[0]["status"] in statuses and deliveries[0]["attempt_count"] >= tried
        until(settled, lambda: f"{' or '.join(statuses)}: {self.event(event_id)}\n{self.text}")
        return self.delivery(event_id)

    def every(self, path):
        """All items of a list, page by page."""
        items, cursor = [], ""
        while cursor is not None:
            page = self.get(f"{path}{'&' if '?' in path else '?'}limit=1000&cursor={cursor}").json
            items += page["items"]
            cursor = page["next"]
        return items

    def cli(self, *arguments, stdin="", env=None):
        return command(self.folder, *arguments, stdin=stdin, env={**self.env, **(env or {})})


