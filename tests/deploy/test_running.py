"""Each deployment, started: it gets ready by its probes, lends the key by token alone, and ends in peace."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.deploy import balancing, running, scraping
from tests.deploy import deployments as read
from tests.deploy.deployments import Deployment
from tests.deploy.running import ADMIN_TOKEN, KEY, Machine
from tests.proxying import LOCAL, Answer, Arrived, Trust, run_endpoint
from tests.redis_server import RedisServer
from tests.waiting import until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the files of deploy/ are for Linux")

EVENT = 'data: {"choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":%s}]}\n\n'
CACHED = 1 / 3
TOKENS = {"prompt_tokens": 90, "completion_tokens": 9, "prompt_tokens_details": {"cached_tokens": round(90 * CACHED)}}
USAGE = f"data: {json.dumps({'choices': [], 'usage': TOKENS})}\n\n"
BODY = {"model": "hy3", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
BEARER = {"authorization": f"Bearer {ADMIN_TOKEN}"}


class Held:
    """An endpoint whose streams wait for their end until `release` is set. `calls`: without the look at its models."""

    def __init__(self) -> None:
        self.calls: list[Arrived] = []
        self.release = asyncio.Event()
        self.release.set()

    async def answer(self, request: Arrived) -> Answer:
        if request.method == "GET":
            return Answer(chunks=[b'{"object": "list", "data": []}'])
        self.calls.append(request)
        return Answer(headers={"content-type": "text/event-stream"}, chunks=self._stream())

    async def _stream(self) -> AsyncIterator[bytes]:
        yield (EVENT % ("你", "null")).encode()
        await self.release.wait()
        yield (EVENT % ("好", '"stop"') + USAGE + "data: [DONE]\n\n").encode()


def client(machine: Machine, token: str = "", port: int = 0) -> httpx.AsyncClient:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    base = f"http://127.0.0.1:{port or machine.reverse_port}/v1"
    return httpx.AsyncClient(base_url=base, headers=headers, trust_env=False, verify=False, timeout=60)


async def asked(machine: Machine, token: str = "", port: int = 0) -> httpx.Response:
    async with client(machine, token, port) as one:
        return await one.post("/chat/completions", json=BODY)


@pytest.mark.parametrize("deployment", read.deployments(), ids=lambda deployment: deployment.name)
async def test_it_starts_as_shipped_lends_by_token_alone_and_ends_in_peace(
    deployment: Deployment, trust: Trust, redis_server: RedisServer, tmp_path: Path
) -> None:
    held = Held()
    root = tmp_path / "root"
    root.mkdir()
    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = held.answer
        machine = running.made(deployment, root, redis_server, f"http://{LOCAL}:{endpoint.port}/v1")
        assert not machine.looks_healthy()
        with running.started(machine, tmp_path) as started:
            # 1. It gets ready, as Docker and the kubelet see it: by an address, without a token.
            await running.ready(machine, started)
            assert await asyncio.to_thread(machine.looks_healthy)
            for path in running.probes().values():
                assert (await asyncio.to_thread(machine.admin, path, host="10.1.2.3:9464")).status_code == 200
            # 2. Who reads its numbers needs the token, and may name it as Prometheus does.
            host = deployment.environment.get("HUNYUAN_ADMIN_HOSTS", "10.1.2.3")
            assert (await asyncio.to_thread(machine.admin, "/metrics", host=f"{host}:9464")).status_code == 401
            read_by = await asyncio.to_thread(machine.admin, "/metrics", host=f"{host}:9464", **BEARER)
            assert read_by.status_code == 200
            # 3. A client of this machine is lent nothing without a token.
            assert (await asked(machine)).status_code == 401
            assert held.calls == []
            assert "好" in (await asked(machine, machine.token)).text
            assert held.calls[0].headers["authorization"] == f"Bearer {KEY}"
            if deployment.name == "compose":
                await scraping.fill_the_dashboard(machine, tmp_path, lambda: asked(machine, machine.token), CACHED)
            if deployment.name == "systemd":
                await haproxy_sends_each_call_to_who_takes_it(machine, tmp_path)
            # 4. What is under way at SIGTERM ends; new connections don't come.
            held.release.clear()
            before = len(held.calls)
            stream = asyncio.create_task(asked(machine, machine.token))
            await until(lambda: len(held.calls) > before)
            running.terminate(started)
            await running.ready(machine, started, be=False)
            await until_closed(machine)
            held.release.set()
            text = (await stream).text
            assert "好" in text
            assert text.endswith("data: [DONE]\n\n")
            assert await asyncio.to_thread(started.wait) == 0
            if deployment.name == "supervisor":
                assert "stopped: hunyuan-fix (exit status 0)" in started.output
        assert not await asyncio.to_thread(machine.looks_healthy)
    assert running.written(machine)


async def haproxy_sends_each_call_to_who_takes_it(machine: Machine, folder: Path) -> None:
    """A connection that one machine refuses goes to the other; to the proxy it comes from here, and is lent nothing."""
    async with balancing.balanced(machine, folder) as port:
        for _ in range(4):
            assert (await asked(machine, machine.token, port)).status_code == 200
            assert (await asked(machine, "", port)).status_code == 401


async def until_closed(machine: Machine) -> None:
    """Wait until the port of clients takes no connection, or says that the proxy ends."""
    async with client(machine) as one:
        with suppress(httpx.TransportError):
            while (await one.get(f"http://127.0.0.1:{machine.reverse_port}/health")).status_code == 200:
                await asyncio.sleep(0.01)
