"""What ingest refuses for its size, its sender or the server's state, and that it says the bound."""
import threading

import pytest

from harness import event, until
from receiver import silence


def test_an_event_over_max_event_is_413_and_says_the_limit(serve):
    server = serve(server={"max_event": "2KiB"})
    answer = server.post(event(payload={"text": "x" * 3000}))
    assert answer.status == 413 and "2048" in answer.json["detail"], answer
    assert server.post(event(payload={"text": "x" * 1500})).outcome == (200, "ACCEPTED")


def test_the_default_limits_of_event_and_body_hold(idle):
    assert idle.post(event(payload={"text": "x" * (255 << 10)})).outcome == (200, "ACCEPTED")
    assert idle.post(event(payload={"text": "x" * (256 << 10)})).status == 413
    assert idle.post(b" " * (8 << 20) + b"{}").status == 413


def test_a_body_over_max_body_is_413_and_says_the_limit(serve):
    server = serve(server={"max_body": "4KiB", "max_event": "2KiB"})
    answer = server.post(b" " * 5000)
    assert answer.status == 413
    assert "4096" in answer.json["detail"] or "4KiB" in answer.json["detail"], answer
    assert server.post(event()).outcome == (200, "ACCEPTED")


def test_a_chunked_body_over_max_body_is_413(serve):
    server = serve(server={"max_body": "4KiB", "max_event": "2KiB"})
    answer = server.request("POST", "/v1/events", iter([b" " * 3000] * 4), {"Content-Type": "application/json"})
    assert answer.status == 413


def test_an_item_over_max_event_does_not_refuse_the_batch(serve):
    server = serve(server={"max_event": "2KiB"})
    items = server.post([event(), event(payload={"text": "x" * 3000}), event()]).json
    assert [item["status"] for item in items] == ["ACCEPTED", "INVALID", "ACCEPTED"]
    assert items[1]["code"] == "E0114"


def test_a_full_queue_is_503_with_retry_after_and_opens_again(serve, receiver):
    receiver.script("/slow", silence())
    server = serve(server={"queue": "3"}, routes={"all": {"from": "*", "to": ["slow"]}},
                   destinations={"slow": {"url": receiver.url("/slow"), "allow_private": "true", "timeout": "10m",
                                          "queue": "3"}})
    sent = [server.send() for _ in range(3)]
    answer = until(lambda: (refused := server.post(event())).status == 503 and refused, "503")
    assert int(answer.headers["Retry-After"]) > 0 and answer.json["code"] == "E0120"
    before = len(server.every("/v1/events"))
    assert server.post(event()).status == 503
    assert len(server.every("/v1/events")) == before
    server.get("/healthz")
    server.cli("destinations", "pause", "slow")
    receiver.close()  # ends the transfers
    for event_id in sent:
        until(lambda: server.deliveries(event_id)[0]["status"] != "PROCESSING", "the transfer to end")
        assert server.cli("events", "cancel", event_id).code == 0
    assert server.post(event()).outcome == (200, "ACCEPTED")


# Keys and roles.

ROLES = {
    # role: (POST events, GET events, pause, keys)
    "ingest": (200, 403, 403, 403),
    "read": (403, 200, 403, 403),
    "operate": (200, 200, 200, 403),
    "owner": (200, 200, 200, 200),
}


@pytest.fixture(scope="module")
def guarded():
    """A server on which each role has a key, made through the unix socket."""
    import pathlib
    import shutil
    import tempfile

    from harness import Server
    folder = pathlib.Path(tempfile.mkdtemp(prefix="e2e-"))
    server = Server(folder, destinations={"crm": {"url": "https://crm.example.com/"}}).start()
    server.keys = {}
    for role in ROLES:
        made = server.cli("keys", "create", "--role", role, "--name", role, "-o", "json")
        assert made.code == 0, made
        server.keys[role] = made.json["key"]
    yield server
    server.close()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_what_it_is_for_and_no_more(guarded, role):
    headers = {"Authorization": f"Bearer {guarded.keys[role]}"}
    assert (guarded.post(event(), headers).status,
            guarded.get("/v1/events", headers=headers).status,
            guarded.post({}, headers, path="/v1/destinations/crm/pause").status,
            guarded.get("/v1/keys", headers=headers).status) == ROLES[role]


