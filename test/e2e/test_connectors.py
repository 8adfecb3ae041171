"""`connectors list` and `show`: what a destination's type may be."""
import json
import re

import pytest

from harness import ROOT, command
from receiver import answer
from test_cli import CONFIG, NOT_FOUND, good

OWN = """version: 1
name: shout
about: Messages to the Shout app.
checked: 2026-11-24
fields:
  token: {secret: true, required: true, help: "the API key"}
  mirror: {secret: true}
  server: {default: "https://api.shout.example"}
auth: {bearer: "${field.token}"}
actions:
  message:
    params: {text: required}
    request: {url: "${field.server}/messages", json: {text: "${.text}"}}
"""


def add_own(folder, text=OWN):
    (folder / "connectors").mkdir()
    (folder / "connectors/shout.yaml").write_text(text)


def test_connectors_are_listed_with_what_they_need(folder):
    add_own(folder)
    items = {item["name"]: item for item in good(command(folder, "connectors", "list", "-o", "json")).json["items"]}
    assert {"http", "slack", "shout"} <= set(items)
    assert items["shout"]["secrets"] == ["token"] and items["shout"]["checked"] == "2026-11-24"
    assert items["shout"]["from"] == "./connectors/shout.yaml" and items["slack"]["from"] == "built in"
    assert items["slack"]["secrets"] == ["url"] and items["http"]["secrets"] == []
    assert all(item["version"] == 1 and item["about"] for item in items.values())
    shown = good(command(folder, "connectors", "list")).out
    assert "Messages to the Shout app." in shown and "SECRETS" in shown


def test_one_connector_is_shown_with_its_settings(folder):
    add_own(folder)
    shown = good(command(folder, "connectors", "show", "shout")).out
    assert "the API key" in shown and "message" in shown
    assert command(folder, "connectors", "show", "none").code == NOT_FOUND


def test_a_users_own_lie_beside_the_configuration(folder):
    add_own(folder)
    (folder / "etc").mkdir()
    (folder / "etc/drumbeat.yaml").write_text("version: 1\n")
    names = good(command(folder, "-c", "etc/drumbeat.yaml", "connectors", "list", "-o", "id")).out.split()
    assert "slack" in names and "shout" not in names


def test_one_that_is_wrong_is_said_and_the_others_are_listed(folder):
    add_own(folder, OWN.replace("about", "abuot"))
    got = command(folder, "connectors", "list", "-o", "id")
    assert got.code == CONFIG and "slack" in got.out.split() and "shout" not in got.out.split()
    assert "connectors/shout.yaml:3:1: error E0331: unknown key 'abuot'" in got.err, got


@pytest.mark.parametrize("words", ["explain E0216", "check"])
def test_a_command_that_is_named_as_help_is_there(folder, words):
    (folder / "drumbeat.yaml").write_text("version: 1\ndestinations: {crm: {type: hubspt, url: 'https://example.com'}}\n")
    got = command(folder, *words.split())
    for noun, verb in re.findall(r"`drumbeat (\w+) (\w+)`", got.out + got.err):
        assert f"drumbeat {noun} {verb}" in good(command(folder, "help", noun, verb)).out


WRONG = """version: 1
destinations:
  mail:
    type: smtp
    url: smtp://mail.example.com
    from: Shop <shop@example.com>
    user: shop
    helo: mail_1
  out:
    type: smtp
    url: smtps://mail.example.com
    from: shop@example.com
    starttls: off
  toots:
    type: mastodon
    token: ${TOKEN}
    server: http://127.0.0.1:3000
  bot:
    type: slack-bot
    token: ${TOKEN}
    limit: 1/s per room
  posts:
    type: mastodon
    server: https://social.example
    token: ${TOKEN}
    on_unknown: lookup
routes:
  all: {from: "*", to: [{posts.post: {text: Hi}}]}
"""


def test_what_is_wrong_with_a_destination_is_said_where_it_stands(folder):
    (folder / "drumbeat.yaml").write_text(WRONG)
    got = command(folder, "check", env={"TOKEN": "tok-1a2b3c4d"})
    found = dict(re.findall(r"drumbeat\.yaml:(\d+:\d+): error (E\d+)", got.out + got.err))
    assert found == {"7:11": "E0355", "13:15": "E0355", "17:13": "E0351", "21:12": "E0335", "26:17": "E0353"}, got


def test_a_copy_of_a_built_in_one_calls_a_server_that_pretends(serve, receiver):
    receiver.script("/pretend", answer(200, json.dumps({"results": [
        {"id": "7", "objectWriteTraceId": "ada@example.com", "properties": {"email": "ada@example.com"}}]}).encode()))
    server = serve(env={"HUBSPOT_TOKEN": "pat-pretended"})
    text = (ROOT / "connectors/hubspot.yaml").read_text()
    (server.folder / "connectors").mkdir()
    (server.folder / "connectors/hubspot.yaml").write_text(
        re.sub(r'url: "https://api.hubapi.com[^"]*"', f'url: "{receiver.url("/pretend")}"', text))
    server.configure(destinations={"hubspot": {"token": "${HUBSPOT_TOKEN}", "allow_private": "true"}},
                     routes={"all": {"from": "LEAD", "to": [{"hubspot.contact": {"email": "ada@example.com"}}]}})
    good(server.cli("check"))
    good(server.cli("apply", "-y"))
    server.settled(server.send(), "COMPLETED")
    assert len(receiver.of("/pretend")) == 1


def test_a_page_says_where_the_last_one_wins(folder):
    assert "`order_by` in the route" in good(command(folder, "reference", "connector/hubspot")).out
    assert "`order_by`" not in good(command(folder, "reference", "connector/slack")).out
    text = OWN.replace('json: {text: "${.text}"}}', 'json: {text: "${.text}"}}\n    idempotency: {header: X-Key, overwrites: true, keep: 1h}')
    add_own(folder, text)
    got = command(folder, "connectors", "list")
    assert got.code == CONFIG and "'overwrites' belongs to 'natural: true'" in got.err, got
