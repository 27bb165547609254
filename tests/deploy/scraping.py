"""A real Prometheus with the configuration of deploy/compose reads a proxy, and answers the dashboard's queries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.lib.processes import free_port
from tests.deploy.compose import FILE
from tests.deploy.dashboard import PANELS, filled, query_of
from tests.deploy.queries import RULES
from tests.deploy.running import Machine
from tests.end_to_end.processes import process
from tests.observe.alerts.promtool import found

_PATIENCE = 60.0
"""Seconds until it has started, and until it has read what it must."""


@dataclass(frozen=True)
class Prometheus:
    """Answers queries."""

    client: httpx.AsyncClient

    async def answer(self, query: str) -> list[Any]:
        """What it finds. Raises `AssertionError` where it refuses the query."""
        answered = (await self.client.get("/api/v1/query", params={"query": filled(query)})).json()
        assert answered["status"] == "success", (query, answered)
        result: list[Any] = answered["data"]["result"]
        return result

    async def holds(self, condition: str) -> None:
        """Wait until it finds something."""
        async with asyncio.timeout(_PATIENCE):
            while not await self.answer(condition):
                await asyncio.sleep(0.05)

    async def is_ready(self) -> bool:
        """Whether it answers queries."""
        with suppress(httpx.TransportError):
            return (await self.client.get("/-/ready")).status_code == 200
        return False


@asynccontextmanager
async def scraping(machine: Machine, folder: Path) -> AsyncIterator[Prometheus]:
    """Prometheus with the files of compose, this machine's paths and ports, and a pace at which nobody waits."""
    text = FILE.with_name("prometheus.yml").read_text("utf-8")
    for of_file, of_machine in {
        "/run/secrets/admin-token": str(machine.at("/run/secrets/admin-token")),
        "proxy:9464": f"127.0.0.1:{machine.admin_port}",
        "15s": "200ms",
        RULES.name: str(RULES),
    }.items():
        assert of_file in text
        text = text.replace(of_file, of_machine)
    (folder / "prometheus.yml").write_text(text, "utf-8")
    address = f"127.0.0.1:{free_port()}"
    program = Path(found(folder).program).with_name("prometheus")
    options = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/prometheus"]
    with process("prometheus", [str(program), *options, f"--web.listen-address={address}"]):
        async with httpx.AsyncClient(base_url=f"http://{address}", trust_env=False, verify=False, timeout=30) as client:
            prometheus = Prometheus(client)
            async with asyncio.timeout(_PATIENCE):
                while not await prometheus.is_ready():
                    await asyncio.sleep(0.05)
            yield prometheus


async def fill_the_dashboard(
    machine: Machine, folder: Path, call: Callable[[], Awaitable[object]], cached: float
) -> None:
    """Let Prometheus read the proxy, before and after a call; then ask all that the dashboard asks.

    Until now the proxy has had one call that succeeded. `cached`: the share of the input that was, in each.
    """
    async with scraping(machine, folder) as prometheus:
        reads = 'and on (job, instance) up{job="hunyuan-fix"} == 1'
        await prometheus.holds(f'hunyuan_exchanges_total{{status="2xx"}} == 1 {reads}')
        await call()
        await prometheus.holds(f'hunyuan_exchanges_total{{status="2xx"}} == 2 {reads}')
        for panel in PANELS:
            for target in panel["targets"]:
                answered = await prometheus.answer(target["expr"])
                if panel["type"] == "stat":  # the first row: each has a number
                    ((_, value),) = (each["value"] for each in answered)
                    assert float(value) >= 0, panel["title"]
        ((_, share),) = (each["value"] for each in await prometheus.answer(query_of("Cached input")))
        assert float(share) == pytest.approx(cached)
        assert [each["value"][1] for each in await prometheus.answer(query_of("Workers"))] == ["2"]
