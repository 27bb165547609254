"""Collectors that answer as none should: they cost a thread of its own some time and memory, within bounds."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import requests
import trustme

from hunyuan_fix.observe.traces import export, sending
from hunyuan_fix.observe.traces.export import Exporter
from hunyuan_fix.observe.traces.sampling import Sampler
from hunyuan_fix.observe.traces.settings import Export
from hunyuan_fix.observe.traces.spans import Span, Tree
from tests.otlp_collector import run_collector

KEY = "key-of-the-collector-0123456789"
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\n"
PATIENCE = 20.0
"""Seconds after which something hangs."""


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"x-api-key={KEY}")


class Peer:
    """What a collector sees of one connection."""

    def __init__(self, connection: socket.socket, server: Server) -> None:
        self.connection = connection
        self._server = server

    def request(self) -> bytes:
        """The head and the body of the next request."""
        data = b""
        while b"\r\n\r\n" not in data:
            if not (piece := self.connection.recv(65536)):
                return b""
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if b"content-length" in line)
        while len(body) < length:
            body += self.connection.recv(65536)
        self._server.heads.append(head)
        return head

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)
        self._server.sent += len(data)

    @property
    def ended(self) -> threading.Event:
        """The test is over."""
        return self._server.ended


class Server:
    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.connections = 0
        self.sent = 0
        self.ended = threading.Event()
        self.url = ""


@contextmanager
def serve(behave: Callable[[Peer], None], tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server whose every connection is `behave`'s."""
    server = Server()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.url = f"http{'s' if tls else ''}://127.0.0.1:{listener.getsockname()[1]}/v1/traces"

        def one(connection: socket.socket) -> None:
            with suppress(OSError), tls.wrap_socket(connection, server_side=True) if tls else connection as spoken:
                behave(Peer(spoken, server))

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    server.connections += 1
                    threading.Thread(target=one, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield server
        finally:
            server.ended.set()
            listener.shutdown(socket.SHUT_RDWR)


@contextmanager
def exporter(url: str) -> Iterator[Exporter]:
    made = Exporter(Export(url, Sampler()))
    try:
        yield made
    finally:
        made.close(0.5)


def tree(number: int = 1) -> Tree:
    now = time.time()
    return Tree(f"{number:032x}", [Span("chat", "server", f"{number:016x}", "", now, now, {"a": "b"})])


def sent(running: Exporter, count: int = 1) -> None:
    """Send spans, and wait until something has become of each."""
    before = running.exported + running.lost
    for number in range(count):
        running.send(tree(number + 1))
    until(lambda: running.exported + running.lost >= before + count)


def until(is_so: Callable[[], object]) -> None:
    patience = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < patience
        threading.Event().wait(0.005)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_no_success(status: int, caplog: pytest.LogCaptureFixture) -> None:
    with run_collector() as elsewhere:
        head = f"HTTP/1.1 {status} X\r\nlocation: {elsewhere.url}/".encode()

        def redirect(peer: Peer) -> None:
            while peer.request():
                peer.send(head + b"\r\ncontent-length: 0\r\n\r\n")

        with serve(redirect) as server, exporter(server.url) as running, caplog.at_level(logging.DEBUG):
            sent(running, 3)
            assert (running.exported, running.lost) == (0, 3)
        assert (elsewhere.raw, elsewhere.headers) == ([], [])
    assert f"HTTP {status}" in caplog.text
    assert KEY not in caplog.text


def test_no_version_of_the_exporter_can_have_redirects_followed() -> None:
    with run_collector() as elsewhere:

        def redirect(peer: Peer) -> None:
            peer.request()
            peer.send(f"HTTP/1.1 307 X\r\nlocation: {elsewhere.url}/\r\ncontent-length: 0\r\n\r\n".encode())

        with serve(redirect) as server, pytest.raises(requests.TooManyRedirects):
            sending.Session().post(server.url, data=b"", headers={"x-api-key": KEY}, allow_redirects=True)
        assert elsewhere.headers == []


def endless(peer: Peer) -> None:
    peer.request()
    peer.send(OK + b"\r\n")
    while True:
        peer.send(b"x" * 65536)


def bomb(peer: Peer) -> None:
    """A gigabyte of zeros, packed."""
    peer.request()
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    peer.send(OK + b"content-encoding: gzip\r\n\r\n")
    for _ in range(1024):
        peer.send(packer.compress(bytes(1 << 20)))


def dripping(peer: Peer) -> None:
    peer.request()
    peer.send(OK + b"content-length: 100000\r\n\r\n")
    while not peer.ended.wait(0.05):
        peer.send(b"x")


@pytest.mark.parametrize("behave", [endless, bomb, dripping])
def test_of_an_answer_little_is_read(behave: Callable[[Peer], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "_DRAINING", 0.2)
    with serve(behave) as server, exporter(server.url) as running:
        sent(running)
        sent(running)
        assert (running.exported, running.lost) == (2, 0), "it has said that it took them"
        assert server.connections == 2, "a connection with a rest isn't used again"
        assert server.sent < 64 << 20  # what is in the buffers of both ends


def test_a_connection_is_used_again_and_cookies_are_not_kept() -> None:
    def ordinary(peer: Peer) -> None:
        while peer.request():
            peer.send(OK + b"set-cookie: a=1; path=/\r\ncontent-length: 2\r\n\r\n\x0a\x00")

    with serve(ordinary) as server, exporter(server.url) as running:
        sent(running)
        sent(running)
        assert (running.exported, server.connections, len(server.heads)) == (2, 1, 2)
        assert b"cookie" not in server.heads[1].lower()
        assert KEY.encode() in server.heads[1]


def ordinary(peer: Peer) -> None:
    while peer.request():
        peer.send(OK + b"content-length: 0\r\n\r\n")


def test_over_tls_it_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with serve(ordinary, context) as server, exporter(server.url) as running:
        sent(running)
        assert (running.exported, running.lost, server.heads) == (0, 1, []), "an unknown authority"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(tmp_path / "ca.pem"))
    with serve(ordinary, context) as server, exporter(server.url) as running:
        sent(running)
        sent(running)
        assert (running.exported, server.connections) == (2, 1)
    with serve(dripping_head, context) as server, exporter(server.url) as running:
        sent(running)
        assert (running.exported, running.lost) == (0, 1)


def mute(peer: Peer) -> None:
    peer.request()
    peer.ended.wait(PATIENCE)


def unread(peer: Peer) -> None:
    peer.ended.wait(PATIENCE)


def dripping_head(peer: Peer) -> None:
    """Each byte comes within the time, and the head never ends."""
    peer.request()
    peer.send(b"HTTP/1.1 200 OK\r\nx-a: ")
    while not peer.ended.wait(0.05):
        peer.send(b"b")


def reset(peer: Peer) -> None:
    peer.request()
    peer.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def garbage(peer: Peer) -> None:
    peer.request()
    peer.send(b"\x00\xff\r\n\r\n" + KEY.encode())


def long_head(peer: Peer) -> None:
    peer.request()
    peer.send(b"HTTP/1.1 200 OK\r\n" + b"x-a: b\r\n" * 10_000)


def failing(peer: Peer) -> None:
    while peer.request():
        peer.send(b"HTTP/1.1 503 %s\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n" % KEY.encode())


def failing_later(peer: Peer) -> None:
    while peer.request():
        peer.send(b"HTTP/1.1 503 X\r\nretry-after: 1e9\r\ncontent-length: 0\r\n\r\n")


@pytest.mark.parametrize("behave", [mute, unread, dripping_head, reset, garbage, long_head, failing, failing_later])
def test_what_a_collector_does_not_take_is_lost_and_said_without_keys(
    behave: Callable[[Peer], None], caplog: pytest.LogCaptureFixture
) -> None:
    with serve(behave) as server, exporter(server.url) as running, caplog.at_level(logging.DEBUG):
        sent(running)
        assert (running.exported, running.lost) == (0, 1)
        assert len(server.heads) <= 12, "it is not tried for ever"
    assert len([one for one in caplog.records if "collector of traces" in one.getMessage()]) == 1
    assert KEY not in caplog.text


@pytest.mark.parametrize("behave", [mute, unread, dripping, dripping_head, failing_later])
def test_the_end_does_not_wait_for_a_collector(behave: Callable[[Peer], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its thread may go on, but keeps no process from ending; and there is room for a bounded number of spans."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "60")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10")
    monkeypatch.setattr(export, "_MOST_WAITING", 50)
    monkeypatch.setattr(sending, "_DRAINING", 60)
    with serve(behave) as server:
        running = Exporter(Export(server.url, Sampler()))
        running.send(tree())
        until(lambda: server.connections)
        for number in range(500):
            running.send(tree(number))
        assert running.dropped + running.lost >= 440
        begun = time.monotonic()
        running.close(0.2)
        assert time.monotonic() - begun < PATIENCE / 2
        assert all(thread.daemon for thread in threading.enumerate() if "Otel" in thread.name)
