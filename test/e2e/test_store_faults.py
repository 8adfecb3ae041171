"""A store that fails: a full disk, a read-only mount, a failed fsync, and files that are not ours."""
import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import threading

import pytest

from harness import Server, event, until
from receiver import answer

DISK_BYTES = "2m"


@pytest.fixture
def serve_on(disk, folder):
    """A server whose store is on the small disk."""
    servers = []

    def start(**config):
        home = folder / "home"
        home.mkdir()
        servers.append(Server(home, store=str(disk / "drumbeat.db"), **config).start())
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def strace(folder, inject):
    """A prefix that runs a program with a call of it failing; skips where strace cannot."""
    command = ["strace", "-f", "-o", str(folder / "strace.out"), "-e", f"trace={inject.split(':')[0]}", "-e",
               f"inject={inject}", "-E", "LSAN_OPTIONS=detect_leaks=0"]  # its search stops threads as strace does
    try:
        tried = subprocess.run([*command, "true"], capture_output=True, text=True, timeout=30)
    except FileNotFoundError:
        pytest.skip("strace is not here")
    if tried.returncode:
        pytest.skip(f"strace cannot attach here: {tried.stderr.strip()}")
    return command


def is_refused_for_now(got, *codes):
    assert got.status == 503 and int(got.headers["Retry-After"]) >= 1, got
    assert got.headers["Content-Type"] == "application/problem+json"
    assert got.json["code"] in codes, got
    return True


def check_stored(server, ids):
    for event_id in ids:
        assert server.event(event_id)["id"] == event_id
    found = server.cli("verify", "--deep", "-o", "json")
    assert found.code == 0 and found.json["violation_count"] == 0, found


def fill(disk):
    """All but the last 200 KB; the file that took the room."""
    ballast = disk / "ballast"
    ballast.write_bytes(b"x" * (shutil.disk_usage(disk).free - 200_000))
    return ballast


