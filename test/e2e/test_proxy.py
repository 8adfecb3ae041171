"""A destination's proxy: what it says of its tunnel is no answer, what it refuses is told, and nothing goes around it."""
import contextlib
import socket
import socketserver
import threading

import pytest

from harness import until
from receiver import Receiver, answer

RETRY = {"max": "9", "base": "20ms", "cap": "20ms"}


class Tunnels(socketserver.ThreadingTCPServer):
    """An HTTP proxy that only takes CONNECT, and says which hosts it was asked for. to: where all of them are."""
    daemon_threads = True

    def __init__(self, to=None):
        super().__init__(("127.0.0.1", 0), Tunnel)
        self.port, self.asked, self.to = self.server_address[1], [], to
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Tunnel(socketserver.BaseRequestHandler):
    def handle(self):
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.request.recv(4096)
        host, port = head.split()[1].decode().rsplit(":", 1)
        self.server.asked.append(host)
        with contextlib.suppress(OSError), socket.create_connection(self.server.to or (host, int(port))) as far:
            self.request.sendall(b"HTTP/1.1 200 Connection established\r\nContent-Type: text/html\r\n\r\n")
            threading.Thread(target=pump, args=(far, self.request), daemon=True).start()
            pump(self.request, far)


def pump(source, sink):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@pytest.fixture
def tunnels():
    with Tunnels() as proxy:
        yield proxy
        proxy.shutdown()


def test_through_a_tunnel_the_providers_answer_counts(serve, authority, tunnels):
    provider = Receiver(authority.sign("provider", "IP:127.0.0.1"))
    provider.script("/hook", answer(500), answer(200))
    server = serve(env={"OWN_CA": (authority.folder / "ca.pem").read_text()},
                   destinations={"hook": {"url": provider.url("/hook"), "ca": "${OWN_CA}", "retry": RETRY,
                                          "allow_private": "true", "proxy": f"http://127.0.0.1:{tunnels.port}"}},
                   routes={"all": {"from": "*", "to": ["hook"]}})
    assert server.settled(server.send(), "COMPLETED")["attempt_count"] == 2
    assert [request.path for request in provider.requests] == ["/hook", "/hook"] and tunnels.asked
    provider.close()


def test_a_certificate_that_is_not_known_is_refused_through_a_tunnel_too(serve, authority, tunnels):
    provider = Receiver(authority.sign("provider", "IP:127.0.0.1"))
    server = serve(destinations={"hook": {"url": provider.url("/hook"), "retry": RETRY,
                                          "allow_private": "true", "proxy": f"http://127.0.0.1:{tunnels.port}"}},
                   routes={"all": {"from": "*", "to": ["hook"]}})
    event_id = server.send()
    until(lambda: server.get("/v1/destinations/hook").json["paused"], "the destination to be paused")
    assert "certificate" in server.delivery(event_id)["last_error"] and provider.requests == []
    provider.close()


def test_a_proxy_that_wants_another_password_pauses_the_destination(serve):
    proxy = Receiver()
    proxy.script("http://crm.example.test/hook", answer(407))
    server = serve(destinations={"hook": {"url": "http://crm.example.test/hook", "retry": RETRY,
                                          "proxy": f"http://127.0.0.1:{proxy.port}"}},
                   routes={"all": {"from": "*", "to": ["hook"]}})
    event_id = server.send()
    until(lambda: server.get("/v1/destinations/hook").json["paused"], "the destination to be paused")
    assert server.delivery(event_id)["status"] == "PENDING"
    proxy.close()


def test_the_environment_names_no_way_around_a_proxy(serve):
    proxy = Receiver()
    server = serve(env={"no_proxy": "*", "NO_PROXY": "*"},
                   destinations={"hook": {"url": "http://crm.example.test/hook",
                                          "proxy": f"http://127.0.0.1:{proxy.port}"}},
                   routes={"all": {"from": "*", "to": ["hook"]}})
    server.settled(server.send(), "COMPLETED")
    assert len(proxy.of("http://crm.example.test/hook")) == 1
    proxy.close()
