#!/usr/bin/python3
"""So much of systemctl as the pages of docs/ use, on the units below $SYSTEMD_ROOT: what a unit says is done as systemd
does it, and a line that this does not know is a mistake of the page."""
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(os.environ["SYSTEMD_ROOT"])
SERVICE = {"User", "Group", "Type", "EnvironmentFile", "LoadCredential", "RuntimeDirectory", "RuntimeDirectoryPreserve",
           "StateDirectory", "ExecStart", "ExecReload", "Restart", "TimeoutStopSec", "LimitNOFILE", "NoNewPrivileges",
           "ProtectSystem", "ProtectHome", "PrivateTmp", "WorkingDirectory"}
KNOWN = {"Unit": {"Description", "After", "Wants"}, "Service": SERVICE, "Install": {"WantedBy"}}
# Units of Debian's packages, in short.
DEBIAN = {"pgbouncer": "pgbouncer" + (" -u postgres" if os.geteuid() == 0 else "") + " {root}/etc/pgbouncer/pgbouncer.ini"}
PATIENCE_S = 60


def read(name):
    """The [Service] of a unit, name or name@instance."""
    base, _, instance = name.partition("@")
    path = ROOT / "etc/systemd/system" / (f"{base}@.service" if instance else f"{base}.service")
    if name in DEBIAN and not path.exists():
        return {"ExecStart": DEBIAN[name].format(root=ROOT)}
    section, keys = None, {}
    for line in path.read_text().splitlines():
        line = line.split("#")[0].strip().replace("%i", instance)
        if line.startswith("["):
            section = line.strip("[]")
        elif line:
            key, _, value = line.partition("=")
            assert key in KNOWN[section], f"{path}: {key} in [{section}]"
            keys[key] = value
    return keys


def start(name):
    unit = read(name)
    env = {"PATH": os.environ["PATH"], "HOME": str(ROOT)}
    if "EnvironmentFile" in unit:
        lines = pathlib.Path(unit["EnvironmentFile"]).read_text().splitlines()
        env.update(line.split("=", 1) for line in lines if line.strip() and not line.startswith("#"))
    if "LoadCredential" in unit:
        secret, _, path = unit["LoadCredential"].partition(":")
        folder = ROOT / f"run/credentials-{name}"
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / secret).write_text(pathlib.Path(path).read_text())
        (folder / secret).chmod(0o400)
        env["CREDENTIALS_DIRECTORY"] = str(folder)
    for key, below, variable in (("RuntimeDirectory", "run", "RUNTIME_DIRECTORY"),
                                 ("StateDirectory", "var/lib", "STATE_DIRECTORY")):
        if key in unit:
            (ROOT / below / unit[key]).mkdir(parents=True, exist_ok=True)
            env[variable] = str(ROOT / below / unit[key])
    words = []
    for word in shlex.split(unit["ExecStart"]):
        for key, value in env.items():
            word = word.replace(f"${{{key}}}", value)
        words.append(word)
    journal = ROOT / f"run/{name}.journal"
    before = journal.stat().st_size if journal.exists() else 0

    def said():
        return journal.read_bytes()[before:].decode()
    with open(journal, "ab") as log:
        process = subprocess.Popen(words, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   start_new_session=True)
    (ROOT / f"run/{name}.pid").write_text(str(process.pid))
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and '"event":"ready"' not in said() and "listening on" not in said():
        if process.poll() is not None:
            sys.exit(f"{name} ended with {process.returncode}:\n{said()}")
        time.sleep(0.02)


def stop(name):
    file = ROOT / f"run/{name}.pid"
    if not file.exists():
        return
    pid = int(file.read_text())
    file.unlink()
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and pathlib.Path(f"/proc/{pid}").exists():
        if pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            break
        time.sleep(0.02)


def reload(name):
    pid = (ROOT / f"run/{name}.pid").read_text()
    subprocess.run(shlex.split(read(name)["ExecReload"].replace("$MAINPID", pid)), check=True)


def main(verb, *names):
    names = [name for name in names if name != "--now"]
    if verb == "stop-all":
        names = [path.stem for path in ROOT.glob("run/*.pid")]
        verb = "stop"
    acts = {"enable": [start], "start": [start], "stop": [stop], "restart": [stop, start], "reload": [reload],
            "daemon-reload": []}
    for act in acts[verb]:
        for name in names:
            act(name.removesuffix(".service"))


main(*sys.argv[1:])
