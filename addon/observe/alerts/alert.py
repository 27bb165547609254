"""An alert, and the table of those that are shipped (`alerts.toml`)."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any, Literal, get_args

from ...texts import sentences
from . import conditions
from .conditions import Condition

type Severity = Literal["info", "warning", "critical"]
type Unit = Literal["share", "seconds", "count"]


@dataclass(frozen=True, slots=True)
class Limits:
    """An alert fires beyond `threshold` and ends when its value is back behind `ends`."""

    threshold: float
    ends: float


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. `limits` are the defaults; `seconds`: for how long the value must be beyond the threshold."""

    name: str
    severity: Severity
    condition: Condition
    below: bool
    """It fires below its threshold."""
    limits: Limits
    least: float
    """What the window must hold for it to begin; 0: anything."""
    seconds: float
    unit: Unit
    summary: str
    """English, with `{value}`, `{threshold}` and `{minutes}`."""
    action: str

    @property
    def title(self) -> str:
        """Its name in Prometheus: `HunyuanErrorRate`."""
        return "Hunyuan" + "".join(word.capitalize() for word in self.name.split("_"))

    @property
    def in_process(self) -> bool:
        """Whether the process itself can see it."""
        return not isinstance(self.condition, conditions.Scrape)

    def beyond(self, value: float, limit: float) -> bool:
        """Whether `value` is on the wrong side of `limit`."""
        return value < limit if self.below else value > limit

    def with_threshold(self, threshold: float) -> Limits:
        """The limits for another `threshold`: the end keeps its proportion to it, and stays a possible share."""
        default = self.limits
        ends = round(threshold * default.ends / default.threshold, 9) if default.threshold else threshold
        return Limits(threshold, min(ends, 1.0) if self.unit == "share" else ends)

    def said(self, language: str, value: str, threshold: float) -> str:
        """`summary` in `language`. `value`: as it is to be shown."""
        return sentences.said(
            language,
            self.summary,
            value=value,
            threshold=shown(threshold, self.unit),
            minutes=self.condition.minutes,
        )


def shown(value: float, unit: Unit) -> str:
    """A value for a person: `12%`, `1.5 s`, `3`."""
    if unit == "share":
        return f"{value:.3g}%" if (value := 100 * value) < 10 else f"{value:.0f}%"
    return f"{value:.3g} s" if unit == "seconds" else f"{value:.0f}"


@cache
def shipped() -> Mapping[str, Alert]:
    """The alerts of the table, by name, in its order. Raises `ValueError` for a table that makes no sense."""
    table = tomllib.loads(resources.files(__package__).joinpath("alerts.toml").read_text(encoding="utf-8"))
    return MappingProxyType({name: read(name, row) for name, row in table.items()})


_added: Mapping[str, Alert] = MappingProxyType({})


def use(alerts: Mapping[str, Alert]) -> None:
    """Watch for `alerts` beside those that are shipped. Those that the options name must be among them."""
    global _added  # noqa: PLW0603 - as the profiles: what options may name
    _added = alerts


def known() -> Mapping[str, Alert]:
    """The shipped alerts and those that were added, by name."""
    return {**shipped(), **_added}


def read(name: str, row: Mapping[str, Any]) -> Alert:
    """The alert in a row of the table. Raises `KeyError` and `ValueError` for one that makes no sense."""
    known = {
        *("severity", "kind", "part", "of", "quantile", "minutes"),
        *("fires", "threshold", "ends", "least", "for", "unit", "summary", "action"),
    }
    if unknown := row.keys() - known:
        raise ValueError(f"[{name}] has no key {min(unknown)}")
    below = row.get("fires", "above") == "below"
    threshold, ends = float(row["threshold"]), float(row["ends"])
    if not (math.isfinite(threshold) and math.isfinite(ends)) or (ends < threshold if below else ends > threshold):
        raise ValueError(f"[{name}] would end beyond its threshold")
    if row["severity"] not in get_args(Severity.__value__) or row["unit"] not in get_args(Unit.__value__):
        raise ValueError(f"[{name}] has another severity or unit than there are")
    return Alert(
        name,
        row["severity"],
        conditions.read(row, below=below),
        below,
        Limits(threshold, ends),
        float(row.get("least", 0)),
        float(row["for"]),
        row["unit"],
        row["summary"],
        row["action"],
    )
