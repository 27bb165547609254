"""Refused requests through a real mitmdump, before stand-ins that do otherwise than their documents say."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from hunyuan_fix.simulator.anthropic_facade import Facade, usual
from hunyuan_fix.simulator.rows import ProfileName
from hunyuan_fix.simulator.server import Served as Simulator
from hunyuan_fix.simulator.server import serve as simulate
from hunyuan_fix.simulator.settings import Settings
from hunyuan_fix.simulator.variant import Variant, differs
from tests.end_to_end.served import serve
from tests.proxying import LOCAL, Endpoint, Trust

type Json = dict[str, Any]

KEY = {"authorization": "Bearer sk-test"}
USER = {"role": "user", "content": "hi"}
CALL = {"id": "f:0", "type": "function", "function": {"name": "f", "arguments": "{}"}}
LOST = [
    USER,
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "f:0", "content": "1"},
]
SCHEMA = {"type": "object", "properties": {"a": {"type": ["string", "null"], "default": "b"}}}
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}]


@contextlib.asynccontextmanager
async def before(
    trust: Trust, profile: str, simulated: ProfileName, *options: str, messages: bool = True, **variant: Any
) -> AsyncIterator[tuple[httpx.AsyncClient, Simulator]]:
    """A client of a mitmdump with `profile`, before a stand-in."""
    facade = Facade(simulated, usual(simulated)) if messages else None
    arguments = [part for option in options for part in ("--set", option)]
    settings = Settings(profile=simulated, facade=facade, variant=Variant(**variant))
    async with simulate(settings) as simulator:
        address = Endpoint(port=int(simulator.url.rpartition(":")[2]))
        async with serve(trust, address, *arguments, hosts=f"{LOCAL}={profile}") as served, served.client() as client:
            yield client, simulator


ROWS = {
    "a stricter schema": ("moonshot", "moonshot", "mfjs-strict", {"model": "kimi-k2.6", "tools": TOOLS}),
    "reasoning that must be there": (
        "tokenhub",
        "tokenhub",
        "reasoning-required",
        {"model": "hy3", "messages": LOST, "tools": TOOLS, "thinking": {"type": "enabled"}},
    ),
    "an unknown parameter": (
        "moonshot",
        "moonshot",
        "cache-key-refused",
        {"model": "kimi-k2.6", "prompt_cache_key": "a"},
    ),
}


@pytest.mark.parametrize("retry", ["vision", "all"])
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("profile", "simulated", "difference", "asked"), ROWS.values(), ids=ROWS.keys())
async def test_what_an_endpoint_does_otherwise_is_learnt(
    trust: Trust,
    profile: str,
    simulated: ProfileName,
    difference: str,
    asked: Json,
    streamed: bool,
    retry: str,
):
    body = {"messages": [USER], "stream": streamed} | asked
    async with before(trust, profile, simulated, f"hunyuan_retry={retry}", differs=differs([difference])) as (
        client,
        _,
    ):
        first = await client.post("/v1/chat/completions", json=body, headers=KEY)
        assert (first.status_code, first.headers.get("x-hunyuan-fix-tries")) == (200, "2"), first.text
        assert "mended" in first.headers["x-hunyuan-fix"].split(",")
        again = await client.post("/v1/chat/completions", json=body, headers=KEY)
        assert (again.status_code, again.headers.get("x-hunyuan-fix-tries")) == (200, None)
        assert "mended" not in again.headers.get("x-hunyuan-fix", "").split(",")
        assert bool(first.headers["content-type"].startswith("text/event-stream")) == streamed


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
async def test_an_endpoint_without_its_messages(trust: Trust, streamed: bool):
    body = {"model": "hy3", "max_tokens": 100, "messages": [USER], "stream": streamed}
    async with before(trust, "tokenhub", "tokenhub", messages=False) as (client, _):
        for tries in ("2", None):
            got = await client.post("/v1/messages", json=body, headers=KEY)
            assert (got.status_code, got.headers.get("x-hunyuan-fix-tries")) == (200, tries), got.text
            if streamed:
                assert "event: message_stop" in got.text
            else:
                assert json.loads(got.text)["type"] == "message"
