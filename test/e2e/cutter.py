"""A line to PostgreSQL that can be cut: a TCP proxy that understands the client's messages well enough to see a COMMIT.

It forwards everything. A cut ends the client's connection at a COMMIT, in one
of the two ways that the client cannot tell apart:
    BEFORE  the COMMIT is not forwarded: surely not committed
    AFTER   it was forwarded, and the server's answer came and is not relayed: surely committed
A COMMIT is a simple query that has one, or the Execute of a statement that is one.
"""
import contextlib
import re
import socket
import struct
import threading
import urllib.parse

from services import free_port

BEFORE, AFTER = "before", "after"
COMMIT = re.compile(rb"(?:^|;)\s*COMMIT\b", re.IGNORECASE)
CHUNK = 1 << 16
STARTUPS = {80877103, 80877104}  # SSLRequest, GSSENCRequest: answered by one byte, and then the client begins again


class Stream:
    """Messages of one direction, whole or not."""

    def __init__(self, sock):
        self.sock, self.buffer = sock, bytearray()

    def take(self, count):
        """So many bytes, or None at the end."""
        while len(self.buffer) < count:
            data = self.sock.recv(CHUNK)
            if not data:
                return None
            self.buffer += data
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        return taken

    def first(self):
        """(code, message) of a message without a type: the first of a connection."""
        head = self.take(8)
        if head is None:
            return None, None
        length, code = struct.unpack("!ii", head)
        rest = self.take(length - 8)
        return code, None if rest is None else head + rest

    def message(self):
        """(type, body, message), the type None at the end."""
        head = self.take(5)
        if head is None:
            return None, None, None
        body = self.take(struct.unpack("!i", head[1:])[0] - 4)
        return (None, None, None) if body is None else (head[:1], body, head + body)


class Statements:
    """Which prepared statements and portals of a connection are a COMMIT."""

    def __init__(self):
        self.statements, self.portals = {}, {}

    def is_commit(self, kind, body):
        """Whether this message of the client commits."""
        names = body.split(b"\0", 2)
        if kind == b"P":
            self.statements[names[0]] = bool(COMMIT.search(names[1]))
        elif kind == b"B":
            self.portals[names[0]] = self.statements.get(names[1], False)
        elif kind == b"E":
            return self.portals.get(names[0], False)
        return kind == b"Q" and bool(COMMIT.search(body))


class Line:
    """One connection of a client, and ours to the server."""

    def __init__(self, cutter, client):
        self.cutter, self.client, self.server = cutter, client, socket.socket()
        self.back = threading.Thread(target=self.downstream, args=(Stream(self.server),), daemon=True)
        self.cut_at_answer = threading.Event()

    def run(self):
        with self.client, self.server:
            with contextlib.suppress(OSError):
                for sock in (self.client, self.server):
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.cutter.passable.wait()
                self.server.connect(self.cutter.target)
                self.upstream(Stream(self.client))
            self.cut()
            if self.back.ident:
                self.back.join()

    def cut(self):
        for sock in (self.client, self.server):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def send(self, sock, message):
        self.cutter.passable.wait()
        sock.sendall(message)

    def upstream(self, client):
        code, message = client.first()
        while code in STARTUPS:
            self.send(self.server, message)
            answer = self.server.recv(1)
            if answer != b"N":  # what is encrypted we could not read
                return
            self.send(self.client, answer)
            code, message = client.first()
        if message is None:
            return
        self.send(self.server, message)
        self.back.start()
        statements = Statements()
        while True:
            kind, body, message = client.message()
            if kind is None:
                return
            if statements.is_commit(kind, body):
                what = self.cutter.next_commit()
                if what == BEFORE:
                    self.cutter.count_cut()
                    return
                if what == AFTER:
                    self.cut_at_answer.set()
            self.send(self.server, message)

    def downstream(self, server):
        with contextlib.suppress(OSError):
            while True:
                kind, body, message = server.message()
                if kind is None:
                    break
                if self.cut_at_answer.is_set():
                    if (kind, body) == (b"C", b"COMMIT\0"):
                        self.cutter.count_cut()
                        break
                    if kind == b"E" or (kind, body) == (b"C", b"ROLLBACK\0"):
                        self.cut_at_answer.clear()  # nothing was committed
                self.send(self.client, message)
        self.cut()


class Cutter:
    """Listens on loopback from the start; through(url) is the way to a database by this line."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.target = parts.hostname, parts.port
        self.lock, self.passable = threading.Lock(), threading.Event()
        self.lines, self.listener, self.port = [], None, free_port()
        self.opened = 0  # connections that were taken, since it was made
        self.what, self.every, self.once = None, 0, False
        self.commits = self.cuts = 0
        self.heal()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def through(self, url):
        parts = urllib.parse.urlsplit(url)
        assert (parts.hostname, parts.port) == self.target, f"{url} is another server's"
        return parts._replace(netloc=f"{parts.username}@127.0.0.1:{self.port}").geturl()

    # what it is told

    def cut_next(self, what):
        """The next COMMIT, and no further one."""
        with self.lock:
            self.what, self.every, self.once = what, 1, True

    def cut_every(self, count, what):
        """Each count-th COMMIT from now on, of all connections together, until heal()."""
        with self.lock:
            self.what, self.every, self.once, self.commits = what, count, False, 0

    def cut_all(self):
        """Every connection there is, whatever it does."""
        with self.lock:
            lines, self.lines = self.lines, []
        for line in lines:
            line.cut()

    def blackhole(self):
        """Connections are accepted and nothing passes, on the old ones neither; heal() lets what waits pass."""
        self.passable.clear()

    def refuse(self):
        """No connection is there and none is accepted, until heal()."""
        with self.lock:
            listener, self.listener = self.listener, None
        if listener:
            listener.shutdown(socket.SHUT_RDWR)  # wakes accept(), which close() alone does not
            listener.close()
        self.cut_all()

    def heal(self):
        with self.lock:
            self.what = None
        if self.listener is None:
            self.listener = socket.create_server(("127.0.0.1", self.port), backlog=256)
            threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()
        self.passable.set()

    def close(self):
        self.refuse()
        self.passable.set()

    # inside

    def accept(self, listener):
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                line = Line(self, client)
                with self.lock:
                    if self.listener is not listener:  # refused while it came
                        client.close()
                        return
                    self.lines.append(line)
                    self.opened += 1
                threading.Thread(target=self.serve, args=(line,), daemon=True).start()

    def serve(self, line):
        line.run()
        with self.lock:
            if line in self.lines:
                self.lines.remove(line)

    def next_commit(self):
        """What is to become of it: BEFORE, AFTER, or None."""
        with self.lock:
            self.commits += 1
            if self.what is None or self.commits % self.every:
                return None
            what = self.what
            if self.once:
                self.what = None
            return what

    def count_cut(self):
        with self.lock:
            self.cuts += 1
