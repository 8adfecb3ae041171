"""Real services for tests: PostgreSQL, PgBouncer and Redis, each on a free port of loopback in a folder of its own.

Nothing of the system's own services is touched. No service runs as root:
PostgreSQL and PgBouncer refuse to, so root starts them as the user that
Debian's package made. All end with the process that started them, however
that one ends.
"""
import concurrent.futures
import contextlib
import glob
import os
import pathlib
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse
import uuid

import psycopg2

USER = "postgres" if os.geteuid() == 0 else None
PATIENCE_S = 60  # a bound against hanging, far above what anything takes
POLL_S = 0.02
PORTS = (20000, 32768)
LANE = "DRUMBEAT_TEST_LANE"  # a number for each program that takes ports beside others
LANES = 8
PORT_TRIES = 5   # somebody else may take a free port before we do

# A process is ended by the kernel when the thread that made it ends: this one lasts as long as we do.
starter = concurrent.futures.ThreadPoolExecutor(1)


class Trouble(Exception):
    """Why a service could not be had."""


given_ports = set()


def free_port():
    """Below those that the kernel gives to connections: whoever stops gets its port again. None is given twice: who got
    it may not use it yet."""
    end = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        first = PORTS[0] + int(os.environ.get(LANE, "0")) % LANES
        port = random.randrange(first, PORTS[1], LANES) if end >= PORTS[1] else 0
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)) as sock:
            port = sock.getsockname()[1]
            if port not in given_ports:
                given_ports.add(port)
                return port


def await_true(condition, what):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise Trouble(f"waited {PATIENCE_S} s for {what}")
        time.sleep(POLL_S)


def make_folder(kind):
    """Of the service's user, and where that user can reach it."""
    parent = pathlib.Path(tempfile.gettempdir()).resolve()
    if USER and not all(step.stat().st_mode & 0o001 for step in (parent, *parent.parents)):
        parent = pathlib.Path("/tmp")
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=parent))
    if USER:
        shutil.chown(folder, USER, pwd.getpwnam(USER).pw_gid)
    return folder


def as_user(*command, ending="KILL"):
    """The command as the service's user; it gets the signal `ending` when we are gone."""
    user = [f"--reuid={USER}", f"--regid={pwd.getpwnam(USER).pw_gid}", "--init-groups"] if USER else []
    return ["setpriv", f"--pdeathsig={ending}", *user, "--", *map(str, command)]


def environment(folder):
    """Nothing of the caller's, whose PGHOST or REDISCLI_AUTH would lead elsewhere."""
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8"}


def output(command, folder="/", text=None):
    done = subprocess.run([str(part) for part in command], cwd=folder, env=environment(folder), input=text,
                          stdin=subprocess.DEVNULL if text is None else None, capture_output=True, text=True,
                          timeout=PATIENCE_S, check=False)
    if done.returncode:
        raise Trouble(f"{pathlib.Path(command[0]).name}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def children(pid):
    with contextlib.suppress(OSError):
        for file in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
            yield from map(int, file.read_text().split())


def tree(pid):
    """It and all below it, parents first."""
    pids = [pid]
    for each in pids:
        pids += children(each)
    return pids


def is_alive(pid):
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


class Service:
    """A program with a port. Its life is in the hands of the test; close() always ends it."""

    name = ""
    ending = "KILL"  # the signal that ends it at once without leaving anything behind

    def __init__(self):
        self.process, self.port = None, None
        self.folder = make_folder(self.name)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    def prepare(self):
        """Writes what command() needs; the port is known."""

    def command(self):
        raise NotImplementedError

    def answers(self):
        raise NotImplementedError

    @property
    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    @property
    def pid(self):
        return self.process.pid

    def runs(self):
        return self.process is not None and self.process.poll() is None

    def start(self):
        """The port stays the same from the first start that succeeds."""
        assert not self.runs(), f"{self.name} runs already"
        try:
            for _ in range(1 if self.port else PORT_TRIES):
                if self.start_once(self.port or free_port()):
                    return self
            raise Trouble(f"{self.name} did not start:\n{self.log}")
        except BaseException:
            self.close()
            raise

    def start_once(self, port):
        before, self.port = self.port, port
        self.prepare()
        with open(self.folder / "log", "ab") as log:
            self.process = starter.submit(
                subprocess.Popen, as_user(*self.command(), ending=self.ending), cwd=self.folder, stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, env=environment(self.folder), start_new_session=True).result()
        await_true(lambda: not self.runs() or self.answers(), f"{self.name} to answer")
        if not self.runs():
            self.port = before
        return self.runs()

    def end(self, number):
        """Sends a signal that ends it, and waits."""
        if not self.runs():
            return
        self.resume()
        os.kill(self.pid, number)
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Trouble(f"{self.name} did not stop:\n{self.log}") from None

    def stop(self):
        self.end(signal.SIGTERM)

    def restart(self):
        self.stop()
        return self.start()

    def kill(self):
        """SIGKILL to all of it, as a crash of the machine, but for what the kernel has still to write."""
        if not self.runs():
            return
        pids = self.pause()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        await_true(lambda: not any(map(is_alive, pids)), f"{self.name}'s processes to end")

    def pause(self):
        """SIGSTOP, first to the one that could make more of them; their ids."""
        os.kill(self.pid, signal.SIGSTOP)
        pids = tree(self.pid)
        for pid in pids[1:]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        return pids

    def resume(self):
        for pid in tree(self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def recover(self):
        """It runs, whatever was done to it."""
        if self.runs():
            self.resume()
        else:
            self.start()
        return self

    def close(self):
        self.end(getattr(signal, "SIG" + self.ending))
        shutil.rmtree(self.folder, ignore_errors=True)


# PostgreSQL

CONFIGURATION = """
listen_addresses = '127.0.0.1'
unix_socket_directories = '{folder}'
max_connections = 200
shared_buffers = 64MB
fsync = on
dynamic_shared_memory_type = mmap  # of a killed one nothing stays outside its folder
timezone = 'Asia/Kathmandu'        # +05:45: a moment that is taken for UTC shows
log_timezone = 'UTC'
"""


def postgres_program(name):
    """Debian keeps those of each version apart; elsewhere they are in PATH."""
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), key=lambda path: int(path.split("/")[4]))
    program = found[-1] if found else shutil.which(name)
    if not program:
        raise Trouble(f"there is no {name}")
    return program


