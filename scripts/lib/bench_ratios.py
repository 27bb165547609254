"""From slices of CPU time to ratios: the rows of `scripts/bench --plain`, their table and their JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from hunyuan_fix.cli.colours import BOLD, DIM, GREEN, RED, paint

NAME_WIDTH = 28
_FIGURE, _RATE = 11, 14
"""Columns of a figure in microseconds, and of one in requests per second."""


@dataclass(frozen=True, slots=True)
class Slice:
    """One proxy's part of a round: its requests, its `cpu` seconds for them and the seconds on the clock."""

    requests: int
    cpu: float
    seconds: float

    @property
    def microseconds(self) -> float:
        """CPU time of a request."""
        return self.cpu / self.requests * 1e6

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds


@dataclass(slots=True)
class Row:
    """One load by two proxies, the `base` and the one that is compared with it, round by round."""

    name: str
    target: float | None = None
    """The ratio that is to be reached, if there is one."""
    hint: str = ""
    base: list[Slice] = field(default_factory=list)
    ours: list[Slice] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """CPU time of the base to that of the other, in each round: what disturbs a round disturbs both of it."""
        return [one.microseconds / other.microseconds for one, other in zip(self.base, self.ours, strict=True)]

    @property
    def ratio(self) -> float:
        """The median of the rounds. 1.00: as cheap as the base; 0.50: twice as dear."""
        return median(self.ratios)

    @property
    def spread(self) -> float:
        """How far the rounds lie from their median, as a part of it, in the median of the rounds."""
        return median(abs(each / self.ratio - 1) for each in self.ratios)

    @property
    def missed(self) -> bool:
        """Whether there is a target and the median is below it."""
        return self.target is not None and self.ratio < self.target

    def as_json(self) -> dict[str, Any]:
        """For the file and `--json`: CPU times in microseconds of a request."""
        return {
            "load": self.name,
            "base_us": median(each.microseconds for each in self.base),
            "ours_us": median(each.microseconds for each in self.ours),
            "ratio": self.ratio,
            "ratios": self.ratios,
            "target": self.target,
            "ok": None if self.target is None else not self.missed,
            "base_requests_per_second": median(each.rate for each in self.base),
            "ours_requests_per_second": median(each.rate for each in self.ours),
            "requests": sum(each.requests for each in self.ours),
        }


@dataclass(frozen=True, slots=True)
class Start:
    """What a process has used by the time it takes requests: CPU seconds, MB of memory, seconds on the clock."""

    cpu: float
    rss: float
    seconds: float


@dataclass(slots=True)
class Starts:
    """Starts of two proxies, round by round, and how much dearer the second may be."""

    cpu_target: float | None = 0.15
    rss_target: float | None = 10.0
    base: list[Start] = field(default_factory=list)
    ours: list[Start] = field(default_factory=list)

    @property
    def cpu(self) -> float:
        """CPU seconds above the base: the median of the rounds."""
        return median(other.cpu - one.cpu for one, other in zip(self.base, self.ours, strict=True))

    @property
    def rss(self) -> float:
        """MB above the base: the median of the rounds."""
        return median(other.rss - one.rss for one, other in zip(self.base, self.ours, strict=True))

    @property
    def missed(self) -> bool:
        """Whether either is above its target."""
        return _above(self.cpu, self.cpu_target) or _above(self.rss, self.rss_target)

    def as_json(self) -> dict[str, Any]:
        """For the file and `--json`."""
        figures: dict[str, Any] = {"cpu_s_above": self.cpu, "rss_mb_above": self.rss, "ok": not self.missed}
        for name, starts in (("base", self.base), ("ours", self.ours)):
            figures[f"{name}_cpu_s"] = median(each.cpu for each in starts)
            figures[f"{name}_rss_mb"] = median(each.rss for each in starts)
            figures[f"{name}_s"] = median(each.seconds for each in starts)
        return figures | {"cpu_s_target": self.cpu_target, "rss_mb_target": self.rss_target}


def noise(rows: Sequence[Row]) -> float:
    """How far a round lies from its row's median, as a part of it: the median over `rows`."""
    return median(row.spread for row in rows)


def heading(base: str) -> str:
    """The line above the rows; wall times, which depend on the machine's other work, stand last."""
    figures = f"{f'{base} µs':>{_FIGURE}}{'ours µs':>{_FIGURE}}"
    rates = f"{f'{base} req/s':>{_RATE}}{'ours req/s':>{_RATE}}"
    return paint(f"{'':{NAME_WIDTH}}{figures}   ratio (rounds)     target       {rates}", DIM)


def line(row: Row) -> str:
    """One row for a terminal."""
    figures = row.as_json()
    rounds = f"({min(row.ratios):.2f}–{max(row.ratios):.2f})"
    text = f"{row.name:{NAME_WIDTH}}{figures['base_us']:{_FIGURE},.0f}{figures['ours_us']:{_FIGURE},.0f}"
    text += paint(f"{row.ratio:8.2f}", BOLD) + f" {rounds:13}"
    rates = f"{figures['base_requests_per_second']:{_RATE},.0f}{figures['ours_requests_per_second']:{_RATE},.0f}"
    hint = paint(f"  {row.hint}", DIM) if row.hint else ""
    return text + _verdict(row.missed, None if row.target is None else f"{row.target:.2f}") + paint(rates, DIM) + hint


def start_lines(starts: Starts) -> Iterator[str]:
    """The start for a terminal."""
    figures = starts.as_json()
    for name, unit, form in (("cpu_s", "s CPU", ".2f"), ("rss_mb", "MB", ".0f")):
        above, target = figures[f"{name}_above"], figures[f"{name}_target"]
        both = (figures[f"base_{name}"], figures[f"ours_{name}"])
        text = f"{f'start, {unit}':{NAME_WIDTH}}" + "".join(f"{each:{_FIGURE}{form}}" for each in both)
        text += paint(f"{above:+8{form}}", BOLD) + f" {'':13}"
        yield text + _verdict(_above(above, target), None if target is None else f"{target:+{form}}")


def _above(value: float, target: float | None) -> bool:
    return target is not None and value > target


def _verdict(missed: bool, target: str | None) -> str:
    if target is None:
        return f"{'–':>9}      "
    return f"{target:>9} " + (paint("below", RED) if missed else paint("ok   ", GREEN))
