#!/usr/bin/python3
"""So much of systemctl as the pages of docs/ use, on the units below $SYSTEMD_ROOT: what a unit says is done as systemd
does it, and a line that this does not know is a mistake of the page."""
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(os.environ["SYSTEMD_ROOT"])
FOLDERS = ("etc/systemd/system", "usr/local/lib/systemd/system")
# What is installed is written for the machine's own root; what a page writes, its reader has moved already.
MOVED = re.compile(r"(?<![\w.])/(etc|var/lib|run|usr/local/bin)/")
# Units of Debian's packages, in short.
DEBIAN = {"pgbouncer": "pgbouncer" + (" -u postgres" if os.geteuid() == 0 else "") + " {root}/etc/pgbouncer/pgbouncer.ini",
          "caddy": "caddy run --config {root}/etc/caddy/Caddyfile --adapter caddyfile"}
SAID = ('"event":"ready"', "listening on", "serving initial configuration")
PATIENCE_S = 60


def read(name):
    """The [Service] of a unit, name or name@instance: of each key the values in their order."""
    base, _, instance = name.partition("@")
    paths = [ROOT / folder / (f"{base}@.service" if instance else f"{base}.service") for folder in FOLDERS]
    path = next((path for path in paths if path.exists()), None)
    if name in DEBIAN and not path:
        return {"ExecStart": [DEBIAN[name].format(root=ROOT)]}
    text = path.read_text()
    if path.is_relative_to(ROOT / FOLDERS[1]):
        text = MOVED.sub(lambda match: f"{ROOT}{match[0]}", text)
    keys, known = {}, dumped_keys()
    for line in text.splitlines():
        line = line.split("#")[0].strip().replace("%i", instance)
        if line and not line.startswith("["):
            key, _, value = line.partition("=")
            assert key in known, f"{path}: systemd has no {key}"
            keys.setdefault(key, []).append(value)
    return keys


def dumped_keys():
    """The keys of every kind of unit, as systemd itself lists them."""
    done = subprocess.run(["/lib/systemd/systemd", "--dump-configuration-items"], capture_output=True, text=True, check=True)
    return set(re.findall(r"^(\w+)=", done.stdout, re.MULTILINE))


def give_credentials(name, unit):
    """Each file that LoadCredential= names, or each of a folder, in one folder."""
    folder = ROOT / f"run/credentials-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    for word in unit["LoadCredential"]:
        secret, _, path = word.partition(":")
        source = pathlib.Path(path)
        for file in source.iterdir() if source.is_dir() else [source]:
            given = folder / (f"{secret}_{file.name}" if source.is_dir() else secret)
            given.unlink(missing_ok=True)
            given.write_text(file.read_text())
            given.chmod(0o400)
    return str(folder)


def start(name):
    unit = read(name)
    env = {"PATH": os.environ["PATH"], "HOME": str(ROOT)}
    if "EnvironmentFile" in unit:
        lines = pathlib.Path(unit["EnvironmentFile"][0]).read_text().splitlines()
        env.update(line.split("=", 1) for line in lines if line.strip() and not line.startswith("#"))
    if "LoadCredential" in unit:
        env["CREDENTIALS_DIRECTORY"] = give_credentials(name, unit)
    for key, below, variable in (("RuntimeDirectory", "run", "RUNTIME_DIRECTORY"),
                                 ("StateDirectory", "var/lib", "STATE_DIRECTORY")):
        if key in unit:
            (ROOT / below / unit[key][0]).mkdir(parents=True, exist_ok=True)
            env[variable] = str(ROOT / below / unit[key][0])
    words = []
    for word in shlex.split(unit["ExecStart"][0]):
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
    while time.monotonic() < end and not any(words in said() for words in SAID):
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
    for line in read(name)["ExecReload"]:
        subprocess.run(shlex.split(line.replace("$MAINPID", pid)), check=True)


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
