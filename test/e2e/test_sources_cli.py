"""What `sources` and `trigger` say to somebody who sets up a source for the first time."""
import json
import re

import pytest

from harness import ROOT, command, until

ENV = {"TOKEN": "canary-5f2a-0123456789", "OTHER": "another-secret-0123456"}
GITHUB = {"github": {"secret": "${TOKEN}"}}
CRM = {"crm": {"url": "https://crm.invalid/leads", "on_unknown": "retry"}}
ID = "[0-9a-f]{8}-[0-9a-f-]{27}"


def test_a_source_that_is_not_in_force(serve):
    server = serve(env=ENV, sources=GITHUB)
    server.configure(sources={**GITHUB, "shop": {"type": "shopify", "secret": "${TOKEN}"}})
    for words in (["sources", "show", "shop"], ["trigger", "shop.orders.create"]):
        got = server.cli(*words)
        assert got.code == 4 and "not in force yet: drumbeat apply" in got.err and not got.out, got
    for words in (["sources", "show", "gihub"], ["trigger", "gihub.push"]):
        got = server.cli(*words)
        assert got.code == 4 and "no source 'gihub'; did you mean 'github'?" in got.err, got
    assert server.cli("apply").code == 0
    assert server.cli("sources", "show", "shop").code == 0
    assert server.cli("trigger", "shop.orders.create").code == 0


def test_what_is_posted_to_the_address_of_another_kind_is_told_where_it_belongs(serve):
    server = serve(env=ENV, sources={**GITHUB, "contact": {"type": "form", "fields": {"email": {}}},
                                     "weekly": {"type": "schedule", "schedule": "Mon 09:00"}})
    answers = [server.request("POST", path, b"{}") for path in ("/in/contact", "/in/none", "/f/github", "/f/none", "/in/weekly")]
    assert [answer.status for answer in answers] == [401, 401, 404, 404, 401]
    assert answers[0].json["detail"] == answers[1].json["detail"], "a stranger does not hear what there is"
    for name, words in (("contact", "it is a form, with the address /f/contact"),
                        ("github", "it is no form; its sender posts to /in/github"),
                        ("weekly", "it is a schedule, and nobody posts to one")):
        assert words in server.cli("sources", "show", name).out, name
        until(lambda: words in [line.get("why") for line in server.log() if line.get("source") == name], "the line")


def test_counts_say_since_when(serve):
    server = serve(env=ENV, sources=GITHUB)
    assert server.cli("trigger", "github.push").code == 0
    since = server.get("/v1/sources/github").json["counted_since"][:19]
    listed, shown = server.cli("sources", "list"), server.cli("sources", "show", "github")
    assert f"counted since the start of this server's process, {since}Z\n" in listed.err, listed
    assert f"counted since  {since}Z\n" in shown.out and "accepted       1\n" in shown.out, shown
    assert not server.cli("sources", "list", "-o", "json").err
    server.restart()
    again = server.get("/v1/sources/github").json
    assert again["accepted"] == 0 and again["counted_since"][:19] >= since, again


def test_a_secret_that_is_not_in_force(serve):
    server = serve(env=ENV, sources=GITHUB)
    server.configure(sources={"github": {"secret": "${OTHER}"}})
    got = server.cli("trigger", "github.push")
    assert got.code == 7 and "E0135" in got.err and "the one in force" in got.err, got


def test_trigger_says_what_became_of_it(serve):
    server = serve(env=ENV, sources=GITHUB, destinations=CRM, routes={
        "releases": {"from": "github.release.*", "to": [{"crm": {"body": {"tag": "${.release.tag_name}"}}}]}})
    got = server.cli("trigger", "github.push")
    assert got.code == 0 and re.match(f"{ID} accepted \\(new\\)\n", got.out), got
    assert "no route wants it" in got.out and "releases" in got.out, got
    wanted = server.cli("trigger", "github.release.published")
    assert wanted.code == 0 and "no route" not in wanted.out, wanted
    event = server.event(wanted.out.split()[0])
    assert event["type"] == "github.release.published" and event["payload"]["release"]["tag_name"] == "v1.2.0"
    taken = server.cli("trigger", "github.push", "-o", "json").json
    assert len(taken["eventIds"]) == 1 and server.event(taken["eventIds"][0])["type"] == "github.push"


def test_trigger_of_a_fact_that_is_known(serve):
    server = serve(env=ENV, sources={"stripe": {"secret": "${TOKEN}"}})
    first, again = (server.cli("trigger", "stripe.invoice.paid", "--set", "id=evt_1") for _ in range(2))
    assert first.code == again.code == 0 and "duplicate" not in first.out and "duplicate" in again.out, again
    assert first.out.split()[0] == again.out.split()[0]


