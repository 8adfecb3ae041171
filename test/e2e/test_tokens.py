"""Tokens against a strict authorisation server (tokens.py): fetched when first needed, renewed, refused, lost."""
import json
import pathlib
import re
import socket
import sqlite3
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest

from harness import BINARY, Server, command, environment, until
from receiver import answer, silence
from tokens import CLIENT, CLIENT_CREDENTIALS, CLIENT_SECRET, CONNECTOR, KEY, SESSION, Provider, config


CONFLICT = 5


@pytest.fixture
def shop(folder, receiver):
    """shop(provider) is a server whose connector asks it for tokens, not started yet."""
    servers = []

    def make(provider, connector=CONNECTOR, first=None, **more):
        home = folder / f"shop{len(servers)}"
        (home / "connectors").mkdir(parents=True)
        (home / "connectors/shop.yaml").write_text(connector)
        begins = connector == CONNECTOR
        env = {"SHOP_SECRET": CLIENT_SECRET, "DRUMBEAT_TOKEN_KEY": KEY}
        if begins:
            env["SHOP_FIRST"] = first or provider.fresh_refresh()
        server = Server(home, env=env, **config(receiver, first=begins, **more))
        servers.append(server)
        return server

    yield make
    for server in servers:
        server.close()


def told(server, event):
    return [line for line in server.log() if line.get("event") == event]


def shown(server):
    return server.get("/v1/destinations/it").json


def paused(server):
    return until(lambda: shown(server)["pause_reason"], lambda: f"the destination to be paused:\n{server.text}")


def send(server, **fields):
    return server.send(payload={"email": "ada@example.com"}, **fields)


def nothing_leaks(server, provider):
    """Neither in the log nor in what the API says, nor open in the store."""
    texts = [server.text, json.dumps(server.get("/v1/destinations").json), json.dumps(server.get("/v1/status").json),
             json.dumps(server.get("/v1/deliveries").json), json.dumps(server.every("/v1/events"))]
    texts += [pathlib.Path(path).read_bytes().decode("latin-1") for path in server.store.parent.glob("*")
              if path.is_file()]
    texts.append(pathlib.Path(f"/proc/{server.pid}/cmdline").read_text())
    for text in texts:
        for secret in provider.secrets | {KEY}:
            assert secret not in text


def test_it_is_fetched_when_first_needed_and_kept(shop, receiver):
    provider = Provider(receiver)
    server = shop(provider).start()
    assert provider.refreshes == 0
    for _ in range(3):
        server.settled(send(server), "COMPLETED")
    assert provider.refreshes == 1 and provider.denied == 0
    server.kill()
    server.start()
    server.settled(send(server), "COMPLETED")
    assert provider.refreshes == 1, "the one in the store was good"
    nothing_leaks(server, provider)


def test_it_is_renewed_before_it_ends(shop, receiver):
    provider = Provider(receiver, life=2)
    server = shop(provider).start()

    def renewed():
        server.settled(send(server), "COMPLETED")
        return provider.refreshes >= 4
    until(renewed, "four tokens", seconds=30)
    assert provider.reused == 0 and provider.denied == 0 and set(provider.effects.values()) == {1}
    nothing_leaks(server, provider)


def test_client_credentials_live_in_memory(shop, receiver):
    provider = Provider(receiver)
    server = shop(provider, CLIENT_CREDENTIALS)
    del server.env["DRUMBEAT_TOKEN_KEY"]
    server.start()
    server.settled(send(server), "COMPLETED")
    server.settled(send(server), "COMPLETED")
    assert len(receiver.of("/token")) == 1
    nothing_leaks(server, provider)
    server.kill()
    assert sqlite3.connect(server.store).execute("SELECT count(*) FROM tokens").fetchone() == (0,)


def test_a_refused_token_is_replaced_and_costs_no_retry(shop, receiver):
    provider = Provider(receiver, life=None)
    server = shop(provider).start()
    server.settled(send(server), "COMPLETED")
    provider.end_access()
    settled = server.settled(send(server), "COMPLETED")
    assert settled["retry_count"] == 0 and [one["http_status"] for one in settled["attempts"]] == [401, 200]
    assert provider.refreshes == 2 and not told(server, "destination_changed")


