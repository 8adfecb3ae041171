"""Does what a Dockerfile says, without Docker: each stage is an overlay over one clean root, and RUN is a chroot. It knows
the instructions that deploy/Dockerfile uses, and a line that it does not know is a mistake."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess

import machine
from harness import ROOT

NOTED = {"EXPOSE", "VOLUME", "STOPSIGNAL"}
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Stage:
    def __init__(self, root):
        self.root, self.folder, self.env, self.user = root, "/", {"PATH": PATH, "HOME": "/"}, None
        self.entrypoint, self.command, self.health = [], [], []

    def words(self, words, user=True):
        owner = [f"--userspec={self.user}"] if user and self.user else []
        inside = ["sh", "-c", f'cd {self.folder} && exec "$@"', "sh", *words]
        return ["chroot", *owner, str(self.root), *inside]

    def run(self, words, **options):
        return subprocess.run(self.words(words), env={**self.env, "DEBIAN_FRONTEND": "noninteractive"}, capture_output=True,
                              text=True, **options)


def put(stage, sources, target, stages):
    named = re.match(r"--from=(\w+)$", sources[0])
    there = stage.root / pathlib.PurePosixPath(stage.folder, target).as_posix().lstrip("/")
    for source in sources[1:] if named else sources:
        if named:
            for file in stages[named[1]].root.glob(source.lstrip("/")):
                shutil.copy(file, there)
        else:
            files = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", source],
                                   cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
            for file in (file for file in files if file and (ROOT / file).exists()):
                (there / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / file, there / file)


@contextlib.contextmanager
def build(dockerfile, base, folder):
    """The last stage, as long as it is looked at."""
    stages, stage = {}, None
    with contextlib.ExitStack() as ends:
        for line in dockerfile.splitlines():
            word, _, rest = line.partition(" ")
            if not line or line.startswith("#"):
                continue
            if word == "FROM":
                name = rest.partition(" AS ")[2] or "last"
                (folder / name).mkdir()
                stage = stages[name] = Stage(ends.enter_context(machine.overlay(base, folder / name)))
                shutil.copy("/etc/resolv.conf", stage.root / "etc/resolv.conf")
                subprocess.run(["mount", "-t", "proc", "proc", stage.root / "proc"], check=True)
                ends.callback(subprocess.run, ["umount", "-l", stage.root / "proc"], check=True)
            elif word == "WORKDIR":
                stage.folder = rest
                (stage.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
            elif word == "COPY":
                *sources, target = rest.split()
                put(stage, sources, target, stages)
            elif word == "RUN":
                done = stage.run(["sh", "-c", rest])
                assert done.returncode == 0, f"{line}\n{(done.stdout + done.stderr)[-4000:]}"
            elif word == "ENV":
                name, _, value = rest.partition("=")
                stage.env[name] = value
            elif word == "USER":
                stage.user = rest
            elif word in ("ENTRYPOINT", "CMD"):
                setattr(stage, {"ENTRYPOINT": "entrypoint", "CMD": "command"}[word], json.loads(rest))
            elif word == "HEALTHCHECK":
                stage.health = json.loads(rest[rest.index("["):])
            else:
                assert word in NOTED, line
        yield stages["last"]


def clean_base():
    """The root that debootstrap made, or None."""
    return os.environ.get("DRUMBEAT_CLEAN_BASE")
