"""Durability: what was acknowledged survives kill -9 under load, and a store is one server's alone."""
import collections
import http.client
import random
import signal
import threading

from harness import Server, event, until
from receiver import answer, raw, reset, silence

ROUNDS, CLIENTS, EACH = 20, 8, 40


def config(receiver, **destination):
    return {
        "destinations": {"crm": {"url": receiver.url("/crm"), "allow_private": "true", "breaker": "off",
                                 "retry": {"max": "100", "base": "20ms", "cap": "100ms"}, "timeout": "2s",
                                 "concurrency": "16", **destination}},
        "routes": {"all": {"from": "LEAD", "to": ["crm"]}},
    }


class Client(threading.Thread):
    """Posts one event after the other, each under its key until it is acknowledged; moves with the server."""

    def __init__(self, server, name):
        super().__init__(daemon=True)
        self.server, self.prefix, self.acknowledged, self.wrong = server, name, {}, []
        self.enough = threading.Event()

    def run(self):
        number = 0
        while not (self.enough.is_set() and number >= EACH):
            key = f"{self.prefix}-{number}"
            body = event(key, payload={"client": self.prefix, "n": number})
            while (got := self.post(body)) is None:
                if self.enough.wait(0.01):
                    return
            if got.status != 200:
                self.wrong.append(got)
                return
            self.acknowledged[key] = got.json["eventId"]
            number += 1

    def post(self, body):
        """None where the server is away or says that it is."""
        try:
            got = self.server.post(body)
            return None if got.status == 503 else got
        except (OSError, TypeError, http.client.HTTPException):
            return None  # TypeError: between two starts there is no port


def keys_of(receiver, path):
    """Event -> the keys it came under."""
    keys = collections.defaultdict(set)
    for request in receiver.of(path):
        keys[request["X-Drumbeat-Event"]].add(request.key)
    return keys


def all_settled(server):
    status = server.get("/v1/status").json
    return status["pending"] + status["processing"] + status["unknown"] == 0


def check_whole(server, receiver, acknowledged):
    """Every acknowledged event is stored once with its payload and was delivered, under one key."""
    stored = collections.defaultdict(list)
    for item in server.every("/v1/events"):
        stored[item["idempotency_key"]].append(item)
    keys = keys_of(receiver, "/crm")
    for key, event_id in acknowledged.items():
        assert [item["id"] for item in stored[key]] == [event_id], f"{key} was answered {event_id}"
        client, number = key.rsplit("-", 1)
        assert stored[key][0]["payload"] == {"client": client, "n": int(number)}
        assert stored[key][0]["status"] == "COMPLETED", stored[key][0]
        assert len(keys[event_id]) == 1, f"{key} went out under {keys[event_id] or 'no key'}"
    ids = [item["id"] for items in stored.values() for item in items]
    assert set(keys) <= set(ids), "a delivery of an event that is not stored"
    assert {delivery["key"] for delivery in server.every("/v1/deliveries")} == set().union(*keys.values())
    found = server.cli("verify", "--deep", "-o", "json")
    assert found.code == 0 and found.json["violation_count"] == 0, found
    assert found.json["events"] == len(ids)


def test_nothing_acknowledged_is_lost_over_kills_under_load(serve, receiver):
    dice = random.Random(20)
    lies = [answer(503), reset(), raw(b""), answer(200, b"", "Connection: close", delay=0.05), answer(200)]
    receiver.script("/crm", lambda exchange: dice.choice(lies)(exchange))
    server = serve(**config(receiver))
    clients = [Client(server, f"client{n}") for n in range(CLIENTS)]
    for client in clients:
        client.start()
    for _ in range(ROUNDS):
        before = len(receiver.requests)
        more = dice.randint(1, 60)  # the moment of the kill is counted in sends, not in time
        until(lambda: len(receiver.requests) >= before + more, f"{more} sends between two kills")
        server.restart()
    for client in clients:
        client.enough.set()
    receiver.script("/crm", answer(200))
    for client in clients:
        client.join(60)
        assert not client.is_alive() and not client.wrong, client.wrong
    acknowledged = {key: id for client in clients for key, id in client.acknowledged.items()}
    assert len(acknowledged) >= ROUNDS
    until(lambda: all_settled(server), lambda: f"all to settle: {server.get('/v1/status').body}", 90)
    check_whole(server, receiver, acknowledged)


