"""Processor time of a request, of one proxy to another: `scripts/bench --plain` and `--peers`."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from scripts.lib.bench_loads import Load, cpu_loads, native_load, translated_loads
from scripts.lib.bench_process import Cores, cpu_note, cpu_seconds
from scripts.lib.bench_proxies import (
    ADDON,
    AGAIN,
    BARE,
    CACHED,
    LITELLM,
    NATIVE,
    OBSERVED,
    OFF,
    REPAIRING,
    STREAMING,
    TRACED,
    UNOBSERVED,
    Proxies,
    start,
)
from scripts.lib.bench_ratios import Row, Slice, Starts, heading, line, noise, start_lines
from scripts.lib.bench_traffic import RULES_HEADER, Traffic, TrafficError, Way

CONNECTIONS = 4


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
    base_load: Load | None = None
    """What the base is measured with, if that is not the same `load`."""


def peer_pairs(chunks: int) -> Iterator[Pair]:
    """All rows of `--peers` but the start: LiteLLM's CPU time as a multiple of ours."""
    for load in cpu_loads(chunks):
        yield Pair(Row(load.name), load, LITELLM, ADDON)


def pairs(chunks: int) -> Iterator[Pair]:
    """All rows of `--plain` but the start, in the order of the table."""
    by_name = {load.name: load for load in cpu_loads(chunks)}
    for load in by_name.values():
        hint = "0.80 with a memo of the turns before" if load.turns else ""
        base = STREAMING if load.chunks else BARE
        yield Pair(Row(load.name, load.target, hint), load, base, ADDON)
    for loads in translated_loads(chunks):
        whole, stream = loads.whole, loads.stream
        yield Pair(Row(whole.name, whole.target, "base: in chat, by ours"), whole, ADDON, ADDON, base_load=loads.chat)
        yield Pair(Row(stream.name, stream.target), stream, STREAMING, ADDON)
    native, left = native_load(chunks), by_name[f"stream of {chunks} chunks"]
    yield Pair(Row(native.name, native.target, "base: in chat, by ours"), native, ADDON, NATIVE, base_load=left)
    small = by_name["1 KB repaired"]
    for size in ("1 KB", "100 KB"):
        repaired = by_name[f"{size} repaired"]
        again = replace(repaired, numbered=False)
        yield Pair(
            Row(f"{size}, cached answer", 1.0, "base: repaired, by ours"), again, ADDON, CACHED, base_load=repaired
        )
    yield Pair(Row("1 KB, hunyuan_mode=off", 1.25), small, BARE, OFF)
    yield Pair(Row("1 KB, all observed", hint="base: no admin server"), small, UNOBSERVED, OBSERVED)
    yield Pair(Row("1 KB, traces exported", hint="base: all observed"), small, OBSERVED, TRACED)
    yield Pair(Row("1 KB, TLS"), small, BARE, ADDON, tls=True)
    yield Pair(Row("100 KB, TLS"), by_name["100 KB repaired"], BARE, ADDON, tls=True)
    yield Pair(Row("1 KB, bare against bare", hint="noise"), small, BARE, AGAIN)


@dataclass(frozen=True, slots=True)
class Report:
    """What one run has measured, and the memory of its proxies in MB once all of it had gone through them."""

    base: str
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
            "base": self.base,
            "rows": [row.as_json() for row in self.rows],
            "start": self.starts and self.starts.as_json(),
            "rss_mb_after": self.memory,
            "noise": noise(self.rows) if self.rows else None,
            "cpu_note": cpu_note(),
        }

    def lines(self) -> Iterator[str]:
        """For a terminal."""
        yield heading(self.base)
        yield from map(line, self.rows)
        yield from start_lines(self.starts) if self.starts else ()
        yield ""
        yield f"ratio: CPU of a request through {self.base} / through this (1.00: as cheap); median of the rounds."
        if self.rows:
            yield f"noise: a round lies {noise(self.rows):.1%} from the median of its row (median of the rows)."
        if self.memory:
            yield "RSS after it: " + "; ".join(f"{name} {size:.0f} MB" for name, size in self.memory.items())
        if note := cpu_note():
            yield note


async def measure(effort: Effort, words: Sequence[str], where: Cores, *, peers: bool = False) -> Report:
    """Measure the rows whose name has one of `words` in it (all without words), against LiteLLM with `peers`.

    Says on a terminal how far it is. Raises `TrafficError` where no name fits or an answer is not what its load must
    get, `StartError` where a proxy doesn't start.
    """
    base = LITELLM if peers else BARE
    offered = peer_pairs(effort.chunks) if peers else pairs(effort.chunks)
    chosen = [pair for pair in offered if wanted(pair.row.name, words)]
    starts = (Starts(None, None) if peers else Starts()) if wanted("start", words) else None
    if not chosen and not starts:
        raise TrafficError(f"no load has {' or '.join(map(repr, words))} in its name")
    with tempfile.TemporaryDirectory(prefix="hunyuan-fix-bench-") as name:
        if starts:
            for number in range(effort.rounds):
                _progress(f"start {number + 1} of {effort.rounds}")
                starts.base.append(start(Path(name), base, where))
                starts.ours.append(start(Path(name), ADDON, where))
        async with AsyncExitStack() as stack:
            proxies = Proxies(Path(name), where, stack)
            for number in range(effort.rounds if chosen else 0):
                for pair in chosen:
                    _progress(f"round {number + 1} of {effort.rounds}: {pair.row.name}")
                    await _round(proxies, pair, effort, number)
            memory = proxies.memory()
    _progress("")
    return Report(base, [pair.row for pair in chosen], starts, memory)


def wanted(name: str, words: Sequence[str]) -> bool:
    """Whether a row of this name is measured: one of `words` is in it, in whatever case, or there are none."""
    return not words or any(word.strip().lower() in name.lower() for word in words)


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


# Measuring


async def _round(proxies: Proxies, pair: Pair, effort: Effort, number: int) -> None:
    """One slice of each of both; who comes first changes from round to round."""
    both = [(pair.base, pair.base_load or pair.load, pair.row.base), (pair.ours, pair.load, pair.row.ours)]
    for name, load, slices in both if number % 2 == 0 else reversed(both):
        road, way = await proxies.road(tls=pair.tls), await proxies.way(name, tls=pair.tls)
        # The code of this load is warm before the clock starts for the first time.
        slices.append(await measured(road, way, load, effort.slice, 0.0 if number else effort.warm_up))


async def measured(road: Traffic, way: Way, load: Load, enough: float, warm_up: float) -> Slice:
    """Requests over connections that are kept, until the proxy has used `enough` CPU seconds for them.

    Raises `TrafficError` where an answer tells that its request was rewritten, or not, against what `load` says.
    """
    clients = await road.clients(way, load, CONNECTIONS)
    try:
        # Connections are there before the clock starts.
        _, head = await road.run(clients, load, CONNECTIONS)
        if (RULES_HEADER in head.lower()) is not (way.name in REPAIRING and load.rewritten):
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
