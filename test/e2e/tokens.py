"""An authorisation server as strict as RFC 6749 and RFC 9700 let one be, and the API that it guards, on one receiver.

A refresh token is good once. One that comes again ends all that grew from its login, as it does where reuse is detected.
"""
import base64
import json
import threading
import urllib.parse

from receiver import answer

CLIENT, CLIENT_SECRET = "client-1", "canary-client-secret-71"
KEY = base64.b64encode(bytes(range(32))).decode()

CONNECTOR = """version: 1
name: shop
fields:
  server: {required: true}
  id: {required: true}
  secret: {secret: true, required: true}
  first: {secret: true}
auth:
  bearer: "${token}"
  token:
    seed: "${field.first}"
    refresh:
      url: "${field.server}/token"
      basic: {user: "${field.id}", password: "${field.secret}"}
      form: {grant_type: refresh_token, refresh_token: "${token.refresh}"}
    login:
      ask:
        url: "${field.server}/allow"
        query:
          response_type: code
          client_id: "${field.id}"
          redirect_uri: "${login.redirect}"
          state: "${login.state}"
          code_challenge: "${login.verifier | challenge}"
          code_challenge_method: S256
      exchange:
        url: "${field.server}/token"
        basic: {user: "${field.id}", password: "${field.secret}"}
        form:
          grant_type: authorization_code
          code: "${login.code}"
          redirect_uri: "${login.redirect}"
          code_verifier: "${login.verifier}"
error: .error
actions:
  send:
    params: {text: {type: text, required: true}}
    request: {url: "${field.server}/send", json: {text: "${.text}", id: "${delivery.id}"}}
    idempotency: {field: /key, keep: forever}
"""
# The same with a token for the client's credentials alone.
CLIENT_CREDENTIALS = CONNECTOR[:CONNECTOR.index("    seed:")] + """    get:
      url: "${field.server}/token"
      basic: {user: "${field.id}", password: "${field.secret}"}
      form: {grant_type: client_credentials}
""" + CONNECTOR[CONNECTOR.index("error: .error"):]
# And with a session: made from the credentials, renewed, and made anew when that is refused.
SESSION = CLIENT_CREDENTIALS.replace("error: .error", """    refresh:
      url: "${field.server}/token"
      basic: {user: "${field.id}", password: "${field.secret}"}
      form: {grant_type: refresh_token, refresh_token: "${token.refresh}"}
error: .error""")


class Provider:
    """`life` is what it says of each access token, in seconds; None = it says nothing."""

    def __init__(self, receiver, life=3600, lenient=False, login_life=None):
        self.receiver, self.life, self.lenient, self.login_life = receiver, life, lenient, login_life
        self.lock = threading.Lock()
        self.made, self.refreshes, self.reused, self.effects, self.denied = 0, 0, 0, {}, 0
        self.good, self.current, self.spent, self.codes = set(), set(), set(), {}
        self.renews = True  # gives refresh tokens
        self.before = []  # behaviours that answer in place of the next requests for a token
        self.secrets = {CLIENT_SECRET}
        receiver.script("/token", self.token)
        receiver.script("/send", self.send)

    def fresh_refresh(self):
        with self.lock:
            return self.new_refresh()

    def new_refresh(self):
        self.made += 1
        text = f"canary-refresh-{self.made:04}-0123456789"
        self.current.add(text)
        self.secrets.add(text)
        return text

    def new_access(self):
        self.made += 1
        text = f"canary-access-{self.made:04}-0123456789"
        self.good.add(text)
        self.secrets.add(text)
        return text

    def allow(self, challenge, redirect):
        """A person said yes: the code."""
        with self.lock:
            self.made += 1
            code = f"canary-code-{self.made:04}-0123456789"
            self.codes[code] = (challenge, redirect)
            self.secrets.add(code)
            return code

    def end_access(self):
        """All access tokens end before their time."""
        with self.lock:
            self.good.clear()

    def revoke(self):
        with self.lock:
            self.good.clear()
            self.current.clear()

    def judged(self, request):
        fields = dict(urllib.parse.parse_qsl(request.body.decode()))
        wanted = "Basic " + base64.b64encode(f"{CLIENT}:{CLIENT_SECRET}".encode()).decode()
        if request["Authorization"] != wanted:
            return 401, {"error": "invalid_client"}
        body = {"token_type": "bearer", "access_token": None}
        if self.life is not None:
            body["expires_in"] = self.life
        if fields["grant_type"] == "refresh_token":
            self.refreshes += 1
            old = fields["refresh_token"]
            if old in self.spent and not self.lenient:
                self.reused += 1
                self.current.clear()
                self.good.clear()
            if old not in self.current and not (self.lenient and old in self.spent):
                return 400, {"error": "invalid_grant", "error_description": f"{old} is not good any more"}
            self.current.discard(old)
            self.spent.add(old)
        elif fields["grant_type"] == "authorization_code":
            import hashlib
            challenge, redirect = self.codes.pop(fields["code"], (None, None))
            digest = hashlib.sha256(fields["code_verifier"].encode()).digest()
            if base64.urlsafe_b64encode(digest).decode().rstrip("=") != challenge or fields["redirect_uri"] != redirect:
                return 400, {"error": "invalid_grant"}
        elif fields["grant_type"] != "client_credentials":
            return 400, {"error": "unsupported_grant_type"}
        body["access_token"] = self.new_access()
        if self.renews:
            body["refresh_token"] = self.new_refresh()
        if self.login_life:
            body["refresh_token_expires_in"] = self.login_life
        return 200, body

    def token(self, exchange):
        with self.lock:
            behaviour = self.before.pop(0) if self.before else None
        if behaviour:
            return behaviour(exchange)
        return self.tell(exchange)

    def tell(self, exchange):
        with self.lock:
            status, body = self.judged(exchange.request)
        return answer(status, json.dumps(body).encode(), "Content-Type: application/json")(exchange)

    def send(self, exchange):
        with self.lock:
            token = (exchange.request["Authorization"] or "").removeprefix("Bearer ")
            fine = token in self.good
            if fine:
                key = json.loads(exchange.request.body)["key"]
                self.effects[key] = self.effects.get(key, 0) + 1
            else:
                self.denied += 1
        return answer(200 if fine else 401, b'{"ok": true}' if fine else b'{"error": "token expired"}')(exchange)


def config(receiver, first=True, **more):
    """One destination `it`, to which everything goes."""
    it = {"type": "shop", "server": receiver.url("").rstrip("/"), "id": CLIENT, "secret": "${SHOP_SECRET}",
          "allow_private": "true", "timeout": "5s", "retry": {"base": "20ms", "cap": "100ms"}, **more}
    if first:
        it["first"] = "${SHOP_FIRST}"
    return {"destinations": {"it": it}, "routes": {"all": {"from": "*", "to": [{"it.send": {"text": "${.email}"}}]}}}
