"""mitmproxy with the addon inside the test's own process, before an HTTP/1.1 and HTTP/2 endpoint of its own."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import ssl
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import hypercorn.asyncio
import hypercorn.config
import pytest
import trustme
from mitmproxy.options import Options
from mitmproxy.tools.dump import DumpMaster

from hunyuan_fix.hooks.connections import Connections
from hunyuan_fix.hooks.mitmproxy_internals import ports
from hunyuan_fix.hunyuan_fix import HunyuanFix
from hunyuan_fix.views.commands import Commands
from scripts.lib.processes import free_port

LOCAL = "localhost"


@dataclass(frozen=True, slots=True)
class Arrived:
    """A request as it reached the endpoint; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    http_version: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the endpoint says; `chunks` are written one by one."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    chunks: Iterable[bytes] | AsyncIterable[bytes] = (b'{"object": "anything", "choices": [{}], "data": []}',)


def json_answer(body: object, status: int = 200, **headers: str) -> Answer:
    data = json.dumps(body, ensure_ascii=False).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    length = {"content-type": "application/json", "content-length": str(len(data))}
    return Answer(status, length | named, [data])


def chat_answer(text: str) -> Answer:
    message = {"role": "assistant", "content": text}
    return json_answer({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})


def stream_answer(*chunks: bytes, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(headers={"content-type": "text/event-stream"} | named, chunks=chunks)


@dataclass(slots=True)
class Endpoint:
    """An endpoint that keeps what it gets and answers with `answer`, which a test sets."""

    port: int = 0
    arrived: list[Arrived] = field(default_factory=list)
    answer: Answer | Callable[[Arrived], Answer | Awaitable[Answer]] = field(default_factory=Answer)
    left: int = 0
    """Requests whose sender left before the answer was complete."""
    answering: set[asyncio.Task[Any]] = field(default_factory=set)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while message := await receive():
                await send({"type": f"{message['type']}.complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        body = bytearray()
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        query = scope["query_string"].decode()
        target = scope["raw_path"].decode() + (f"?{query}" if query else "")
        request = Arrived(scope["method"], target, headers, bytes(body), scope["http_version"])
        self.arrived.append(request)
        task = asyncio.current_task()
        assert task is not None
        self.answering.add(task)
        try:
            await self._answer(request, send)
        except asyncio.CancelledError:
            self.left += 1
            raise
        finally:
            self.answering.discard(task)

    async def _answer(self, request: Arrived, send: Any) -> None:
        answer = self.answer if isinstance(self.answer, Answer) else self.answer(request)
        if not isinstance(answer, Answer):
            answer = await answer
        named = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": named})
        async for chunk in each(answer.chunks):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def each(chunks: Iterable[bytes] | AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    if isinstance(chunks, AsyncIterable):
        async for chunk in chunks:
            yield chunk
    else:
        for chunk in chunks:
            yield chunk
            await asyncio.sleep(0)


@dataclass(frozen=True, slots=True)
class Trust:
    """The test's authorities: the endpoint's, and mitmproxy's own in `confdir`. Made once a session."""

    folder: Path
    authority: trustme.CA

    @property
    def authority_file(self) -> Path:
        return self.folder / "authority.pem"

    @property
    def confdir(self) -> Path:
        return self.folder / "mitmproxy"

    def of_proxy(self, *, http2: bool = False) -> ssl.SSLContext:
        context = (OnlyHttp2 if http2 else ssl.SSLContext)(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.confdir / "mitmproxy-ca-cert.pem")
        return context

    def of_endpoint(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.authority_file))


class OnlyHttp2(ssl.SSLContext):
    """httpx offers http/1.1 first, and mitmproxy takes what is offered first."""

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        super().set_alpn_protocols(["h2"])


def make_trust(folder: Path) -> Trust:
    made = Trust(folder, trustme.CA())
    made.confdir.mkdir()
    # Elliptic curves: each start of mitmproxy's reads the key, and checking an RSA key takes 30 ms.
    proxys = trustme.CA()
    (made.confdir / "mitmproxy-ca.pem").write_bytes(proxys.private_key_pem.bytes() + proxys.cert_pem.bytes())
    proxys.cert_pem.write_to_path(str(made.confdir / "mitmproxy-ca-cert.pem"))
    made.authority.cert_pem.write_to_path(str(made.authority_file))
    issued = made.authority.issue_cert(LOCAL, "127.0.0.1")
    (folder / "endpoint.pem").write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(str(folder / "endpoint.key"))
    return made


@asynccontextmanager
async def run_endpoint(trust: Trust, *, tls: bool = True) -> AsyncIterator[Endpoint]:
    endpoint = Endpoint()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    endpoint.port = listener.getsockname()[1]
    config = hypercorn.config.Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.errorlog = logging.getLogger("endpoint")
    config.graceful_timeout = 0
    if tls:
        config.certfile, config.keyfile = str(trust.folder / "endpoint.pem"), str(trust.folder / "endpoint.key")
    ends = asyncio.Event()
    serving = asyncio.create_task(hypercorn.asyncio.serve(endpoint, config, shutdown_trigger=ends.wait))
    try:
        yield endpoint
    finally:
        ends.set()
        # hypercorn waits for connections to be closed before it cancels what answers them: some tests never answer.
        for task in endpoint.answering:
            task.cancel()
        await asyncio.wait({serving})


@dataclass(frozen=True, slots=True)
class Proxy:
    """A running mitmproxy: `port` as a proxy, `reverse_port` as a reverse proxy before the endpoint."""

    master: DumpMaster
    addon: HunyuanFix
    port: int
    reverse_port: int
    trust: Trust
    ports: dict[str, int]
    """By the name of the mode."""

    def client(self, *, http2: bool = False, tls: bool | None = None, **options: Any) -> httpx.AsyncClient:
        """A client of the reverse proxy; HTTP/2 needs TLS."""
        scheme = "https" if (http2 if tls is None else tls) else "http"
        return httpx.AsyncClient(
            base_url=f"{scheme}://{LOCAL}:{self.reverse_port}/v1",
            verify=self.trust.of_proxy(http2=http2),
            http1=not http2,
            http2=http2,
            trust_env=False,
            timeout=30,
            **options,
        )

    def proxied(self, verify: ssl.SSLContext, **options: Any) -> httpx.AsyncClient:
        """A client that uses the proxy, as with HTTPS_PROXY."""
        return httpx.AsyncClient(
            proxy=f"http://127.0.0.1:{self.port}",
            verify=verify,
            trust_env=False,
            timeout=30,
            **options,
        )


@asynccontextmanager
async def run_proxy(
    trust: Trust,
    target: str,
    *beside: object,
    with_dumper: bool = False,
    more_modes: Iterable[str] = (),
    **options: Any,
) -> AsyncIterator[Proxy]:
    """Run mitmproxy as regular and as reverse proxy to `target`, with the addon where `-s` puts it.

    `beside` are addons that are loaded after it, as by a second `-s`; `more_modes` name no address to listen on.
    """
    reverse_port = free_port()
    modes = ["regular@127.0.0.1:0", f"reverse:{target}@127.0.0.1:{reverse_port}"]
    modes += [f"{mode}@127.0.0.1:{free_port()}" for mode in more_modes]
    given = Options()
    # mitmproxy copies all options before it changes one, to have them back if an addon refuses: a third of the start.
    vars(given)["rollback"] = lambda updated, reraise: nullcontext()
    given.update(confdir=str(trust.confdir), mode=modes, ssl_verify_upstream_trusted_ca=str(trust.authority_file))
    with _telling_nobody(given):
        master = DumpMaster(given, with_termlog=False, with_dumper=with_dumper)
    fix = HunyuanFix()
    for addon in (
        fix,
        Connections(fix),
        Commands(
            fix.runtime.cascade,
            fix.runtime.kept,
            fix.runtime.reasoning,
            fix.stats,
            calls=fix.runtime.admission.calls,
            recent=fix.process.finisher.recent,
        ),
        *beside,
    ):
        # In mitmproxy's own order: what is appended first is configured anew with each option that it declares.
        with _telling_nobody(given):
            master.addons.register(addon)
        master.addons.get("scriptloader").addons.append(addon)
    given.update(
        **{
            "hunyuan_hosts": LOCAL,
            "hunyuan_store": "memory",
            "hunyuan_drain_timeout": "0.2",
            "hunyuan_admin": "",
            **options,
        }
    )
    running = asyncio.create_task(master.run())
    servers = master.addons.get("proxyserver").servers
    while len(servers) < len(modes) or servers.is_updating or not fix.is_running:
        await asyncio.sleep(0.005)
        if running.done():
            running.result()
    del vars(given)["rollback"]
    listening = {server.mode.type_name: server.listen_addrs[0][1] for server in servers}
    try:
        yield Proxy(master, fix, listening["regular"], reverse_port, trust, listening)
    finally:
        master.shutdown()
        await asyncio.wait({running})


@contextmanager
def _telling_nobody(given: Options) -> Iterator[None]:
    """Addons are loaded meanwhile. Each has use for its own options alone, and is told of them once it is appended.

    mitmproxy would tell all addons of each option as it is declared, which takes half of the start's time.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(given.changed, "send", lambda updated: None)
        yield


@pytest.fixture(scope="session")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trust]:
    """With it, no proxy waits for the thread of its port for HTTP/3: this process goes on. It waits before it ends."""
    seconds = ports._THREAD
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ports, "_THREAD", 0.0)
        yield make_trust(tmp_path_factory.mktemp("trust"))
    time.sleep(seconds)


@pytest.fixture
async def endpoint(trust: Trust) -> AsyncIterator[Endpoint]:
    """An endpoint that speaks TLS, HTTP/1.1 and HTTP/2."""
    async with run_endpoint(trust) as running:
        yield running


@pytest.fixture
def early_in_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock as it goes on from the tenth second of a minute: limits a minute don't begin anew within the test."""
    real = time.time
    shift = 10 - real() % 60
    monkeypatch.setattr(time, "time", lambda: real() + shift)


@pytest.fixture
async def proxy(trust: Trust, endpoint: Endpoint) -> AsyncIterator[Proxy]:
    """A proxy before `endpoint`, with default options."""
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}") as running:
        yield running
