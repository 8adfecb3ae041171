"""Requests that are signed whole, as they come to the receiver: other people's libraries work out the same signature."""
import re
import urllib.parse

import pytest

from test_sources import node

AWS = """version: 1
name: aws
fields: {server: {required: true}, key: {}, secret: {secret: true, required: true}}
auth: {aws: {key: "${field.key}", secret: "${field.secret}", region: eu-central-1, service: ses}}
actions:
  send:
    params: {text: {type: text}, thing: {type: text, default: "x"}, q: {type: any}}
    request: {url: "${field.server}/v2/${.thing}/out", query: {b: "${.q}", a: "${.text}"}, json: {text: "${.text}"}}
"""
OAUTH1 = """version: 1
name: oauth
fields:
  server: {required: true}
  key: {}
  key_secret: {secret: true, required: true}
  token: {}
  token_secret: {secret: true, required: true}
auth:
  oauth1: {consumer_key: "${field.key}", consumer_secret: "${field.key_secret}", token: "${field.token}",
    token_secret: "${field.token_secret}"}
actions:
  send:
    params: {text: {type: text}}
    request: {url: "${field.server}/1.1/post", query: {q: "${.text}"}, form: {status: "${.text}", a: "1"}}
"""
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


@pytest.fixture
def signed(serve, receiver, folder):
    """What comes to the receiver when a text is sent with a connector of one's own."""
    def send(name, connector, payload, **fields):
        server = serve(types=["LEAD"])
        (server.folder / "connectors").mkdir()
        (server.folder / f"connectors/{name}.yaml").write_text(connector)
        secrets = {field: value for field, value in fields.items() if "secret" in field}
        server.env.update({field.upper(): value for field, value in secrets.items()})
        server.configure(destinations={"it": {"type": name, "server": receiver.url("").rstrip("/"), "allow_private": "true",
                                              **fields, **{field: "${%s}" % field.upper() for field in secrets}}},
                         routes={"all": {"from": "*", "to": [{"it.send": {key: "${.%s}" % key for key in payload}}]}})
        server.terminate()
        server.start()
        server.settled(server.send(payload=payload), "COMPLETED")
        assert not any(secret in server.text for secret in secrets.values())
        return receiver.requests[-1]
    return send


@pytest.mark.parametrize("payload", [
    {"text": "Hello"}, {"text": "Grüße & more=1 + ~*'()", "thing": "a b/c:d@e"}, {"text": "", "q": ["z", "a", "a b"]}])
def test_aws_would_sign_the_same(signed, receiver, payload):
    got = signed("aws", AWS, payload, key="AKIDEXAMPLE", secret=SECRET)
    given = {name: got[name] for name in ("Content-Type", "X-Amz-Date")}
    expected, = node({"with": "aws", "method": got.method, "host": got["Host"], "path": got.path, "headers": given,
                      "body": got.body.decode(), "region": "eu-central-1", "service": "ses", "key": "AKIDEXAMPLE",
                      "secret": SECRET})
    assert got["Authorization"] == expected


@pytest.mark.parametrize("text", ["Hello", "Ladies + Gentlemen, a signed OAuth request! ~*'()", "ä/%20&=?"])
def test_oauth1_would_sign_the_same(signed, receiver, text):
    keys = {"consumer_key": "xvz1&evFS4", "consumer_secret": "kAcSOq+F21", "token": "370773112-Gm", "token_secret": "Lsww doUa"}
    got = signed("oauth", OAUTH1, {"text": text}, key=keys["consumer_key"], key_secret=keys["consumer_secret"],
                 token=keys["token"], token_secret=keys["token_secret"])
    said = {name: urllib.parse.unquote(value) for name, value in re.findall(r'(\w+)="([^"]*)"', got["Authorization"])}
    assert said["oauth_consumer_key"] == keys["consumer_key"] and len(said["oauth_nonce"]) == 32
    expected, = node({"with": "oauth1", "method": got.method, "url": receiver.url(got.path), "keys": keys,
                      "data": dict(urllib.parse.parse_qsl(got.body.decode())), "nonce": said["oauth_nonce"],
                      "at_s": int(said["oauth_timestamp"])})
    assert said["oauth_signature"] == expected
