"""Starting on PostgreSQL: ten at once on an empty database, what is refused with one clear line, and a replica."""
import contextlib
import json
import socket
import struct
import threading
import urllib.parse

import pytest

from fleet import config
from harness import Server, command, event, until
from services import sql

FAILED, CONFIG = 1, 3


def test_ten_processes_start_at_once_on_an_empty_database(fleets, database, receiver):
    fleet = fleets(config(database, receiver))
    servers = fleet.start(*["all"] * 10)
    for server in servers:
        server.send()
    fleet.settled()
    assert len(receiver.of("/hook")) == 10
    assert sql(database, "SELECT count(*) FROM instances") == [(10,)]
    fleet.verify()


# refusals

def refused(folder, url, code, *words, listen="127.0.0.1:0"):
    """What `serve` says: one line, without the password."""
    (folder / "drumbeat.yaml").write_text(json.dumps({"version": 1, "store": url, "server": {"listen": listen}}))
    got = command(folder, "serve")
    assert got.code == code and got.out == "" and got.err.count("\n") == 1, got
    for word in words:
        assert word in got.err, got
    assert "hunter2" not in got.err, got


def as_role(url, name, password=""):
    parts = urllib.parse.urlsplit(url)
    return parts._replace(netloc=f"{name}:{password}@127.0.0.1:{parts.port}").geturl()


def tables(url):
    return sql(url, "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1")


def test_a_server_that_is_not_there(folder):
    refused(folder, "postgres://u:hunter2@127.0.0.1:1/x", FAILED, "postgresql://127.0.0.1:1/x", "onnection refused")


def test_an_address_that_is_none(folder):
    refused(folder, "postgres://u:hunter2@127.0.0.1:1/x?no_such_setting=1", CONFIG, "invalid URI query parameter")


def test_a_start_that_fails_leaves_no_process_behind(folder, database, serve, receiver):
    """The port is taken, or others could reach it without a key: the processes that are there need not miss it first."""
    server = serve(store=database)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused(folder, database, FAILED, "ddress already in use", listen=f"127.0.0.1:{taken.getsockname()[1]}")
    refused(folder, database, CONFIG, "keys create", listen="0.0.0.0:0")
    assert len(server.get("/v1/status").json["instances"]) == 1
    assert sql(database, "SELECT count(*) FROM instances") == [(1,)]


def test_a_database_that_is_not_there(folder, postgres):
    refused(folder, postgres.of("nowhere"), FAILED, 'database "nowhere" does not exist')


def test_a_wrong_password(folder, own_postgres):
    rules = own_postgres.data / "pg_hba.conf"
    rules.write_text("host all guarded 127.0.0.1/32 scram-sha-256\n" + rules.read_text())
    sql(own_postgres.url, "CREATE ROLE guarded LOGIN PASSWORD 'right'")
    sql(own_postgres.url, "SELECT pg_reload_conf()")
    url = as_role(own_postgres.url, "guarded", "hunter2")
    refused(folder, url, FAILED, 'password authentication failed for user "guarded"')


def test_a_newer_schema(serve, folder, database):
    serve(store=database).kill()
    sql(database, "INSERT INTO schema_steps(step, taken_at) VALUES (99, 0)")
    before = tables(database)
    refused(folder, database, FAILED, "the store has schema 99", "start the newer drumbeat again")
    assert tables(database) == before


@pytest.fixture
def role(postgres, database):
    """One that may log in, and nothing else."""
    name = database.rsplit("/", 1)[1] + "_role"
    sql(postgres.url, f"CREATE ROLE {name} LOGIN")
    yield name
    sql(database, f"DROP OWNED BY {name}")
    sql(postgres.url, f"DROP ROLE {name}")


def test_a_role_that_may_not_make_tables(folder, database, role):
    refused(folder, as_role(database, role, "hunter2"), FAILED, "permission denied for schema public")
    assert tables(database) == []


def test_a_role_that_may_not_read_the_tables(serve, folder, database, role):
    serve(store=database).kill()
    before = tables(database)
    refused(folder, as_role(database, role, "hunter2"), FAILED, "permission denied for table")
    assert tables(database) == before


def pretend(listener, version):
    """A server that lets everybody in and says this version of itself."""
    def message(kind, body):
        return kind + struct.pack("!i", len(body) + 4) + body

    with contextlib.suppress(OSError):
        while True:
            client, _ = listener.accept()
            with client:
                client.recv(8)
                client.sendall(b"N")  # no TLS
                client.recv(4096)
                client.sendall(message(b"R", struct.pack("!i", 0)) +
                               message(b"S", b"server_version\0" + version + b"\0") +
                               message(b"S", b"client_encoding\0UTF8\0") + message(b"Z", b"I"))
                client.recv(4096)


def test_a_server_too_old(folder):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=pretend, args=(listener, b"14.9"), daemon=True).start()
        refused(folder, f"postgres://u:hunter2@127.0.0.1:{listener.getsockname()[1]}/x", FAILED,
                "the server is PostgreSQL 14, drumbeat needs 15 or later")
        listener.shutdown(socket.SHUT_RDWR)


# a replica

def keys(server):
    return [item["idempotency_key"] for item in server.get("/v1/events").json["items"]]


def test_lists_come_from_the_replica_and_without_it_from_the_store(serve, postgres, database):
    """Another database stands for the replica: what it alone has shows where an answer comes from."""
    with postgres.database() as replica:
        server = serve(store=replica)
        server.send("old")
        server.kill()
        server = serve(store=database, postgres={"read_dsn": replica})
        event_id = server.send("new")
        until(lambda: keys(server) == ["old"], lambda: f"a list from the replica, not {keys(server)}", 90)
        assert server.event(event_id)["idempotency_key"] == "new"
        assert server.post(event("new")).outcome == (200, "DUPLICATE")
        sql(postgres.url, f"ALTER DATABASE {replica.rsplit('/', 1)[1]} ALLOW_CONNECTIONS false")
        sql(postgres.url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            replica.rsplit("/", 1)[1])
        until(lambda: keys(server) == ["new"], lambda: f"a list from the store, not {keys(server)}")
        assert server.send("newer")


@pytest.mark.parametrize("place", ["host=db dbname=x password=hunter2", "mysql://root:hunter2@db/x", "file:hunter2?mode=memory",
                                   "postgresql+asyncpg://u:hunter2@db/x", "Postgres://u:hunter2@db/x", "~/hunter2.db",
                                   ":memory:", "postgres://u:hunter2%zz@db/x", "postgres:u:hunter2@db/x", "postgres"])
def test_what_can_be_no_store_is_refused_and_not_shown(folder, place):
    server = Server(folder, env={"DB_DSN": place})
    before = sorted(path.name for path in folder.iterdir())
    server.launch()
    assert server.wait() == 3 and "hunter2" not in server.text
    assert ("E0207" in server.text) != place.startswith("postgres://"), server.text
    for verb in (["status"], ["events", "list"], ["verify"], ["migrate"]):
        done = server.cli(*verb)
        assert done.code != 0 and "hunter2" not in done.out + done.err, done
    assert sorted(path.name for path in folder.iterdir() if not path.name.startswith("log.")) == before