def fill_up(ballast):
    with contextlib.suppress(OSError), open(ballast, "ab", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass


def send_until_refused(server):
    """Ids that were acknowledged, and the refusal."""
    ids = []
    while (got := server.post(event(payload={"text": "x" * 20_000}))).status == 200:
        ids.append(got.json["eventId"])
        assert len(ids) < 100, "a full disk took everything"
    return ids, got


def test_a_full_disk_refuses_loses_nothing_and_recovers(serve_on, disk):
    server = serve_on()
    ids = [server.send()]
    ballast = fill(disk)
    more, got = send_until_refused(server)
    assert is_refused_for_now(got, "E0121")
    until(lambda: server.probe("/readyz") == 503, "/readyz to say that nothing can be written")
    assert server.get("/readyz").json == {"ready": False, "code": "E0121"}
    assert server.probe("/healthz") == 200
    assert "Needs you" in server.cli("status").out  # whatever still can be told
    ballast.unlink()
    until(lambda: server.post(event(payload={"text": "again"})).status == 200, "the server to take events again")
    until(lambda: server.probe("/readyz") == 200, "/readyz")
    check_stored(server, ids + more)
    server.restart()
    check_stored(server, ids + more)


def test_a_kill_on_a_full_disk_costs_nothing(serve_on, disk):
    server = serve_on()
    ballast = fill(disk)
    ids, _ = send_until_refused(server)
    server.kill()
    ballast.unlink()
    server.start()
    check_stored(server, ids)


def test_an_answer_that_comes_while_the_disk_is_full_is_settled_later_and_not_sent_again(serve_on, disk, receiver):
    gate, good = threading.Event(), answer(200)
    receiver.script("/crm", lambda exchange: gate.wait(30) and good(exchange))
    server = serve_on(destinations={"crm": {"url": receiver.url("/crm"), "allow_private": "true"}},
                      routes={"all": {"from": "SEND", "to": ["crm"]}})
    event_id = server.send(kind="SEND")
    until(lambda: receiver.of("/crm"), "the send")
    ballast = fill(disk)
    send_until_refused(server)
    fill_up(ballast)
    while server.post(event()).status == 200:  # the log's file has room of its own left from what was refused
        pass
    assert server.get("/v1/status").status == 200, "a full disk can still be read"
    gate.set()
    for _ in range(20):  # each of these turns finds no room for the outcome, and answers
        assert server.event(event_id)["deliveries"][0]["status"] == "PROCESSING"
    ballast.unlink()
    until(lambda: server.probe("/readyz") == 200, "/readyz")
    delivery = server.settled(event_id, "COMPLETED")
    assert delivery["attempt_count"] == 1 and len(receiver.of("/crm")) == 1


def test_a_read_only_disk_refuses_and_recovers(serve, folder):
    """A file open for writing keeps its mount writable: the calls themselves are refused, as after an ext4 error."""
    server = serve(wrap=strace(folder, "pwrite64:error=EROFS:when=70..76"))
    ids, got = send_until_refused(server)
    assert is_refused_for_now(got, "E0122")
    until(lambda: server.post(event()).status == 200, "the server to take events again")
    check_stored(server, ids)


# Failing syncs.

def send_until_it_ends(server):
    """Ids that were acknowledged. What is not is refused, or finds nobody."""
    ids, refused = [], False
    while server.process.poll() is None:
        try:
            got = server.post(event())
        except (OSError, http.client.HTTPException):
            continue
        refused = refused or got.status != 200
        if refused:
            is_refused_for_now(got, "E0123", "E0124")
        else:
            ids.append(got.json["eventId"])
        assert len(ids) < 1000, "no sync failed"
    return ids


@pytest.mark.parametrize("nth", [15, 16, 30])
def test_after_a_failed_sync_nothing_is_trusted_and_nothing_is_lost(serve, folder, nth):
    server = serve(wrap=strace(folder, f"fdatasync:error=EIO:when={nth}"))
    ids = send_until_it_ends(server)
    assert ids and server.wait() == 1
    assert '"turn_dropped"' in server.text and "E0123" in server.text
    server.wrap = ()
    server.start()
    check_stored(server, ids)


def test_a_failed_sync_at_the_start_ends_it_with_a_reason(serve, folder):
    server = serve()
    server.send()
    server.kill()
    server.wrap = strace(folder, "fdatasync:error=EIO:when=1")
    assert server.launch().wait() == 1
    assert server.text.startswith("error: cannot open the store ./data/drumbeat.db: "), server.text
    server.wrap = ()
    server.start()
    assert json.loads(server.cli("verify", "-o", "json").out)["events"] == 1


def test_slow_syncs_are_slow_and_nothing_else(serve, folder):
    server = serve(wrap=strace(folder, "fdatasync:delay_enter=200000"))
    check_stored(server, [server.send() for _ in range(5)])


# Files that are taken away from a running server.

def sends_until_it_stops(server, *words):
    """Ids that were acknowledged; the server ends by itself and says why."""
    ids = []
    with contextlib.suppress(OSError, http.client.HTTPException):
        while (got := server.post(event())).status == 200:
            ids.append(got.json["eventId"])
            assert len(ids) < 1000, "it goes on"
        is_refused_for_now(got, "E0123", "E0124")
    assert server.wait() == 1
    for word in words:
        assert word in server.text, server.text
    return ids


def test_a_log_that_is_removed_ends_the_server_and_costs_nothing(serve):
    server = serve()
    ids = [server.send() for _ in range(20)]
    pathlib.Path(f"{server.store}-wal").unlink()
    ids += sends_until_it_stops(server, "the store's log (-wal) was removed")
    server.start()
    check_stored(server, ids)


def test_a_log_that_is_emptied_ends_the_server_before_it_acknowledges_more(serve):
    server = serve()
    server.send()
    os.truncate(f"{server.store}-wal", 0)
    assert sends_until_it_stops(server, "the store's log (-wal) was cut short by another program") == []
    server.start()
    check_stored(server, [server.send()])


@pytest.mark.parametrize("suffix", ["", ".lock"])
def test_a_file_that_is_removed_ends_the_server(serve, suffix):
    server = serve()
    server.send()
    pathlib.Path(f"{server.store}{suffix}").unlink()
    assert sends_until_it_stops(server, "was removed") == []


@pytest.mark.parametrize("suffix", ["", ".lock"])
def test_a_file_that_is_removed_from_an_idle_server_is_named_too(serve, suffix):
    server = serve()
    pathlib.Path(f"{server.store}{suffix}").unlink()
    server.process.send_signal(signal.SIGHUP)  # a step without work
    assert server.wait() == 1
    assert "was removed" in server.text and "E0123" in server.text, server.text


# Files that are not a store of ours, or not any more.

@pytest.fixture
def stopped(serve):
    """A server that was stopped well, with 30 events in its store."""
    server = serve()
    for n in range(30):
        server.send(payload={"n": n, "text": "CANARY" * 100})
    assert server.terminate() == 0
    return server


def refuses(server, *words):
    """It does not start, says why in one line, and the file is as it was."""
    before = server.store.read_bytes()
    got = server.cli("serve")
    assert got.code == 1 and len(got.err.splitlines()) == 1, got
    for word in words:
        assert word in got.err, got
    assert server.store.read_bytes() == before


def damage(path, at, data):
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(data)


def test_a_damaged_page_is_refused(stopped):
    for page in range(1, stopped.store.stat().st_size // 4096):
        damage(stopped.store, page * 4096, b"\xff" * 64)
    refuses(stopped, "is damaged", "restore a backup")


@pytest.mark.parametrize("length", [0, 1, 100, 511, 4096, -4096])
def test_a_file_cut_short_is_refused(stopped, length):
    with open(stopped.store, "r+b") as file:
        file.truncate(length if length >= 0 else stopped.store.stat().st_size + length)
    refuses(stopped, "is damaged")


def test_a_header_that_is_no_more_is_damage_not_another_program(stopped):
    damage(stopped.store, 0, b"\x00" * 100)
    refuses(stopped, "is damaged")


def test_a_text_file_is_refused(stopped):
    (stopped.folder / "data/drumbeat.db.lock").unlink()
    stopped.store.write_text("name,email\n" * 1000)
    refuses(stopped, "is not a drumbeat store")


def test_the_database_of_another_program_is_refused(stopped):
    for path in stopped.folder.glob("data/*"):
        path.unlink()
    with sqlite3.connect(stopped.store) as other:
        other.execute("CREATE TABLE customers(name TEXT)")
    other.close()
    refuses(stopped, "is not a drumbeat store")


def test_a_newer_schema_is_refused(stopped):
    with sqlite3.connect(stopped.store) as other:
        other.execute("PRAGMA user_version = 99")
    other.close()
    refuses(stopped, "schema 99", "start the newer drumbeat again")


def test_a_flipped_byte_of_a_payload_is_found_by_verify_deep(stopped):
    at = stopped.store.read_bytes().index(b"CANARY")
    damage(stopped.store, at, b"B")
    assert stopped.cli("verify").code == 0
    found = stopped.cli("verify", "--deep", "-o", "json")
    assert found.code == 9, found
    assert found.json["violation_count"] == len(found.json["violations"]) == 1
    assert found.json["violations"][0]["rule"], found
