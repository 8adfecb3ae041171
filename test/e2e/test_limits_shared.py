"""What processes keep together: limits, what a provider said, pauses, breakers."""
import contextlib
import time

import pytest

from fleet import config
from harness import event, until
from receiver import Receiver, answer
from services import sql

# Places count by the clock of the database or of Redis, starts are written by the clocks of the processes. Each sets its
# own by the database's when it starts, and knows it only to within the time that the answer took, a scheduler's pause of
# a busy machine included. By so much may two starts of two processes seem closer than they are.
TOLERANCE_S = 0.05
FAR_S = 0.25  # what a connection takes to a receiver behind 80 ms: three ways there and back
LIMITS = ((20, 1), (50, 4))


def limited(url, receiver, redis=None, **settings):
    """Two destinations of one account."""
    both = config(url, receiver, limit=[f"{count}/{window}s" for count, window in LIMITS], account="x_api",
                  concurrency="64")
    both["destinations"]["mail"] = {**both["destinations"]["hook"], "url": receiver.url("/mail")}
    both["routes"]["mail"] = {"from": "MAIL", "to": ["mail"]}
    both["routes"]["all"]["from"] = "LEAD"
    return {**both, **({"redis": {"url": redis.url, "timeout": "500ms", **settings}} if redis else {})}


def starts(url):
    return [at / 1e6 for at, in sql(url, "SELECT started FROM attempts ORDER BY started")]


