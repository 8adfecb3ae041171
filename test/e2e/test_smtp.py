"""Mail through a real mail server, which the test starts: what arrives in a mailbox is what was meant."""
import collections
import re

import pytest

from harness import event, until
from postfix import SIZE_MAX, Postfix


@pytest.fixture(scope="module")
def postfix():
    if Postfix.missing:
        pytest.skip(Postfix.missing)
    server = Postfix()
    yield server
    server.close()


def start(serve, postfix, **delivery):
    destination = {"type": "smtp", "url": f"smtp://localhost:{postfix.port}", "from": "Füllhorn Shop <shop@example.com>",
                   "ca": postfix.ca, "allow_private": "true", "retry": {"max": "2", "base": "10ms", "cap": "20ms"}}
    mail = {"to": "${.to}", "subject": "${.subject}", "text": "${.text}", **delivery}
    return serve(destinations={"mail": destination}, routes={"all": {"from": "*", "to": [{"mail.mail": mail}]}})


def send(server, **payload):
    return server.send(payload={"to": "ada@example.org", "subject": "Hello", "text": "Hi", **payload})


def arrived(postfix, box, delivery):
    """The one mail of a delivery."""
    until(lambda: postfix.find(box, delivery["key"]), lambda: f"the mail\n{postfix.text()}")
    [mail] = postfix.find(box, delivery["key"])
    return mail


def test_a_mail_arrives_as_it_was_meant(serve, postfix):
    text = "\n".join(["Grüße,", "", ".", "..", ".bin", "From here", "blank ", "x" * 3000, "日本" * 400, "Ende"])
    server = start(serve, postfix, html="${.html}", reply_to="Büro <buero@example.com>", headers={"X-Campaign": "frühling"},
                   unsubscribe="https://example.com/u?x=1")
    subject = "Ihre Zahlung über 49 € ist da 🎉 " * 5 + "!"
    delivery = server.settled(send(server, to="Ada Lövelace <ada@example.org>", subject=subject, text=text,
                                   html="<p>Grüße</p>\n" + "<b>é</b>" * 500), "COMPLETED")
    assert re.search(r"queued as \w+", delivery["attempts"][0]["answer"]), delivery
    mail = arrived(postfix, "ada", delivery)
    assert mail["Subject"] == subject and mail["X-Campaign"] == "frühling"
    assert mail["To"].addresses[0].display_name == "Ada Lövelace"
    assert mail["From"].addresses[0].display_name == "Füllhorn Shop" and mail["Return-Path"] == "<shop@example.com>"
    assert mail["Reply-To"].addresses[0].addr_spec == "buero@example.com"
    assert mail["List-Unsubscribe"] == "<https://example.com/u?x=1>"
    assert "with ESMTPS" in " ".join(mail.get_all("Received"))
    plain, html = mail.iter_parts()
    assert plain.get_content().splitlines() == text.splitlines()
    assert html.get_content().splitlines() == ["<p>Grüße</p>", "<b>é</b>" * 500]
    assert not any(part.defects for part in mail.walk())


def test_a_plain_text_arrives_alone(serve, postfix):
    server = start(serve, postfix)
    mail = arrived(postfix, "bob", server.settled(send(server, to="bob@example.org"), "COMPLETED"))
    assert mail.get_content_type() == "text/plain" and mail.get_content().strip() == "Hi"


def test_an_address_beyond_ascii_is_reached(serve, postfix):
    server = start(serve, postfix)
    mail = arrived(postfix, "jörg", server.settled(send(server, to="Jörg <jörg@example.org>"), "COMPLETED"))
    assert "jörg@example.org" in str(mail["To"])


NAMES = ["Smith, John", 'John "JJ" Smith', "J. (Joe) D", "Dr: A; B", "a<b", "ada@example.org", "back\\slash", "Müller, A."]


def test_a_name_out_of_a_form_may_have_any_letters(serve, postfix):
    server = start(serve, postfix, to="${.name} <${.to}>")
    for name in NAMES:
        mail = arrived(postfix, "ada", server.settled(send(server, name=name), "COMPLETED"))
        [party] = mail["To"].addresses
        assert (party.display_name, party.addr_spec) == (name, "ada@example.org")


def test_what_would_be_another_header_is_refused_by_name(serve, postfix):
    server = start(serve, postfix, to="${.name} <${.to}>")
    delivery = server.settled(send(server, name="Ada\r\nBcc: eve@example.org"), "FAILED")
    assert "not 'Ada  Bcc: eve@example.org <ada@example.org>': the name has a line break" in delivery["last_error"]


REFUSALS = {
    "no such mailbox": ({"to": "eve@example.org"}, "RCPT TO: 5.1.1"),
    "not for here": ({"to": "ada@example.net"}, "RCPT TO: 5.7.1"),
    "too large": ({"text": "x" * SIZE_MAX}, "MAIL FROM: 5.3.4"),
}


@pytest.mark.parametrize("payload, words", REFUSALS.values(), ids=REFUSALS.keys())
def test_what_it_refuses_has_failed_for_its_own_reason(serve, postfix, payload, words):
    server = start(serve, postfix)
    delivery = server.settled(send(server, **payload), "FAILED")
    assert words in delivery["last_error"], delivery
    server.settled(send(server), "COMPLETED")


def test_no_mail_is_doubled_or_forgotten_when_the_process_is_killed(serve, postfix):
    """Each is in the mailbox once, or a person is told that nobody knows."""
    server = start(serve, postfix)
    ids = []
    for _ in range(4):
        answer = server.post([event(payload={"to": "bob@example.org", "subject": "Hello", "text": "Hi"}) for _ in range(15)])
        ids += [item["eventId"] for item in answer.json]
        until(lambda: any(server.deliveries(each)[0]["status"] == "COMPLETED" for each in ids[-15:]), "one to be settled")
        server.restart()
    deliveries = [server.settled(each, "COMPLETED", "HELD") for each in ids]
    until(postfix.empty, "Postfix to be done")
    counts = collections.Counter({each["key"]: 0 for each in deliveries})
    for mail in postfix.mails("bob"):
        counts[mail["Message-ID"].strip("<>").partition("@")[0]] += 1
    for delivery in deliveries:
        assert counts[delivery["key"]] in ((1,) if delivery["status"] == "COMPLETED" else (0, 1)), delivery
    assert sum(delivery["status"] == "COMPLETED" for delivery in deliveries) >= 4
