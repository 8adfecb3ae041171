"""Mail to a server that refuses, falls silent or goes away at each stage, and what becomes of the delivery."""
import email
import email.policy
import json
import time

import pytest

from harness import command, until
from mailserver import CUT, SILENCE, MailServer
from receiver import answer

BEFORE = ("connect", "EHLO", "MAIL", "RCPT", "DATA")
QUICK = "400ms"


@pytest.fixture
def mails():
    """mails(**how) is a mail server."""
    made = []

    def make(**how):
        made.append(MailServer(**how))
        return made[-1]

    yield make
    for each in made:
        each.close()


def destination(server, **more):
    """The server of this machine, without TLS unless it has a certificate."""
    tls = {} if server.context else {"starttls": "off"}
    return {"type": "smtp", "url": server.url(), "from": "Shop <shop@example.com>", "allow_private": "true",
            "retry": {"max": "2", "base": "10ms", "cap": "20ms"}, **tls, **more}


def start(serve, server, delivery=None, env=None, **more):
    to = {"to": "${.to}", "subject": "Hello", "text": "Hi", **(delivery or {})}
    return serve(destinations={"mail": destination(server, **more)}, env=env or {},
                 routes={"all": {"from": "*", "to": [{"mail.mail": to}]}})


def send(server, to="ada@example.org", **payload):
    return server.send(payload={"to": to, **payload})


def outcomes(delivery):
    return [attempt["outcome"] for attempt in delivery["attempts"]]


def read(mail):
    return email.message_from_bytes(mail.data, policy=email.policy.default)


# ---- replies

# What a 5xx and a 4xx come to at each stage. A 4xx is tried again, here with success.
REFUSED = {"connect": "HELD", "MAIL": "HELD", "RCPT": "FAILED", "DATA": "FAILED", "message": "FAILED"}


@pytest.mark.parametrize("stage", REFUSED)
def test_a_refusal_is_the_servers_last_word_and_says_at_which_stage(serve, mails, stage):
    mail = mails()
    mail.script(stage, f"554 5.7.1 not at {stage}")
    server = start(serve, mail)
    settled = server.settled(send(server), REFUSED[stage])
    name = {"MAIL": "MAIL FROM", "RCPT": "RCPT TO"}.get(stage, stage)
    assert f"answered 554: {name}: 5.7.1 not at {stage}" in settled["last_error"], settled
    assert settled["attempts"][-1]["http_status"] == 554 and len(settled["attempts"]) == 1
    assert len(mail.mails) == (stage == "message")


@pytest.mark.parametrize("stage", ("connect", *REFUSED))
@pytest.mark.parametrize("code", (421, 450, 451, 452))
def test_a_server_that_asks_for_another_time_gets_it(serve, mails, stage, code):
    mail = mails()
    mail.script(stage, f"{code} 4.3.2 later")
    server = start(serve, mail)
    settled = server.settled(send(server), "COMPLETED")
    assert outcomes(settled) == ["retry", "done"] and settled["attempts"][0]["http_status"] == code
    assert "4.3.2 later" in settled["attempts"][0]["error"]


def test_a_refused_recipient_opens_no_breaker_and_ends_no_other_mail(serve, mails):
    mail = mails()
    mail.script("RCPT", *["450 4.2.0 greylisted"] * 6)
    server = start(serve, mail, concurrency="1", breaker={"failures": "3"})
    events = [send(server) for _ in range(4)]
    for event in events:
        server.settled(event, "COMPLETED")
    assert len(mail.mails) == 4


def test_the_words_of_several_lines_are_kept(serve, mails):
    mail = mails()
    mail.script("RCPT", "550-5.1.1 no such\n550-5.1.1 account,\n550 5.1.1 see example.com")
    server = start(serve, mail)
    settled = server.settled(send(server), "FAILED")
    assert settled["last_error"] == "answered 550: RCPT TO: 5.1.1 no such\n5.1.1 account,\n5.1.1 see example.com"


