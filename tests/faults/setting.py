"""The addon in a real mitmproxy, a strict simulator, the fault proxy between them, and what must be left of it all."""

from __future__ import annotations

import asyncio
import gc
import json
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import httpx
import pytest

from hunyuan_fix.simulator.app import Simulator
from hunyuan_fix.simulator.server import serve
from hunyuan_fix.simulator.settings import Settings
from hunyuan_fix.simulator.vision import data_url, png_with_text
from hunyuan_fix.upstream import retry
from tests.fault_proxy import Fault, FaultProxy, fault_proxy
from tests.proxying import LOCAL, Proxy, Trust, run_proxy
from tests.waiting import until

KEY = "Bearer sk-test"
MODEL = "hunyuan-lite"
TEXT = "你好，这是完整的回答。" * 20
"""What the simulator says: long enough that faults strike in the middle."""
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}

TRIES = 3
RELAYED: dict[str, Any] = {"hunyuan_retry": "all", "hunyuan_retry_tries": str(TRIES)}
"""Options under which the addon makes chat calls itself, and tries them again."""

NEVER, ONCE, ALWAYS = 60.0, 0.5, 0.2
"""Seconds of silence after which a call has failed: where nothing is silent however busy the machine, where a good
answer must still get through afterwards, where every try is met by silence."""

STREAMED = {"whole": False, "streamed": True}
RETRIES: dict[str, dict[str, Any]] = {"vision": {}, "all": RELAYED}
"""Options under which mitmproxy carries chat calls, or the addon makes them."""

_pictures = count()


def chat(**parameters: Any) -> dict[str, Any]:
    """A request that the addon has to repair (`user` is no parameter of the endpoint's)."""
    return {"model": MODEL, "messages": [_user(f"[[sim:say {TEXT}]]")], "user": "me", **parameters}


def with_image(**parameters: Any) -> dict[str, Any]:
    """A request with tools and an image that nobody has seen before: it needs a vision call."""
    url = data_url(png_with_text(f"picture {next(_pictures)}"))
    content = [
        {"type": "text", "text": f"[[sim:say {TEXT}]]"},
        {"type": "image_url", "image_url": {"url": url}},
    ]
    return {"model": MODEL, "messages": [_user(content)], "tools": [TOOL], **parameters}


def _user(content: object) -> dict[str, Any]:
    return {"role": "user", "content": content}


@dataclass(frozen=True, slots=True)
class Left:
    """What a process holds on to when nothing is under way. Connections that wait in a pool count too."""

    descriptors: int
    tasks: int


@dataclass(slots=True)
class Setting:
    """All that a test of a fault needs."""

    simulator: Simulator
    faults: FaultProxy
    proxy: Proxy
    _accepted: int = 0
    _seen: int = 0
    _before: Left = field(default_factory=lambda: Left(0, 0))

    def client(self, *, http2: bool = False, **options: Any) -> httpx.AsyncClient:
        """A client of the reverse proxy."""
        return self.proxy.client(http2=http2, headers={"authorization": KEY}, **options)

    async def ask(
        self, body: dict[str, Any], *, http2: bool = False, path: str = "/chat/completions"
    ) -> httpx.Response:
        """One request by a client of its own, and its whole answer."""
        async with self.client(http2=http2) as client:
            return await client.post(path, json=body)

    async def program(self, *faults: Fault, always: Fault | None = None, noticed: bool = True) -> None:
        """Faults for the upstream connections from now on. Those that wait in a pool are closed before.

        Silence is `noticed` soon by the addon, unless a client is to leave before.
        """
        await self.faults.hang_up()
        if noticed and any(fault.silent for fault in faults):
            self.notice_silence(ONCE)
        elif noticed and always is not None and always.silent:
            self.notice_silence(ALWAYS)
        self._accepted, self._seen = self.faults.accepted, self.simulator.journal.by_path.total()
        self.faults.program(*faults)
        if always is not None:
            self.faults.always(always)

    def notice_silence(self, after: float) -> None:
        """Let calls of the addon's own fail after so many seconds of silence."""
        self.proxy.master.options.update(hunyuan_upstream_timeout=str(after), hunyuan_vision_timeout=str(after))

    @property
    def tries(self) -> int:
        """Upstream connections since `program`: a fault that strikes leaves none for a second request."""
        return self.faults.accepted - self._accepted

    @property
    def arrived(self) -> int:
        """Requests that the endpoint has seen since `program`."""
        return self.simulator.journal.by_path.total() - self._seen

    @property
    def slots(self) -> int:
        """Calls that hold a slot of an account, or wait for one."""
        queues = self.proxy.addon.runtime.admission.state().queues
        return sum(queue.under_way + queue.waiting for queue in queues)

    async def begin(self) -> None:
        """Make everything that is made only once, and note what there is then."""
        self.notice_silence(NEVER)
        await self._exchange()
        gc.collect()  # sockets of earlier tests' loops
        self._before = await self._left()

    async def check(self) -> None:
        """Whatever the test did: the next request is answered well, and nothing is left of those before."""
        self.faults.reset()
        self.faults.listen_again()
        self.notice_silence(NEVER)
        await self._nothing_under_way()
        await self.faults.hang_up()
        await self._exchange()
        await self._nothing_under_way()
        await until(self._nothing_left, lambda: (self._now(), self._before, asyncio.all_tasks()))

    async def _exchange(self) -> None:
        answer = await self.ask(with_image())
        assert is_good(answer), answer.text

    async def _left(self) -> Left:
        await self._nothing_under_way()
        # httpx and asyncio close what they are done with in the loop's next rounds.
        now = self._now()
        for _ in range(50):
            await asyncio.sleep(0)
            now = self._now()
        return now

    async def _nothing_under_way(self) -> None:
        await until(lambda: not any(self._held().values()), self._held)

    def _held(self) -> dict[str, object]:
        """What is there only while something is under way, by where it is."""
        process, runtime = self.proxy.addon.process, self.proxy.addon.runtime
        return {
            "connections of clients": self.proxy.master.addons.get("proxyserver").connections,
            "exchanges": process.finisher.under_way,
            "dispatched exchanges": process.dispatcher.under_way,
            "slots": self.slots,
            "calls in the relay": runtime.relay.under_way,
            "jobs of the relay": runtime.relay.expected,
            "calls of our own": runtime.http_client.busy,
            "connections at the endpoint": max(0, self.faults.open - runtime.http_client.idle),
            "requests at the endpoint": self.simulator.journal.active,
        }

    def _nothing_left(self) -> bool:
        now, before = self._now(), self._before
        return now.descriptors <= before.descriptors and now.tasks <= before.tasks

    @staticmethod
    def _now() -> Left:
        return Left(len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks()))


