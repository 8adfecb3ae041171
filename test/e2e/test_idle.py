"""An idle server: no writes, few wake-ups, little memory."""
import pathlib
import time

from harness import until

WATCHED_S = 3
WAKE_UPS_A_SECOND, RSS_BYTES = 2, 40 << 20
CONFIG = {"destinations": {"crm": {"url": "https://example.com/", "limit": "10/s"}},
              "routes": {"all": {"from": "LEAD", "when": ".x != null", "to": ["crm"]}}}


def processes(pid):
    """The server's and its children's."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def numbers(path, name):
    lines = pathlib.Path(path).read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(name))


def wake_ups(pid):
    """How often any of its threads was put on a processor after it had waited."""
    tasks = [task for one in processes(pid) for task in pathlib.Path(f"/proc/{one}/task").iterdir()]
    return sum(numbers(task / "status", "voluntary_ctxt_switches") for task in tasks)


def written_bytes(pid):
    return sum(numbers(f"/proc/{one}/io", name) for one in processes(pid) for name in ("wchar:", "write_bytes:"))


def used(pid):
    return wake_ups(pid), written_bytes(pid)


def cpu_ticks(pid):
    return sum(sum(map(int, pathlib.Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()[11:13]))
               for one in processes(pid))


def quiet(server):
    """True once a second has gone by without a wake-up: what follows work (emptying the log) is over."""
    before = used(server.pid)
    time.sleep(1)  # the length of time is what is measured
    return used(server.pid) == before


def watch(server):
    """Wake-ups, bytes written and ticks of processor time in WATCHED_S seconds."""
    before = (*used(server.pid), cpu_ticks(server.pid))
    time.sleep(WATCHED_S)
    return [last - first for last, first in zip((*used(server.pid), cpu_ticks(server.pid)), before)]


def test_an_idle_server_writes_nothing_and_hardly_wakes(serve):
    server = serve(**CONFIG)
    server.send(payload={})
    server.send(payload={"x": 1}, scheduled_at="2099-01-01T00:00:00Z")
    until(lambda: quiet(server), "the server to come to rest")
    woken, written, ticks = watch(server)
    assert woken <= WAKE_UPS_A_SECOND * WATCHED_S
    assert written == 0
    assert ticks <= 1


def test_an_idle_server_with_a_paused_backlog_is_as_quiet(serve):
    server = serve(**CONFIG)
    assert server.cli("destinations", "pause", "crm").code == 0
    for number in range(20):
        server.post([{"type": "LEAD", "source": "x", "idempotency_key": f"{number}-{n}", "payload": {"x": n}}
                     for n in range(100)])
    assert server.get("/v1/destinations/crm").json["pending"] == 2000
    until(lambda: quiet(server), "the server to come to rest")
    woken, written, _ = watch(server)
    assert woken <= WAKE_UPS_A_SECOND * WATCHED_S and written == 0


def test_an_idle_server_is_small(serve):
    server = serve(**CONFIG)
    server.send(payload={"x": 1}, scheduled_at="2099-01-01T00:00:00Z")
    assert sum(numbers(f"/proc/{one}/status", "VmRSS:") for one in processes(server.pid)) * 1024 < RSS_BYTES


def test_file_descriptors_and_threads_do_not_grow_with_requests(serve):
    server = serve()
    server.send()

    def held():
        return (len(list(pathlib.Path(f"/proc/{server.pid}/fd").iterdir())),
                len(list(pathlib.Path(f"/proc/{server.pid}/task").iterdir())))
    before = held()
    for _ in range(300):
        assert server.get("/v1/status").status == 200
    until(lambda: held() <= before, lambda: f"{before} again, not {held()}")
