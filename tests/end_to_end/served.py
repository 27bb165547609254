"""A real mitmdump with the addon before an endpoint in the test's own process, which a test can hold up."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from scripts.lib.processes import free_port
from tests.end_to_end.processes import READY, ROOT, Process, process
from tests.proxying import LOCAL, Endpoint, Trust

MITMDUMP = str(Path(sys.executable).with_name("mitmdump"))
ADDON = ROOT / "addon/hunyuan_fix.py"


@dataclass(frozen=True, slots=True)
class Served:
    """mitmdump that runs: `port` as a proxy, `reverse_port` as a reverse proxy before the endpoint."""

    trust: Trust
    process: Process
    port: int
    reverse_port: int

    def client(self, *, http2: bool = False) -> httpx.AsyncClient:
        """A client of the reverse proxy."""
        return httpx.AsyncClient(
            base_url=f"{'https' if http2 else 'http'}://{LOCAL}:{self.reverse_port}/v1",
            verify=self.trust.of_proxy(http2=http2),
            http1=not http2,
            http2=http2,
            trust_env=False,
            timeout=60,
        )

    async def until(self, pattern: str) -> None:
        """Wait until mitmdump has said it."""
        await asyncio.to_thread(self.process.wait_for, pattern)

    async def ended(self) -> int:
        """Wait until mitmdump ends by itself; its exit code."""
        return await asyncio.to_thread(self.process.wait)


@asynccontextmanager
async def serve(
    trust: Trust,
    endpoint: Endpoint,
    *arguments: str,
    script: Path = ADDON,
    confdir: Path | None = None,
    hosts: str = LOCAL,
    store: str = "memory",
    environment: Mapping[str, str] | None = None,
    awaited: bool = True,
) -> AsyncIterator[Served]:
    """Run it before `endpoint`, which speaks clear HTTP; `arguments` go to mitmdump.

    Not `awaited`: it says nothing by which a test could know that it runs, and its port as a proxy stays unknown.
    """
    reverse_port = free_port()
    command = [MITMDUMP, "-s", str(script), "-s", str(READY), "--set", f"confdir={confdir or trust.confdir}"]
    command += ["--mode", "regular@127.0.0.1:0"]
    command += ["--mode", f"reverse:http://{LOCAL}:{endpoint.port}@127.0.0.1:{reverse_port}"]
    command += ["--set", f"hunyuan_hosts={hosts}", "--set", f"hunyuan_store={store}", *arguments]
    with process("mitmdump", command, environment) as started:
        if not awaited:
            yield Served(trust, started, 0, reverse_port)
            return
        said = await asyncio.to_thread(started.wait_for, r"HTTP\(S\) proxy listening at 127\.0\.0\.1:(\d+)")
        await asyncio.to_thread(started.wait_for, r"reverse proxy to \S+ listening")
        await asyncio.to_thread(started.wait_for, "mitmproxy is running")
        yield Served(trust, started, int(said[1]), reverse_port)