def test_a_misspelt_field_of_a_sample_is_told(serve):
    server = serve(env=ENV, destinations=CRM, sources={
        "stripe": {"secret": "${TOKEN}"}, "contact": {"type": "form", "fields": {"email": {}, "message": {}}, "consent": "Yes?"},
        "own": {"type": "none", "secret": "${OTHER}", "map": {"type": "/kind", "key": "/nested/number"}}},
        routes={"paid": {"from": "*", "when": '.data.object | .region != "north"',
                         "to": [{"crm": {"body": {"who": "${.customer.nickname // .x}"}}}]}})
    server.cli("hold")
    for field, near in (("data.object.custmer_email", "data.object.customer_email"), ("customer.nickame", "customer.nickname"),
                        ("data.objct.id", "data.object.id")):
        got = server.cli("trigger", "stripe.invoice.paid", "--set", f"{field}=1")
        assert got.code == 0 and "accepted" in got.out, got
        assert f"--set: nothing reads a field '{field}'; did you mean '{near}'?\n" in got.err, got
    for known in ("data.object.customer_email=a@example.com", "data.object.region=south", "customer.nickname.first=Ada",
                  "data.object={}", "wholly.other=1", "id=evt_7"):
        assert "nothing reads" not in server.cli("trigger", "stripe.invoice.paid", "--set", known).err, known
    got = server.cli("trigger", "own.a", "--set", "nested.numbr=1")
    assert "did you mean 'nested.number'?" in got.err, got
    for set_, said in (("emial=a@example.com", "declares no field 'emial', which is not kept; did you mean 'email'?"),
                       ("colour=red", "declares no field 'colour', which is not kept\n"), ("email=a@example.com", ""), ("_page=x", "")):
        got = server.cli("sources", "test", "contact", "--set", set_)
        assert said in got.err and ("declares" in got.err) == bool(said), got


def test_an_address_that_is_a_path(serve):
    server = serve(env=ENV, sources=GITHUB)
    got = server.cli("sources", "show", "github")
    assert "/in/github" in got.out and "server.url" in got.err, got
    server.configure(sources=GITHUB, server={"url": "https://hooks.example.com"})
    assert server.cli("apply").code == 0
    got = server.cli("sources", "show", "github")
    assert "https://hooks.example.com/in/github" in got.out and "server.url" not in got.err, got


def test_types_have_hmac_too(folder):
    got = command(folder, "sources", "types")
    assert got.code == 0 and re.search("^hmac ", got.out, re.MULTILINE), got


@pytest.mark.parametrize("name", ["github", "stripe", "shopify", "typeform", "calendly"])
def test_samples_have_what_people_use(folder, name):
    (folder / "drumbeat.yaml").write_text("version: 1\nstore: ./x.db\nsources: {own: {type: %s, secret: '${TOKEN}'}}\n" % name)
    first, again = (command(folder, "sources", "test", "own.a.b", "-o", "json", env=ENV).json for _ in range(2))
    assert first["type"] == "own.a.b" and first["idempotency_key"] != again["idempotency_key"]
    assert "sha256:" not in first["idempotency_key"]
    said = json.dumps(first["payload"])
    assert ("example/engine" if name == "github" else "ada@example.com") in said
    own = command(folder, "sources", "test", "own.a.b", "--data", "{}", "-o", "json", env=ENV).json["payload"]
    assert "example" not in json.dumps(own)  # what is given is all


@pytest.mark.parametrize("example, event", [("02-stripe-payment-to-crm-and-mail", "stripe.invoice.paid"),
                                            ("03-github-release-to-slack", "github.release.published"),
                                            ("05-failed-payment-follow-up", "stripe.invoice.payment_failed")])
def test_the_examples_send_something_real(folder, example, event):
    text = (ROOT / "examples" / example / "drumbeat.yaml").read_text()
    (folder / "drumbeat.yaml").write_text(text)
    env = {name: "https://hooks.slack.com/services/T0/B0/x" for name in set(re.findall(r"\$\{([A-Z_]+)\}", text))}
    (folder / "event.json").write_text(command(folder, "sources", "test", event, "-o", "json", env=env).out)
    route = re.search(r"^routes:\n  ([a-z]+):", text, re.MULTILINE).group(1)
    got = command(folder, "routes", "test", route, "--event", "event.json", "-o", "json", env=env)
    assert got.code == 0 and got.json["items"], got
    for item in got.json["items"]:
        assert "null" not in item["request"]["body"] and ("ada" in item["request"]["body"].lower()
                                                          or "v1.2.0" in item["request"]["body"]), item
