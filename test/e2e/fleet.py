"""Several processes on one database, and clients that keep every answer.

What a test ends with is `judge`: what the clients were promised, what the
database holds and what the receiver saw must tell one story.
"""
import collections
import contextlib
import http.client
import itertools
import json
import os
import re
import selectors
import signal
import socket
import threading
import time

from harness import Server, delivery_key, event, until
from services import sql

FAST = {"max": "8", "base": "20ms", "cap": "200ms"}


def config(url, receiver, **destination):
    """Everything goes to /hook."""
    hook = {"url": receiver.url("/hook"), "allow_private": "true", "retry": FAST, "breaker": "off", "timeout": "2s",
            **destination}
    return {"store": url, "destinations": {"hook": hook}, "routes": {"all": {"from": "*", "to": ["hook"]}}}


class Fleet:
    """Servers that share a store. Each has a folder and a port of its own, and the same configuration; `files` lie
    beside that, texts by path."""

    def __init__(self, folder, config, files=None, env=None):
        self.folder, self.url, self.config, self.files, self.servers = folder, config["store"], config, files or {}, []
        self.env = env

    def launch(self, role="all"):
        """Starts one more and does not wait for it."""
        home = self.folder / str(len(self.servers))
        home.mkdir()
        for path, text in self.files.items():
            (home / path).parent.mkdir(exist_ok=True)
            (home / path).write_text(text)
        server = Server(home, env=self.env, **self.config)
        server.role = role
        self.servers.append(server)
        return server.launch("--role", role)

    def start(self, *roles):
        """So many more, all at once."""
        servers = [self.launch(role) for role in roles]
        for server in servers:
            until(server.ready, lambda: f"the server to be ready:\n{server.text}")
        return servers

    def start_one(self, role="all"):
        """One more, whose token is known."""
        before = self.tokens() if self.servers else set()
        [server] = self.start(role)
        server.token = self.new_token(before)
        return server

    def again(self, server):
        """The same one, after its end: with another token."""
        before = self.tokens()
        server.start("--role", server.role)
        server.token = self.new_token(before)

    def new_token(self, before):
        [token] = until(lambda: self.tokens() - before, "the server to say that it is there")
        return token

    @property
    def running(self):
        return [server for server in self.servers if server.process.poll() is None]

    def verify(self):
        for server in self.running:
            until(server.ready, lambda: f"the server to be ready again:\n{server.text}")
        found = self.running[0].cli("verify", "--deep", "-o", "json")
        assert found.code == 0, found

    def close(self):
        with contextlib.ExitStack() as ends:  # each ends, whatever the log of another says
            for server in self.servers:
                ends.callback(server.wait)
            for server in self.running:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(server.process.pid, signal.SIGCONT)
                ends.callback(server.kill)

    # the database, as time and SQL users would change and see it

    def expire(self, server):
        """The leases that it holds run out now."""
        sql(self.url, "UPDATE deliveries SET lease_until = 1 WHERE status = 'PROCESSING' AND lease_owner = %s",
            server.token)

    def tokens(self):
        return {row[0] for row in sql(self.url, "SELECT token FROM instances")}

    def open(self):
        """How many deliveries and events are not over yet."""
        return sql(self.url, "SELECT (SELECT count(*) FROM marketing_events WHERE status IN ('PENDING', 'PROCESSING'))"
                             " + (SELECT count(*) FROM deliveries WHERE status NOT IN ('COMPLETED', 'FAILED', 'SKIPPED'))"
                   )[0][0]

    def settled(self, seconds=60):
        until(lambda: self.open() == 0, lambda: f"everything to be over: {self.standing()}", seconds)

    def standing(self):
        return sql(self.url, "SELECT status, blocked, lease_until, due, last_error FROM deliveries"
                             " WHERE status <> 'COMPLETED' LIMIT 5")

    def all_run(self):
        for server in self.servers:
            assert server.process.poll() is None, f"a server ended with {server.process.returncode}:\n{server.text}"


