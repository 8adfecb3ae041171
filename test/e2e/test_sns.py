"""Messages of Amazon SNS: signed by a key whose certificate is fetched, through a tunnel that ends at a test's own
Amazon. Two validators of other people agree with every message that is taken here."""
import datetime
import itertools
import json

import pytest

from harness import until
from receiver import Receiver, answer
from test_proxy import Tunnels
from test_sources import counted, node, post, the_event

HOST = "https://sns.us-east-1.amazonaws.com"
PATH = "/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
TOPIC = "arn:aws:sns:us-east-1:123456789012:bounces"
CALL = f"/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336"


class Amazon:
    """What answers for every host behind the tunnel, with a certificate of the test's own authority."""

    def __init__(self, authority):
        context = authority.sign("amazon", "DNS:sns.us-east-1.amazonaws.com,DNS:sns.eu-west-1.amazonaws.com")
        authority.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=sns.amazonaws.com",
                          "-keyout", "signer.key", "-out", "signer.pem")
        self.key, self.certificate = ((authority.folder / name).read_text() for name in ("signer.key", "signer.pem"))
        self.ca = (authority.folder / "ca.pem").read_text()
        self.web = Receiver(context)
        self.tunnels = Tunnels(to=("127.0.0.1", self.web.port))
        self.web.script(PATH, answer(200, self.certificate.encode()))

    def source(self, **more):
        return {"sources": {"ses": {"type": "sns", "topic": TOPIC, "ca": "${OWN_CA}",
                                    "proxy": f"http://127.0.0.1:{self.tunnels.port}", **more}}, "env": {"OWN_CA": self.ca}}

    def messages(self, *fields, version="2"):
        """Bodies, each taken by two other implementations."""
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        base = {"Type": "Notification", "MessageId": "m-1", "TopicArn": TOPIC, "Message": "{}", "Timestamp": now,
                "SigningCertURL": HOST + PATH}
        return node(*({"with": "sns", "version": version, "key": self.key, "certificate": self.certificate,
                       "message": {**base, **one}} for one in fields))

    def subscription(self, **more):
        [body] = self.messages({"Type": "SubscriptionConfirmation", "Token": "2336", "SubscribeURL": HOST + CALL,
                                "Message": "You have chosen to subscribe.\nVisit the SubscribeURL.", **more})
        return body

    def close(self):
        self.tunnels.shutdown()
        self.tunnels.server_close()
        self.web.close()


@pytest.fixture
def amazon(authority):
    amazon = Amazon(authority)
    yield amazon
    amazon.close()


def send(server, body):
    return post(server, "/in/ses", body.encode(), {"Content-Type": "text/plain; charset=UTF-8"})


def taken(server, body):
    """As Amazon does: again after a 503."""
    def is_taken():
        answer = send(server, body)
        assert answer.status in (200, 503), answer
        return answer if answer.status == 200 else None
    return counted(until(is_taken, "the message to be taken"))


def test_a_place_leads_into_the_message(serve, amazon):
    server = serve(**amazon.source(map={"type": "/Message/Trigger/MetricName", "key": ".Message | fromjson | .AlarmArn"}))
    [body] = amazon.messages({"Message": json.dumps({"Trigger": {"MetricName": "CPU"}, "AlarmArn": "arn:a"})})
    assert taken(server, body) == (1, 0, 0)
    assert the_event(server, "ses:arn:a")["type"] == "ses.CPU"


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_notification_of_each_version(serve, amazon, version):
    server = serve(**amazon.source())
    bounce, plain, again = amazon.messages(
        {"MessageId": "m-b", "Subject": "Grüße", "Message": json.dumps({"eventType": "Bounce", "text": "é\n\u2028"})},
        {"MessageId": "m-p", "Message": "words alone"}, {"MessageId": "m-b", "Message": "other words"}, version=version)
    first = send(server, bounce)
    assert (first.status, first.json["code"]) == (503, "E0139") and int(first.headers["Retry-After"]) > 0, first
    assert taken(server, bounce) == (1, 0, 0)
    found = the_event(server, "ses:m-b")
    assert (found["type"], found["payload"]) == ("ses.Bounce", json.loads(bounce))
    assert taken(server, plain) == (1, 0, 0) and the_event(server, "ses:m-p")["type"] == "ses.event"
    assert taken(server, again) == (0, 1, 0)
    assert [request.path for request in amazon.web.requests] == [PATH]  # one fetch for all
    assert set(amazon.tunnels.asked) == {"sns.us-east-1.amazonaws.com"}
    [line] = [one for one in server.log() if one["event"] == "certificate_fetched"]
    assert (line["source"], line["url"]) == ("ses", HOST + PATH)


