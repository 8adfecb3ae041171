"""What the pages of docs/ tell a reader to do: files to write and commands to type, done in a folder of its own.

A block below a line that begins with a path in backquotes and ends with a colon is that file. A block of `console` is a
session: what stands behind `$ ` is typed, what follows must appear in that order in what is said; `…` stands for
anything, and blanks do not count. A command is to end with 0, unless `# exit N` stands behind it.
"""
import contextlib
import dataclasses
import os
import pathlib
import re
import signal
import subprocess

from harness import BINARY, ROOT, environment

PATIENCE_S = 40
READY = 'for _ in $(seq 600); do drumbeat status -q >/dev/null 2>&1 && break; sleep 0.05; done'
SYSTEMCTL = ROOT / "test/e2e/systemctl.py"
FOLDERS = ("/etc/", "/var/lib/", "/run/", "/usr/local/bin/")


@dataclasses.dataclass
class Step:
    path: str = None     # of a file, or
    command: str = None  # what is typed
    text: str = ""       # the file's text, or what is said
    code: int = 0


def steps(page):
    """What a page tells a reader to do, in order."""
    found, above, lines = [], "", iter(page.splitlines())
    for line in lines:
        if not line.startswith("```"):
            above = line if line.strip() else above
            continue
        kind, block = line[3:].strip(), []
        for inner in lines:
            if inner.startswith("```"):
                break
            block.append(inner)
        named = re.match(r"`([^` ]+)`.*:$", above)
        if kind == "console":
            found += session(block)
        elif named:
            found.append(Step(path=named[1], text="\n".join(block) + "\n"))
        above = ""
    return found


def session(block):
    found = []
    for line in block:
        if line.startswith("$ "):
            said = re.search(r" +# exit (\d+)$", line)
            found.append(Step(command=line[2:said.start() if said else None], code=int(said[1]) if said else 0))
        elif found and line.startswith("> "):
            found[-1].command += "\n" + line[2:]
        else:
            found[-1].text += line + "\n"
    return found


def says(said, wanted):
    """The first line of what is wanted that what was said does not have, in this order; None = it has all."""
    lines = iter(" ".join(line.split()) for line in said.splitlines())
    for want in (" ".join(line.split()) for line in wanted.splitlines() if line.strip()):
        pattern = ".*".join(re.escape(part) for part in want.split("…"))
        if not any(re.fullmatch(pattern, line) for line in lines):
            return want
    return None


class Reader:
    """Somebody who does what a page says, with other ports and folders than stand there."""

    def __init__(self, folder, replace=None, env=None):
        self.root = pathlib.Path(folder)
        self.replace = {**{name: f"{self.root}{name}" for name in FOLDERS}, **(replace or {})}
        self.env = env or {}
        for name in FOLDERS:
            pathlib.Path(f"{self.root}{name}").mkdir(parents=True, exist_ok=True)
        bin = self.root / "usr/local/bin"
        (bin / "drumbeat").symlink_to(pathlib.Path(BINARY).resolve())
        (bin / "systemctl").symlink_to(SYSTEMCTL)
        self.work = self.root / "work"
        self.work.mkdir()

    def here(self, text):
        """The same text, with what this machine has for what stands in it."""
        pattern = "|".join(re.escape(one) for one in sorted(self.replace, key=len, reverse=True))
        return re.sub(pattern, lambda match: self.replace[match[0]], text)

    def script(self, steps):
        lines = ["set -m", f"cd {self.work}"]
        for number, step in enumerate(steps):
            if step.path:
                path = self.work / self.here(step.path)
                lines += [f"mkdir -p {path.parent}", f"cat >{path} <<'END OF THE FILE'", self.here(step.text).rstrip("\n"),
                          "END OF THE FILE", f"case {path} in */secrets/*) chmod 600 {path};; esac"]
                continue
            out = self.root / f"out.{number}"
            lines += [f"{{ {self.here(step.command)}", f"}} >{out} 2>&1 </dev/null; echo $? >{self.root}/code.{number}"]
            if re.search(r"\bserve\b.*&$", step.command):
                lines.append(READY)
        lines += ["for job in $(jobs -p); do kill -TERM -- -$job; done", "systemctl stop-all", "wait"]
        return "\n".join(lines)

    def follow(self, page):
        found = steps(page)
        env = environment(self.root, {"SYSTEMD_ROOT": str(self.root), "DRUMBEAT_CONFIG": f"{self.root}/etc/drumbeat/drumbeat.yaml",
                                      **self.env})
        env["PATH"] = f"{self.root}/usr/local/bin:{env['PATH']}:/usr/sbin"
        # Without a terminal, whose jobs its own would disturb.
        bash = subprocess.Popen(["bash", "-c", self.script(found)], cwd=self.work, env=env, stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                bash.wait(PATIENCE_S)
        finally:
            self.end(bash)
        for number, step in enumerate(found):
            if step.path:
                continue
            out = self.root / f"out.{number}"
            said = out.read_text(errors="replace") if out.exists() else ""
            ended = self.root / f"code.{number}"
            assert ended.exists(), f"$ {step.command}\ndid not end:\n{said}{self.journals()}"
            code = int(ended.read_text())
            assert code == step.code, f"$ {step.command}\nended with {code}, not {step.code}:\n{said}{self.journals()}"
            missing = says(said, self.here(step.text))
            assert missing is None, f"$ {step.command}\nsaid nothing like '{missing}':\n{said}{self.journals()}"
        return found

    def end(self, bash):
        """All that the script started: what it left has its folder in its command line."""
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if int(process.name) != os.getpid() and str(self.root).encode() in (process / "cmdline").read_bytes():
                    os.kill(int(process.name), signal.SIGKILL)
        bash.wait()

    def journals(self):
        """What ran in the background said."""
        logs = [*self.root.glob("run/*.journal"), *self.root.glob("out.*")]
        return "".join(f"\n--- {path.name}\n{path.read_text(errors='replace')[-2000:]}" for path in logs)
