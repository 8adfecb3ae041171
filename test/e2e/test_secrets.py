"""Secrets of the configuration appear in no log, answer, page of help or store file."""
import base64
import os
import socket

from harness import event, until
from receiver import answer

SIGNING = b"canary-signing-77aa"
CANARIES = {"CRM_TOKEN": "canary-token-5d1f", "CRM_SECRET": "whsec_" + base64.b64encode(SIGNING).decode(),
            "CRM_PATH": "canary-path-93be", "IN_SECRET": "canary-source-20cd"}
FORMS = [SIGNING, base64.b64encode(SIGNING), b"canary-token", b"canary-path", b"canary-source"]
PATHS = ["/v1/events", "/v1/deliveries", "/v1/destinations", "/v1/destinations/crm", "/v1/routes", "/v1/keys",
         "/v1/status", "/v1/verify?deep=true", "/v1/audit", "/openapi.json", "/metrics", "/healthz", "/readyz"]


def config(receiver, **more):
    return {"sources": {"shop": {"type": "stripe", "secret": "${IN_SECRET}"}},
            "destinations": {"crm": {"url": receiver.url("/${CRM_PATH}"), "allow_private": "true",
                                     "headers": {"authorization": "Bearer ${CRM_TOKEN}"},
                                     "signing_secret": "${CRM_SECRET}", "retry": {"max": "1", "base": "10ms"}, **more}},
            "routes": {"all": {"from": "LEAD", "to": ["crm"]}}}


def leaks(text):
    if isinstance(text, str):
        text = text.encode()
    return [form for form in FORMS if form in text]


def test_secrets_reach_the_destination_and_nobody_else(serve, receiver):
    path = f"/{CANARIES['CRM_PATH']}"
    receiver.script(path, answer(503, b'{"why":"busy"}'), answer(422), answer(401), answer(200))
    server = serve("-v", env=CANARIES, **config(receiver))
    server.settled(server.send(), "FAILED")
    server.send()
    until(lambda: server.get("/v1/destinations/crm").json["paused"], "the pause after 401")
    assert server.cli("destinations", "resume", "crm").code == 0
    server.configure(**config(receiver, timeout="9s"))
    applied = server.cli("apply", "-o", "json")
    assert applied.code == 0 and applied.json["changes"]
    server.settled(server.send(), "COMPLETED")
    assert receiver.of(path)[-1]["Authorization"] == f"Bearer {CANARIES['CRM_TOKEN']}"
    assert receiver.of(path)[-1]["webhook-signature"]

    said = {path: server.get(path).body for path in PATHS}
    for item in server.every("/v1/deliveries"):
        said[item["id"]] = server.get(f"/v1/deliveries/{item['id']}").body
    (server.folder / "event.json").write_text('{"type":"LEAD","source":"x","payload":{}}')
    for words in (["check"], ["check", "-o", "json"], ["destinations", "show", "crm"], ["destinations", "test", "crm"],
                  ["routes", "test", "all", "--event", "event.json"],
                  ["routes", "test", "all", "--event", "event.json", "-o", "json"], ["status"]):
        got = server.cli(*words)
        assert got.code == 0, got
        said[" ".join(words)] = got.out + got.err
    said["apply"] = applied.out + applied.err
    assert server.terminate() == 0
    said["log"] = server.text
    for file in server.folder.rglob("*"):
        if file.is_file():
            said[str(file)] = file.read_bytes()
    assert {name: leaks(text) for name, text in said.items() if leaks(text)} == {}
    assert not os.path.exists(server.folder / "core")


def test_a_destination_that_cannot_be_reached_keeps_them_too(serve, receiver):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and nobody listens
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/${{CRM_PATH}}"
        server = serve("-v", env=CANARIES, **config(receiver, give_up="0s", url=url))
        failed = server.settled(server.send(), "FAILED")
    assert failed["attempts"][0]["error"]
    assert leaks(server.text) == [] and leaks(server.get(f"/v1/deliveries/{failed['id']}").body) == []


def test_a_secret_that_begins_with_another_is_hidden_whole(serve, receiver):
    env = {"BASE": "acme-key", "WHOLE": "acme-key-PROD-9f8e7d", "PIN": "7", "ENDS": "PROD"}
    server = serve(env=env, destinations={"crm": {
        "url": receiver.url("/${BASE}?k=${WHOLE}"), "allow_private": "true",
        "headers": {"authorization": "Bearer ${WHOLE}", "x-base": "${BASE}", "x-pin": "${PIN}", "x-more": "17${PIN}",
                    "x-ends": "${ENDS}"}}}, routes={"all": {"from": "LEAD", "to": ["crm"]}})
    (server.folder / "event.json").write_text('{"type":"LEAD","source":"x","payload":{"n":7,"k":"acme-key-PROD-9f8e7d"}}')
    got = server.cli("routes", "test", "all", "--event", "event.json", "-o", "json")
    assert got.code == 0, got
    request = got.json["items"][0]["request"]
    headers = {name.lower(): value for name, value in request["headers"].items()}
    assert headers["authorization"] == "Bearer ${WHOLE}" and headers["x-base"] == "${BASE}", headers
    assert headers["x-pin"] == "${PIN}" and headers["x-more"] == "177" and headers["x-ends"] == "${ENDS}", headers
    assert request["url"].endswith("/${BASE}?k=${WHOLE}"), request
    assert '"k":"${WHOLE}"' in request["body"] and '"n":7' in request["body"], request


def test_a_wrong_value_is_named_without_the_secret(serve, receiver):
    server = serve(env=CANARIES, **config(receiver))
    wrong = config(receiver, timeout="${CRM_TOKEN}", url="ftp://${CRM_SECRET}/", limit="${CRM_PATH}")
    server.configure(**wrong)
    for words in (["check"], ["check", "-o", "json"], ["apply"], ["apply", "-o", "json"]):
        got = server.cli(*words)
        assert got.code == 3 and "crm" in got.out + got.err
        assert leaks(got.out + got.err) == [], got
    assert leaks(server.text) == []


def test_a_key_of_the_api_is_kept_as_a_hash_alone(serve):
    server = serve("-v")
    key = server.cli("keys", "create", "--role", "owner").out.strip()
    server.key = key
    assert server.get("/v1/keys").status == 200 and server.post(event()).status == 200
    secret = key.rsplit("_", 1)[1][8:]  # what follows its public handle
    said = [server.get("/v1/keys").body, server.get("/v1/audit").body, server.get("/metrics").body]
    assert server.terminate() == 0
    said += [file.read_bytes() for file in server.folder.rglob("*") if file.is_file()]
    assert len(secret) == 32 and not [text for text in said if secret.encode() in text]


def test_secrets_are_found_where_they_are_said_to_be_and_must_be_private(serve, receiver):
    server = serve(env=CANARIES, **config(receiver))
    assert server.terminate() == 0
    server.env = {}
    folder = server.folder / "secrets"
    folder.mkdir()
    for name, text in CANARIES.items():
        (folder / name).write_text(text + "\n")
        (folder / name).chmod(0o600)
    server.start()
    server.settled(server.send(), "COMPLETED")
    (folder / "CRM_TOKEN").chmod(0o644)
    got = server.cli("check")
    assert got.code == 3 and "chmod 600" in got.err and leaks(got.err) == []
