"""What the system does not let a process do is named: whose the file is, which file system is read-only, whose the
socket is. And where the socket is that the command line looks for."""
import os
import shutil
import subprocess

import pytest

from harness import BINARY, Result, Server, check_sanitizers, environment, event

FAILED, NO_SERVER = 1, 6
OTHER = 65534


@pytest.fixture
def other(folder):
    """Runs a command in a server's folder as another user."""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("only root can be somebody else")
    binary = shutil.copy(BINARY, folder / "drumbeat")  # where that user may look
    folder.chmod(0o755)

    def run(server, *arguments):
        command = ["setpriv", f"--reuid={OTHER}", f"--regid={OTHER}", "--clear-groups", binary, *arguments]
        done = subprocess.run(command, cwd=server.folder, capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL, env=environment(server.folder))
        check_sanitizers(done.stderr)
        return Result(done.returncode, done.stdout, done.stderr)
    return run


@pytest.fixture
def stopped(serve):
    server = serve()
    server.send()
    assert server.terminate() == 0
    server.store.parent.chmod(0o777)
    return server


def test_a_store_of_another_user_is_named_as_his(stopped, other):
    for verb in (["status"], ["events", "list"]):
        got = other(stopped, *verb)
        assert got.code == NO_SERVER and f"uid {OTHER} may not read ./data/drumbeat.db, which belongs to uid 0" in got.err, got
    stopped.store.with_name("drumbeat.db.lock").unlink()
    got = other(stopped, "serve")
    assert got.code == FAILED and f"uid {OTHER} may not write ./data/drumbeat.db, which belongs to uid 0" in got.err, got
    stopped.store.chmod(0o644)
    stopped.store.with_name("drumbeat.db.lock").unlink()
    got = other(stopped, "serve")
    assert got.code == FAILED and f"uid {OTHER} may not write ./data/drumbeat.db, which belongs to uid 0" in got.err, got


def test_a_folder_that_cannot_be_written_is_named(stopped, other):
    stopped.store.parent.chmod(0o755)
    stopped.store.chmod(0o644)
    got = other(stopped, "events", "list")
    assert got.code == NO_SERVER and f"uid {OTHER} may not make files in ./data, which belongs to uid 0" in got.err, got
    stopped.store.with_name("drumbeat.db.lock").unlink()
    got = other(stopped, "serve")
    assert got.code == FAILED and "./data/drumbeat.db.lock: Permission denied" in got.err, got


def test_a_store_that_cannot_be_looked_for_is_not_called_missing(stopped, other):
    stopped.store.parent.chmod(0o700)
    got = other(stopped, "events", "list")
    assert got.code == NO_SERVER and "there is no store" not in got.err and f"uid {OTHER} may not" in got.err, got


def test_the_socket_of_another_users_server_is_named_as_his(serve, other):
    server = serve()
    server.store.parent.chmod(0o755)
    for verb in (["status"], ["send", "LEAD", "-d", "{}"]):
        got = other(server, *verb)
        assert got.code == NO_SERVER, got
        assert f"uid {OTHER} may not use the server's socket ./data/drumbeat.db.sock" in got.err, got
        assert "--server" in got.err


def test_a_read_only_file_system_is_named(stopped, folder):
    path = folder / "ro"
    path.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "none", str(path)], capture_output=True).returncode:
        pytest.skip("mount is not permitted here")
    try:
        shutil.copy(stopped.store, path)
        subprocess.run(["mount", "-o", "remount,ro", str(path)], check=True)
        stopped.configure(store=str(path / "drumbeat.db"))
        got = stopped.cli("serve")
        assert got.code == FAILED and "Read-only file system" in got.err, got
        got = stopped.cli("status")
        assert got.code == NO_SERVER and f"{path} is on a file system that is read-only" in got.err, got
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


# a store that is shared: sockets are named for the port in force

def test_two_processes_of_one_folder_have_a_socket_each(folder, database):
    first = Server(folder, store=database).start("--role", "ingest")
    second = Server(folder, store=database)
    first.configure(store=database)  # the configuration of both names the first one's port
    second.starts = 100  # its own log
    second.start("--role", "worker", "--listen", "127.0.0.1:0")
    try:
        assert (folder / f"drumbeat-{first.own_port}.sock").is_socket()
        assert first.cli("send", "LEAD", "-d", "{}").code == 0
        assert len(list(folder.glob("drumbeat-*.sock"))) == 2, list(folder.iterdir())
    finally:
        second.kill()
        first.close()


def test_the_socket_is_where_systemd_makes_room_for_it(folder, database):
    runtime = folder / "run"
    runtime.mkdir()
    server = Server(folder, env={"RUNTIME_DIRECTORY": f"{runtime}:/elsewhere"}, store=database).start()
    try:
        assert (runtime / f"drumbeat-{server.own_port}.sock").is_socket()
        assert server.cli("send", "LEAD", "-d", "{}").code == 0
    finally:
        server.close()


def test_a_shared_store_needs_no_socket(folder, database):
    server = Server(folder, env={"RUNTIME_DIRECTORY": str(folder / "nowhere")}, store=database).start()
    try:
        assert '"no_socket"' in server.text and server.post(event()).outcome == (200, "ACCEPTED")
    finally:
        server.kill()