def test_a_second_refusal_pauses(shop, receiver):
    provider = Provider(receiver)
    server = shop(provider).start()
    receiver.script("/send", answer(401, b'{"error": "no such user"}'))
    event = send(server)
    assert "no such user" in paused(server)
    assert len(receiver.of("/send")) == 2 and provider.refreshes == 2
    delivery = server.delivery(event)
    assert delivery["status"] == "PENDING" and delivery["retry_count"] == 0
    receiver.script("/send", provider.send)
    assert server.cli("destinations", "resume", "it").code == 0
    server.settled(event, "COMPLETED")
    nothing_leaks(server, provider)


def test_a_revoked_login_pauses_once_and_says_what_to_do(shop, receiver):
    provider = Provider(receiver)
    server = shop(provider).start()
    server.settled(send(server), "COMPLETED")
    provider.revoke()
    events = [send(server) for _ in range(3)]
    reason = paused(server)
    assert "its login ended" in reason and "drumbeat destinations login it" in reason and "is not good any more" in reason
    assert [server.delivery(event)["retry_count"] for event in events] == [0, 0, 0]
    assert len([line for line in told(server, "destination_changed") if line["paused"] == "yes"]) == 1
    assert "login" in json.dumps(server.get("/v1/status").json["troubled"])
    assert provider.refreshes == 2
    nothing_leaks(server, provider)


TROUBLES = {
    "down": answer(503, b"<html>busy</html>"), "a page": answer(200, b"<html>Sign in</html>"), "nothing": answer(200, b""),
    "refused by a proxy": answer(403, b"<html>blocked</html>"), "limited": answer(429, b"", "Retry-After: 1"),
    "a token that has ended": answer(200, b'{"access_token": "over", "expires_in": 0.000001}'),
}


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES.keys())
def test_trouble_spends_nothing_and_is_told_once(shop, receiver, trouble):
    provider = Provider(receiver)
    provider.before = [trouble, trouble]
    server = shop(provider).start()
    settled = server.settled(send(server), "COMPLETED")
    assert settled["retry_count"] == 0 and len(settled["attempts"]) == 1
    assert len(told(server, "token_trouble")) == 1 and len(told(server, "token_back")) == 1
    assert len(receiver.of("/token")) == 3 and not told(server, "destination_changed")


def test_a_slow_one_keeps_nobody_else(shop, receiver):
    provider = Provider(receiver)
    provider.before = [silence()]
    server = shop(provider)
    both = config(receiver)
    both["destinations"]["crm"] = {"url": receiver.url("/hook"), "allow_private": "true"}
    both["routes"]["all"]["to"].append("crm")
    server.configure(**both)
    server.start()
    event = send(server)
    until(lambda: receiver.of("/hook"), "the other delivery")
    until(lambda: len(receiver.of("/token")) == 1, "the request for a token")
    waiting = [one for one in server.deliveries(event) if one["destination"] == "it"]
    assert [one["status"] for one in waiting] == ["PENDING"] and not receiver.of("/send")


def test_killed_before_the_answer_and_the_provider_forgives(shop, receiver):
    """The provider rotated, and the process that asked is dead: it asks again with the old one."""
    provider = Provider(receiver, lenient=True)
    server = shop(provider).start()
    taken = cut_off(server, provider)
    server.start()
    server.settled(taken, "COMPLETED")
    assert provider.refreshes == 3 and set(provider.effects.values()) == {1}


def test_killed_before_the_answer_and_the_provider_does_not(shop, receiver):
    provider = Provider(receiver)
    server = shop(provider).start()
    taken = cut_off(server, provider)
    server.start()
    reason = paused(server)
    assert "an earlier answer was lost" in reason and "destinations login it" in reason
    assert server.delivery(taken)["retry_count"] == 0 and server.delivery(taken)["status"] == "PENDING"


def test_killed_before_the_answer_and_a_session_begins_anew(shop, receiver):
    provider = Provider(receiver)
    server = shop(provider, SESSION).start()
    taken = cut_off(server, provider, first=0)
    server.start()
    server.settled(taken, "COMPLETED")
    assert provider.reused == 1 and not told(server, "destination_changed")


def cut_off(server, provider, first=1):
    """Ends with kill -9 after the provider gave another refresh token and before anybody heard of it."""
    server.settled(send(server), "COMPLETED")
    provider.end_access()

    def rotate_and_die(exchange):
        with provider.lock:
            status, _ = provider.judged(exchange.request)
        assert status == 200
        server.kill()
        return False
    provider.before = [rotate_and_die]
    taken = send(server)
    until(lambda: server.process is None or server.process.poll() is not None, "the end of the server")
    return taken