@pytest.mark.parametrize("value", [None, "Bearer", "Bearer db_owner_0000", "Basic {key}", "Bearer {key}x", "{key}"])
def test_no_key_or_a_wrong_one_is_401(guarded, value):
    headers = {"Authorization": value.format(key=guarded.keys["owner"])} if value else {}
    answer = guarded.post(event(), headers)
    assert answer.status == 401 and answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert guarded.get("/v1/events", headers=headers).status == 401


def test_health_needs_no_key(guarded):
    assert guarded.get("/healthz").status == 200 and guarded.get("/readyz").status == 200


def test_the_unix_socket_needs_no_key(guarded):
    assert guarded.cli("events", "list").code == 0


def test_a_revoked_key_opens_nothing_and_the_others_still_do(guarded):
    made = guarded.cli("keys", "create", "--role", "read", "-o", "json").json
    headers = {"Authorization": f"Bearer {made['key']}"}
    assert guarded.get("/v1/events", headers=headers).status == 200
    assert guarded.cli("keys", "revoke", made["id"]).code == 0
    assert guarded.get("/v1/events", headers=headers).status == 401
    again = guarded.cli("keys", "revoke", made["id"])
    assert again.code == 5 and "is revoked already, since 20" in again.err
    assert guarded.cli("keys", "revoke", "never").code == 4
    assert guarded.get("/v1/events", headers={"Authorization": f"Bearer {guarded.keys['read']}"}).status == 200


def test_whoever_asks_a_server_without_a_key_learns_where_it_is_taken_from(guarded):
    asked = guarded.cli("--server", f"http://127.0.0.1:{guarded.port}", "events", "list")
    assert asked.code == 7 and "E0110" in asked.err
    assert "DRUMBEAT_KEY_FILE" in asked.err and "DRUMBEAT_KEY\n" in asked.err


def test_the_last_key_of_a_loopback_listener_is_revoked_on_purpose(serve):
    server = serve()
    first, last = (server.cli("keys", "create", "--role", role, "-o", "json").json for role in ("ingest", "owner"))
    assert server.cli("keys", "revoke", first["id"], "-y").code == 0
    refused = server.cli("keys", "revoke", last["id"], "-y")
    assert refused.code == 5 and "the last key" in refused.err and "{" not in refused.err
    assert f"drumbeat keys revoke {last['id']} --open" in refused.err
    assert server.get("/v1/events").status == 401
    headers = {"Authorization": f"Bearer {last['key']}"}
    answer = server.request("POST", f"/v1/keys/{last['id']}/revoke", b"{}",
                            {**headers, "Content-Type": "application/json"})
    assert answer.status == 409 and server.get("/v1/events", headers=headers).status == 200
    opened = server.cli("keys", "revoke", last["id"], "--open", "-y")
    assert opened.code == 0 and "nobody on this machine needs one any more" in opened.err
    assert server.get("/v1/events").status == 200


def test_only_a_hash_of_a_key_is_kept(guarded):
    for path in guarded.store.parent.iterdir():
        if path.is_file():
            data = path.read_bytes()
            assert not [role for role, key in guarded.keys.items() if key.encode() in data], path


def test_keys_survive_a_restart(serve):
    server = serve()
    key = server.cli("keys", "create", "--role", "owner", "-o", "json").json["key"]
    assert server.terminate() == 0
    server.key = key
    server.start()
    assert server.get("/v1/events").status == 200
    server.key = None
    assert server.get("/v1/events").status == 401


def test_the_same_key_a_hundred_times_at_once_is_one_event(serve):
    server, answers = serve(), []
    body = event("once")
    threads = [threading.Thread(target=lambda: answers.append(server.post(body))) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.outcome for answer in answers) == [(200, "ACCEPTED")] + [(200, "DUPLICATE")] * 99
    assert len({answer.json["eventId"] for answer in answers}) == 1
    assert len(server.every("/v1/events")) == 1
