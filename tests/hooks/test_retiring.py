"""A worker hands over: what is open is served to its end, and clients are told to go elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from hunyuan_fix.hooks import retiring
from tests.proxying import LOCAL, Answer, Arrived, Trust, chat_answer, run_endpoint, run_proxy
from tests.waiting import until

BODY = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": "hi"}]}


def held_until(event: asyncio.Event) -> Callable[[Arrived], Awaitable[Answer]]:
    """What an endpoint answers with once `event` is set."""

    async def answer(request: Arrived) -> Answer:
        await event.wait()
        return chat_answer("ok")

    return answer


async def asked(client: httpx.AsyncClient) -> httpx.Response:
    return await client.post("/chat/completions", json=BODY)


async def test_requests_on_open_connections_are_served_and_new_connections_refused(
    trust: Trust, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retiring, "IDLE", 600.0)
    hold = asyncio.Event()
    async with (
        run_endpoint(trust, tls=False) as endpoint,
        run_proxy(trust, f"http://{LOCAL}:{endpoint.port}") as proxy,
        proxy.client() as idle,
        proxy.client() as busy,
    ):
        hold.set()
        endpoint.answer = held_until(hold)
        assert "connection" not in (await asked(idle)).headers
        hold.clear()
        under_way = asyncio.create_task(asked(busy))
        await until(lambda: len(endpoint.arrived) == 2)
        over = asyncio.create_task(proxy.addon.retire())
        async with proxy.client() as new:
            await until(lambda: proxy.addon.process.retiring.begun)
            with pytest.raises(httpx.ConnectError):
                await asked(new)
        hold.set()
        for answered in (await under_way, await asked(idle)):
            assert (answered.status_code, answered.headers["connection"]) == (200, "close")
        await over  # all have gone by themselves: nobody waits for idle ones to time out


async def test_idle_connections_are_waited_for_no_longer_than_clients_keep_them(
    trust: Trust, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retiring, "IDLE", 0.05)
    async with (
        run_endpoint(trust, tls=False) as endpoint,
        run_proxy(trust, f"http://{LOCAL}:{endpoint.port}") as proxy,
        proxy.client() as idle,
    ):
        await asked(idle)
        await proxy.addon.retire()
        assert proxy.master.addons.get("proxyserver").connections


async def test_what_never_ends_is_waited_for_as_long_as_it_may_take(
    trust: Trust, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retiring, "IDLE", 0.0)
    hold = asyncio.Event()
    async with (
        run_endpoint(trust, tls=False) as endpoint,
        run_proxy(trust, f"http://{LOCAL}:{endpoint.port}", hunyuan_drain_timeout="0.3") as proxy,
        proxy.client() as busy,
    ):
        endpoint.answer = held_until(hold)
        under_way = asyncio.create_task(asked(busy))
        await until(lambda: len(endpoint.arrived) == 1)
        await proxy.addon.retire()
        assert not under_way.done()
        hold.set()
        assert (await under_way).status_code == 200


async def test_a_silent_connection_with_a_request_under_way_is_not_idle(
    trust: Trust, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retiring, "IDLE", 0.0)
    monkeypatch.setattr(retiring, "_PAUSE", 0.001)
    looks, look = 0, retiring.Retiring._is_needed

    def counted(*arguments: Any) -> bool:
        nonlocal looks
        looks += 1
        return look(*arguments)

    monkeypatch.setattr(retiring.Retiring, "_is_needed", counted)
    hold = asyncio.Event()
    async with (
        run_endpoint(trust, tls=False) as endpoint,
        run_proxy(trust, f"http://{LOCAL}:{endpoint.port}") as proxy,
        proxy.client() as busy,
    ):
        endpoint.answer = held_until(hold)
        under_way = asyncio.create_task(asked(busy))
        await until(lambda: len(endpoint.arrived) == 1)
        over = asyncio.create_task(proxy.addon.retire())
        await until(lambda: over.done() or looks > 5)
        assert not over.done()
        hold.set()
        assert (await under_way).status_code == 200
        await over
