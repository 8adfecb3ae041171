"""`drumbeat vacuum`: the room of removed events goes back to the file system, and nothing else changes."""
import contextlib
import os
import sqlite3
import subprocess

from harness import BINARY, Server, environment, event, until
from test_acts import good

DISK_BYTES = "40m"
PAYLOAD = {"text": "x" * 30000}
EVENTS = 400  # 12 MB
FAILED = 1


def fill(server, count=EVENTS):
    for start in range(0, count, 50):
        lines = [event(key=f"k{i}", payload=PAYLOAD) for i in range(start, min(start + 50, count))]
        assert server.post(lines).status == 200
    kept = server.send("kept")
    assert server.terminate() == 0
    return kept


def remove_all_but(store, key):
    """As retention does, only faster."""
    with contextlib.closing(sqlite3.connect(store)) as file, file:
        file.execute("DELETE FROM attempts WHERE delivery_seq IN (SELECT d.seq FROM deliveries d JOIN marketing_events e"
                     " ON e.id = d.event_id WHERE e.idempotency_key <> ?)", (key,))
        file.execute("DELETE FROM deliveries WHERE event_id IN (SELECT id FROM marketing_events"
                     " WHERE idempotency_key <> ?)", (key,))
        file.execute("DELETE FROM marketing_events WHERE idempotency_key <> ?", (key,))


def test_room_is_given_back_and_the_store_stays_what_it_was(serve):
    server = serve()
    kept = fill(server)
    remove_all_but(server.store, "kept")
    before = server.store.stat().st_size
    left = server.store.with_name(server.store.name + ".vacuum")
    left.write_bytes(b"of one that was killed")
    told = good(server.cli("vacuum", "-n", "-o", "json")).json
    assert not told["done"] and told["bytes_before"] == before and told["bytes_after"] < before / 10
    assert server.store.stat().st_size == before
    done = good(server.cli("vacuum", "-o", "json")).json
    assert done["done"] and done["bytes_before"] == before
    assert server.store.stat().st_size == done["bytes_after"] < before / 10
    assert server.store.stat().st_mode & 0o777 == 0o600
    assert not left.exists()
    good(server.cli("verify", "--deep"))
    server.start()
    assert server.event(kept)["idempotency_key"] == "kept"
    server.send("after")
    assert server.post(event(key="kept", payload={"other": 1})).status == 422


def test_the_room_that_could_be_given_back_is_a_gauge(serve):
    server = serve()
    fill(server)
    remove_all_but(server.store, "kept")
    server.start()

    def free():
        for line in server.get("/metrics").body.decode().splitlines():
            if line.startswith("drumbeat_store_free_bytes "):
                return float(line.split()[1])
        return 0

    assert until(free, "a gauge") > 10_000_000


def test_a_store_in_use_stays_as_it_is(serve):
    server = serve()
    got = server.cli("vacuum")
    assert got.code == FAILED and "is in use by process" in got.err and got.err.rstrip().endswith("stop it first")
    server.send()


def test_one_that_is_killed_changes_nothing(serve):
    server = serve()
    kept = fill(server)
    left = server.store.with_name(server.store.name + ".vacuum")
    for reached in (0, 1, 1_000_000, 6_000_000):
        running = subprocess.Popen([BINARY, "vacuum"], cwd=server.folder, env=environment(server.folder),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: running.poll() is not None or (left.exists() and left.stat().st_size >= reached), "the copy")
        running.kill()
        running.wait()
        found = good(server.cli("verify", "-o", "json")).json
        assert found["events"] == EVENTS + 1
    server.start()
    assert server.event(kept)["idempotency_key"] == "kept"


def test_without_room_for_the_copy_it_says_so(disk, folder):
    home = folder / "home"
    home.mkdir()
    server = Server(home, store=str(disk / "drumbeat.db")).start()
    try:
        fill(server)
        room = os.statvfs(disk)
        (disk / "other").write_bytes(b"x" * (room.f_bavail * room.f_frsize - 4_000_000))
        before = (disk / "drumbeat.db").stat()
        got = server.cli("vacuum")
        assert got.code == FAILED and "the copy beside the store needs" in got.err
        after = (disk / "drumbeat.db").stat()
        assert (after.st_ino, after.st_size) == (before.st_ino, before.st_size)
        assert not (disk / "drumbeat.db.vacuum").exists()
        good(server.cli("verify"))
    finally:
        server.close()
