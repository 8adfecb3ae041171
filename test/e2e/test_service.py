"""What a service manager hears of the server, and the unit that ./dev install puts beside it."""
import contextlib
import ctypes
import os
import re
import signal
import socket
import subprocess

import pytest

from harness import BINARY, PATIENCE_S, ROOT, command, until

LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_ATTACH, PTRACE_DETACH, WAIT_ALL = 16, 17, 0x40000000
WATCHDOG_S = 0.6


@contextlib.contextmanager
def stand_still(thread):
    """Only this thread of another process stops; the others go on."""
    assert LIBC.ptrace(PTRACE_ATTACH, thread, None, None) == 0, os.strerror(ctypes.get_errno())
    os.waitpid(thread, WAIT_ALL)
    try:
        yield
    finally:
        LIBC.ptrace(PTRACE_DETACH, thread, None, None)


class Manager:
    """The socket that systemd would listen at."""

    def __init__(self, folder):
        self.path = folder / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))

    def hear(self, seconds=PATIENCE_S):
        """The next thing that is said, as a dict; None when nothing is said for so long."""
        self.socket.settimeout(seconds)
        try:
            text = self.socket.recv(4096).decode()
        except TimeoutError:
            return None
        return dict(line.split("=", 1) for line in text.splitlines())

    def hear_of(self, name):
        """The next message with this name; beats of the watchdog may come before it."""
        while True:
            said = self.hear()
            assert said is not None, f"waited for {name}"
            if name in said:
                return said

    def drain(self):
        """What was said so far is forgotten."""
        self.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while self.socket.recv(4096):
                pass


@pytest.fixture
def manager(folder):
    manager = Manager(folder)
    yield manager
    manager.socket.close()


def test_the_manager_hears_how_the_server_lives(serve, manager):
    server = serve(env={"NOTIFY_SOCKET": manager.path})
    assert manager.hear() == {"READY": "1", "STATUS": f"Taking requests on port {server.port}"}
    os.kill(server.pid, signal.SIGHUP)
    reloading = manager.hear()
    assert reloading["RELOADING"] == "1" and int(reloading["MONOTONIC_USEC"]) > 0
    assert manager.hear() == {"READY": "1"}
    (server.folder / "drumbeat.yaml").write_text("version: 2\n")  # refused: the server goes on with what it had
    os.kill(server.pid, signal.SIGHUP)
    assert "RELOADING" in manager.hear() and manager.hear() == {"READY": "1"}
    assert server.terminate() == 0
    assert manager.hear() == {"STOPPING": "1"}


def test_a_server_that_holds_says_so(serve, manager):
    serve("--hold", env={"NOTIFY_SOCKET": manager.path})
    assert manager.hear()["STATUS"].endswith("; held: nothing is delivered")


def test_one_that_does_not_start_is_never_ready(folder, manager):
    (folder / "drumbeat.yaml").write_text("version: 2\n")
    done = command(folder, "serve", env={"NOTIFY_SOCKET": manager.path})
    assert done.code == 3
    manager.socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.socket.recv(1)


def test_the_watchdog_misses_a_loop_that_stands_still(serve, manager):
    env = {"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": str(int(WATCHDOG_S * 1e6))}
    server = serve(env=env)
    for _ in range(3):  # an idle server beats too
        manager.hear_of("WATCHDOG")
    with stand_still(server.pid):
        manager.drain()
        assert server.get("/healthz").status == 200, "the listener's thread is to live on"
        assert manager.hear(3 * WATCHDOG_S) is None, "the loop stands still, so nobody may feed the watchdog"
    manager.hear_of("WATCHDOG")
    os.kill(server.pid, signal.SIGSTOP)
    until(lambda: " (stopped)" in open(f"/proc/{server.pid}/status").read(), "the process to stop")
    manager.drain()
    assert manager.hear(3 * WATCHDOG_S) is None
    os.kill(server.pid, signal.SIGCONT)
    manager.hear_of("WATCHDOG")


