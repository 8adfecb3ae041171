"""A store that was copied and is started elsewhere would send what the other one sends: it starts held."""
import contextlib
import shutil
import subprocess

import pytest

from harness import Server, until
from test_deliver import one


@pytest.fixture
def copied(serve, receiver, tmp_path):
    """A server that has stopped with something due, and another one with a copy of its store."""
    first = serve(**one(receiver))
    first.cli("hold")
    event = first.send()
    first.cli("release", "--yes")
    first.settled(event, "COMPLETED")
    first.cli("destinations", "pause", "hook")
    waiting = first.send()
    first.terminate()
    folder = tmp_path / "copy"
    folder.mkdir(mode=0o700)
    shutil.copytree(first.store.parent, folder / "data")
    second = Server(folder, **one(receiver))
    yield first, second, waiting
    second.close()


def test_a_copy_that_is_started_elsewhere_is_held(copied, receiver):
    first, second, waiting = copied
    second.start()
    status = second.get("/v1/status").json
    assert status["hold"] and f"a copy of {first.store.resolve()}" in status["hold_reason"], status["hold_reason"]
    assert "store_copied" in [line["event"] for line in second.log()]
    second.cli("destinations", "resume", "hook")
    assert second.post({"type": "LEAD", "source": "x", "idempotency_key": "n", "payload": {}}).status == 200
    assert len(receiver.of("/hook")) == 1, "it takes events in, and sends nothing"
    assert second.cli("release", "--yes").code == 0
    second.settled(waiting, "COMPLETED")
    second.restart()
    assert not second.get("/v1/status").json["hold"], "the word was given"


def test_a_copy_of_a_store_that_a_person_held_says_both(copied):
    first, second, _ = copied
    first.start()
    first.cli("hold", "the shop is closed")
    first.terminate()
    shutil.copytree(first.store.parent, second.store.parent, dirs_exist_ok=True)
    second.start()
    status = second.get("/v1/status").json
    assert f"a copy of {first.store.resolve()}" in status["hold_reason"], status["hold_reason"]
    assert "the shop is closed" in status["hold_reason"] and status["may_be_stale"], status


def test_the_first_one_goes_on(copied):
    first, _, waiting = copied
    first.start()
    assert not first.get("/v1/status").json["hold"]
    first.cli("destinations", "resume", "hook")
    first.settled(waiting, "COMPLETED")


def test_a_store_that_was_renamed_is_no_copy(copied, receiver):
    first, second, waiting = copied
    shutil.rmtree(second.store.parent)
    first.store.parent.rename(second.store.parent)
    second.start()
    assert not second.get("/v1/status").json["hold"]
    second.cli("destinations", "resume", "hook")
    second.settled(waiting, "COMPLETED")


def test_what_is_restored_elsewhere_says_so(copied, receiver):
    first, second, _ = copied
    first.start()
    file = first.cli("backup", "-o", "id").out.strip()
    first.terminate()
    assert second.cli("restore", "--force", file).code == 0
    second.start()
    assert second.get("/v1/status").json["hold_reason"].startswith("restored from")
    assert second.cli("release", "--yes").code == 0
    second.restart()
    assert not second.get("/v1/status").json["hold"]


def test_two_addresses_of_one_database_are_one_store(serve, database, receiver, tmp_path):
    """Nothing is held: each of both has its part of what is due."""
    first = serve(store=database, **one(receiver))
    second = Server(tmp_path, **one(receiver), store=database + "?application_name=other")
    second.start()
    ids = [first.send() for _ in range(20)] + [second.send() for _ in range(20)]
    for event in ids:
        until(lambda e=event: first.event(e)["status"] == "COMPLETED", "each, once")
    assert len(receiver.keys("/hook")) == len(set(receiver.keys("/hook"))) == 40
    second.close()


def test_a_copy_of_the_same_inode_is_one_too(folder, receiver):
    """Two disks that were set up in the same way give their files the same numbers."""
    with contextlib.ExitStack() as ends:
        servers = []
        for name in "ab":
            (folder / name).mkdir()
            if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", folder / name], check=False).returncode:
                pytest.skip("mount is not permitted here")
            ends.callback(subprocess.run, ["umount", "-l", folder / name], check=True)
            servers.append(Server(folder / name, **one(receiver)))
            ends.callback(servers[-1].close)
            servers[-1].start()
            assert servers[-1].terminate() == 0
        first, second = servers
        shutil.copyfile(first.store, second.store)
        assert first.store.stat().st_ino == second.store.stat().st_ino
        second.start()
        assert second.get("/v1/status").json["hold"]