def test_a_senders_refusal_for_two_deliveries_pauses_the_destination(serve, mails):
    mail = mails()
    mail.script("MAIL", *["553 5.7.1 sender not allowed"] * 2)
    server = start(serve, mail, concurrency="1")
    server.settled(send(server), "HELD")
    send(server)
    until(lambda: server.cli("destinations", "show", "mail", "-o", "json").json["paused"], "the pause")


# ---- lines that break

@pytest.mark.parametrize("end", (CUT, SILENCE), ids=("cut", "silence"))
@pytest.mark.parametrize("stage", BEFORE)
def test_trouble_before_the_mail_left_is_no_doubt(serve, mails, stage, end):
    mail = mails()
    mail.script(stage, end)
    server = start(serve, mail, timeout=QUICK if end is SILENCE else "30s")
    settled = server.settled(send(server), "COMPLETED")
    assert outcomes(settled) == ["retry", "done"] and len(mail.mails) == 1
    assert settled["attempts"][0]["error"].startswith(("broken off: at ", "no connection: ")), settled


@pytest.mark.parametrize("end", (CUT, SILENCE), ids=("cut", "silence"))
def test_a_mail_whose_reply_was_lost_is_held_and_never_sent_again(serve, mails, end):
    mail = mails()
    mail.script("message", end)
    server = start(serve, mail, timeout=QUICK if end is SILENCE else "30s")
    settled = server.settled(send(server), "HELD")
    assert outcomes(settled) == ["unknown"] and len(mail.mails) == 1
    assert ("timed out" if end is SILENCE else "no complete answer") in settled["last_error"]


def test_half_a_reply_to_the_mail_is_no_reply(serve, mails):
    mail = mails()
    mail.script("message", "250-2.0.0 almost")
    server = start(serve, mail, timeout=QUICK)
    assert outcomes(server.settled(send(server), "HELD")) == ["unknown"]


def test_a_process_that_dies_before_the_reply_leaves_it_to_a_person(serve, mails):
    mail = mails()
    mail.script("message", SILENCE)
    server = start(serve, mail, timeout="1s")
    event = send(server)
    until(lambda: mail.mails, "the mail to be there")
    server.restart()
    settled = server.settled(event, "HELD")
    assert outcomes(settled) == ["unknown"] and len(mail.mails) == 1
    assert read(mail.mails[0])["Message-ID"] == f"<{settled['key']}@example.com>"


def test_a_double_has_the_same_name_and_the_same_bytes(serve, mails):
    mail = mails()
    mail.script("message", CUT)
    server = start(serve, mail, on_unknown="retry")
    server.settled(send(server), "COMPLETED")
    first, second = mail.mails
    assert first.data == second.data


# ---- whom it waits for

def test_a_server_that_hangs_delays_nobody(serve, mails, receiver):
    """One says nothing to a mail, one never says goodbye; a third and a receiver of webhooks are not kept waiting."""
    slow, rude, well = mails(), mails(), mails()
    slow.script("message", *[SILENCE] * 4)
    rude.script("RCPT", *["550 5.1.1 no"] * 4)
    rude.script("QUIT", *[SILENCE] * 4)
    receiver.script("/hook", *[answer(200)] * 4)
    names = {"slow": slow, "rude": rude, "well": well}
    mail = {"to": "ada@example.org", "subject": "Hello", "text": "Hi"}
    server = serve(destinations={**{name: destination(each, timeout="60s") for name, each in names.items()},
                                 "hook": {"url": receiver.url("/hook"), "allow_private": "true", "on_unknown": "retry"}},
                   routes={"all": {"from": "*", "to": [*({f"{name}.mail": mail} for name in names), "hook"]}})
    event = server.send()

    def settled():
        return {each["destination"]: each["status"] for each in server.deliveries(event)}
    until(lambda: settled() == {"slow": "PROCESSING", "rude": "FAILED", "well": "COMPLETED", "hook": "COMPLETED"},
          lambda: f"all but the slow one: {settled()}", seconds=20)
    slow.close()
    until(lambda: settled()["slow"] == "HELD", "the slow one to be in doubt")


