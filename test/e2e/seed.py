"""Programs written for the seed: they talk to PostgreSQL alone, in a transaction of their own.

Two of them do the same: `node` is seed_client.js, `psql` the real psql.
"""
import contextlib
import hashlib
import json
import subprocess

from harness import PATIENCE_S, ROOT
from services import environment, psql_command

FOLDER = ROOT / "test/e2e"
SCHEMA = (FOLDER / "seed_schema.sql").read_text()
NODE = ["node", str(FOLDER / "seed_client.js")]
INSERT = """INSERT INTO marketing_events (idempotency_key, type, payload, source, fingerprint)
    VALUES ({idempotency_key}, {type}, {payload}, {source}, {fingerprint})
    ON CONFLICT (idempotency_key) DO NOTHING RETURNING id"""
WITHOUT_NEWS = INSERT + " \\g\n"
WITH_NEWS = "WITH made AS (" + INSERT + ") SELECT id FROM made, LATERAL pg_notify('marketing_events', id::text) \\g\n"


def compact(payload):
    """As JSON.stringify writes it."""
    return json.dumps(payload, separators=(",", ":"), ensure_ascii=False)


def fingerprint(payload):
    return hashlib.sha256(compact(payload).encode()).hexdigest()[:16]


def seed_event(key, kind="LEAD_CAPTURE", payload=None, source="seed"):
    return {"idempotency_key": key, "type": kind, "payload": {"n": 1} if payload is None else payload, "source": source}


def literal(text):
    return "'" + text.replace("'", "''") + "'"


class Client:
    """A program with a transaction open, in which it inserted the events: end() it with `commit` or `rollback`."""

    def __init__(self, command, begin, ends):
        self.ends, self.ids = ends, None
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env=environment("/"), cwd="/", text=True)
        self.say(begin)

    def say(self, text):
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def end(self, word):
        out, said = self.process.communicate(self.ends[word], timeout=PATIENCE_S)
        assert self.process.returncode == 0, f"{word}: {out}{said}"

    def heard(self):
        """A line that it printed."""
        line = self.process.stdout.readline()
        if not line:
            _, said = self.process.communicate(timeout=PATIENCE_S)
            raise AssertionError(f"{self.process.args[0]} ended with {self.process.returncode}; ./dev test installs the"
                                 f" driver that the Node client needs\n{said}")
        return line.rstrip("\n")

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


@contextlib.contextmanager
def node(url, events, news="notify"):
    client = Client([*NODE, url, json.dumps(events), "ask", news], "", {"commit": "commit\n", "rollback": "rollback\n"})
    with contextlib.closing(client):
        client.ids = json.loads(client.heard())
        yield client


@contextlib.contextmanager
def psql(url, events, news="notify"):
    """Every event is a new one."""
    form = WITH_NEWS if news == "notify" else WITHOUT_NEWS
    begin = "BEGIN;\n" + "".join(
        form.format(fingerprint=literal(fingerprint(event["payload"])),
                    **{name: literal(value if isinstance(value, str) else compact(value)) for name, value in event.items()})
        for event in events)
    with contextlib.closing(Client(psql_command(url), begin, {"commit": "COMMIT;\n", "rollback": "ROLLBACK;\n"})) as client:
        client.ids = [client.heard() for _ in events]
        yield client


CLIENTS = [node, psql]


def insert(url, *events, client=node, news="notify"):
    """The ids of events that a client inserted and committed, None where the key was there."""
    with client(url, events, news) as program:
        program.end("commit")
        return program.ids
