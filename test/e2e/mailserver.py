"""A mail server by script: what it says at each stage, where it falls silent or cuts the line, and what it was told."""
import base64
import collections
import contextlib
import socket
import threading

CUT, SILENCE = object(), object()
STAGES = ("connect", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "message", "NOOP", "QUIT")
USUAL = {"connect": "220 mail.test ESMTP", "STARTTLS": "220 go ahead", "AUTH": "235 2.7.0 welcome", "MAIL": "250 2.1.0 ok",
         "RCPT": "250 2.1.5 ok", "DATA": "354 go on", "message": "250 2.0.0 Ok: queued as 4Bx7", "NOOP": "250 ok",
         "QUIT": "221 bye"}

Mail = collections.namedtuple("Mail", "sender recipient data secure user options")


class MailServer:
    """`script(stage, *replies)`: each reply once, then the usual one. A reply may have several lines."""

    def __init__(self, context=None, implicit=False, starttls=True, login=None, offers=("8BITMIME", "SMTPUTF8")):
        self.context, self.implicit, self.starttls, self.login, self.offers = context, implicit, starttls, login, offers
        self.replies = {stage: collections.deque() for stage in STAGES}
        self.mails, self.commands, self.connections = [], [], 0
        self.lock, self.ending, self.sockets = threading.Lock(), threading.Event(), []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def url(self, host="127.0.0.1"):
        return f"{'smtps' if self.implicit else 'smtp'}://{host}:{self.port}"

    def script(self, stage, *replies):
        self.replies[stage].extend(replies)

    def words(self):
        """The commands without what follows them."""
        with self.lock:
            return [command.split()[0].upper() for command in self.commands if command.strip()]

    def close(self):
        self.ending.set()
        self.listener.close()
        for each in self.sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                with self.lock:
                    self.connections += 1
                    self.sockets.append(connection)
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with contextlib.suppress(OSError, EOFError):
            if self.implicit:
                connection = self.context.wrap_socket(connection, server_side=True)
            Conversation(self, connection, self.implicit).run()
        connection.close()


class Conversation:
    def __init__(self, server, connection, secure):
        self.server, self.connection, self.secure = server, connection, secure
        self.buffer, self.user, self.sender, self.options, self.recipient = b"", None, None, "", None

    def line(self):
        while b"\n" not in self.buffer:
            more = self.connection.recv(65536)
            if not more:
                raise EOFError
            self.buffer += more
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.rstrip(b"\r")

    def say(self, stage, usual):
        """The first digit of what was said."""
        waiting = self.server.replies[stage]
        reply = waiting.popleft() if waiting else usual
        if reply is SILENCE:
            self.server.ending.wait()
        if reply is CUT or reply is SILENCE:
            raise EOFError
        self.connection.sendall((reply.replace("\n", "\r\n") + "\r\n").encode())
        return reply[0]

    def greeting(self):
        lines = ["mail.test", *self.server.offers]
        if self.server.context and self.server.starttls and not self.secure:
            lines.append("STARTTLS")
        if self.server.login:
            lines.append("AUTH PLAIN LOGIN")
        return "\n".join(f"250{' ' if i + 1 == len(lines) else '-'}{line}" for i, line in enumerate(lines))

    def run(self):
        if self.say("connect", USUAL["connect"]) != "2":
            return
        while True:
            line = self.line().decode()
            with self.server.lock:
                self.server.commands.append(line)
            word, _, rest = line.partition(" ")
            if word.upper() == "QUIT":
                self.say("QUIT", USUAL["QUIT"])
                return
            getattr(self, f"on_{word.lower()}", self.on_unknown)(rest)

    def on_unknown(self, _):
        self.connection.sendall(b"500 5.5.1 what?\r\n")

    def on_ehlo(self, _):
        self.say("EHLO", self.greeting())

    def on_starttls(self, _):
        if self.say("STARTTLS", USUAL["STARTTLS"]) == "2":
            self.connection = self.server.context.wrap_socket(self.connection, server_side=True)
            self.buffer, self.secure = b"", True

    def on_auth(self, rest):
        if rest.upper() == "PLAIN":
            self.connection.sendall(b"334 \r\n")
            rest = f"PLAIN {self.line().decode()}"
        _, name, password = base64.b64decode(rest.split()[1]).decode().split("\0")
        right = (name, password) == self.server.login
        if self.say("AUTH", USUAL["AUTH"] if right else "535 5.7.8 no") == "2":
            self.user = name

    def on_mail(self, rest):
        if self.say("MAIL", USUAL["MAIL"]) == "2":
            path, _, self.options = rest.partition(" ")
            self.sender = path.partition(":")[2].strip("<>")

    def on_rcpt(self, rest):
        if self.say("RCPT", USUAL["RCPT"]) == "2":
            self.recipient = rest.partition(":")[2].split()[0].strip("<>")

    def on_data(self, _):
        if self.say("DATA", USUAL["DATA"]) != "3":
            return
        lines = []
        while (line := self.line()) != b".":
            lines.append(line[1:] if line.startswith(b".") else line)
        mail = Mail(self.sender, self.recipient, b"\r\n".join(lines) + b"\r\n", self.secure, self.user, self.options)
        with self.server.lock:
            self.server.mails.append(mail)
        self.say("message", USUAL["message"])

    def on_noop(self, _):
        self.say("NOOP", USUAL["NOOP"])
