"""backup copies the store while it serves; restore puts one in its place, which starts held."""
import fcntl
import os
import pathlib
import signal
import subprocess
import threading

from harness import BINARY, environment, event, until
from test_deliver import one

FAILED, USAGE, NOT_FOUND, CONFLICT, NO_SERVER = 1, 2, 4, 5, 6


def good(result):
    assert result.code == 0, result
    return result


def folder_of(server):
    return pathlib.Path(server.folder) / "data" / "backups"


def backups(server):
    return sorted(folder_of(server).iterdir())


def store_of(server):
    return pathlib.Path(server.folder) / "data" / "drumbeat.db"


def backup(server, *arguments):
    file = pathlib.Path(good(server.cli("backup", "-o", "id", *arguments)).out.strip())
    assert file.is_absolute()
    return file


def held(server):
    return server.get("/v1/status").json["hold"]


def test_a_backup_is_made_while_events_come_and_go(serve, receiver):
    server = serve(**one(receiver))
    stop, sent = threading.Event(), []

    def work():
        while not stop.is_set():
            sent.append(server.send(payload={"fill": "x" * 20000}))
    worker = threading.Thread(target=work)
    worker.start()
    try:
        until(lambda: len(sent) > 60, "some events")
        before = len(sent)
        said = good(server.cli("backup"))
    finally:
        stop.set()
        worker.join()
    assert "verified; 1 kept" in said.out, said
    [file] = backups(server)
    assert file.name.startswith("drumbeat-") and file.name.endswith("Z.db") and file.stat().st_mode & 0o777 == 0o600
    server.terminate()
    store_of(server).rename(store_of(server).with_suffix(".gone"))
    good(server.cli("restore", str(file)))
    server.start()
    kept = {item["id"] for item in server.every("/v1/events")}
    assert set(sent[:before]) <= kept <= set(sent)


def test_what_is_restored_is_held_and_doubles_nothing(serve, receiver):
    server = serve(**one(receiver))
    done = server.send()
    server.settled(done, "COMPLETED")
    good(server.cli("hold"))
    open_then = server.send()
    file = backup(server)
    good(server.cli("release", "--yes"))
    server.settled(open_then, "COMPLETED")
    later = server.send()
    server.settled(later, "COMPLETED")
    server.terminate()
    refused = server.cli("restore", str(file))
    assert refused.code == CONFLICT and "--force" in refused.err, refused
    said = good(server.cli("restore", str(file), "--force", "-n"))
    assert said.out.startswith("would restore ") and "the store of before would be " in said.out, said
    assert "It would start held" in said.out and "restored" not in said.out, said
    assert good(server.cli("restore", str(file), "--force", "-n", "-o", "json")).json["done"] is False
    assert not [path for path in store_of(server).parent.iterdir() if ".before-" in path.name], "nothing was changed"
    said = good(server.cli("restore", str(file), "--force"))
    assert said.out.startswith("restored ") and "It starts held" in said.out and ".before-" in said.out, said
    assert "restored from" in server.cli("release", "-n").err and "restored from" in server.cli("todo").out
    server.start()
    assert held(server) and server.get(f"/v1/events/{later}").status == 404
    assert "restored from" in server.cli("release", "-n").err
    assert len(receiver.of("/hook")) == 3
    good(server.cli("release", "--yes"))
    server.settled(open_then, "COMPLETED")
    keys = receiver.keys("/hook")
    assert len(keys) == 4 and len(set(keys)) == 3, "the one that was open went again, under the key it had"
    server.terminate()
    [aside] = [path for path in store_of(server).parent.iterdir() if ".before-" in path.name and path.suffix != ".lock"
               and not path.name.endswith("-wal")]
    good(server.cli("restore", str(aside), "--force"))
    server.start()
    assert server.get(f"/v1/events/{later}").status == 200


