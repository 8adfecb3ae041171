"""A machine with a systemd of its own, booted for one script: systemd-nspawn on an overlay over this machine's root (or
over a clean one), so that nothing that happens there stays. It has a loopback and no other network.
"""
import contextlib
import os
import pathlib
import re
import shutil
import subprocess

PATIENCE_S = 180
UNIT = """[Unit]
Description=The script
[Service]
Type=oneshot
ExecStart=/bin/bash /mnt/script
ExecStopPost=/bin/systemctl --no-block poweroff
"""


def why_not():
    """What is missing for such a machine; None = nothing."""
    if os.geteuid() != 0:
        return "only root can boot a machine"
    if not shutil.which("systemd-nspawn"):
        return "systemd-nspawn is not here"
    return None


@contextlib.contextmanager
def overlay(lower, folder):
    """A root that may be written, over another one that is not changed."""
    memory, root = folder / "memory", folder / "memory/root"
    memory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", memory], check=True)
    try:
        for name in ("upper", "work", "root"):
            (memory / name).mkdir()
        options = f"lowerdir={lower},upperdir={memory}/upper,workdir={memory}/work"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, root], check=True)
        try:
            (root / "usr/sbin/policy-rc.d").unlink(missing_ok=True)  # containers have it: it forbids services
            yield root
        finally:
            subprocess.run(["umount", "-l", root], check=True)
    finally:
        subprocess.run(["umount", "-l", memory], check=True)


def run(script, folder, lower="/", files=()):
    """Boots, runs the script of bash, powers off. What was said below each line `section NAME` of the script, by name.

    files: those that the machine finds in /mnt, where the script begins.
    """
    shared = pathlib.Path(folder) / "mnt"
    shared.mkdir()
    for file in files:
        shutil.copy(file, shared)
    (shared / "script").write_text("cd /mnt\nexec >said 2>&1 </dev/null\nsection() { echo \"== $*\"; }\n" + script)
    (shared / "script.service").write_text(UNIT)
    with overlay(lower, pathlib.Path(folder)) as root:
        command = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network", "--link-journal=no",
                   f"--directory={root}", f"--bind={shared}:/mnt",
                   f"--bind-ro={shared}/script.service:/etc/systemd/system/script.service",
                   "--console=pipe", "--boot", "systemd.unit=script.service"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   start_new_session=True)
        try:
            console, _ = process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()  # and with it all that runs there
            console, _ = process.communicate()
    said = shared / "said"
    text = said.read_text(errors="replace") if said.exists() else ""
    assert text.rstrip().endswith("== end"), f"the script did not end:\n{text}\n{console.decode(errors='replace')}"
    parts = re.split(r"^== (\S+)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))
