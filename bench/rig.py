"""What the cases of bench/bench and bench/soak are made of: programs under measurement, and what the machine did."""
import contextlib
import glob
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.append(os.path.join(ROOT, "tools"))
BUILD = os.path.join(ROOT, "build")
DRUMBEAT = os.environ.get("DRUMBEAT", os.path.join(BUILD, "drumbeat"))
BASE = os.environ.get("DRUMBEAT_BASE")  # another binary, for the cases that measure two side by side
POST_LUA = os.path.join(ROOT, "bench", "post.lua")
BENCH_FOLDER = os.environ.get("BENCH_DIR", "/var/tmp")  # on a real disk: /tmp is in memory on some machines
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
START_LIMIT_S = 60
STOP_LIMIT_S = 60
BATCH = 500  # events of one request when a store is filled

HOOK = """
destinations:
  hook:
    type: http
    url: http://127.0.0.1:{port}/hook
    allow_private: true
    concurrency: {concurrency}
routes:
  new-lead:
    from: LEAD_CAPTURE
    to: [hook]
"""


class Trouble(Exception):
    """A measurement that cannot be taken."""


def free_port():
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return door.getsockname()[1]


def program(name):
    return os.path.join(BUILD, name)


@contextlib.contextmanager
def folder():
    """A folder of a measurement's own."""
    path = tempfile.mkdtemp(prefix="drumbeat-bench-", dir=BENCH_FOLDER)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


# what /proc says


def cpu_seconds(pid):
    """User and system time of one process, all threads, without its children."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def machine_busy_seconds():
    """Of all cores together, since the machine started; the host's share (steal) included."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, file.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) * TICK_S


def status_number(path, field):
    with open(path, encoding="utf-8") as file:
        found = re.search(rf"^{field}:\s*(\d+)", file.read(), re.MULTILINE)
    return int(found.group(1)) if found else 0


def resident_mb(pid, field="VmRSS"):
    return status_number(f"/proc/{pid}/status", field) * 1024 / 1e6


def wakeups(pid):
    """Times a thread of the process slept and was woken."""
    return sum(status_number(path, "voluntary_ctxt_switches") for path in glob.glob(f"/proc/{pid}/task/*/status"))


def written_bytes(pid):
    """What the process wrote into files. write_bytes beside it counts a whole folio of the page cache, often 64 KB, for
    each page in it that changed."""
    return status_number(f"/proc/{pid}/io", "wchar")


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


class Watch:
    """CPU of a process and of everybody else, over a span of time."""

    def __init__(self, pid):
        self.pid = pid
        self.start_s = time.monotonic()
        self.cpu_start = cpu_seconds(pid)
        self.busy_start = machine_busy_seconds()

    def cpu_s(self):
        return cpu_seconds(self.pid) - self.cpu_start

    def took_s(self):
        return time.monotonic() - self.start_s

    def busy_cores(self):
        return (machine_busy_seconds() - self.busy_start) / max(self.took_s(), 0.001)


