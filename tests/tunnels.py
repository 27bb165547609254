"""Clients that open a connection to one host and name others in it, by every mode of mitmproxy's.

What isn't real: which address a connection was led from in transparent mode (here it is told, not asked of the
system), and the packets of WireGuard and of local redirection (their connections come in by the transparent port, as
flows of those modes).
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest
from mitmproxy.connection import Client
from mitmproxy.proxy.mode_specs import ProxyMode

from tests.proxying import Endpoint, Proxy, Trust, run_endpoint, run_proxy

WAYS = ("regular", "upstream", "socks5", "transparent", "wireguard", "local")
KNOWS_ADDRESSES_ONLY = ("transparent", "wireguard", "local")

KNOWN, EVIL, ADDRESS = "api.hunyuan.cloud.tencent.com", "evil.example", "203.0.113.9"
"""A known host, another, and an address at which the other one answers."""


def issued(trust: Trust, folder: Path, *names: str) -> Trust:
    """`trust` for an endpoint of its own, whose certificate is for `names`."""
    folder.mkdir()
    made = trust.authority.issue_cert(*names)
    (folder / "endpoint.pem").write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
    made.private_key_pem.write_to_path(str(folder / "endpoint.key"))
    return Trust(folder, trust.authority)


@contextmanager
def names(ports: Mapping[str, int]) -> Iterator[None]:
    """Let connections from this process to the hosts in `ports` end at these local ports."""
    create = asyncio.BaseEventLoop.create_connection
    addresses = {host: f"127.77.0.{number}" for number, host in enumerate(ports, start=1)}
    hosts = {address: host for host, address in addresses.items()}

    async def connect(self: Any, protocol: Any, host: Any = None, port: Any = None, **options: Any) -> Any:
        name = hosts.get(host, host)
        where = ("127.0.0.1", ports[name]) if name in ports else (host, port)
        return await create(self, protocol, *where, **options)

    async def found(_: Any, host: Any, port: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        return socket.getaddrinfo(addresses.get(name, name), port, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio.BaseEventLoop, "create_connection", connect)
        patch.setattr(asyncio.BaseEventLoop, "getaddrinfo", found)
        yield


@dataclass(slots=True)
class ForwardProxy:
    """A company's proxy: tunnels and nothing else."""

    port: int = 0
    asked: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    """Each request whole."""
    _pumps: set[asyncio.Task[None]] = field(default_factory=set)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target = head.decode().split(" ")[:2]
        self.asked.append(f"{method} {target}")
        self.heads.append(head.decode())
        host, _, port = target.rpartition(":")
        there, back = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        for source, end in ((reader, back), (there, writer)):
            self._pumps.add(asyncio.create_task(self._pump(source, end)))

    @staticmethod
    async def _pump(source: asyncio.StreamReader, end: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                end.write(data)
                await end.drain()
        end.close()


@dataclass(slots=True)
class ComesBy:
    """Lets connections to the transparent port be of another mode that leads them here."""

    mode: str | None = None

    def client_connected(self, client: Client) -> None:
        if self.mode and client.proxy_mode.type_name == "transparent":
            client.proxy_mode = ProxyMode.parse(self.mode)


@dataclass(frozen=True, slots=True)
class Answered:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Setting:
    """A proxy between clients of the way `way` and two endpoints."""

    way: str
    proxy: Proxy
    known: Endpoint
    evil: Endpoint
    forward: ForwardProxy

    async def ask(
        self, target: str, sni: str | None, *requests: Request, http2: bool = False, plain_port: int = 0
    ) -> list[Answered | None]:
        """Send `requests` by one connection to `target`; `None` for one that the connection was closed for.

        `plain_port`: where they go without TLS.
        """
        reader, writer = await self._open(target, plain_port or 443)
        try:
            if not plain_port:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                context.set_alpn_protocols(["h2" if http2 else "http/1.1"])
                await writer.start_tls(context, server_hostname=sni)
                reader._transport = writer.transport  # type: ignore[attr-defined]
            return await (_http2 if http2 else _http1)(reader, writer, requests)
        except (OSError, EOFError):
            return [None] * len(requests)
        finally:
            writer.close()

    async def _open(self, target: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self.way in KNOWS_ADDRESSES_ONLY:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("mitmproxy.platform.original_addr", lambda _: (target, port))
                opened = await asyncio.open_connection("127.0.0.1", self.proxy.ports["transparent"])
                while not any(
                    client.client.peername == opened[1].get_extra_info("sockname") for client in self._open_now()
                ):
                    await asyncio.sleep(0)
                return opened
        reader, writer = await asyncio.open_connection("127.0.0.1", self.proxy.ports[self.way])
        if self.way == "socks5":
            writer.write(b"\x05\x01\x00" + b"\x05\x01\x00" + _socks_address(target) + port.to_bytes(2))
            await reader.readexactly(2 + 10)
        else:
            host = f"[{target}]" if ":" in target else target
            writer.write(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")
        return reader, writer

    def _open_now(self) -> list[Any]:
        return list(self.proxy.master.addons.get("proxyserver").connections.values())


@dataclass(frozen=True, slots=True)
class Request:
    method: str = "POST"
    path: str = "/v1/chat/completions"
    host: str = KNOWN
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@asynccontextmanager
async def run_setting(
    trust: Trust, folder: Path, way: str, *, spoofed: bool = False, **options: Any
) -> AsyncIterator[Setting]:
    """Run it all. `spoofed`: the known host's name leads to the other endpoint."""
    known_trust, evil_trust = issued(trust, folder / "known", KNOWN), issued(trust, folder / "evil", EVIL, ADDRESS)
    forward, by = ForwardProxy(), ComesBy(way if way in ("wireguard", "local") else None)
    server = await asyncio.start_server(forward, "127.0.0.1", 0)
    forward.port = server.sockets[0].getsockname()[1]
    mode = {"upstream": f"upstream:http://127.0.0.1:{forward.port}", "socks5": "socks5"}.get(way, "transparent")
    async with server, run_endpoint(known_trust) as known, run_endpoint(evil_trust) as evil:
        ports = {KNOWN: evil.port if spoofed else known.port, EVIL: evil.port, ADDRESS: evil.port}
        modes = [] if way == "regular" else [mode]
        with names(ports):
            async with run_proxy(trust, f"https://{KNOWN}", more_modes=modes, **options) as proxy:
                proxy.master.addons.chain.insert(0, by)
                yield Setting(way, proxy, known, evil, forward)


def _socks_address(host: str) -> bytes:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return b"\x03" + bytes([len(host)]) + host.encode()
    return bytes([1 if address.version == 4 else 4]) + address.packed


async def _http1(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, requests: tuple[Request, ...]
) -> list[Answered | None]:
    answers: list[Answered | None] = []
    for request in requests:
        lines = {"Host": request.host, "Content-Length": str(len(request.body)), **request.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if name != "Host" or value)
        writer.write(f"{request.method} {request.path} HTTP/1.1\r\n{head}\r\n".encode() + request.body)
        status, *rest = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in rest)}
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(await reader.readline(), 16):
                body += (await reader.readexactly(size + 2))[:-2]
            await reader.readline()
        else:
            body = await reader.readexactly(int(headers.get("content-length", 0)))
        answers.append(Answered(int(status.split(" ")[1]), headers, body))
    return answers


async def _http2(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, requests: tuple[Request, ...]
) -> list[Answered | None]:
    spoken = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, validate_outbound_headers=False))
    spoken.initiate_connection()
    answers: list[Answered | None] = []
    for request in requests:
        stream = spoken.get_next_available_stream_id()
        authority = [(":authority", request.host)] if request.host else []
        lines = [(":method", request.method), (":scheme", "https"), *authority, (":path", request.path)]
        spoken.send_headers(stream, [*lines, *request.headers.items()], end_stream=not request.body)
        if request.body:
            spoken.send_data(stream, request.body, end_stream=True)
        headers: dict[str, str] = {}
        body, ended = b"", False
        while not ended:
            writer.write(spoken.data_to_send())
            data = await reader.read(65536)
            if not data:
                raise EOFError
            for event in spoken.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived):
                    headers = {name.decode(): value.decode() for name, value in event.headers}
                elif isinstance(event, h2.events.DataReceived):
                    body += event.data
                    spoken.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded | h2.events.StreamReset):
                    ended = True
        answers.append(Answered(int(headers[":status"]), headers, body) if headers else None)
    return answers
