"""Small TLS servers for what the simulator doesn't do: raw bytes as they arrived, and WebSockets."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from wsproto import ConnectionType, WSConnection, events

type Arrived = tuple[str, str, dict[str, str], bytes]
"""A request as it arrived: method, path, headers (lower-case names) and body."""


@dataclass(slots=True)
class Recorder:
    """A server that answers everything alike and keeps what it was sent."""

    port: int = 0
    requests: list[Arrived] = field(default_factory=list)
    """Oldest first."""


GOOD = b'{"object": "anything", "choices": [{}], "data": []}'


@contextmanager
def recorder(chain: Path, key: Path, answer: bytes = GOOD) -> Iterator[Recorder]:
    """Run one that answers `answer`; a request to upgrade to WebSocket gets an echo of each text instead."""
    recorded = Recorder()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def handle_request(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            recorded.requests.append((self.command, self.path, headers, body))
            if headers.get("upgrade", "").lower() == "websocket":
                self.close_connection = True
                self.echo()
                return
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_PUT = handle_request

        def echo(self) -> None:
            websocket = WSConnection(ConnectionType.SERVER)
            websocket.initiate_upgrade_connection(
                [(name.encode(), value.encode()) for name, value in self.headers.items()], self.path
            )
            while True:
                for event in websocket.events():
                    if isinstance(event, events.Request):
                        self.wfile.write(websocket.send(events.AcceptConnection()))
                    elif isinstance(event, events.TextMessage):
                        self.wfile.write(websocket.send(events.TextMessage(f"echo {event.data}")))
                    elif isinstance(event, events.CloseConnection):
                        self.wfile.write(websocket.send(event.response()))
                        return
                data = self.connection.recv(65536)
                if not data:
                    return
                websocket.receive_data(data)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        recorded.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield recorded
        finally:
            server.shutdown()
            thread.join()
