"""`connectors show`, and a sample request of every action that comes with the program."""
import json
import subprocess

import pytest

from harness import ROOT, command
from test_cli import NOT_FOUND, good
from tokens import KEY

CONNECTORS = sorted(path.stem for path in (ROOT / "connectors").glob("*.yaml"))
SECRET = "s3cr3t-7f21b9"


def page(folder, name):
    return good(command(folder, "connectors", "show", name, "-o", "json")).json


def test_one_is_shown_with_its_settings_actions_and_what_becomes_of_an_unknown_outcome(folder):
    shown = good(command(folder, "connectors", "show", "hubspot")).out
    for words in ("100/10s", "a private app's access token", "hubspot.contact", "address",
                  "sent again: a second one changes nothing", "up to 100 deliveries, each with its own answer"):
        assert words in shown, shown


def test_what_belongs_together_is_shown(folder):
    link = next(one for one in page(folder, "linkedin")["actions"][0]["params"] if one["name"] == "link")
    assert link["needs"] == ["title"] and "ONLY WITH" in good(command(folder, "connectors", "show", "linkedin")).out
    assert page(folder, "sendgrid")["actions"][0]["any_of"] == [["subject", "template_id"], ["text", "html", "template_id"]]
    shown = good(command(folder, "connectors", "show", "sendgrid")).out
    assert "one at least of     text, html, template_id\n" in shown, shown


def test_one_that_is_not_there_is_said_with_its_neighbour(folder):
    got = command(folder, "connectors", "show", "hubspt")
    assert got.code == NOT_FOUND and "hubspot" in got.err


def test_a_users_own_is_shown_too(folder):
    (folder / "connectors").mkdir()
    (folder / "connectors/shout.yaml").write_text(
        "version: 1\nname: shout\nactions: {message: {request: {url: 'https://shout.example/x'}}}\n")
    assert page(folder, "shout")["actions"][0]["unknown"] == "held for a person"


def service_account():
    """A Google account's key, as Google gives it."""
    made = subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
                          capture_output=True, text=True, check=True)
    return json.dumps({"client_email": "it@example.com", "private_key": made.stdout, "private_key_id": SECRET})


@pytest.mark.parametrize("name", CONNECTORS)
def test_a_sample_of_each_action_can_be_made_and_hides_its_secrets(folder, name):
    """Its settings are secrets or plain words; each required parameter gets a value of its type."""
    settings, actions = page(folder, name)["settings"], page(folder, name)["actions"]
    (folder / "secrets").mkdir(mode=0o700)
    values = {"type": name}
    key = folder / "secrets/DRUMBEAT_TOKEN_KEY"  # those with a token keep it sealed
    key.write_text(KEY)
    key.chmod(0o600)
    for setting in settings:
        url = "https://api.example.com" if setting["name"] in ("url", "server") and name != "mailchimp" else ""
        url = url and url.replace("https", "smtp" if name == "smtp" else "https")
        value = url or ("shop@example.com" if setting["name"] == "from" else "word")
        if setting["secret"]:
            secret = folder / "secrets" / setting["name"].upper()
            text = f"{url}/{SECRET}" if url else SECRET
            secret.write_text(service_account() if name == "google-sheets" else text)
            secret.chmod(0o600)
            value = "${" + setting["name"].upper() + "}"
        if setting["required"]:
            values[setting["name"]] = value
    (folder / "drumbeat.yaml").write_text(json.dumps({"version": 1, "destinations": {"it": values}}))
    for action in actions:
        got = good(command(folder, "destinations", "test", f"it.{action['name']}", "-o", "json"))
        assert got.json["request"]["url"].startswith(("https://", "smtp://", "${URL}")), got
        assert SECRET not in got.out, got