# Clients.

class Answers:
    """What clients heard, key by key."""

    def __init__(self):
        self.lock = threading.Lock()
        self.ids = collections.defaultdict(collections.Counter)  # of 2xx, by key
        self.words = collections.Counter()                       # X-Event-Status, or "503", "closed"
        self.posted, self.wrong = set(), []

    def take(self, key, status, headers, body):
        """True when the client was told that the event is stored."""
        with self.lock:
            if status == 200:
                self.ids[key][json.loads(body)["eventId"]] += 1
                self.words[headers["X-Event-Status"]] += 1
            elif status == 503 and headers.get("Retry-After"):
                self.words["503"] += 1
            else:
                self.wrong.append((key, status, dict(headers), body))
            return status == 200

    def closed(self, key):
        with self.lock:
            self.words["closed"] += 1

    def began(self, key):
        with self.lock:
            self.posted.add(key)


class Client(threading.Thread):
    """Posts one event after the other to servers in turn, each again until it is told that the event is stored."""

    def __init__(self, servers, answers, name, events_a_second=0, make=event):
        super().__init__(daemon=True)
        self.targets, self.answers, self.prefix = servers, answers, name
        self.pace_s, self.make = 1 / events_a_second if events_a_second else 0, make
        self.stopping, self.connections = threading.Event(), {}
        self.turn, self.error = 0, None

    def run(self):
        try:
            for n in itertools.count():
                if self.stopping.is_set():
                    return
                began = time.monotonic()
                self.insist(f"{self.prefix}-{n}")
                self.stopping.wait(max(0, self.pace_s - (time.monotonic() - began)))
        except BaseException as error:  # noqa: B902 - told by Load.stop
            self.error = error
            raise
        finally:
            for connection in self.connections.values():
                connection.close()

    def insist(self, key):
        body = json.dumps(self.make(key))
        self.answers.began(key)
        while not self.post(self.next_target(), key, body):
            time.sleep(0.05)

    def next_target(self):
        self.turn += 1
        return self.targets[self.turn % len(self.targets)]

    def post(self, server, key, body):
        connection = self.connections.get(server)
        if connection is None:
            connection = self.connections[server] = http.client.HTTPConnection("127.0.0.1", server.own_port, timeout=30)
        try:
            connection.request("POST", "/v1/events", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return self.answers.take(key, answer.status, answer.headers, answer.read())
        except (OSError, http.client.HTTPException):
            connection.close()
            self.answers.closed(key)
            return False


class Load:
    """Clients at work for as long as the block lasts."""

    def __init__(self, servers, clients=4, events_a_second=0, make=event, name="load"):
        self.answers = Answers()
        each = events_a_second / clients
        self.clients = [Client(servers[n % len(servers):] + servers[:n % len(servers)], self.answers, f"{name}{n}", each,
                               make) for n in range(clients)]

    def __enter__(self):
        for client in self.clients:
            client.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Each ends when its event is stored."""
        for client in self.clients:
            client.stopping.set()
        for client in self.clients:
            client.join(90)
            assert not client.is_alive(), f"{client.prefix} is not told that its event is stored"
            assert client.error is None, client.error

    @property
    def count(self):
        return len(self.answers.ids)

    def leave(self, server):
        """From now on no client posts to it."""
        for client in self.clients:
            client.targets = [target for target in client.targets if target is not server]

    def more(self, count):
        """Waits until so many more events are stored."""
        mark = self.count + count
        until(lambda: self.count >= mark, lambda: f"{mark} events, not {self.count}: {self.answers.words}", 60)


class Crowd:
    """Very many connections in one thread: each posts all bodies in the same order, as fast as it is answered."""

    LENGTH = re.compile(rb"\r\nContent-Length: (\d+)\r\n", re.IGNORECASE)
    WORD = re.compile(rb"\r\nX-Event-Status: (\w+)\r\n", re.IGNORECASE)
    EVENT = re.compile(rb'"eventId":"([0-9a-f-]{36})"')

    def __init__(self, servers, connections, events):
        self.keys = [event["idempotency_key"] for event in events]
        self.requests = [self.request(event) for event in events]
        self.ids = [collections.Counter() for _ in events]
        self.words = collections.Counter()
        self.selector = selectors.DefaultSelector()
        self.left = connections
        for n in range(connections):
            sock = socket.create_connection(("127.0.0.1", servers[n % len(servers)].own_port))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.selector.register(sock, selectors.EVENT_READ, [0, b""])  # the next event, what came of its answer
            sock.sendall(self.requests[0])

    @staticmethod
    def request(event):
        body = json.dumps(event).encode()
        return (b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    def run(self):
        while self.left:
            for found, _ in self.selector.select():
                self.read(found.fileobj, found.data)
        return self

    def read(self, sock, state):
        data = sock.recv(65536)
        assert data, f"a connection was closed at event {state[0]}"
        state[1] += data
        head, _, body = state[1].partition(b"\r\n\r\n")
        length = self.LENGTH.search(state[1])
        if not length or len(body) < int(length[1]):
            return
        assert head.startswith(b"HTTP/1.1 200 "), state[1]
        self.ids[state[0]][self.EVENT.search(body)[1].decode()] += 1
        self.words[self.WORD.search(state[1])[1].decode()] += 1
        state[0], state[1] = state[0] + 1, b""
        if state[0] < len(self.requests):
            sock.sendall(self.requests[state[0]])
            return
        self.selector.unregister(sock)
        sock.close()
        self.left -= 1


# The story.

def stored(url):
    """Ids by key."""
    return {key: str(id) for key, id in sql(url, "SELECT idempotency_key, id FROM marketing_events")}


def unknown_outcomes(url):
    """How many were recorded, by the key of the delivery."""
    return collections.Counter({delivery_key(*of): count for *of, count in sql(
        url, "SELECT e.idempotency_key, d.destination, d.step, d.run, count(*) FROM attempts a"
             " JOIN deliveries d ON d.seq = a.delivery_seq JOIN marketing_events e ON e.id = d.event_id"
             " WHERE a.outcome = 'unknown' GROUP BY 1, 2, 3, 4")})


def judge_answers(url, answers):
    """What was answered 2xx is stored once, under the id that all were told; nothing is there that nobody posted."""
    assert not answers.wrong, answers.wrong[:3]
    there = stored(url)
    lost = {key for key in answers.ids if key not in there}
    assert not lost, f"{len(lost)} events that were answered 2xx are lost: {sorted(lost)[:5]}"
    for key, ids in answers.ids.items():
        assert set(ids) == {there[key]}, f"{key} is {there[key]}, and clients were told {ids}"
    assert set(there) <= answers.posted, f"nobody posted {set(there) - answers.posted}"


def judge_effects(url, receiver, path="/hook"):
    """Each event was delivered, under one key, and more than once only where an outcome was recorded as unknown."""
    keys = collections.defaultdict(collections.Counter)
    for request in receiver.of(path):
        keys[request["X-Drumbeat-Event"]][request.key] += 1
    doubts = unknown_outcomes(url)
    for event_id in stored(url).values():
        assert event_id in keys, f"{event_id} never arrived"
        assert len(keys[event_id]) == 1, f"{event_id} arrived under {keys[event_id]}"
        [(key, count)] = keys[event_id].items()
        assert count <= 1 + doubts[key], f"{event_id} arrived {count} times, {doubts[key]} outcomes were unknown"
    assert set(keys) == set(stored(url).values()), "something arrived that is not stored"


def judge(fleet, answers, receiver):
    fleet.settled()
    judge_answers(fleet.url, answers)
    judge_effects(fleet.url, receiver)
    fleet.verify()