def test_without_the_key_it_does_not_start(shop, receiver):
    server = shop(Provider(receiver))
    for key, words in ((None, "was not found"), ("short", "it is not 32 bytes in base64")):
        server.env.pop("DRUMBEAT_TOKEN_KEY", None)
        if key:
            server.env["DRUMBEAT_TOKEN_KEY"] = key
        got = server.cli("check")
        assert got.code == 3 and "E0359" in got.err + got.out and words in got.err + got.out, got
        assert "openssl rand -base64 32" in got.err + got.out
    assert command(server.folder, "explain", "E0359").code == 0


def test_with_another_key_the_token_is_lost_and_said_so(shop, receiver):
    provider = Provider(receiver)
    server = shop(provider).start()
    server.settled(send(server), "COMPLETED")
    server.kill()
    server.env["DRUMBEAT_TOKEN_KEY"] = KEY.swapcase()
    server.start()
    send(server)
    assert "sealed with another DRUMBEAT_TOKEN_KEY" in paused(server)


def test_a_login_that_ends_soon_is_told(shop, receiver):
    provider = Provider(receiver, login_life=6 * 86400)
    server = shop(provider).start()
    server.settled(send(server), "COMPLETED")
    server.settled(send(server), "COMPLETED")
    line, = told(server, "login_expires")
    assert line["destination"] == "it" and "destinations login it" in line["help"]
    [item] = [one for one in server.get("/v1/todo").json["items"] if one["cause"] == "login"]
    assert (item["name"], item["command"]) == ("it", "drumbeat destinations login it")
    until(lambda: "drumbeat_login_expires_seconds{" in server.get("/metrics").body.decode(), "the number")
    [left] = re.findall(r'drumbeat_login_expires_seconds{destination="it"} (\S+)', server.get("/metrics").body.decode())
    assert 5.9 * 86400 < float(left) <= 6 * 86400
    assert shown(server)["paused"] is False


@pytest.mark.parametrize("end", ["none", "kill"])
def test_one_of_many_processes_asks_for_all(fleets, database, receiver, end):
    provider = Provider(receiver, life=2)
    env = {"SHOP_SECRET": CLIENT_SECRET, "DRUMBEAT_TOKEN_KEY": KEY, "SHOP_FIRST": provider.fresh_refresh()}
    fleet = fleets({"store": database, **config(receiver)}, {"connectors/shop.yaml": CONNECTOR}, env)
    servers = fleet.start("all", "all", "all")
    events = []

    def renewed():
        events.extend(server.send(payload={"email": "ada@example.com"}) for server in servers)
        return provider.refreshes >= 5
    until(renewed, "five tokens", seconds=60)
    if end == "kill":
        servers[0].kill()
        events.extend(server.send(payload={"email": "ada@example.com"}) for server in servers[1:])
    for event in events:
        servers[-1].settled(event, "COMPLETED")
    assert provider.reused == 0, "no refresh token was used twice"
    assert len(provider.effects) == len(events)


class Login:
    """`destinations login it` under way, and the browser that follows its address."""

    def __init__(self, server, *arguments, stdin=subprocess.PIPE):
        self.process = subprocess.Popen([BINARY, "destinations", "login", "it", *arguments], cwd=server.folder, text=True,
                                        stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env=environment(server.folder, server.env))
        self.address = self.process.stdout.readline().strip()
        self.asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.address).query))

    def back(self, provider, **more):
        """Where the provider sends the browser after a yes."""
        code = provider.allow(self.asked["code_challenge"], self.asked["redirect_uri"])
        return self.asked["redirect_uri"] + "?" + urllib.parse.urlencode({"code": code, "state": self.asked["state"], **more})

    def visit(self, address):
        try:
            with urllib.request.urlopen(address, timeout=5) as page:
                return page.status, page.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()

    def end(self, text=None):
        out, err = self.process.communicate(text, timeout=30)
        assert "Sanitizer" not in err, err
        return self.process.returncode, out + err


def unused_port():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


@pytest.fixture
def waiting(shop, receiver):
    """A server whose destination has no token yet, and a delivery that waits for one."""
    provider = Provider(receiver, login_life=86400 * 365)
    server = shop(provider)
    server.configure(**config(receiver, first=False))
    server.start()
    event = send(server)
    assert "it has no token yet: drumbeat destinations login it" in paused(server)
    assert not receiver.of("/send") and not receiver.of("/token")
    return provider, server, event


def logins(server):
    return [(one["name"], one["count"], one["command"]) for one in server.get("/v1/todo").json["items"]
            if one["cause"] == "login"]


