"""The Debian package: built from a clean copy, without a complaint of lintian's, and used by a machine with a real
systemd. `./dev deb-test` does the same on a root of debootstrap's, where nothing but what the package names is installed."""
import json
import os
import re
import subprocess

import pytest

import machine
from harness import ROOT

CONFIG = {"version": 1, "store": "/var/lib/drumbeat/drumbeat.db", "server": {"listen": "127.0.0.1:8120"},
          "destinations": {"crm": {"url": "http://127.0.0.1:8129/${CRM_TOKEN}", "allow_private": "true",
                                   "on_unknown": "retry"}},
          "routes": {"new-lead": {"from": "LEAD_CAPTURE", "to": [{"crm": {"body": {"email": "${.email}",
                                                                                  "lead_source": "direct"}}}]}}}


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The folder that holds the package."""
    folder = tmp_path_factory.mktemp("deb")
    env = {**os.environ, "DEB_BUILD_OPTIONS": f"parallel={os.cpu_count()}"}
    done = subprocess.run([ROOT / "tools/deb.sh", folder], capture_output=True, text=True, env=env)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return folder


def test_the_version_is_that_of_the_program():
    wanted = subprocess.run([ROOT / "tools/version.sh", ROOT / "CHANGELOG.md"], capture_output=True, text=True, check=True)
    first = (ROOT / "debian/changelog").read_text().splitlines()[0]
    assert first.startswith(f"drumbeat ({wanted.stdout.strip()}) ")


def test_lintian_has_no_complaint(package):
    [changes] = package.glob("*.changes")
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning", changes], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def said(package, tmp_path_factory):
    if why := machine.why_not():
        pytest.skip(why)
    [deb] = package.glob("drumbeat_*.deb")
    folder = tmp_path_factory.mktemp("machine")
    config = folder / "config.yaml"
    config.write_text(re.sub(r'"(on_unknown|lead_source)": "(\w+)"', r"\1: \2", json.dumps(CONFIG)))
    return machine.run((ROOT / "test/e2e/package_script.sh").read_text(), folder,
                       os.environ.get("DRUMBEAT_CLEAN_ROOT", "/"), [deb, config])


def test_it_installs_with_a_user_and_waits_for_a_configuration(said):
    assert "Creating user 'drumbeat'" in said["install"] and said["install"].endswith("code 0\n"), said["install"]
    assert said["without-configuration"].split() == ["inactive", "enabled", "no"]


def test_it_starts_as_its_own_user_with_its_secrets(said):
    lines = said["start"].splitlines()
    assert lines[0].endswith("is valid: 1 destination, 1 route"), said["start"]
    assert lines[1:] == ["active", "Taking requests on port 8120", "drumbeat", "drumbeat 700 /var/lib/drumbeat",
                         "drumbeat 600 /var/lib/drumbeat/drumbeat.db", "drumbeat 600 /var/lib/drumbeat/drumbeat.db.sock"]
    assert re.search(r"crm +delivered +200", said["delivered"]) and "POST /the-token " in said["delivered"], said["delivered"]


def test_it_is_confined(said):
    assert float(re.search(r": ([\d.]+) ", said["rated"])[1]) <= 2.0, said["rated"]
    confined = said["confined"]
    for line in ("NoNewPrivs:\t1", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "Seccomp:\t2"):
        assert line in confined, confined
    assert "/etc/drumbeat/x': Read-only file system" in confined and "may write its state" in confined


def test_a_reload_takes_a_good_file_and_refuses_a_bad_one(said):
    assert "code 0\n" in said["reload"] and said["reload"].endswith('"lead_source":"page"\n'), said["reload"]
    refused = said["reload-refused"]
    assert "code 1\nactive\n" in refused and refused.endswith("error E0204: unknown key 'on_unknow'\n"), refused


def test_it_comes_back_when_it_was_killed_or_stands_still(said):
    assert said["killed"] == "runs again\n"
    assert said["watchdog"].splitlines()[:3] == ["left alone", "runs again", "Watchdog timeout"], said["watchdog"]


def test_it_is_not_started_again_with_a_wrong_configuration(said):
    assert {"failed", "ExecMainStatus=3", "NRestarts=0"} <= set(said["wrong-configuration"].splitlines())


def test_an_upgrade_restarts_it_and_a_removal_leaves_the_data(said):
    assert said["upgrade"].splitlines()[-2:] == ["runs again", "COMPLETED"], said["upgrade"]
    assert "inactive" in said["remove"] and "drumbeat.yaml" in said["remove"] and "drumbeat.db" in said["remove"]
