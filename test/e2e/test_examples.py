"""Each recipe of examples/: its configuration is valid, its sample becomes the event, and the requests are the expected
ones. EXAMPLES_WRITE=1 writes expected.json anew, to be read before it is committed."""
import base64
import json
import os
import re
import shutil

import pytest

from harness import ROOT, command
from tokens import KEY

EXAMPLES = sorted(path for path in (ROOT / "examples").iterdir() if path.is_dir())
ROBOT = json.loads((ROOT / "test/connectors/google-sheets.json").read_text())["fields"]["key"]
SECRETS = {"SLACK_WEBHOOK": "https://hooks.slack.com/services/T0/B0/x", "GOOGLE_KEY": ROBOT, "DRUMBEAT_TOKEN_KEY": KEY,
           "PARTNER_SECRET": "whsec_" + base64.b64encode(b"a-secret-of-24-bytes-here").decode()}
PASSING = ("webhook-id", "webhook-timestamp", "webhook-signature", "traceparent", "idempotency-key", "user-agent", "x-drumbeat-event")


@pytest.fixture(params=EXAMPLES, ids=lambda path: path.name)
def example(request, folder):
    """A copy of it, with its secrets."""
    copy = folder / "example"
    shutil.copytree(request.param, copy, ignore=shutil.ignore_patterns("secrets"))
    (copy / "secrets").mkdir(mode=0o700)
    for name in {"DRUMBEAT_TOKEN_KEY"} | set(re.findall(r"\$\{([A-Z_]+)\}", (copy / "drumbeat.yaml").read_text())):
        secret = copy / "secrets" / name
        secret.touch(0o600)
        secret.write_text(SECRETS.get(name, f"a-secret-called-{name.lower()}"))
    return request.param, copy


def requests_of(text):
    """What is sent, without what is another each time."""
    requests = []
    for item in json.loads(text)["items"]:
        assert "request" in item, item
        request = item["request"]
        request["headers"] = {name: value for name, value in request["headers"].items() if name.lower() not in PASSING}
        # A record's key and time are the event's, which is made anew in each run.
        request["body"] = re.sub(r'"(rkey|createdAt)":"[^"]*"', r'"\1":"…"', request["body"])
        if "envelope" in request:  # a mail: a line of it is the moment it was first due
            request["body"] = re.sub(r"^Date: .*\r\n", "", request["body"])
        requests.append({"destination": item["destination"], **request})
    return requests


def test_a_recipe_does_what_it_says(example):
    original, copy = example
    what = json.loads((copy / "example.json").read_text())
    assert command(copy, "check").code == 0
    if what["source"]:
        posted = ["--data", "@body.json"] if (copy / "body.json").exists() else []  # else it makes its events itself
        got = command(copy, "sources", "test", what["source"], *posted, "-o", "json")
        assert got.code == 0, got
        (copy / "event.json").write_text(got.out)
    got = command(copy, "routes", "test", what["route"], "--event", "event.json", "-o", "json")
    assert got.code == 0, got
    requests = requests_of(got.out)
    expected = original / "expected.json"
    if os.environ.get("EXAMPLES_WRITE"):
        expected.write_text(json.dumps(requests, indent=2, ensure_ascii=False) + "\n")
    assert requests and requests == json.loads(expected.read_text())
    assert not any(secret in got.out for secret in SECRETS.values())


def test_the_list_names_each_recipe_by_its_title():
    listed = re.findall(r"^\| \[(.*)\]\((.*)\) \|", (ROOT / "examples/README.md").read_text(), re.M)
    assert listed == [((path / "README.md").read_text().splitlines()[0].removeprefix("# "), path.name) for path in EXAMPLES]