def test_the_newest_are_kept(serve, receiver):
    server = serve(**one(receiver))
    folder_of(server).mkdir()
    for day in range(1, 5):
        (folder_of(server) / f"drumbeat-2020-01-0{day}T000000Z.db").write_text("")
    (folder_of(server) / "mine.db").write_text("")
    (folder_of(server) / "drumbeat-2020-01-01T000000Z.db.part").write_text("of a server that was killed")
    newest = backup(server, "--keep", "2")
    assert [path.name for path in backups(server)] == ["drumbeat-2020-01-04T000000Z.db", newest.name, "mine.db"]


def test_no_backup_is_removed_for_a_number_that_is_none(serve, receiver):
    server = serve(**one(receiver))
    first = backup(server)
    for words in ("1,000", "1.5", "x", "-3", "7x", "99999999999", ""):
        refused = server.cli("backup", "--keep", words)
        assert refused.code == USAGE and "--keep" in refused.err, (words, refused)
    assert backups(server) == [first]


def test_a_backup_that_is_cut_short_or_no_store_is_refused(serve, receiver):
    server = serve(**one(receiver))
    for _ in range(30):
        server.send(payload={"fill": "x" * 20000})
    file = backup(server)
    server.terminate()
    before = store_of(server).read_bytes()
    short = file.with_name("short.db")
    short.write_bytes(file.read_bytes()[:-3 * 4096])
    torn = file.with_name("torn.db")
    torn.write_bytes(file.read_bytes()[:8 * 4096] + os.urandom(4096) + file.read_bytes()[9 * 4096:])
    text = file.with_name("text.db")
    text.write_text("not a store\n")
    for bad in (short, torn, text):
        refused = server.cli("restore", str(bad), "--force")
        assert refused.code != 0 and bad.name in refused.err, refused
    assert server.cli("restore", str(file.with_name("none.db"))).code == NOT_FOUND
    assert store_of(server).read_bytes() == before
    assert not [path for path in store_of(server).parent.iterdir() if ".before-" in path.name]


def test_what_is_no_backup_is_not_opened(serve, receiver):
    server = serve(**one(receiver))
    server.send()
    server.terminate()
    fifo = store_of(server).with_name("fifo")
    os.mkfifo(fifo)
    before = store_of(server).read_bytes()
    for bad, words in ((fifo, "is no file"), (store_of(server).parent, "is no file"), (store_of(server), "is the store itself")):
        refused = server.cli("restore", "--force", str(bad))
        assert refused.code == FAILED and words in refused.err, refused
    assert store_of(server).read_bytes() == before


def test_a_restore_that_is_killed_leaves_a_store_whole(serve, receiver):
    server = serve(**one(receiver))
    first = server.send()
    server.settled(first, "COMPLETED")
    file = backup(server)
    second = server.send()
    server.settled(second, "COMPLETED")
    server.kill()  # its log has something in it
    whole = {first, second}
    for call in (1, 2):
        command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=renameat2", "-e",
                   f"inject=renameat2:signal=KILL:when={call}", BINARY, "restore", "--force", str(file)]
        subprocess.run(command, cwd=server.folder, env=environment(server.folder), capture_output=True, check=False)
        server.start()
        kept = {item["id"] for item in server.every("/v1/events")}
        assert kept == whole or (kept == {first} and held(server)), (call, kept)
        server.kill()
    asides = [path for path in store_of(server).parent.iterdir() if ".db." in path.name and path.stat().st_size > 4096]
    assert asides, "the store of before is there under one of its names"


def test_two_restores_at_once_keep_what_was_before_each(serve, receiver):
    server = serve(**one(receiver))
    file = backup(server)
    server.settled(server.send(), "COMPLETED")
    server.terminate()
    for _ in range(2):
        good(server.cli("restore", "--force", str(file)))
    asides = [path for path in store_of(server).parent.iterdir()
              if ".before-" in path.name and not path.name.endswith((".lock", "-wal", "-shm", ".reserve"))]
    assert len(asides) == 2
    assert not [path for path in store_of(server).parent.iterdir() if ".restore-" in path.name]


def test_a_server_that_runs_is_not_restored_over(serve, receiver):
    server = serve(**one(receiver))
    event_id = server.send()
    file = backup(server)
    for force in ([], ["--force"], ["-n"]):
        refused = server.cli("restore", str(file), *force)
        assert refused.code == FAILED and "stop it first" in refused.err and "--force" not in refused.err, refused
    assert server.get(f"/v1/events/{event_id}").status == 200