def most_in_a_window(times, seconds):
    """By two pointers: the most that lie in any window (t, t + seconds]."""
    first, most = 0, 0
    for last, at in enumerate(times):
        while at - times[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def judge_limits(url, limits=LIMITS):
    times = starts(url)
    for count, window in limits:
        most = most_in_a_window(times, window - TOLERANCE_S)
        assert most <= count, f"{most} in {window} s, exactly {most_in_a_window(times, window)}"


def backlog(server, count, name="e"):
    """So many events, half of them for each destination."""
    server.post([event(f"{name}-{n}", ("LEAD", "MAIL")[n % 2]) for n in range(count)])


def arrived(receiver):
    return len(receiver.of("/hook")) + len(receiver.of("/mail"))


def remaining(redis):
    text = redis.cli("GET", "rate_limit:x_api:window")
    return int(text) if text else None


@pytest.mark.parametrize("by", ["redis", "store"])
def test_three_processes_keep_one_limit(fleets, database, receiver, redis, by):
    fleet = fleets(limited(database, receiver, redis if by == "redis" else None))
    servers = fleet.start("all", "worker", "worker")
    assert servers[1].get("/v1/status").json["limits"]["shared_by"] == by
    backlog(servers[0], 70)
    seen = []

    def done():
        if by == "redis":
            seen.append(remaining(redis))
        return arrived(receiver) == 70
    until(done, lambda: f"70, not {arrived(receiver)}: {fleet.standing()}")
    fleet.settled()
    judge_limits(database)
    assert most_in_a_window(starts(database), 4) >= 40, "the limit was not used"
    if by == "redis":
        assert all(left is None or 0 <= left <= 20 for left in seen) and 0 in seen
    fleet.verify()


def test_a_connection_that_takes_long_brings_no_two_windows_together(fleets, database, authority):
    """Through the store: a place counts from the moment at which its request began to leave."""
    receiver = Receiver(authority.sign("far", "IP:127.0.0.1"), far_s=FAR_S)
    try:
        both = limited(database, receiver)
        for destination in both["destinations"].values():
            destination["limit"] = f"{LIMITS[0][0]}/{LIMITS[0][1]}s"
        fleet = fleets(both, env={"SSL_CERT_FILE": str(authority.folder / "ca.pem")})
        servers = fleet.start("all", "worker")
        backlog(servers[0], 140)
        until(lambda: arrived(receiver) == 140, lambda: f"140, not {arrived(receiver)}: {fleet.standing()}")
        fleet.settled()
        judge_limits(database, LIMITS[:1])
        fleet.verify()
    finally:
        receiver.close()


def test_what_is_left_can_be_read_in_redis(fleets, database, receiver, redis):
    hook = {"limit": "100/1h", "account": "x_api"}
    fleet = fleets({**config(database, receiver, **hook), "redis": {"url": redis.url, "timeout": "500ms"}})
    servers = fleet.start("all", "all")
    for n in (1, 2):
        for server in servers:
            server.post([event() for _ in range(10)])
        fleet.settled()
        until(lambda: remaining(redis) == 100 - 20 * n, lambda: f"what is left after {20 * n}: {remaining(redis)}")
    fleet.verify()


def shared(server):
    return server.get("/v1/status").json["limits"]


@contextlib.contextmanager
def stopped(redis):
    redis.pause()
    try:
        yield
    finally:
        redis.resume()


@contextlib.contextmanager
def killed(redis):
    redis.kill()
    try:
        yield
    finally:
        redis.recover()


def test_redis_goes_and_the_limit_stays(fleets, database, receiver, redis):
    """fail_local: killed, stopped, flushed, each in the middle of a backlog that would exceed it."""
    fleet = fleets(limited(database, receiver, redis))
    servers = fleet.start("all", "all", "all")
    backlog(servers[0], 2000)

    def more(count):
        mark = arrived(receiver) + count
        until(lambda: arrived(receiver) >= mark, lambda: f"{mark}, not {arrived(receiver)}: {shared(servers[0])}")

    more(40)
    for trouble in (killed, stopped):
        with trouble(redis):
            until(lambda: all(not shared(server)["up"] for server in servers), "all to see that it is gone")
            more(20)
            assert all(shared(server)["parts"] == 3 for server in servers)
        until(lambda: all(shared(server)["up"] for server in servers), "all to see that it is back")
        more(20)
    for _ in range(2):
        redis.flush()
        more(40)
    fleet.all_run()
    judge_limits(database)
    fleet.verify()


@pytest.mark.parametrize("policy", ["closed", "open"])
def test_a_declared_policy(fleets, database, receiver, redis, policy):
    fleet = fleets(limited(database, receiver, redis, on_failure=policy))
    servers = fleet.start("all", "all")
    backlog(servers[0], 10)
    until(lambda: arrived(receiver) == 10, "10")
    fleet.settled()
    with killed(redis):
        gone = time.time()
        backlog(servers[0], 10, "down")
        until(lambda: not shared(servers[0])["up"] or not shared(servers[1])["up"], "it to be missed")
        if policy == "open":
            until(lambda: arrived(receiver) == 20, "what does not wait for Redis")
        back = time.time()
    until(lambda: arrived(receiver) == 20, "all")
    fleet.settled()
    at = starts(database)
    assert (at[10] < back) == (policy == "open") and at[10] > gone
    judge_limits(database)
    fleet.verify()


# what a provider says

SAYS = {
    "retry-after": answer(429, b"{}", "Retry-After: 3"),
    "remaining": answer(200, b"{}", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 3"),
}


@pytest.mark.parametrize("by", ["redis", "store"])
@pytest.mark.parametrize("says", SAYS)
def test_what_a_provider_says_to_one_all_obey(fleets, database, receiver, redis, by, says):
    fleet = fleets(limited(database, receiver, redis if by == "redis" else None))
    servers = fleet.start("all", "all", "all")
    receiver.script("/hook", SAYS[says], answer())
    servers[0].send("first", "LEAD")
    until(lambda: all(server.get("/v1/destinations/hook").json["quiet_until"] for server in servers), "all to know")
    for server in servers:
        server.post([event(kind="LEAD") for _ in range(5)])
    until(lambda: len({request["X-Drumbeat-Event"] for request in receiver.of("/hook")}) == 16, "all 16")
    fleet.settled()
    first, second, *_ = receiver.of("/hook")
    assert second.at - first.at >= 3 - TOLERANCE_S
    judge_limits(database)
    fleet.verify()


def test_a_refusal_pauses_for_all_and_a_resume_is_for_all(fleets, database, receiver):
    fleet = fleets(config(database, receiver))
    servers = fleet.start("all", "all", "all")
    paused = [lambda server=server: server.get("/v1/destinations/hook").json["paused"] for server in servers]
    receiver.script("/hook", answer(401), answer())
    servers[0].send("first")
    until(lambda: all(is_paused() for is_paused in paused), "all to be paused")
    for n, server in enumerate(servers):
        server.send(f"later-{n}")
    assert len(receiver.of("/hook")) == 1
    assert servers[1].cli("destinations", "resume", "hook").code == 0
    until(lambda: not any(is_paused() for is_paused in paused), "all to have resumed")
    fleet.settled()
    assert len(receiver.of("/hook")) == 5
    assert servers[2].cli("destinations", "pause", "hook").code == 0
    until(lambda: all(is_paused() for is_paused in paused), "all to be paused")
    for n, server in enumerate(servers):
        server.send(f"last-{n}")
    assert len(receiver.of("/hook")) == 5
    assert servers[0].cli("destinations", "resume", "hook").code == 0
    fleet.settled()
    assert len(receiver.of("/hook")) == 8
    fleet.verify()


def test_a_breaker_is_open_for_all_and_one_alone_probes(fleets, database, receiver):
    fleet = fleets(config(database, receiver, breaker={"failures": "3", "open": "500ms"}, concurrency="1",
                          retry={"max": "100", "base": "20ms", "cap": "50ms"}))
    servers = fleet.start("all", "all", "all")
    state = [lambda server=server: server.get("/v1/destinations/hook").json["breaker"] for server in servers]
    receiver.script("/hook", answer(500))
    servers[0].post([event() for _ in range(30)])
    until(lambda: all(each() != "closed" for each in state), "all to know that it is open")
    receiver.script("/hook", answer(500, delay=0.5))
    before = len(receiver.of("/hook"))
    until(lambda: len(receiver.of("/hook")) >= before + 4, "four probes")
    receiver.script("/hook", answer())
    fleet.settled()
    probes = receiver.of("/hook")[before:before + 4]
    for probe, after in zip(probes, probes[1:]):
        assert after.at - probe.at >= 0.5 - TOLERANCE_S, "a probe began while another was under way"
    until(lambda: all(each() == "closed" for each in state), "all to know that it is closed")
    fleet.verify()