def test_what_was_changed_is_refused_here_as_by_the_validators(serve, amazon):
    server = serve(**amazon.source())
    good, other = amazon.messages({"Message": "hello", "Subject": "s"}, {"TopicArn": TOPIC + "2", "Message": "hello"})
    assert taken(server, good) == (1, 0, 0)
    changes = [("hello", "hellp"), ('"Subject":"s"', '"Subject":"t"'), ("m-1", "m-2"), ("Notification", "Notificatiom"),
               ('"SignatureVersion":"2"', '"SignatureVersion":"1"'), ("Timestamp", "Tim\u0435stamp")]
    bodies = [good.replace(*change) for change in changes]
    jobs = ({"with": "sns-verify", "body": body, "certificate": amazon.certificate} for body in bodies)
    assert all(True not in verdicts for verdicts in node(*jobs))
    for body in [*bodies, other]:
        answer = send(server, body)
        assert (answer.status, answer.json["code"]) == (401, "E0135"), (body, answer)
    assert len(server.every("/v1/events")) == 1 and len(amazon.web.requests) == 1
    assert "topic" in server.get("/v1/sources/ses").json["last_refused"]["why"]


def test_nothing_is_fetched_from_elsewhere(serve, amazon):
    server = serve(**amazon.source())
    [good] = amazon.messages({"Message": "hello"})
    for url in ("https://sns.us-east-1.amazonaws.com.evil.example/a.pem", "http://sns.us-east-1.amazonaws.com/a.pem",
                "https://evil.example/a.pem", "https://sns.us-east-1.amazonaws.com@evil.example/a.pem",
                "https://sns.eu-west-1.amazonaws.com/a.pem", f"{HOST}/a/..{PATH}", f"{HOST}/{PATH}"):
        assert send(server, good.replace(HOST + PATH, url)).status == 401
    assert send(server, good.replace(TOPIC, TOPIC + "x").replace(PATH, "/other.pem")).status == 401
    assert amazon.tunnels.asked == [] and amazon.web.requests == []


def test_a_subscription_is_confirmed_once_and_listed(serve, amazon):
    server = serve(**amazon.source())
    body = amazon.subscription()
    assert taken(server, body) == (0, 1, 0)  # it was stored when its URL had answered
    assert len(amazon.web.of(CALL)) == 1
    assert taken(server, body) == (0, 1, 0) and len(amazon.web.of(CALL)) == 1
    [found] = server.every("/v1/events?type=ses.SubscriptionConfirmation")
    assert (found["idempotency_key"], found["payload"]) == ("ses:m-1", json.loads(body))
    [line] = [one for one in server.log() if one["event"] == "subscription_confirmed"]
    assert (line["source"], line["url"]) == ("ses", HOST) and "2336" not in server.text
    [leaving] = amazon.messages({"Type": "UnsubscribeConfirmation", "MessageId": "m-2", "Token": "1",
                                 "SubscribeURL": HOST + CALL, "Message": "You have left."})
    assert taken(server, leaving) == (1, 0, 0) and len(amazon.web.of(CALL)) == 1
    assert the_event(server, "ses:m-2")["type"] == "ses.UnsubscribeConfirmation"