def test_a_connection_serves_many_mails_and_a_refusal_none_but_its_own(serve, mails):
    mail = mails()
    server = start(serve, mail, concurrency="1")
    for _ in range(5):
        server.settled(send(server), "COMPLETED")
    assert mail.connections == 1
    mail.script("RCPT", "550 5.1.1 no")
    server.settled(send(server, to="nobody@example.org"), "FAILED")
    server.settled(send(server), "COMPLETED")
    assert len(mail.mails) == 6 and {each.recipient for each in mail.mails} == {"ada@example.org"}


def test_a_kept_connection_that_the_server_closed_costs_no_try(serve, mails):
    mail = mails()
    server = start(serve, mail, concurrency="1")
    server.settled(send(server), "COMPLETED")
    for each in mail.sockets:
        each.shutdown(2)
    settled = server.settled(send(server), "COMPLETED")
    assert outcomes(settled) == ["done"] and mail.connections == 2


# ---- logging in, and TLS

SECRET = "pa55-w0rd-of-shop"
LOGIN = {"user": "shop", "password": "${MAIL_PASSWORD}"}


def secure(serve, server, authority, **more):
    ca = (authority.folder / "ca.pem").read_text()
    return start(serve, server, env={"MAIL_PASSWORD": SECRET}, **{"ca": ca, "url": server.url("localhost"), **LOGIN, **more})


@pytest.mark.parametrize("implicit", (False, True), ids=("STARTTLS", "smtps"))
def test_it_logs_in_over_tls_with_an_authority_of_its_own(serve, mails, authority, implicit):
    mail = mails(context=authority.sign("localhost", "DNS:localhost"), implicit=implicit, login=("shop", SECRET))
    server = secure(serve, mail, authority)
    server.settled(send(server), "COMPLETED")
    assert mail.mails[0].secure and mail.mails[0].user == "shop"


def test_a_certificate_that_nobody_vouches_for_is_told_nothing(serve, mails, authority):
    mail = mails(context=authority.self_signed("strange"), login=("shop", SECRET))
    server = secure(serve, mail, authority)
    event = send(server)
    until(lambda: server.cli("destinations", "show", "mail", "-o", "json").json["paused"], "the pause")
    assert "not trusted" in server.delivery(event)["last_error"] and "AUTH" not in mail.words()


def test_a_server_without_starttls_is_told_nothing(serve, mails, authority):
    """Which is what somebody on the way makes of any server."""
    mail = mails(context=authority.sign("localhost", "DNS:localhost"), starttls=False, login=("shop", SECRET))
    server = secure(serve, mail, authority)
    event = send(server)
    until(lambda: server.cli("destinations", "show", "mail", "-o", "json").json["paused"], "the pause")
    assert "offers no STARTTLS" in server.delivery(event)["last_error"]
    assert set(mail.words()) <= {"EHLO", "QUIT"}, mail.words()


def test_a_refused_password_pauses_once_and_is_nowhere_to_be_read(serve, mails, authority):
    mail = mails(context=authority.sign("localhost", "DNS:localhost"), login=("shop", "another"))
    server = secure(serve, mail, authority, concurrency="1")
    event = send(server)
    until(lambda: server.cli("destinations", "show", "mail", "-o", "json").json["paused"], "the pause")
    delivery = server.delivery(event)
    assert "answered 535: AUTH: 5.7.8 no" in delivery["last_error"] and delivery["retry_count"] == 0
    assert mail.words().count("AUTH") == 1
    assert SECRET not in server.text + json.dumps(delivery)


def test_a_server_that_offers_no_login_gets_no_mail(serve, mails, authority):
    mail = mails(context=authority.sign("localhost", "DNS:localhost"))
    server = secure(serve, mail, authority)
    event = send(server)
    until(lambda: server.cli("destinations", "show", "mail", "-o", "json").json["paused"], "the pause")
    assert "no way to log in" in server.delivery(event)["last_error"] and "MAIL" not in mail.words()