def test_a_backup_that_was_killed_leaves_nothing_in_the_way(serve, receiver):
    server = serve(**one(receiver))
    for _ in range(40):
        server.post([event(payload={"fill": "x" * 8000}) for _ in range(50)])
    assert server.post(b"{}", path="/v1/backup").status == 202
    server.kill()
    server.start()
    file = backup(server)
    assert backups(server) == [file]


def start(server, *arguments):
    return subprocess.Popen([BINARY, *arguments], cwd=server.folder, env=environment(server.folder), text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def filled(server):
    for _ in range(20):
        server.post([event(payload={"fill": "x" * 8000}) for _ in range(50)])


def test_two_who_ask_at_once_both_have_a_copy(serve, receiver):
    server = serve(**one(receiver))
    filled(server)
    both = [start(server, "backup", "-o", "id") for _ in range(2)]
    said = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    files = {pathlib.Path(out.strip()) for out, _ in said}
    named = {path for path in backups(server) if path.suffix == ".db"}
    assert files <= named and len(named) <= 2, (said, backups(server))


def test_two_copies_of_one_second_have_names_of_their_own(serve, receiver):
    server = serve(**one(receiver))
    files = [backup(server) for _ in range(4)]
    assert len(set(files)) == 4 and backups(server) == files, "in the order in which they were made"


def test_a_copy_that_is_being_checked_is_not_taken_for_one_that_was_left(serve, receiver):
    server = serve(**one(receiver))
    filled(server)
    assert server.post(b"{}", path="/v1/backup").status == 202
    until(lambda: not server.get("/v1/backup").json["running"], "the copy")
    part = pathlib.Path(server.get("/v1/backup").json["file"])
    with open(part, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        waiting = start(server, "backup", "-o", "id")  # another copy: the server knows of no lock
        second = pathlib.Path(waiting.communicate(timeout=120)[0].strip())
        assert waiting.returncode == 0 and second.exists() and part.exists() and second != part.with_suffix("")
    backup(server)
    backup(server)
    assert not part.exists(), "nobody came for it"


def test_a_server_that_is_killed_while_it_copies_is_named(serve, receiver):
    server = serve(**one(receiver))
    filled(server)
    server.post(b"{}", path="/v1/backup")
    waiting = start(server, "backup")
    waiting.send_signal(signal.SIGSTOP)
    server.kill()
    server.start()
    waiting.send_signal(signal.SIGCONT)
    _, said = waiting.communicate(timeout=60)
    assert waiting.returncode in (0, FAILED, NO_SERVER), said
    assert not waiting.returncode or "meanwhile" in said or "no server answers" in said or "connection" in said, said
    backup(server)


def test_an_empty_file_is_no_backup(serve, receiver):
    server = serve(**one(receiver))
    server.terminate()
    empty = store_of(server).with_name("empty.db")
    empty.write_text("")
    refused = server.cli("restore", str(empty), "--force")
    assert refused.code == FAILED and "empty.db is empty: it is no backup" in refused.err, refused


def test_postgres_has_its_own_tools(serve, database, receiver):
    server = serve(store=database, **one(receiver))
    said = server.cli("backup")
    assert said.code == CONFLICT and "pg_dump" in said.err, said
    server.terminate()
    refused = server.cli("restore", __file__)
    assert refused.code != 0 and "PostgreSQL" in refused.err, refused


def test_a_backup_comes_to_a_machine_that_has_no_folder_for_it(serve, receiver, tmp_path):
    server = serve(**one(receiver))
    file = backup(server)
    (tmp_path / "drumbeat.yaml").write_text("version: 1\nstore: ./data/drumbeat.db\n")
    said = subprocess.run([BINARY, "restore", str(file)], cwd=tmp_path, env=environment(tmp_path), capture_output=True,
                          text=True, check=False)
    assert said.returncode == 0 and (tmp_path / "data/drumbeat.db").exists(), said
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