@asynccontextmanager
async def run_setting(trust: Trust, *, tls: bool = False, **options: Any) -> AsyncIterator[Setting]:
    """Run it all, over HTTP/1.1 towards the endpoint or (`tls`) HTTP/2; checks at the end what is left.

    With TLS the fault proxy can't read along: its faults count bytes of TLS then.
    """
    endpoint = Settings(concurrency=0)
    if tls:
        endpoint = replace(endpoint, cert=trust.folder / "endpoint.pem", key=trust.folder / "endpoint.key")
    scheme = "https" if tls else "http"
    async with AsyncExitStack() as stack:
        served = await stack.enter_async_context(serve(endpoint))
        faults = await stack.enter_async_context(fault_proxy(port_of(served.url)))
        proxy = await stack.enter_async_context(run_proxy(trust, f"{scheme}://{LOCAL}:{faults.port}", **options))
        # How long a backoff lasts is tests/test_retries.py's business.
        stack.enter_context(pytest.MonkeyPatch.context()).setattr(retry, "BACKOFF_FIRST", 0.001)
        setting = Setting(served.simulator, faults, proxy)
        await setting.begin()
        yield setting
        await setting.check()


@asynccontextmanager
async def leave(
    setting: Setting, body: dict[str, Any], *, http2: bool = False, path: str = "/chat/completions"
) -> AsyncIterator[bytearray]:
    """A client that sends a request and closes its connection with the block; yields what it has received."""
    received = bytearray()

    async def ask() -> None:
        async with setting.client(http2=http2) as client, client.stream("POST", path, json=body) as answer:
            async for piece in answer.aiter_bytes():
                received.extend(piece)

    asking = asyncio.create_task(ask())
    try:
        yield received
    finally:
        asking.cancel()
        await asyncio.wait({asking})
    assert asking.cancelled(), "the client had its answer"


def port_of(url: str) -> int:
    """The port of an address without a path."""
    return int(url.rpartition(":")[2])


def is_good(answer: httpx.Response) -> bool:
    """Whether it is the whole answer, not streamed."""
    return answer.status_code == 200 and answer.json()["choices"][0]["message"]["content"] == TEXT


def one_error(answer: httpx.Response) -> dict[str, Any]:
    """The error that `answer` is, and nothing else."""
    assert answer.status_code >= 400
    assert answer.headers["content-type"].startswith("application/json")
    assert "content-encoding" not in answer.headers
    return openai_error(answer.json())


def events(body: bytes) -> list[Any]:
    """The events of a stream; `[DONE]` as a string."""
    assert body.endswith(b"\n\n")
    data = [event.removeprefix(b"data: ") for event in body.split(b"\n\n") if event and not event.startswith(b":")]
    return [event.decode() if event == b"[DONE]" else json.loads(event) for event in data]


def said(body: bytes) -> str:
    """The text in a stream's events."""
    chunks = [event for event in events(body) if isinstance(event, dict)]
    return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk.get("choices"))


def is_good_stream(answer: httpx.Response) -> bool:
    """Whether it is the whole answer, streamed, and ended as streams end."""
    body = answer.content
    return answer.status_code == 200 and said(body) == TEXT and events(body)[-1] == "[DONE]" and not errors(body)


def errors(body: bytes) -> list[dict[str, Any]]:
    """The errors among a stream's events, each of which must be well-formed."""
    found = [event for event in events(body) if isinstance(event, dict) and "error" in event]
    return [openai_error(event) for event in found]


def openai_error(body: Any) -> dict[str, Any]:
    """The error in `body`, which must be one as OpenAI words them."""
    error: dict[str, Any] = body["error"]
    assert error.keys() >= {"message", "type", "param", "code"}, error
    assert isinstance(error["message"], str)
    assert error["message"]
    assert isinstance(error["type"], str)
    return error
