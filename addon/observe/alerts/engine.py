"""Alerts in the process, for those without Prometheus: values in, what began and ended out. No clock, no I/O.

    engine = Engine(alert.shipped().values())
    for change in engine.look(now, samples):
        …

Each look adds what counters have grown by since the look before. A counter that has fallen began anew, at 0; a series
that was not there came with 0. The first look is where growth begins: what was counted before is not looked at.

An alert is *pending* while its value is beyond the threshold, and *firing* once it was so at all looks of its time. It
ends at the first look with a value that is back behind `Limits.ends`, or with none. As long as it fires, `least`
doesn't matter: clients that give up would end it otherwise.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from .alert import Alert, Limits
from .conditions import LE, Labels, Samples, Selection

type Phase = Literal["off", "ok", "pending", "firing"]


@dataclass(frozen=True, slots=True)
class Change:
    """An alert began to fire, or ended."""

    alert: Alert
    limits: Limits
    firing: bool
    began: float
    at: float
    value: float | None
    """`None` at an end for want of any, as without traffic."""


@dataclass(slots=True)
class State:
    """How an alert stands."""

    alert: Alert
    limits: Limits | None
    """`None`: it is switched off."""
    value: float | None = None
    beyond: float | None = None
    """Since when its value is beyond the threshold."""
    began: float | None = None
    """Since when it fires."""

    @property
    def phase(self) -> Phase:
        """How it stands, in a word."""
        if self.began is not None:
            return "firing"
        if self.limits is None:
            return "off"
        return "ok" if self.beyond is None else "pending"


class Engine:
    """Watches `alerts`, with their own limits until others are given. `now` is any clock that only moves forward."""

    def __init__(self, alerts: Iterable[Alert]) -> None:
        self.states = {alert.name: State(alert, alert.limits) for alert in alerts if alert.in_process}
        self._seen = _Seen(state.alert for state in self.states.values())

    @property
    def samples(self) -> frozenset[str]:
        """The names of the samples that are looked at."""
        return frozenset(self._seen.wanted)

    def configure(self, limits: Mapping[str, Limits]) -> None:
        """Watch only the alerts of `limits` from the next look on, with these. One that fires and isn't there ends."""
        for name, state in self.states.items():
            state.limits = limits.get(name)

    def look(self, now: float, samples: Samples) -> list[Change]:
        """Take in the values of the moment `now`; returns what began and ended."""
        self._seen.take_in(now, samples)
        changes = (self._judged(now, state) for state in self.states.values())
        return [change for change in changes if change is not None]

    def _judged(self, now: float, state: State) -> Change | None:
        alert, limits = state.alert, state.limits
        state.value = alert.condition.value(self._seen) if limits else None
        # 1. Is it so? Once it fires the lower threshold counts, and no traffic is asked for.
        if limits is None or state.value is None:
            is_so = False
        elif state.began is not None:
            is_so = alert.beyond(state.value, limits.ends)
        else:
            is_so = alert.beyond(state.value, limits.threshold) and alert.condition.traffic(self._seen) >= alert.least
        # 2. It is not: it ends, if it was.
        if not is_so:
            began, state.began, state.beyond = state.began, None, None
            return Change(alert, limits or alert.limits, False, began, now, state.value) if began is not None else None
        # 3. It is: it begins, once it has been so for its time.
        if state.beyond is None:
            state.beyond = now
        if limits is not None and state.began is None and now - state.beyond >= alert.seconds:
            state.began = now
            return Change(alert, limits, True, now, now, state.value)
        return None


@dataclass(slots=True)
class _Metric:
    """A metric that is looked at: its series at the last look, and which selections each belongs to."""

    selections: list[Selection] = field(default_factory=list)
    values: dict[Labels, float] = field(default_factory=dict)
    belongs: dict[Labels, list[tuple[Selection, str]]] = field(default_factory=dict)
    """A series -> the selections that have it, and its bucket's bound."""


class _Seen:
    """What was seen, for conditions: totals at each look, as far back as the longest window goes."""

    def __init__(self, alerts: Iterable[Alert]) -> None:
        self.wanted: dict[str, _Metric] = {}
        self._gauges: dict[Selection, list[float]] = {}
        self._totals: dict[Selection, dict[str, float]] = {}
        """By how much each selection has grown since the first look, by the bounds of its buckets."""
        self._looks: deque[tuple[float, dict[Selection, dict[str, float]]]] = deque()
        self._longest = 0.0
        for alert in alerts:
            condition = alert.condition
            self._longest = max(self._longest, 60.0 * condition.minutes)
            self._gauges.update((gauge, []) for gauge in condition.gauges)
            self._totals.update((counter, {}) for counter in condition.counters)
        for selection in (*self._gauges, *self._totals):
            self.wanted.setdefault(selection.metric, _Metric()).selections.append(selection)

    def take_in(self, now: float, samples: Samples) -> None:
        """Add a look."""
        is_first = not self._looks
        for values in self._gauges.values():
            values.clear()
        for name, metric in self.wanted.items():
            for labels, value in samples.get(name, {}).items():
                if math.isnan(value):  # it would make a sum NaN for ever, and no alert would fire again
                    continue
                before = metric.values.get(labels, 0.0)
                metric.values[labels] = value
                for selection, bound in self._places(metric, labels):
                    if selection in self._gauges:
                        self._gauges[selection].append(value)
                    elif not is_first:
                        grown = value - before if value >= before else value
                        self._totals[selection][bound] = self._totals[selection].get(bound, 0.0) + grown
        self._looks.append((now, {selection: dict(totals) for selection, totals in self._totals.items()}))
        # One look at the far end of the longest window stays: growth is counted from there.
        while len(self._looks) > 1 and self._looks[1][0] <= now - self._longest:
            self._looks.popleft()

    def _places(self, metric: _Metric, labels: Labels) -> list[tuple[Selection, str]]:
        if (found := metric.belongs.get(labels)) is None:
            bound = dict(labels).get(LE, "")
            found = [(selection, bound) for selection in metric.selections if selection.matches(labels)]
            metric.belongs[labels] = found
        return found

    def growth(self, selection: Selection, minutes: int) -> Mapping[str, float]:
        """As `conditions.Seen` has it; from the first look on, where the window begins before that."""
        now = self._looks[-1][0]
        then = self._looks[0][1]
        for at, totals in reversed(self._looks):
            if at <= now - 60 * minutes:
                then = totals
                break
        before = then[selection]
        return {bound: total - before.get(bound, 0.0) for bound, total in self._totals[selection].items()}

    def now(self, selection: Selection) -> list[float]:
        """As `conditions.Seen` has it."""
        return self._gauges[selection]
