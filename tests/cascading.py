"""A cascade against a real vision server, for tests."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from hunyuan_fix import profiles, texts
from hunyuan_fix.cascade import Cascade, CascadeOutcome, CascadeSettings
from hunyuan_fix.upstream.calls import Calls
from hunyuan_fix.upstream.client import HttpClient
from hunyuan_fix.upstream.target import Target
from hunyuan_fix.upstream.timing import Timing
from hunyuan_fix.vision.vision_call import Vision
from tests.vision_server import (
    Received,
    Reply,
    VisionServer,
    chat,
    image_part,
    png,
    text_part,
    vision_server,
)

HUNYUAN = profiles.load("hunyuan")
TOKENHUB = profiles.load("tokenhub")
TEXT_MODEL = HUNYUAN.text_model
VISION_MODEL = HUNYUAN.vision_model
ZH = texts.load("zh")
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]


def body(*contents: Any, model: str = TEXT_MODEL, **parameters: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": content} for content in copy.deepcopy(contents)]
    return {"model": model, "messages": messages, **parameters}


def description(number: int, total: int, text: str, model: str = VISION_MODEL) -> dict[str, Any]:
    return text_part(f"[图片 {number}/{total} 内容描述，由 {model} 生成]\n{text}\n[图片描述结束]")


def note(number: int, total: int, reason: str) -> dict[str, Any]:
    return text_part(f"[图片 {number}/{total} 无法识别：{ZH.image_reasons[reason]}]")


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


class Setting:
    """A cascade against a real server. Waits between tries don't last; the cache's clock stands still."""

    def __init__(self, server: VisionServer) -> None:
        async def no_wait(_: float) -> None:
            await asyncio.sleep(0)

        self.server = server
        self.http_client = HttpClient()
        self.clock = Clock()
        self.settings = CascadeSettings()
        self.vision = Vision(Calls(self.http_client, timing=Timing(sleep=no_wait, clock=self.clock)))
        self.cascade = Cascade(self.vision, clock=self.clock)
        self.target = Target(server.url, {"authorization": "Bearer a"})

    def configure(self, **options: Any) -> None:
        self.settings = replace(self.settings, **options)
        self.cascade.configure(self.settings)

    async def describe(self, chat_body: dict[str, Any], **changes: Any) -> CascadeOutcome:
        arguments: dict[str, Any] = {"profile": HUNYUAN, "target": self.target, "texts": ZH, **changes}
        found = await self.cascade.find(chat_body, len(json.dumps(chat_body)))
        return await self.cascade.describe(chat_body, found, **arguments)

    def start(self, chat_body: dict[str, Any], **changes: Any) -> asyncio.Task[CascadeOutcome]:
        return asyncio.create_task(self.describe(chat_body, **changes))


@pytest.fixture(params=[None, asyncio.eager_task_factory], ids=["lazy", "eager"])
async def setting(request: pytest.FixtureRequest) -> AsyncIterator[Setting]:
    """mitmproxy runs with the eager task factory (docs/facts/mitmproxy.md#eager-tasks)."""
    asyncio.get_running_loop().set_task_factory(request.param)
    async with vision_server() as server:
        made = Setting(server)
        yield made
        await made.http_client.aclose()


class Gate:
    """Lets answers out one by one, by the image's name."""

    def __init__(self, server: VisionServer) -> None:
        self.server = server
        self.replies: dict[str, asyncio.Future[Reply]] = {}
        server.handler = self

    async def __call__(self, received: Received) -> Reply:
        return await self._reply(received.name)

    def open(self, name: str, reply: Reply | None = None) -> None:
        self._reply(name).set_result(reply or chat(f"a picture of {name}"))

    def _reply(self, name: str) -> asyncio.Future[Reply]:
        if name not in self.replies or self.replies[name].cancelled():
            self.replies[name] = asyncio.get_running_loop().create_future()
        return self.replies[name]

    async def asked(self, *names: str) -> None:
        await self.server.until(lambda: {received.name for received in self.server.received} == set(names))


def only_refusal(outcome: CascadeOutcome) -> tuple[int, str]:
    assert outcome.refusal is not None
    assert outcome.changes == []
    return outcome.refusal.status, json.loads(outcome.refusal.body)["error"]["code"]


IMAGE = [text_part("look"), image_part(png("a"))]