def test_killed_while_an_answer_is_awaited_the_same_key_goes_out_again(serve, receiver):
    receiver.script("/crm", answer(200, delay=30), answer(200))
    server = serve(**config(receiver))
    event_id = server.send()
    until(lambda: receiver.of("/crm"), "the first send")
    server.restart()
    delivery = server.settled(event_id, "COMPLETED")
    first, second = receiver.of("/crm")
    assert first.key == second.key == delivery["key"]
    assert first.body == second.body


def test_killed_again_and_again_while_it_starts(serve, receiver):
    server = serve(**config(receiver))
    ids = [server.send(payload={"n": n}) for n in range(50)]
    server.kill()
    for lines in range(6):
        server.launch()
        until(lambda: server.text.count("\n") >= lines % 2 or server.process.poll() is not None, "the start")
        server.kill()
    server.start()
    for event_id in ids:
        server.settled(event_id, "COMPLETED")
    assert {request["X-Drumbeat-Event"] for request in receiver.of("/crm")} == set(ids)


def test_a_repeated_post_after_a_kill_is_a_duplicate_of_the_same_event(serve):
    server = serve()
    body = event("once")
    first = server.post(body)
    server.restart()
    again = server.post(body)
    assert again.outcome == (200, "DUPLICATE")
    assert again.json["eventId"] == first.json["eventId"]


def test_a_future_event_and_a_pause_survive_a_kill(serve, receiver):
    server = serve(**config(receiver))
    assert server.cli("destinations", "pause", "crm", "--reason", "holiday").code == 0
    later = server.send(scheduled_at="2099-01-01T00:00:00Z")
    now = server.send()
    server.restart()
    assert server.get("/v1/destinations/crm").json["pause_reason"] == "holiday"
    assert server.event(later)["status"] == "PENDING"
    assert server.delivery(now)["status"] == "PENDING"
    assert server.cli("destinations", "resume", "crm").code == 0
    server.settled(now, "COMPLETED")
    assert receiver.of("/crm")[0]["X-Drumbeat-Event"] == now and len(receiver.of("/crm")) == 1


def test_a_stop_lets_what_is_on_the_wire_finish(serve, receiver):
    receiver.script("/crm", answer(200, delay=0.5))
    server = serve(**config(receiver))
    event_id = server.send()
    until(lambda: receiver.of("/crm"), "the send")
    assert server.terminate() == 0
    server.start()
    assert server.delivery(event_id)["status"] == "COMPLETED"
    assert len(receiver.of("/crm")) == 1


def test_a_second_stop_does_not_wait_and_loses_nothing(serve, receiver):
    receiver.script("/crm", answer(200, delay=30), answer(200))
    server = serve(**config(receiver, timeout="60s"))
    event_id = server.send()
    until(lambda: receiver.of("/crm"), "the send")
    server.process.send_signal(signal.SIGTERM)
    until(lambda: server.probe("/readyz") != 200, "the server to say that it stops")
    server.process.send_signal(signal.SIGTERM)
    assert server.wait() == 0
    server.start()
    server.settled(event_id, "COMPLETED")
    assert len({request.key for request in receiver.of("/crm")}) == 1


def test_a_second_server_on_the_same_store_is_refused(serve):
    server = serve()
    second = server.cli("serve", "--listen", "127.0.0.1:0")
    assert second.code == 1
    assert f"is in use by process {server.pid}" in second.err, second
    assert len(second.err.splitlines()) == 1
    server.send()


def test_the_store_is_free_again_after_a_kill(serve):
    server = serve()
    server.kill()
    other = Server(server.folder).start()
    other.send()
    other.close()


def test_a_try_that_the_kill_cut_short_counts_from_when_it_was_found(serve, receiver):
    receiver.script("/crm", silence(), answer(200))
    server = serve(**config(receiver, timeout="30s", on_unknown="retry"))
    event_id = server.send()
    until(lambda: receiver.of("/crm"), "the first try")
    claimed = server.deliveries(event_id)[0]
    assert claimed["status"] == "PROCESSING"
    server.restart()
    first, second = server.settled(event_id, "COMPLETED")["attempts"]
    assert first["outcome"] == "unknown" and first["started_at"] == first["finished_at"] > claimed["updated_at"]
    assert first["finished_at"] <= second["started_at"]