def test_a_test_asks_all_but_the_mail(serve, mails, authority):
    mail = mails(context=authority.sign("localhost", "DNS:localhost"), login=("shop", SECRET))
    server = secure(serve, mail, authority)
    got = server.cli("destinations", "test", "mail")
    assert got.code == 0 and "Subject: A test from drumbeat" in got.out and mail.connections == 0
    got = server.cli("destinations", "test", "mail", "--send")
    assert got.code == 0 and "none was sent" in got.err, got
    assert mail.words() == ["EHLO", "STARTTLS", "EHLO", "AUTH", "NOOP", "QUIT"] or mail.words()[-2:] == ["NOOP", "QUIT"]
    assert mail.mails == [] and SECRET not in got.out + got.err
    mail.login = ("shop", "another")
    got = server.cli("destinations", "test", "mail", "--send")
    assert got.code == 1 and "535" in got.out and "pauses" in got.err, got


# ---- what is refused before anybody is called

INJECTIONS = {
    "subject": {"subject": "Hello\r\nBcc: eve@example.net"},
    "recipient": {"to": "ada@example.org>\r\nRCPT TO:<eve@example.net"},
    "list": {"to": "ada@example.org, eve@example.net"},
    "name": {"to": "Ada\r\nBcc: eve@example.net <ada@example.org>"},
    "sender": {"from": "shop@example.com\r\nBcc: eve@example.net"},
    "header": {"headers": {"X-A": "1\r\nBcc: eve@example.net"}},
    "own header": {"headers": {"bcc": "eve@example.net"}},
    "header's name": {"headers": {"X-A: 1\r\nBcc": "eve@example.net"}},
    "unsubscribe": {"unsubscribe": "https://example.com/>\r\nBcc: eve@example.net"},
}


@pytest.mark.parametrize("values", INJECTIONS.values(), ids=INJECTIONS.keys())
def test_a_value_that_would_add_a_header_or_a_recipient_is_refused(serve, mails, values):
    mail = mails()
    names = ("to", "subject", "from", "headers", "unsubscribe")
    server = start(serve, mail, delivery={name: f"${{.{name}}}" for name in names})
    payload = {"to": "ada@example.org", "subject": "Hello", "from": "shop@example.com", "headers": {"X-A": "1"},
               "unsubscribe": "https://example.com/u"}
    server.settled(server.send(payload=payload), "COMPLETED")
    settled = server.settled(server.send(payload={**payload, **values}), "FAILED")
    assert settled["last_error"] and len(mail.mails) == 1 and mail.words().count("MAIL") == 1


@pytest.mark.parametrize("values", INJECTIONS.values(), ids=INJECTIONS.keys())
def test_the_same_is_found_where_it_stands_in_the_configuration(folder, values):
    delivery = {"to": "ada@example.org", "subject": "Hello", "text": "Hi", **values}
    config = {"version": 1, "destinations": {"mail": {"type": "smtp", "url": "smtp://mail.example.com", "from": "shop@example.com"}},
              "routes": {"all": {"from": "*", "to": [{"mail.mail": delivery}]}}}
    (folder / "drumbeat.yaml").write_text(json.dumps(config, indent=1))
    got = command(folder, "check")
    assert got.code == 3 and "E0321: parameter" in got.err, got


SETTINGS = {
    "http": ({"url": "http://mail.example.com"}, "must begin with smtp:// or smtps://"),
    "path": ({"url": "smtp://mail.example.com/x"}, "nothing may follow"),
    "user in the URL": ({"url": "smtp://u:p@mail.example.com"}, "user name"),
    "private": ({"url": "smtp://10.1.2.3:25"}, "allow_private"),
    "no TLS elsewhere": ({"starttls": "off"}, "on this machine only"),
    "starttls": ({"starttls": "maybe"}, "starttls is required, or off"),
    "smtps without": ({"url": "smtps://127.0.0.1", "starttls": "off", "allow_private": "true"}, "TLS from the first byte"),
    "user alone": ({"user": "shop"}, "belong together"),
    "sender": ({"from": "shop"}, "the sender must be"),
    "two senders": ({"from": "a@example.com, b@example.com"}, "the sender must be"),
    "helo": ({"helo": "a b"}, "EHLO"),
}