def test_what_has_no_login_says_so_from_the_start(shop, receiver):
    provider = Provider(receiver, login_life=86400 * 365)
    server = shop(provider)
    chat = {"url": receiver.url("/chat"), "allow_private": "true"}
    given = config(receiver, first=False)
    server.configure(**{**given, "destinations": {**given["destinations"], "chat": chat}},
                     alerts={"to": [{"chat": {"body": {"text": "${.text}"}}}]})
    server.start()
    command = "drumbeat destinations login it"
    assert logins(server) == [("it", 0, command)], "before anything is to be sent"
    until(lambda: [one for one in receiver.of("/chat") if command in json.loads(one.body)["text"]], "the alert")
    assert f"! it: it has no login yet; {command}" in server.cli("status").out
    event = send(server)
    paused(server)
    assert logins(server) == [("it", 1, command)] and "destinations resume" not in server.cli("status").out
    assert "destinations resume" not in server.cli("events", "show", event).out
    server.restart()
    assert logins(server) == [("it", 1, command)]
    refused = server.cli("destinations", "resume", "it")
    assert refused.code == CONFLICT and command in refused.err and shown(server)["paused"] is True, refused
    login = Login(server, "--redirect", "https://shop.example/done")
    assert login.end(login.back(provider) + "\n")[0] == 0
    server.settled(event, "COMPLETED")
    until(lambda: not logins(server), lambda: f"nothing to be left: {logins(server)}")
    server.restart()
    assert logins(server) == []
    assert server.cli("destinations", "resume", "it").code == 0


def test_a_check_knows_what_has_no_login(shop, receiver):
    provider = Provider(receiver, login_life=86400 * 365)
    server = shop(provider)
    server.configure(**config(receiver, first=False))
    text = (server.folder / "drumbeat.yaml").read_text().splitlines()
    line, = [at for at, words in enumerate(text, 1) if '"it":' in words]
    got = server.cli("check")
    assert "W0360" not in got.err and "once the server runs, drumbeat destinations login it" in got.err, got
    assert not server.store.exists(), "a check makes no store"
    server.start()
    assert "login" not in server.cli("check").err, "while a server runs, it tells itself"
    server.kill()
    store = server.store.read_bytes()
    got = server.cli("check")
    assert got.code == 0 and f"drumbeat.yaml:{line}:" in got.err and "warning W0360" in got.err, got
    assert "drumbeat destinations login it" in got.err and server.store.read_bytes() == store
    server.start()
    login = Login(server, "--redirect", "https://shop.example/done")
    assert login.end(login.back(provider) + "\n")[0] == 0
    server.kill()
    assert "login" not in server.cli("check").err


def test_a_login_that_ended_is_mended_by_a_login_and_may_be_tried(shop, receiver):
    provider = Provider(receiver)
    server = shop(provider).start()
    server.settled(send(server), "COMPLETED")
    assert logins(server) == []
    provider.revoke()
    send(server)
    assert "drumbeat destinations login it" in paused(server)
    assert logins(server) == [("it", 1, "drumbeat destinations login it")]
    assert server.cli("destinations", "resume", "it").code == 0, "the provider may have been wrong"


def test_a_login_by_the_browser_of_this_machine(waiting):
    provider, server, event = waiting
    login = Login(server, "--port", str(unused_port()), stdin=subprocess.DEVNULL)
    assert login.asked["code_challenge_method"] == "S256" and login.asked["client_id"] == CLIENT
    assert login.visit(login.asked["redirect_uri"] + "?code=other&state=guessed")[0] == 400
    status, page = login.visit(login.back(provider))
    assert status == 200 and "close this page" in page
    code, said = login.end()
    assert code == 0 and "logged in it until" in said, said
    server.settled(event, "COMPLETED")
    assert shown(server)["login_expires"] and shown(server)["paused"] is False
    assert not any(secret in said for secret in provider.secrets)
    assert any(act["act"] == "destination.login" for act in server.every("/v1/audit"))
    nothing_leaks(server, provider)


@pytest.mark.parametrize("paste", ["address", "code"])
def test_a_login_without_a_browser_on_the_server(waiting, paste):
    provider, server, event = waiting
    login = Login(server, "--redirect", "https://shop.example/done")
    assert login.asked["redirect_uri"] == "https://shop.example/done"
    address = login.back(provider)
    code, said = login.end({"address": address, "code": re.search("code=([^&]*)", address).group(1)}[paste] + "\n")
    assert code == 0, said
    server.settled(event, "COMPLETED")


