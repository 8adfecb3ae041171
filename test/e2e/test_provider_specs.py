"""What connectors send, against the providers' own descriptions.

The bodies are those of test/connectors/*.json, which test/unit/connect/test_goldens.c holds against the renderer. The
descriptions are not part of the project: DRUMBEAT_PROVIDER_SPECS names a folder with resend.yaml
(resend/resend-openapi), sendgrid-mail-send.json (sendgrid/sendgrid-oai), discord.json (discord/discord-api-spec) and
slack-web-api.json (slackapi/slack-api-specs). Without it these tests are skipped; that the validator can fail is shown
in any case.
"""
import copy
import json
import os
import pathlib
import re

import pytest

from harness import ROOT

FOLDER = os.environ.get("DRUMBEAT_PROVIDER_SPECS")
needs_specs = pytest.mark.skipif(not FOLDER, reason="DRUMBEAT_PROVIDER_SPECS names no folder")
TYPES = {"string": str, "boolean": bool, "array": list, "object": dict, "null": type(None)}
# Words of JSON Schema that say nothing about whether a value is right, or nothing that is looked at here.
SILENT = {"title", "description", "example", "examples", "default", "format", "deprecated", "x-discord-union",
          "x-sendgrid", "readOnly", "writeOnly", "contentEncoding", "nullable", "discriminator", "xml", "propertyNames"}

BOUNDS = {f"{end}{what}": (kind, size) for end in ("max", "min") for what, kind, size in (
    ("Length", "string", len), ("Items", "array", len), ("Properties", "object", len), ("imum", "number", float))}


def is_type(value, name):
    if name in ("integer", "number"):
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and (name == "number" or value == int(value))
    return isinstance(value, TYPES[name])


def pick(root, pointer):
    for name in pointer.lstrip("#/").split("/"):
        root = root[name.replace("~1", "/").replace("~0", "~")]
    return root


def faults(root, schema, value, at=""):
    """What is wrong with a value; a word that is not known here is an error, not silence."""
    if "$ref" in schema:  # SendGrid's file refers to another one for addresses; of those nothing is said
        return faults(root, pick(root, schema["$ref"]), value, at) if schema["$ref"].startswith("#") else []
    if value is None and schema.get("nullable"):
        return []
    found = []
    for word, says in schema.items():
        if word == "type":
            names = says if isinstance(says, list) else [says]
            if not any(is_type(value, name) for name in names):
                return [f"{at}: is no {names}"]
        elif word in ("anyOf", "oneOf"):
            tries = [faults(root, one, value, at) for one in says]
            if all(tries):
                found.append(f"{at}: fits none of {word}: {min(tries, key=len)}")
        elif word == "allOf":
            found += [fault for one in says for fault in faults(root, one, value, at)]
        elif word == "required" and isinstance(value, dict) and isinstance(says, list):
            found += [f"{at}: lacks {name}" for name in says if name not in value]
        elif word == "properties" and isinstance(value, dict):
            for name in value:
                found += faults(root, says[name], value[name], f"{at}/{name}") if name in says else []
        elif word == "additionalProperties" and isinstance(value, dict):
            others = [name for name in value if name not in schema.get("properties", {})]
            if says is False:
                found += [f"{at}: has {name}" for name in others]
            elif isinstance(says, dict):
                found += [fault for name in others for fault in faults(root, says, value[name], f"{at}/{name}")]
        elif word == "items" and isinstance(value, list):
            found += [fault for i, one in enumerate(value) for fault in faults(root, says, one, f"{at}/{i}")]
        elif word == "enum":
            found += [] if value in says else [f"{at}: is none of {says}"]
        elif word == "const":
            found += [] if value == says else [f"{at}: is not {says}"]
        elif word in BOUNDS:
            kind, size = BOUNDS[word]
            if is_type(value, kind) and (size(value) > says if word.startswith("max") else size(value) < says):
                found.append(f"{at}: {word} {says}")
        elif word == "uniqueItems" and isinstance(value, list):
            found += [] if not says or len({json.dumps(one) for one in value}) == len(value) else [f"{at}: repeats"]
        elif word == "pattern" and isinstance(value, str):
            found += [] if re.search(says, value) else [f"{at}: is not like {says}"]
        elif word not in SILENT | {"required", "properties", "additionalProperties", "items", "uniqueItems", "pattern"}:
            raise AssertionError(f"the description says {word}: {says}")
    return found


def strangers(root, schema, value):
    """Members at the top that the description does not name: a provider would drop them without a word."""
    while "$ref" in schema:
        schema = pick(root, schema["$ref"])
    parts = [schema, *schema.get("allOf", []), *schema.get("anyOf", []), *schema.get("oneOf", [])]
    known = set()
    for part in parts:
        known |= set((pick(root, part["$ref"]) if "$ref" in part else part).get("properties", {}))
    return [name for name in value if name not in known]


def golden(connector, action):
    text = (ROOT / f"test/connectors/{connector}.json").read_text()
    return json.loads(text)["actions"][action]


