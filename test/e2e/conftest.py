"""Fixtures: a folder with a short path, servers and receivers that end with the test, and real services, which start
when the first test wants them."""
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))

from authority import Authority  # noqa: E402
from fleet import Fleet  # noqa: E402
from harness import Server  # noqa: E402
from receiver import Receiver  # noqa: E402
from services import Databases, PgBouncer, Postgres, Redis  # noqa: E402


@pytest.fixture
def folder():
    """Short, because the path of a unix socket has 107 bytes."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="e2e-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def disk(request, folder):
    """A small file system of its own, as large as the test file's DISK_BYTES says."""
    path = folder / "disk"
    path.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={request.module.DISK_BYTES}", "none", str(path)],
                          capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"mount is not permitted here: {done.stderr.strip()}")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.fixture
def authority(folder):
    if not shutil.which("openssl"):
        pytest.skip("the openssl command is not here")
    return Authority(folder)


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def serve(request, folder):
    """serve(**config) is a started server; each has a folder of its own."""
    if "database" in request.fixturenames:
        request.getfixturevalue("database")  # goes after the servers that use it
    servers = []

    def start(*arguments, env=None, wrap=(), **config):
        home = folder / str(len(servers))
        home.mkdir()
        servers.append(Server(home, env=env, wrap=wrap, **config))
        return servers[-1].start(*arguments)

    yield start
    with contextlib.ExitStack() as ends:  # each ends, whatever the end of another found
        for server in reversed(servers):
            ends.callback(server.close)


@pytest.fixture
def fleets(folder):
    """fleets(config, files) has no process yet; all that are started end with the test."""
    made = []

    def make(config, files=None, env=None):
        home = folder / f"fleet{len(made)}"
        home.mkdir()
        made.append(Fleet(home, config, files, env))
        return made[-1]

    yield make
    for fleet in made:
        fleet.close()


@pytest.fixture(scope="module")
def idle():
    """One server without routes, shared by tests that only look at its answers."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="e2e-"))
    server = Server(path).start()
    yield server
    server.close()
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL that all share: it is not stopped, and what a test makes is in a database of its own."""
    url = os.environ.get("DRUMBEAT_TEST_POSTGRES")
    if url:
        yield Databases(url)
    else:
        with Postgres() as service:
            yield service


@pytest.fixture
def database(postgres):
    """The URL of a fresh database."""
    with postgres.database() as url:
        yield url


# Those that tests stop, kill and pause: each runs again when the next test begins.

@pytest.fixture(scope="module")
def module_postgres():
    with Postgres() as service:
        yield service


@pytest.fixture
def own_postgres(module_postgres):
    """One that is this module's alone."""
    return module_postgres.recover()


@pytest.fixture(scope="session")
def session_pgbouncer(postgres):
    with PgBouncer(postgres) as service:
        yield service


@pytest.fixture
def pgbouncer(session_pgbouncer):
    """In front of `postgres`."""
    return session_pgbouncer.recover()


@pytest.fixture(scope="session")
def session_redis():
    with Redis() as service:
        yield service


@pytest.fixture
def redis(session_redis):
    session_redis.recover().flush()
    return session_redis