def test_a_watchdog_of_another_process_is_not_fed(serve, manager):
    server = serve(env={"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1"})
    assert "READY" in manager.hear()
    assert manager.hear(0.5) is None
    assert server.terminate() == 0


# ---- what is installed ----

@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    env = {"PATH": os.environ["PATH"], "DESTDIR": str(root), "PREFIX": "/usr"}
    subprocess.run([ROOT / "tools/install.sh", BINARY], env=env, check=True)
    return root


UNIT = "usr/lib/systemd/system/drumbeat.service"


def test_all_of_it_is_installed(installed):
    files = {str(path.relative_to(installed)) for path in installed.rglob("*") if path.is_file()}
    assert files == {UNIT, "usr/bin/drumbeat", "usr/share/man/man1/drumbeat.1", "usr/share/man/man5/drumbeat.yaml.5",
                     "usr/share/bash-completion/completions/drumbeat", "usr/share/zsh/site-functions/_drumbeat",
                     "usr/share/doc/drumbeat/examples/drumbeat.yaml", "usr/lib/sysusers.d/drumbeat.conf"}
    assert os.access(installed / "usr/bin/drumbeat", os.X_OK)
    assert (installed / "etc/drumbeat/secrets").stat().st_mode & 0o777 == 0o700


def test_the_unit_starts_what_was_installed(tmp_path):
    env = {"PATH": os.environ["PATH"], "DESTDIR": str(tmp_path)}
    subprocess.run([ROOT / "tools/install.sh", BINARY], env=env, check=True)
    unit = (tmp_path / "usr/local/lib/systemd/system/drumbeat.service").read_text()
    assert "ExecStart=/usr/local/bin/drumbeat serve " in unit and "/usr/bin/" not in unit


def test_the_example_is_a_configuration(installed, folder):
    (folder / "secrets").mkdir()
    (folder / "secrets/CRM_TOKEN").write_text("token\n")
    (folder / "secrets/CRM_TOKEN").chmod(0o600)
    (folder / "drumbeat.yaml").write_text((installed / "usr/share/doc/drumbeat/examples/drumbeat.yaml").read_text())
    done = command(folder, "check", "--strict")
    assert done.code == 0 and "is valid: 1 destination, 1 route" in done.out, done


@pytest.mark.parametrize("page", ["man1/drumbeat.1", "man5/drumbeat.yaml.5"])
def test_a_manual_page_is_well_formed(installed, page):
    source = installed / "usr/share/man" / page
    lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", source], capture_output=True, text=True)
    # The date of a page that is made with the program would be that of the build.
    assert [line for line in lint.stdout.splitlines() if "missing date" not in line] == []
    text = subprocess.run(["mandoc", "-T", "utf8", source], capture_output=True, text=True, check=True).stdout
    text = re.sub(".\x08", "", text)  # bold and underlined
    for words in {"man1/drumbeat.1": ["drumbeat send LEAD_CAPTURE", "--dry-run", "9 findings", "SIGHUP"],
                  "man5/drumbeat.yaml.5": ["allow_private", "DESTINATIONS.*", "E0234", "default 60s"]}[page]:
        assert re.search(re.escape(words).replace(r"\ ", r"\s+"), text, re.IGNORECASE), f"{words} in\n{text}"


def test_systemd_finds_nothing_wrong_and_little_exposed(installed, folder):
    unit = folder / "drumbeat.service"
    unit.write_text((installed / UNIT).read_text().replace("/usr/bin/drumbeat", os.path.abspath(BINARY)))
    verified = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, cwd=folder)
    assert [line for line in verified.stderr.splitlines() if "drumbeat" in line and "man " not in line] == []
    rated = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=20", unit],
                           capture_output=True, text=True, cwd=folder)
    exposure = re.search(r"Overall exposure level for drumbeat.service: ([\d.]+)", rated.stdout)
    assert exposure and float(exposure[1]) <= 2.0 and rated.returncode == 0, rated.stdout + rated.stderr
