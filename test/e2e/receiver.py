"""A receiver that lies: an HTTP server whose every answer the test writes, byte by byte where it must.

A path has a script, a list of behaviours; each request takes the next one and
the last one stays. A behaviour is a function of an Exchange; what it returns
says whether the connection stays open. Every request is kept.
"""
import socket
import ssl
import struct
import threading
import time

TICK_S = 0.05


class Request:
    def __init__(self, method, path, headers, body, at, wall):
        self.method, self.path, self.headers, self.body = method, path, headers, body
        self.at, self.wall = at, wall  # when its first bytes came: monotonic, and since 1970

    def __getitem__(self, name):
        """A header's value, None where there is none; more than one is a mistake of the sender."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(values) < 2, f"{name} twice: {values}"
        return values[0] if values else None

    @property
    def key(self):
        return self["Idempotency-Key"]

    def __repr__(self):
        return f"<{self.method} {self.path} {dict(self.headers)} {self.body[:200]}>"


class Exchange:
    """One request and the socket its answer goes to."""

    def __init__(self, receiver, sock, request):
        self.receiver, self.sock, self.request = receiver, sock, request

    def write(self, data):
        self.sock.sendall(data)

    def pause(self, seconds):
        """True when the receiver still runs afterwards."""
        return not self.receiver.closing.wait(seconds)

    def gone(self):
        """Whether the other side has hung up."""
        self.sock.settimeout(TICK_S)
        try:
            return self.sock.recv(4096) == b""
        except TimeoutError:
            return False
        except OSError:
            return True


# Behaviours.

def answer(status=200, body=b"{}", *headers, delay=0):
    """A decent answer; headers are "Name: value" texts."""
    def behave(exchange):
        exchange.pause(delay)
        lines = [f"HTTP/1.1 {status} Reason", f"Content-Length: {len(body)}", *headers]
        exchange.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        return True
    return behave


def raw(data):
    """These bytes, and the connection ends."""
    def behave(exchange):
        exchange.write(data)
        return False
    return behave


def reset(data=b""):
    """RST, after these bytes if any."""
    def behave(exchange):
        if data:
            exchange.write(data)
            exchange.pause(TICK_S)  # the bytes must not be overtaken
        exchange.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False
    return behave


def silence(data=b""):
    """These bytes and then nothing, until the other side gives up."""
    def behave(exchange):
        if data:
            exchange.write(data)
        while exchange.pause(0) and not exchange.gone():
            pass
        return False
    return behave


def drip(data, head=b""):
    """A head at once, and then a byte at a time, each after a tick."""
    def behave(exchange):
        exchange.write(head)
        for byte in data:
            if exchange.gone():
                break
            exchange.write(bytes([byte]))
        return False
    return behave


def flood(head, chunk, count):
    """A head, and a chunk so many times."""
    def behave(exchange):
        exchange.write(head)
        for _ in range(count):
            exchange.write(chunk)
        return False
    return behave


class Receiver:
    """Listens on loopback from the start, in threads of its own."""

    def __init__(self, context=None, far_s=0):
        self.lock, self.closing = threading.Lock(), threading.Event()
        self.scripts, self.requests, self.active, self.peaks = {}, [], {}, {}
        self.connections = set()
        self.context, self.far_s = context, far_s  # a handshake begins so late
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        self.threads = [threading.Thread(target=self.accept, daemon=True)]
        self.threads[0].start()

    def url(self, path="/"):
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self.port}{path}"

    def script(self, path, *behaviours):
        with self.lock:
            self.scripts[path] = list(behaviours)

    def of(self, path):
        """The requests so far to a path, in the order they arrived."""
        with self.lock:
            return [request for request in self.requests if request.path == path]

    def keys(self, path):
        return [request.key for request in self.of(path)]

    def peak(self, path):
        """The most requests that were open at a time."""
        with self.lock:
            return self.peaks.get(path, 0)

    def close(self):
        self.closing.set()
        self.listener.close()
        with self.lock:
            connections = list(self.connections)
        for sock in connections:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    # inside

    def accept(self):
        while not self.closing.is_set():
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        with self.lock:
            self.connections.add(sock)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.context:
                self.closing.wait(self.far_s)
                sock = self.context.wrap_socket(sock, server_side=True)
            with sock:
                self.talk(sock)
        except (OSError, ValueError):
            pass  # the other side went away, or a test made it
        finally:
            with self.lock:
                self.connections.discard(sock)
            sock.close()

    def talk(self, sock):
        buffer = b""
        while True:
            sock.settimeout(None)
            request, buffer = read_request(sock, buffer)
            if request is None:
                return
            behave = self.take(request)
            try:
                stays = behave(Exchange(self, sock, request))
            finally:
                with self.lock:
                    self.active[request.path] -= 1
            if not stays:
                return

    def take(self, request):
        with self.lock:
            self.requests.append(request)
            open_now = self.active.get(request.path, 0) + 1
            self.active[request.path] = open_now
            self.peaks[request.path] = max(self.peaks.get(request.path, 0), open_now)
            script = self.scripts.get(request.path, [answer()])
            return script.pop(0) if len(script) > 1 else script[0]


def read_request(sock, buffer):
    """(request or None at the end, what was read beyond it)."""
    at = wall = None
    while b"\r\n\r\n" not in buffer:
        data = sock.recv(65536)
        if not data:
            return None, b""
        at, wall = at or time.monotonic(), wall or time.time()
        buffer += data
    head, rest = buffer.split(b"\r\n\r\n", 1)
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines]
    length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
    while len(rest) < length:
        data = sock.recv(1 << 20)
        if not data:
            return None, b""
        rest += data
    return Request(method, path, headers, rest[:length], at or time.monotonic(), wall or time.time()), rest[length:]


def tls_context(certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