@pytest.mark.parametrize("setting, words", SETTINGS.values(), ids=SETTINGS.keys())
def test_settings_that_cannot_work_are_said_at_once(folder, setting, words):
    config = {"version": 1, "destinations": {
        "mail": {"type": "smtp", "url": "smtp://mail.example.com", "from": "shop@example.com", **setting}}}
    (folder / "drumbeat.yaml").write_text(json.dumps(config, indent=1))
    got = command(folder, "check")
    assert got.code == 3 and words in got.err, got


def test_a_name_that_leads_to_this_machine_is_refused_unless_allowed(serve, mails):
    mail = mails()
    server = start(serve, mail, url=mail.url("localhost"), starttls="required", allow_private="false")
    event = send(server)
    until(lambda: server.delivery(event)["attempts"], "an attempt")
    assert "allow_private" in server.delivery(event)["last_error"] and mail.connections == 0


# ---- what arrives

def test_a_mail_is_read_as_it_was_meant(serve, mails):
    """Letters beyond ASCII, lines of all lengths, dots, blanks, and what looks like the end of a mail."""
    mail = mails()
    text = "\n".join(["Grüße,", "", ".", "..", ".bin", "From here on", "blank at the end ", "x" * 2000, "ü" * 700, "=3D", "Ende"])
    server = start(serve, mail, delivery={"to": "Ädä “Lady” Lövelace <ada@example.org>", "subject": "${.subject}",
                                          "text": "${.text}", "html": "${.html}", "reply_to": "Büro <buero@example.com>",
                                          "headers": {"X-Campaign": "frühling", "X-Plain": "spring"},
                                          "unsubscribe": "https://example.com/u?x=1"})
    subject = "Ünïcödé " * 30 + "日本語 🎉"
    settled = server.settled(send(server, subject=subject, text=text, html=f"<p>{'é' * 900}</p>"), "COMPLETED")
    [got] = mail.mails
    message = read(got)
    assert got.recipient == "ada@example.org" and got.sender == "shop@example.com"
    assert message["Subject"] == subject
    assert message["To"].addresses[0].display_name == "Ädä “Lady” Lövelace"
    assert message["From"].addresses[0].addr_spec == "shop@example.com" and message["Reply-To"].addresses[0].display_name == "Büro"
    assert message["X-Campaign"] == "frühling" and message["X-Plain"] == "spring"
    assert message["List-Unsubscribe"] == "<https://example.com/u?x=1>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["Message-ID"] == f"<{settled['key']}@example.com>"
    assert abs(message["Date"].datetime.timestamp() - time.time()) < 3600
    plain, html = message.iter_parts()
    assert plain.get_content().replace("\r\n", "\n") == text + "\n"
    assert html.get_content().replace("\r\n", "\n") == f"<p>{'é' * 900}</p>\n"
    assert not message.defects and not plain.defects and max(map(len, got.data.split(b"\r\n"))) <= 78
    got.data.decode("ascii")


def test_an_address_beyond_ascii_is_not_for_every_server(serve, mails):
    """Told to a server that does not take such ones, it would end nobody knows where. Its neighbours go on."""
    mail = mails(offers=("8BITMIME",))
    server = start(serve, mail)
    failed = server.settled(send(server, to="Jörg <jörg@example.org>"), "FAILED")
    assert "takes no address with letters beyond ASCII" in failed["last_error"] and failed["attempts"][0]["http_status"] is None
    server.settled(send(server, to="Jörg <joerg@example.org>"), "COMPLETED")
    failed = server.settled(send(server, to="ada@bücher.example"), "FAILED")
    assert "xn--" in failed["last_error"]
    assert [got.recipient for got in mail.mails] == ["joerg@example.org"] and mail.words().count("MAIL") == 1
    shown = server.get("/v1/destinations/mail").json
    assert shown["paused"] is False and shown["breaker"] == "closed"


def test_addresses_beyond_ascii_are_told_as_such(serve, mails):
    mail = mails()
    server = start(serve, mail)
    server.settled(send(server, to="Jörg <jörg@bücher.example>"), "COMPLETED")
    [got] = mail.mails
    assert "SMTPUTF8" in got.options and got.recipient.startswith("jörg@")
    assert "<jörg@bücher.example>\r\n".encode() in got.data
