"""`scripts/bench --plain`: processor time of a request, of a bare mitmdump to one with the addon."""

from __future__ import annotations

import socket
import ssl
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme

from scripts.lib import services
from scripts.lib.bench_loads import Load, cpu_loads
from scripts.lib.bench_process import Cores, cpu_note, cpu_seconds, pin, rss_megabytes
from scripts.lib.bench_ratios import Row, Slice, Start, Starts, heading, line, noise, start_lines
from scripts.lib.bench_traffic import HOST, RULES_HEADER, Traffic, TrafficError, Way, traffic

CONNECTIONS = 4
STREAMING_ADDON = Path(__file__).with_name("idle_addon.py")

BARE, AGAIN, STREAMING, ADDON, OFF = "bare", "bare again", "bare, streaming", "hunyuan-fix", "hunyuan_mode=off"


@dataclass(frozen=True, slots=True)
class Effort:
    """How long is measured. Times are CPU seconds of the proxy, so a busy machine takes longer and counts the same."""

    rounds: int = 5
    slice: float = 0.8
    warm_up: float = 0.3
    """Before the first round, for each load and each proxy."""
    chunks: int = 2000


QUICK = Effort(rounds=1, slice=0.02, warm_up=0.0, chunks=40)


@dataclass(frozen=True, slots=True)
class Pair:
    """One load, and the two proxies that are measured with it in turns."""

    row: Row
    load: Load
    base: str
    ours: str
    tls: bool = False


def pairs(chunks: int) -> Iterator[Pair]:
    """All rows but the start, in the order of the table."""
    by_name = {load.name: load for load in cpu_loads(chunks)}
    for load in by_name.values():
        hint = "0.80 with a memo of the turns before" if load.turns else ""
        base = STREAMING if load.chunks else BARE
        yield Pair(Row(load.name, load.target, hint), load, base, ADDON)
    small = by_name["1 KB repaired"]
    yield Pair(Row("1 KB, hunyuan_mode=off", 1.25), small, BARE, OFF)
    yield Pair(Row("1 KB, TLS"), small, BARE, ADDON, tls=True)
    yield Pair(Row("100 KB, TLS"), by_name["100 KB repaired"], BARE, ADDON, tls=True)
    yield Pair(Row("1 KB, bare against bare", hint="noise"), small, BARE, AGAIN)


@dataclass(frozen=True, slots=True)
class Report:
    """What one run has measured, and the memory of its proxies in MB once all of it had gone through them."""

    rows: Sequence[Row]
    starts: Starts | None
    memory: Mapping[str, float]

    @property
    def missed(self) -> bool:
        """Whether any target was missed."""
        return any(row.missed for row in self.rows) or (self.starts is not None and self.starts.missed)

    def as_json(self) -> dict[str, Any]:
        """For the file and `--json`."""
        return {
            "rows": [row.as_json() for row in self.rows],
            "start": self.starts and self.starts.as_json(),
            "rss_mb_after": self.memory,
            "noise": noise(self.rows) if self.rows else None,
            "cpu_note": cpu_note(),
        }

    def lines(self) -> Iterator[str]:
        """For a terminal."""
        yield heading("bare", "ours")
        yield from map(line, self.rows)
        yield from start_lines(self.starts) if self.starts else ()
        yield ""
        yield "ratio: CPU of a request through bare mitmdump / through this (1.00: as cheap); median of the rounds."
        if self.rows:
            yield f"noise: a round lies {noise(self.rows):.1%} from the median of its row (median of the rows)."
        if self.memory:
            yield "RSS after it: " + ", ".join(f"{name} {size:.0f} MB" for name, size in self.memory.items())
        if note := cpu_note():
            yield note


async def measure(effort: Effort, words: Sequence[str], where: Cores) -> Report:
    """Measure the rows whose name has one of `words` in it (all without words); says on standard error how far it is.

    Raises `TrafficError` where no name fits or an answer is not what its load must get, `StartError` where a proxy
    doesn't start.
    """
    chosen = [pair for pair in pairs(effort.chunks) if _wanted(pair.row.name, words)]
    starts = Starts() if _wanted("start", words) else None
    if not chosen and not starts:
        raise TrafficError(f"no load has {' or '.join(map(repr, words))} in its name")
    memory: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="hunyuan-fix-bench-") as name:
        if starts:
            for number in range(effort.rounds):
                _progress(f"start {number + 1} of {effort.rounds}")
                starts.base.append(_start(Path(name), BARE, where))
                starts.ours.append(_start(Path(name), ADDON, where))
        async with AsyncExitStack() as stack:
            proxies = _Proxies(Path(name), where, stack)
            for number in range(effort.rounds if chosen else 0):
                for pair in chosen:
                    _progress(f"round {number + 1} of {effort.rounds}: {pair.row.name}")
                    await _round(proxies, pair, effort, number)
            memory = proxies.memory()
    _progress("")
    return Report([pair.row for pair in chosen], starts, memory)


def _wanted(name: str, words: Sequence[str]) -> bool:
    return not words or any(word.strip().lower() in name.lower() for word in words)


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


# What runs


def _arguments(name: str, folder: Path) -> list[str]:
    """The command line of a proxy beside its mode: all that is on by default is on."""
    if name in (BARE, AGAIN):
        return []
    if name == STREAMING:
        return ["-s", str(STREAMING_ADDON)]
    # The store is a file as by default, but no file of the person's.
    settings = [f"hunyuan_store=sqlite:{folder / 'store.sqlite'}", f"hunyuan_hosts={HOST}=hunyuan"]
    if name == OFF:
        settings.append("hunyuan_mode=off")
    return ["-s", str(services.ADDON), *(word for setting in settings for word in ("--set", setting))]


