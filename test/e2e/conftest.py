"""Fixtures: a folder with a short path, servers and receivers that end with the test."""
import pathlib
import shutil
import tempfile

import pytest

from harness import Server
from receiver import Receiver


@pytest.fixture
def folder():
    """Short, because the path of a unix socket has 107 bytes."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="e2e-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def serve(folder):
    """serve(**config) is a started server; each has a folder of its own."""
    servers = []

    def start(*arguments, env=None, wrap=(), **config):
        home = folder / str(len(servers))
        home.mkdir()
        servers.append(Server(home, env=env, wrap=wrap, **config))
        return servers[-1].start(*arguments)

    yield start
    for server in servers:
        server.close()


@pytest.fixture(scope="module")
def idle():
    """One server without routes, shared by tests that only look at its answers."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="e2e-"))
    server = Server(path).start()
    yield server
    server.close()
    shutil.rmtree(path, ignore_errors=True)