def bodies(connector, action):
    return [request["body"] for request in golden(connector, action)["requests"] if "body" in request]


def description(name):
    text = (pathlib.Path(FOLDER) / name).read_text()
    if name.endswith(".json"):
        return json.loads(text)
    return pytest.importorskip("yaml").safe_load(text)


def body_schema(root, path, content="application/json"):
    paths = root.get("paths") or {"/v3/mail/send": root["mail_send"]}  # SendGrid's file holds one path's part alone
    return paths[path]["post"]["requestBody"]["content"][content]["schema"]


JSON_CASES = {
    "resend.mail": ("resend.yaml", "/emails", lambda: bodies("resend", "mail")),
    "resend.mail in a batch": ("resend.yaml", "/emails/batch", lambda: [golden("resend", "mail")["batch"]["body"]]),
    # A template brings subject and content, which the description wants of each mail; the documentation does not.
    "sendgrid.mail": ("sendgrid-mail-send.json", "/v3/mail/send",
                      lambda: [body for body in bodies("sendgrid", "mail") if "template_id" not in body]),
    "discord.message": ("discord.json", "/webhooks/{webhook_id}/{webhook_token}", lambda: bodies("discord", "message")),
    "discord-bot.message": ("discord.json", "/channels/{channel_id}/messages",
                            lambda: bodies("discord-bot", "message")),
}


@needs_specs
@pytest.mark.parametrize("name, path, sent", JSON_CASES.values(), ids=JSON_CASES.keys())
def test_a_body_fits_the_providers_description(name, path, sent):
    root = description(name)
    schema = body_schema(root, path)
    for body in sent():
        assert faults(root, schema, body) == []
        for one in body if isinstance(body, list) else [body]:
            within = pick(root, schema["$ref"]) if "$ref" in schema else schema
            assert strangers(root, within.get("items", within), one) == []


@needs_specs
def test_slack_knows_each_argument_but_metadata():
    """The description is of 2021, before messages had metadata."""
    known = {parameter["name"] for parameter in description("slack-web-api.json")["paths"]["/chat.postMessage"]["post"]
             ["parameters"]}
    for action in ("message", "reply"):
        for body in bodies("slack-bot", action):
            assert set(body) - known == {"metadata"}


def broken(body, change):
    body = copy.deepcopy(body)
    change(body)
    return body


@needs_specs
@pytest.mark.parametrize("name, path, body, change", [
    ("resend.yaml", "/emails", lambda: bodies("resend", "mail")[0], lambda body: body.pop("from")),
    ("resend.yaml", "/emails", lambda: bodies("resend", "mail")[0], lambda body: body.update(subject=["a"])),
    ("sendgrid-mail-send.json", "/v3/mail/send", lambda: bodies("sendgrid", "mail")[0],
     lambda body: body.pop("personalizations")),
    ("sendgrid-mail-send.json", "/v3/mail/send", lambda: bodies("sendgrid", "mail")[0],
     lambda body: body["content"][0].pop("value")),
    ("discord.json", "/channels/{channel_id}/messages", lambda: bodies("discord-bot", "message")[0],
     lambda body: body.update(nonce="0123456789abcdef0123456789")),
    ("discord.json", "/channels/{channel_id}/messages", lambda: bodies("discord-bot", "message")[0],
     lambda body: body.update(content="x" * 4001)),
], ids=["no sender", "a subject that is a list", "no recipient", "no content", "a nonce too long", "a text too long"])
def test_a_broken_body_is_found(name, path, body, change):
    root = description(name)
    assert faults(root, body_schema(root, path), broken(body(), change)) != []


SCHEMA = {
    "type": "object", "required": ["to"], "additionalProperties": False,
    "properties": {"to": {"type": "array", "maxItems": 1, "items": {"$ref": "#/definitions/address"}},
                   "n": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]},
                   "kind": {"enum": ["a", "b"]}},
}
ROOT_SCHEMA = {"definitions": {"address": {"type": "string", "minLength": 3, "pattern": "@"}}}


@pytest.mark.parametrize("value, right", [
    ({"to": ["a@b"]}, True), ({"to": ["a@b"], "n": None, "kind": "b"}, True), ({"to": [], "n": 1}, True),
    ({}, False), ({"to": "a@b"}, False), ({"to": ["a@b", "c@d"]}, False), ({"to": ["abc"]}, False),
    ({"to": ["@"]}, False), ({"to": [], "n": 0}, False), ({"to": [], "n": True}, False), ({"to": [], "kind": "c"}, False),
    ({"to": [], "x": 1}, False), ([], False),
])
def test_the_validator_tells_right_from_wrong(value, right):
    assert (faults(ROOT_SCHEMA, SCHEMA, value) == []) == right


def test_the_validator_does_not_pass_over_a_word():
    with pytest.raises(AssertionError, match="the description says not"):
        faults({}, {"not": {"type": "string"}}, 1)