def idle_cores(span_s):
    """How much of the machine nobody uses just now, in cores."""
    before = machine_busy_seconds()
    time.sleep(span_s)
    return os.cpu_count() - (machine_busy_seconds() - before) / span_s


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = re.search(r"^model name\s*:\s*(.*)$", file.read(), re.MULTILINE)
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True,
                            check=False).stdout.strip()
    changed = subprocess.run(["git", "-C", ROOT, "status", "--porcelain", "--", "src"], capture_output=True, text=True,
                             check=False).stdout.strip()
    return {"cores": os.cpu_count(), "cpu": model.group(1) if model else "unknown",
            "kernel": os.uname().release, "commit": (commit or "unknown") + ("+" if changed else ""),
            "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * PAGE / 2**30, 1)}


# programs


class Process:
    """A program that prints its port, or is known by one, and ends when asked."""

    def __init__(self, command, **options):
        self.popen = subprocess.Popen(command, **options)
        self.pid = self.popen.pid

    def stop(self, how=signal.SIGTERM):
        if self.popen.poll() is None:
            self.popen.send_signal(how)
        try:
            return self.popen.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired as err:
            self.popen.kill()
            raise Trouble(f"process {self.pid} did not end") from err

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Receiver(Process):
    """bench_receiver: takes everything and counts it."""

    def __init__(self, delay_ms=0):
        super().__init__([program("bench_receiver"), "0", str(delay_ms)], stdout=subprocess.PIPE, text=True)
        self.port = int(self.popen.stdout.readline().split()[1])
        self.line = http.client.HTTPConnection("127.0.0.1", self.port)

    def count(self):
        self.line.request("GET", "/counts")
        return sum(json.loads(self.line.getresponse().read()).values())

    def stop(self, how=signal.SIGTERM):
        self.line.close()
        self.popen.stdout.close()
        return super().stop(how)


class Server(Process):
    """drumbeat serve, in a folder of its own, ready when this returns."""

    def __init__(self, path, config="", hold=False, port=0, store="./drumbeat.db", role="all", binary=DRUMBEAT, env=None):
        self.path, self.port = path, port or free_port()
        self.file = os.path.join(path, "drumbeat.yaml")
        with open(self.file, "w", encoding="utf-8") as file:
            file.write(f"version: 1\nstore: {store}\nserver:\n"
                       f"  listen: 127.0.0.1:{self.port}\n{config}")
        self.log = open(os.path.join(path, "log"), "ab")
        environ = {name: value for name, value in os.environ.items() if name not in ("DB_DSN", "REDIS_URL")}
        environ |= env or {}
        start_s = time.monotonic()
        super().__init__([binary, "serve", "-c", self.file, "--role", role] + (["--hold"] if hold else []), cwd=path,
                         env=environ, stderr=self.log, stdout=self.log)
        self.await_ready(start_s)

    def await_ready(self, start_s):
        while time.monotonic() - start_s < START_LIMIT_S:
            if self.popen.poll() is not None:
                break
            with contextlib.suppress(OSError):
                line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                line.request("GET", "/readyz")
                status = line.getresponse().status
                line.close()
                if status == 200:
                    self.ready_ms = (time.monotonic() - start_s) * 1000
                    return
            time.sleep(0.002)
        with open(os.path.join(self.path, "log"), encoding="utf-8", errors="replace") as file:
            words = file.read()[-2000:]
        self.log.close()
        self.popen.kill()
        raise Trouble(f"the server did not become ready: {words}")

    def stop(self, how=signal.SIGTERM):
        self.log.close()
        return super().stop(how)

    def ask(self, path, body=None, kind="application/json"):
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        line.request("POST" if body is not None else "GET", path, body, {"Content-Type": kind} if body is not None else {})
        answer = line.getresponse()
        text = answer.read()
        line.close()
        if answer.status not in (200, 202):
            raise Trouble(f"{path} was answered {answer.status}: {text[:300]!r}")
        return json.loads(text)

    def open_deliveries(self):
        """Those that still are to be sent or answered."""
        status = self.ask("/v1/status")
        return status["pending"] + status["processing"] + status["unknown"]

    def await_settled(self, limit_s):
        """Looks rarely, since looking costs a count."""
        end_s = time.monotonic() + limit_s
        while self.open_deliveries():
            if time.monotonic() > end_s:
                raise Trouble(f"not settled within {limit_s} s")
            time.sleep(0.2)


def event_text(number, run):
    """About 450 bytes, as bench/post.lua makes them."""
    return ('{"type":"LEAD_CAPTURE","source":"landing-page","idempotency_key":"' + f"{run}-{number}" +
            '","payload":{"email":"ada@example.com","name":"Ada Lovelace","company":"Analytical Engines Ltd",'
            '"utm":{"source":"newsletter","medium":"email","campaign":"spring","term":"automation"},"plan":"free",'
            '"score":42,"tags":["trial","europe","engineering"],"consent":true,'
            '"page":"https://www.example.com/landing/a",'
            '"message":"I would like to know more about it, please call me in the afternoon."}}')


def fill(server, count, run="fill"):
    """Stores events in batches, each with a key of its own."""
    for start in range(0, count, BATCH):
        numbers = range(start, min(start + BATCH, count))
        items = server.ask("/v1/events", "\n".join(event_text(n, run) for n in numbers), "application/x-ndjson")
        if any(item["status"] != "ACCEPTED" for item in items):
            raise Trouble("an event that should be stored was not")


def start_wrk(port, seconds, connections=64, keys="sequential"):
    """Posts unique events as fast as they are answered, under sequential or random keys."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "--latency", "-s", POST_LUA,
               f"http://127.0.0.1:{port}/v1/events", "--", f"{time.time_ns()}", keys]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def wrk_with(script, url, seconds, *arguments, connections=64):
    """The same by another script, to another path."""
    return read_wrk(subprocess.Popen(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "--latency", "-s",
                                      os.path.join(ROOT, "bench", script), url, "--", *arguments],
                                     stdout=subprocess.PIPE, text=True))


def read_wrk(started):
    text = started.communicate()[0]
    if started.returncode:
        raise Trouble(f"wrk: exit code {started.returncode}")
    if "Non-2xx" in text or "Socket errors" in text:
        raise Trouble(f"not every request was answered 200:\n{text}")
    spread = dict(re.findall(r"^\s+(50|99)%\s+([\d.]+(?:us|ms|s))$", text, re.MULTILINE))
    return {"requests": int(re.search(r"(\d+) requests in", text).group(1)),
            "per_s": float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1)),
            "p50_ms": to_ms(spread["50"]), "p99_ms": to_ms(spread["99"])}


def wrk(port, seconds, connections=64, keys="sequential"):
    return read_wrk(start_wrk(port, seconds, connections, keys))


def to_ms(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]