def _start(folder: Path, name: str, where: Cores) -> Start:
    """One start; not the first one with a folder, in which mitmproxy makes its keys."""
    own = folder / f"start-{name}"
    known = own.exists()
    own.mkdir(exist_ok=True)
    if not known:
        _start(folder, name, where)
    begun = time.perf_counter()
    with services.mitmdump(name, own, *_arguments(name, own), reverse=f"http://{HOST}:9") as proxy:
        pid = proxy.service.popen.pid
        return Start(cpu_seconds(pid) or 0.0, rss_megabytes(pid) or 0.0, time.perf_counter() - begun)


class _Proxies:
    """The proxies and endpoints that rows ask for, each started once and kept to the end of the run."""

    def __init__(self, folder: Path, where: Cores, stack: AsyncExitStack) -> None:
        self._folder = folder
        self._where = where
        self._stack = stack
        self._authority = trustme.CA()
        self._authority_file = folder / "authority.pem"
        self._authority.cert_pem.write_to_path(str(self._authority_file))
        self._roads: dict[bool, Traffic] = {}
        self._ways: dict[tuple[str, bool], Way] = {}
        self._warm: set[tuple[str, str, bool]] = set()

    def warm(self, pair: Pair, name: str) -> bool:
        """Whether this load has gone through this proxy before; asked once, it has."""
        key = (pair.row.name, name, pair.tls)
        known = key in self._warm
        self._warm.add(key)
        return known

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
        """The way through the proxy `name`."""
        if (name, tls) not in self._ways:
            road = await self.road(tls=tls)
            self._ways[name, tls] = self._started(name, f"{'https' if tls else 'http'}://{HOST}:{road.port}", tls=tls)
        return self._ways[name, tls]

    def _started(self, name: str, target: str, *, tls: bool) -> Way:
        own = self._folder / f"{name}-{'tls' if tls else 'plain'}"
        own.mkdir()
        port = services.free_port()
        # Quiet, as whoever measures runs it: lines to a terminal would be most of what is measured.
        command = [str(Path(sys.executable).with_name("mitmdump")), "-q", "--set", f"confdir={own / 'mitmproxy'}"]
        command += ["--mode", f"reverse:{target}@{HOST}:{port}"]
        command += ["--set", f"ssl_verify_upstream_trusted_ca={self._authority_file}", *_arguments(name, own)]
        running = self._stack.enter_context(services.service(name, command, own))
        pin(running.popen.pid, self._where.proxy)
        _listening(running, port)
        ca = own / "mitmproxy" / "mitmproxy-ca-cert.pem"
        trusted = ssl.create_default_context(cafile=str(ca)) if tls else None
        return Way(name, reverse_port=port, pid=running.popen.pid, trusted=trusted)


def _listening(running: services.Service, port: int) -> None:
    """Wait until a port is open: a quiet mitmproxy doesn't say that it is."""
    deadline = time.monotonic() + services.START_TIMEOUT
    while running.popen.poll() is None and time.monotonic() < deadline:
        with suppress(OSError):
            socket.create_connection((HOST, port), timeout=1).close()
            return
        time.sleep(0.02)
    raise services.StartError(f"{running.name} did not start:\n{running.said()}")


# Measuring


async def _round(proxies: _Proxies, pair: Pair, effort: Effort, number: int) -> None:
    """One slice of each of both; who comes first changes from round to round."""
    both = [(pair.base, pair.row.base), (pair.ours, pair.row.ours)]
    for name, slices in both if number % 2 == 0 else reversed(both):
        warm_up = 0.0 if proxies.warm(pair, name) else effort.warm_up
        road, way = await proxies.road(tls=pair.tls), await proxies.way(name, tls=pair.tls)
        slices.append(await _slice(road, way, pair.load, effort.slice, warm_up))


async def _slice(road: Traffic, way: Way, load: Load, enough: float, warm_up: float) -> Slice:
    """Requests over connections that are kept, until the proxy has used `enough` CPU seconds for them."""
    clients = await road.clients(way, load, CONNECTIONS)
    try:
        # Connections are there and the code of this load is warm before the clock starts.
        _, head = await road.run(clients, load, CONNECTIONS)
        if (RULES_HEADER in head.lower()) is not (way.name == ADDON and load.rewritten):
            raise TrafficError(f"{way.name}, {load.name}: not what this load must get:\n{head.decode('latin-1')}")
        if warm_up:
            await road.run_while(clients, load, _until(way.pid, warm_up))
        before, started = cpu_seconds(way.pid), time.perf_counter()
        latencies, _ = await road.run_while(clients, load, _until(way.pid, enough))
        seconds, after = time.perf_counter() - started, cpu_seconds(way.pid)
    finally:
        for client in clients:
            client.close()
    if before is None or after is None:
        raise TrafficError(f"{way.name}: its processor time can't be read")
    return Slice(len(latencies), after - before, seconds)


_FEWEST = 2 * CONNECTIONS
"""Requests in a slice, however dear they are."""

_LOOK = 0.05
"""Seconds between two looks at the processor time."""


def _until(pid: int, cpu: float) -> Callable[[], bool]:
    """Says whether to go on, until the process has used `cpu` seconds from now on."""
    goal = (cpu_seconds(pid) or 0.0) + cpu
    sent, look, on = 0, 0.0, True

    def more() -> bool:
        nonlocal sent, look, on
        now = time.perf_counter()
        if on and sent >= _FEWEST and now >= look:
            look, on = now + _LOOK, (cpu_seconds(pid) or goal) < goal
        sent += on
        return on

    return more