def connection(url, **options):
    return psycopg2.connect(url, connect_timeout=PATIENCE_S, **options)


def sql(url, text, *params):
    """The rows of a statement, which is its own transaction; %s are the parameters."""
    with contextlib.closing(connection(url)) as opened:
        opened.autocommit = True
        with opened.cursor() as cursor:
            cursor.execute(text, params or None)
            return cursor.fetchall() if cursor.description else []


def psql_command(url):
    return [postgres_program("psql"), "--no-psqlrc", "--quiet", "--no-align", "--tuples-only",
            "--set=ON_ERROR_STOP=1", url]


def psql(url, text):
    """What the real psql prints of it, without titles."""
    return output(psql_command(url), text=text)


class Databases:
    """A PostgreSQL that runs: its URL is a superuser's."""

    def __init__(self, url):
        self.url = url

    def of(self, name):
        return urllib.parse.urlsplit(self.url)._replace(path=f"/{name}").geturl()

    @contextlib.contextmanager
    def database(self):
        """The URL of a fresh database, which goes again."""
        name = f"t_{uuid.uuid4().hex[:16]}"
        sql(self.url, f"CREATE DATABASE {name}")
        try:
            yield self.of(name)
        finally:
            with contextlib.suppress(psycopg2.OperationalError):  # a test may have ended the server
                sql(self.url, f"DROP DATABASE {name} WITH (FORCE)")


class Postgres(Service, Databases):
    name = "postgres"
    ending = "QUIT"  # "immediate": as a crash, but shared memory is given back
    MODES = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}

    @property
    def url(self):
        return f"postgresql://drumbeat@127.0.0.1:{self.port}/postgres"

    @property
    def data(self):
        return self.folder / "data"

    def prepare(self):
        if self.data.exists():
            return
        output(as_user(postgres_program("initdb"), "--pgdata", self.data, "--username=drumbeat", "--auth=trust",
                       "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"), self.folder)
        with open(self.data / "postgresql.conf", "a", encoding="ascii") as file:
            file.write(CONFIGURATION.format(folder=self.folder))

    def command(self):
        return postgres_program("postgres"), "-D", self.data, "-p", self.port

    def answers(self):
        with contextlib.suppress(psycopg2.OperationalError):
            return sql(self.url, "SELECT 1") == [(1,)]

    def stop(self, mode="fast"):
        self.end(self.MODES[mode])

    def restart(self, mode="fast"):
        self.stop(mode)
        return self.start()

    def close(self):
        self.end(signal.SIGQUIT)
        with contextlib.suppress(OSError, IndexError):  # of a killed one that was not started again
            segment = (self.data / "postmaster.pid").read_text().splitlines()[6].split()[1]
            subprocess.run(["ipcrm", "--shmem-id", segment], check=False, capture_output=True)
        super().close()


# PgBouncer

POOLER = """[databases]
* = host=127.0.0.1 port={postgres}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir = {folder}
pool_mode = transaction
auth_type = trust
auth_file = {folder}/users
admin_users = drumbeat
max_client_conn = 400
default_pool_size = 20
"""


class PgBouncer(Service):
    """In front of a PostgreSQL, in transaction mode."""

    name = "pgbouncer"

    def __init__(self, postgres):
        super().__init__()
        self.server_port = urllib.parse.urlsplit(postgres.url).port

    def through(self, url):
        """The same database by way of the pooler."""
        parts = urllib.parse.urlsplit(url)
        assert parts.port == self.server_port, f"{url} is another server's"
        return parts._replace(netloc=f"{parts.username}@127.0.0.1:{self.port}").geturl()

    def admin(self, text):
        return sql(f"postgresql://drumbeat@127.0.0.1:{self.port}/pgbouncer", text)

    def prepare(self):
        (self.folder / "users").write_text('"drumbeat" ""\n')
        settings = POOLER.format(port=self.port, folder=self.folder, postgres=self.server_port)
        (self.folder / "pgbouncer.ini").write_text(settings)

    def command(self):
        return shutil.which("pgbouncer", path=os.environ["PATH"] + ":/usr/sbin"), self.folder / "pgbouncer.ini"

    def answers(self):
        with contextlib.suppress(psycopg2.OperationalError):
            return bool(self.admin("SHOW VERSION"))


# Redis

class Redis(Service):
    """Keeps nothing on disk: after a stop it is as after a flush."""

    name = "redis"

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def command(self):
        return ("redis-server", "--port", self.port, "--bind", "127.0.0.1", "--dir", self.folder, "--save", "",
                "--appendonly", "no")

    def cli(self, *arguments):
        """What the real redis-cli prints, without its last line's end."""
        return output(["redis-cli", "-e", "-h", "127.0.0.1", "-p", self.port, *arguments]).removesuffix("\n")

    def flush(self):
        self.cli("FLUSHALL")

    def answers(self):
        with contextlib.suppress(Trouble):
            return self.cli("PING") == "PONG"