def test_an_address_of_another_login_is_not_taken(waiting):
    provider, server, event = waiting
    login = Login(server, "--redirect", "https://shop.example/done")
    address = login.back(provider).replace(login.asked["state"], "another")
    code, said = login.end(address + "\n")
    assert code == 10 and "its state is another one" in said and provider.refreshes == 0, said


def test_a_login_that_is_not_allowed(waiting):
    provider, server, event = waiting
    login = Login(server, "--redirect", "https://shop.example/done")
    code, said = login.end(f"https://shop.example/done?error=access_denied&state={login.asked['state']}\n")
    assert code == 11 and "access_denied" in said


def test_a_code_that_is_not_good_keeps_what_there_is(waiting):
    provider, server, event = waiting
    login = Login(server, "--redirect", "https://shop.example/done")
    code, said = login.end("a-code-of-nobody\n")
    assert code == 1 and "no token was given for the code: answered 400: invalid_grant" in said
    assert shown(server)["paused"] is True


def test_a_revoked_login_is_mended_by_another(shop, receiver):
    provider = Provider(receiver)
    server = shop(provider).start()
    server.settled(send(server), "COMPLETED")
    provider.revoke()
    event = send(server)
    paused(server)
    login = Login(server, "--redirect", "https://shop.example/done")
    assert login.end(login.back(provider) + "\n")[0] == 0
    server.settled(event, "COMPLETED")
    server.kill()
    provider.end_access()
    server.start()
    server.settled(send(server), "COMPLETED")
    assert provider.reused == 0, "the login's own refresh token, not the one that the configuration began with"


def test_a_login_that_cannot_be_renewed_lasts_as_long_as_its_token(waiting, receiver):
    provider, server, event = waiting
    provider.renews, provider.login_life, provider.life = False, None, 60 * 86400
    login = Login(server, "--redirect", "https://shop.example/done")
    code, said = login.end(login.back(provider) + "\n")
    assert code == 0 and "logged in it until" in said, said
    server.settled(event, "COMPLETED")
    assert shown(server)["login_expires"] == shown(server)["token_expires"]
    server.kill()
    server.start()
    server.settled(send(server), "COMPLETED")
    provider.end_access()
    event = send(server)
    assert paused(server) == "its login ended, and it cannot be renewed: drumbeat destinations login it"
    assert server.delivery(event)["retry_count"] == 0 and provider.refreshes == 0
    login = Login(server, "--redirect", "https://shop.example/done")
    assert login.end(login.back(provider) + "\n")[0] == 0
    server.settled(event, "COMPLETED")
    nothing_leaks(server, provider)


def test_a_token_of_an_hour_alone_is_no_login(waiting):
    provider, server, event = waiting
    provider.renews, provider.login_life = False, None
    login = Login(server, "--redirect", "https://shop.example/done")
    code, said = login.end(login.back(provider) + "\n")
    assert code == 1 and "let the app ask for offline access" in said, said
    assert shown(server)["paused"] is True


def test_a_request_by_hand_has_a_token_of_its_own(shop, receiver):
    provider = Provider(receiver)
    server = shop(provider, CLIENT_CREDENTIALS)
    shown_only = server.cli("destinations", "test", "it.send")
    assert "Bearer ${token}" in shown_only.out and not receiver.of("/token")
    got = server.cli("destinations", "test", "it.send", "--send")
    assert got.code == 0 and "done" in got.out and "Bearer ${token}" in got.out, got
    [request] = receiver.of("/send")
    assert request["Authorization"].removeprefix("Bearer ") in provider.secrets
    assert not any(secret in got.out + got.err for secret in provider.secrets)
    provider.before.append(answer(400, b'{"error": "invalid_client"}'))
    got = server.cli("destinations", "test", "it.send", "--send")
    assert got.code == 1 and "no token was given: answered 400: invalid_client" in got.err, got
    assert len(receiver.of("/send")) == 1


def test_a_request_by_hand_does_not_use_up_a_login(shop, receiver):
    provider = Provider(receiver)
    server = shop(provider)
    got = server.cli("destinations", "test", "it.send", "--send")
    assert got.code == 1 and "needs a login, whose token only the server has" in got.err, got
    assert not receiver.requests


def test_one_that_needs_no_login_says_so(shop, receiver):
    server = shop(Provider(receiver), CLIENT_CREDENTIALS)
    got = server.cli("destinations", "login", "it")
    assert got.code == 2 and "needs no login" in got.err
    assert server.cli("destinations", "login", "other").code == 4
