"""The proxies that `scripts/bench --plain` and `--peers` measure: each quiet, and on the proxies' processor."""

from __future__ import annotations

import socket
import ssl
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import trustme

from scripts.lib import bench_peers, processes
from scripts.lib.bench_process import Cores, cpu_seconds, pin, rss_megabytes
from scripts.lib.bench_ratios import Start
from scripts.lib.bench_traffic import HOST, Traffic, Way, traffic

BARE, AGAIN, STREAMING = "bare", "bare again", "bare, streaming"
ADDON, OFF, LITELLM = "hunyuan-fix", "hunyuan_mode=off", "LiteLLM"
UNOBSERVED, OBSERVED, TRACED = "no admin server", "all observed", "traces exported"
"""hunyuan-fix without what listens only while there is an admin server; with that and a log file; with traces, too."""
NATIVE = "native"
"""hunyuan-fix before an endpoint that speaks Tencent Cloud's own API."""
CACHED = "answer cache"
"""hunyuan-fix with `hunyuan_answer_cache=use`."""
REPAIRING = (ADDON, NATIVE, UNOBSERVED, OBSERVED, TRACED, CACHED)
"""Those that rewrite a request that needs it, or answer it."""

_STREAMING_ADDON = Path(__file__).with_name("idle_addon.py")


def start(folder: Path, name: str, where: Cores) -> Start:
    """What one start costs; not the first one with a folder, in which mitmproxy makes its keys."""
    own = folder / f"start-{name}"
    known = own.exists()
    own.mkdir(exist_ok=True)
    if not known:
        start(folder, name, where)
    begun = time.perf_counter()
    if name == LITELLM:
        port = processes.free_port()
        with processes.run(name, bench_peers.litellm(own, port, f"http://{HOST}:9"), own) as running:
            _listening(running, port)
            return _used(running.popen.pid, begun)
    with processes.mitmdump(name, own, *_arguments(name, own), reverse=f"http://{HOST}:9") as proxy:
        return _used(proxy.process.popen.pid, begun)


def _used(pid: int, begun: float) -> Start:
    return Start(cpu_seconds(pid) or 0.0, rss_megabytes(pid) or 0.0, time.perf_counter() - begun)


class Proxies:
    """The proxies and endpoints that rows ask for, kept until `stack` ends."""

    def __init__(self, folder: Path, where: Cores, stack: AsyncExitStack) -> None:
        self._folder = folder
        self._where = where
        self._stack = stack
        self._authority = trustme.CA()
        self._authority_file = folder / "authority.pem"
        self._authority.cert_pem.write_to_path(str(self._authority_file))
        self._roads: dict[bool, Traffic] = {}
        self._ways: dict[tuple[str, bool], Way] = {}

    def memory(self) -> dict[str, float]:
        """MB in use by each proxy of plain HTTP."""
        sizes = {name: rss_megabytes(way.pid) for (name, tls), way in self._ways.items() if not tls}
        return {name: size for name, size in sizes.items() if size is not None}

    async def road(self, *, tls: bool) -> Traffic:
        """The endpoint, with or without TLS."""
        if tls not in self._roads:
            server = None
            if tls:
                server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                self._authority.issue_cert(HOST).configure_cert(server)
            self._roads[tls] = await self._stack.enter_async_context(traffic(server))
        return self._roads[tls]

    async def way(self, name: str, *, tls: bool) -> Way:
        """The way through the proxy `name`. Raises `StartError` where that doesn't start."""
        if (name, tls) not in self._ways:
            road = await self.road(tls=tls)
            self._ways[name, tls] = self._started(name, f"{'https' if tls else 'http'}://{HOST}:{road.port}", tls=tls)
        return self._ways[name, tls]

    def _started(self, name: str, target: str, *, tls: bool) -> Way:
        own = self._folder / f"{name}-{'tls' if tls else 'plain'}"
        own.mkdir()
        port = processes.free_port()
        command = bench_peers.litellm(own, port, target) if name == LITELLM else self._mitmdump(name, own, port, target)
        running = self._stack.enter_context(processes.run(name, command, own))
        pin(running.popen.pid, self._where.proxy)
        _listening(running, port)
        ca = own / "mitmproxy" / "mitmproxy-ca-cert.pem"
        trusted = ssl.create_default_context(cafile=str(ca)) if tls else None
        return Way(name, reverse_port=port, pid=running.popen.pid, trusted=trusted)

    def _mitmdump(self, name: str, own: Path, port: int, target: str) -> Sequence[str]:
        # Quiet, as whoever measures runs it: lines to a terminal would be most of what is measured.
        return (
            *(str(Path(sys.executable).with_name("mitmdump")), "-q", "--set", f"confdir={own / 'mitmproxy'}"),
            *("--mode", f"reverse:{target}@{HOST}:{port}"),
            *("--set", f"ssl_verify_upstream_trusted_ca={self._authority_file}"),
            *_arguments(name, own, target),
        )


def _arguments(name: str, folder: Path, collector: str = "") -> list[str]:
    """The arguments of a mitmdump beside its mode: all of the addon that is on by default is on.

    `collector`: where traces go. The endpoint takes them, too: whatever is posted there is answered with 200.
    """
    if name in (BARE, AGAIN):
        return []
    if name == STREAMING:
        return ["-s", str(_STREAMING_ADDON)]
    # The store is a file as by default, but no file of the person's.
    settings = [
        f"hunyuan_store=sqlite:{folder / 'store.sqlite'}",
        f"hunyuan_hosts={HOST}={'tencent-cloud' if name == NATIVE else 'hunyuan'}",
    ]
    if name == OFF:
        settings.append("hunyuan_mode=off")
    if name == CACHED:
        settings += ["hunyuan_answer_cache=use", "hunyuan_answer_cache_repeats=off"]
    if name == UNOBSERVED:
        settings.append("hunyuan_admin=")
    if name in (OBSERVED, TRACED):
        settings += [f"hunyuan_admin={HOST}:{processes.free_port()}", f"hunyuan_log_file={folder / 'log'}"]
    if name == TRACED:
        settings.append(f"hunyuan_traces={collector}")
    return ["-s", str(processes.ADDON), *(word for setting in settings for word in ("--set", setting))]


def _listening(running: processes.RunningProcess, port: int) -> None:
    """Wait until a port is open: a quiet proxy doesn't say that it is."""
    deadline = time.monotonic() + processes.START_TIMEOUT
    while running.popen.poll() is None and time.monotonic() < deadline:
        with suppress(OSError):
            socket.create_connection((HOST, port), timeout=1).close()
            return
        time.sleep(0.02)
    raise processes.StartError(f"{running.name} did not start:\n{running.said()}")