def test_a_confirmation_that_fails_is_tried_again_and_survives_a_kill(serve, amazon):
    amazon.web.script(CALL, answer(500), answer(200))
    server = serve(**amazon.source())
    body = amazon.subscription()
    until(lambda: send(server, body).json["code"] == "E0140", "the certificate")
    until(lambda: [one for one in server.log() if one["event"] == "subscription_refused"], "the first call")
    assert server.every("/v1/events") == []  # what was not confirmed was not answered 2xx either
    server.kill()
    server.start()
    assert taken(server, body) == (0, 1, 0) and len(amazon.web.of(CALL)) == 2
    assert len(server.every("/v1/events")) == 1


def test_a_certificate_that_cannot_be_had_or_is_none(serve, amazon, authority):
    amazon.web.script(PATH, answer(404, b"<html>"))
    server = serve(**amazon.source())
    [body] = amazon.messages({"Message": "hello"})
    assert send(server, body).status == 503
    [line] = until(lambda: [one for one in server.log() if one["event"] == "certificate_refused"], "the refusal")
    assert "404" in line["why"]
    refused = send(server, body)
    assert refused.status == 503 and "404" in refused.json["detail"], refused
    assert len(amazon.web.requests) == 1  # not asked for again within a minute
    authority.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x",
                      "-keyout", "curve.key", "-out", "curve.pem")
    amazon.web.script("/curve.pem", answer(200, (authority.folder / "curve.pem").read_bytes()))
    other = body.replace(PATH, "/curve.pem")
    assert send(server, other).status == 503
    refused = until(lambda: (found := send(server, other)).json["detail"].startswith("its key") and found, "the curve")
    assert "RSA" in refused.json["detail"]
    assert server.every("/v1/events") == []


def test_a_server_that_is_not_amazons_is_not_believed(serve, amazon):
    config = amazon.source()
    config["sources"]["ses"].pop("ca")
    server = serve(**config)
    [body] = amazon.messages({"Message": "hello"})
    assert send(server, body).status == 503
    until(lambda: [one for one in server.log() if one["event"] == "certificate_refused"], "the refusal")
    assert amazon.web.requests == [] and server.every("/v1/events") == []


def test_strangers_cannot_have_many_certificates_asked_for(serve, amazon):
    server = serve(**amazon.source())
    [body] = amazon.messages({"Message": "hello"})
    assert taken(server, body) == (1, 0, 0)
    for n in range(60):
        assert send(server, body.replace(PATH, f"/{n}.pem")).status == 503
    until(lambda: len(amazon.web.requests) >= 2, "some of them")
    assert send(server, body).status == 200  # what is good stays
    assert len(amazon.web.requests) <= 1 + 16


def test_certificates_that_proved_nothing_push_none_out_that_did(serve, amazon):
    server = serve(**amazon.source())
    [body] = amazon.messages({"Message": "hello"})
    assert taken(server, body) == (1, 0, 0)
    junk = [f"/{n}.pem" for n in range(40)]
    for path in junk:
        amazon.web.script(path, answer(200, amazon.certificate.encode()))
    numbers = itertools.cycle(junk)

    def many_were_fetched():
        send(server, body.replace(PATH, next(numbers)).replace("hello", "hellp"))
        return len(amazon.web.requests) >= 12
    until(many_were_fetched, "many fetches that succeed")
    assert send(server, body).status == 200
    for path in junk * 2:
        assert send(server, body.replace(PATH, path).replace("hello", "hellp")).status in (401, 503)
    assert send(server, body).status == 200
    assert len(amazon.web.of(PATH)) == 1 and len(amazon.web.requests) <= 1 + 16  # each rests for a minute


def test_nobody_but_amazon_makes_samples(serve, amazon):
    server = serve(**amazon.source())
    for words in (["trigger", "ses"], ["sources", "test", "ses"]):
        got = server.cli(*words)
        assert got.code == 1 and "only Amazon SNS can sign" in got.err and f"--topic-arn {TOPIC}" in got.err, got
    assert "certificate" in server.cli("sources", "types").out
