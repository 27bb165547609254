"""From what was measured to figures: medians, ratios, the table and the JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from hunyuan_fix.cli.colours import BOLD, DIM, GREEN, RED, paint
from scripts.lib.bench_loads import Load

DIRECT, BARE, IDLE, ADDON = "direct", "bare mitmdump", "idle addon", "hunyuan-fix"


@dataclass(frozen=True, slots=True)
class Round:
    """One way's part of a round: `latencies` in seconds, one a request; `cpu` seconds of the proxy's process."""

    seconds: float
    latencies: Sequence[float]
    cpu: float | None

    @property
    def rate(self) -> float:
        """Requests per second."""
        return len(self.latencies) / self.seconds


@dataclass(slots=True)
class Measured:
    """All rounds of one load by one way, and the proxy's memory after them in MB."""

    rounds: list[Round] = field(default_factory=list)
    rss: float | None = None

    @property
    def rate(self) -> float:
        """Requests per second, in the median of the rounds."""
        return median(each.rate for each in self.rounds)

    @property
    def latencies(self) -> list[float]:
        """Of all rounds, in ascending order."""
        return sorted(latency for each in self.rounds for latency in each.latencies)

    @property
    def cpu(self) -> float | None:
        """Processor seconds for each request, over all rounds."""
        used = [each.cpu for each in self.rounds if each.cpu is not None]
        return sum(used) / len(self.latencies) if len(used) == len(self.rounds) else None

    def as_json(self) -> dict[str, Any]:
        """For `bench.json`; times in milliseconds, memory in MB."""
        return {
            "requests": len(self.latencies),
            "requests_per_second": self.rate,
            "median_ms": _milli(median(self.latencies)),
            "p99_ms": _milli(percentile(self.latencies, 99)),
            "cpu_ms": _milli(self.cpu),
            "rss_mb": self.rss,
            "rounds": [each.rate for each in self.rounds],
        }


def percentile(ascending: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of all values don't exceed."""
    return ascending[max(0, math.ceil(len(ascending) * percent / 100) - 1)]


def ratio(measured: Measured, base: Measured) -> float:
    """Requests per second against `base`, round by round: what disturbs the machine disturbs both of a round."""
    return median(one.rate / other.rate for one, other in zip(measured.rounds, base.rounds, strict=True))


def cpu_ratio(measured: Measured, base: Measured) -> float | None:
    """The same of requests per processor second, which a busy machine disturbs less; None if nothing is known."""
    return base.cpu / measured.cpu if measured.cpu and base.cpu else None


def load_json(load: Load, ways: Mapping[str, Measured]) -> dict[str, Any]:
    """One load for `bench.json`. Ratios are against the bare mitmdump."""
    return {
        "load": load.name,
        "body_bytes": len(load.body),
        "target": load.target,
        "ways": {name: measured.as_json() for name, measured in ways.items()},
        "ratio": ratio(ways[ADDON], ways[BARE]),
        "cpu_ratio": cpu_ratio(ways[ADDON], ways[BARE]),
        "idle_ratio": ratio(ways[IDLE], ways[BARE]),
        "idle_cpu_ratio": cpu_ratio(ways[IDLE], ways[BARE]),
    }


def table(load: Load, ways: Mapping[str, Measured]) -> Iterator[str]:
    """One load as lines for a terminal."""
    count = len(ways[ADDON].latencies)
    yield paint(f"{load.name}", BOLD) + paint(f"  ({len(load.body):,} bytes, {count} requests each)", DIM)
    yield paint(f"  {'':15}{'req/s':>9}{'median ms':>11}{'p99 ms':>10}{'CPU ms':>9}{'RSS MB':>8}  / bare  (CPU)", DIM)
    for name, measured in ways.items():
        figures = measured.as_json()
        cells = [(figures["requests_per_second"], 9), (figures["median_ms"], 11), (figures["p99_ms"], 10)]
        cells += [(figures["cpu_ms"], 9), (figures["rss_mb"], 8)]
        cpu = cpu_ratio(measured, ways[BARE])
        against = f"{ratio(measured, ways[BARE]):8.2f}" + (f"{cpu:7.2f}" if cpu else "") if name != BARE else ""
        yield f"  {name:15}{''.join(_cell(value, width) for value, width in cells)}{against}"
    yield f"  {_verdict(load, ways)}"


def _verdict(load: Load, ways: Mapping[str, Measured]) -> str:
    reached, cpu = ratio(ways[ADDON], ways[BARE]), cpu_ratio(ways[ADDON], ways[BARE])
    text = f"{ADDON} / bare: {reached:.2f} in requests/s" + (f", {cpu:.2f} in CPU" if cpu else "")
    if load.target is None:
        return text
    good = reached >= load.target
    return paint(f"{'✓' if good else '✗'} {text}  (target {load.target:.2f})", GREEN if good else RED)


def _cell(value: float | None, width: int) -> str:
    if value is None:
        return f"{'–':>{width}}"
    return f"{value:>{width},.0f}" if value >= 100 else f"{value:>{width},.2f}"


def _milli(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000
