"""The numbers of the proxy itself, and `hunyuan.stats`, which shows all metrics as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from .. import events
from ..events import Done, Event
from .metrics import Metric, Metrics, Series, counter, gauge, line

# Exchanges, counted at their end

EXCHANGES = counter("hunyuan_exchanges_total", "Exchanges that have ended, by mode.", "mode")
REWRITTEN = counter("hunyuan_exchanges_rewritten_total", "Exchanges whose request or answer was changed.")
RULES = counter("hunyuan_rules_total", "Exchanges that a rule has changed.", "rule")
WOULD = counter("hunyuan_rules_observed_total", "Observed exchanges that a rule would have changed.", "rule")
VISION_CALLS = counter("hunyuan_vision_calls_total", "Calls to the vision model.")
IMAGES_KNOWN = counter("hunyuan_images_known_total", "Images described without a call.")
ADDON_SECONDS = counter("hunyuan_addon_seconds_total", "Seconds spent by the addon, waits for vision calls included.")
QUEUE_SECONDS = counter("hunyuan_queue_seconds_total", "Seconds that exchanges waited for a slot.")
TOKENS = counter("hunyuan_tokens_total", "Tokens used, as answers said.")
FAILURES = counter("hunyuan_failures_total", "Exceptions in the addon itself.")

# The account's queue

SLOTS_TAKEN = gauge("hunyuan_slots_taken", "Calls under way that hold a slot.")
SLOTS_WAITING = gauge("hunyuan_slots_waiting", "Calls that wait for a slot.")
ADMISSIONS = counter("hunyuan_admissions_total", "Calls that asked for a slot, by result.", "result")
ADMITTED, QUEUE_FULL, QUEUE_TIMEOUT = "admitted", "queue_full", "queue_timeout"
"""The results."""
LEASES_HELD = gauge("hunyuan_leases_held", "Slots of this process that Redis knows of.")
LEASES_ANSWERED = gauge("hunyuan_leases_answered", "1: Redis answers; 0: limits hold for this process alone.")
LEASES_FAILURES = counter("hunyuan_leases_failures_total", "Questions about slots that Redis did not answer.")
LIMITS_BYPASSES = counter("hunyuan_limits_bypasses_total", "Client limits that were counted without Redis.")

# The circuit breaker

BREAKER_OPENED = counter("hunyuan_breaker_opened_total", "Circuits that were opened.")
BREAKER_CLOSED = counter("hunyuan_breaker_closed_total", "Circuits that were closed again.")
BREAKER_SPARED = counter("hunyuan_breaker_spared_total", "Calls refused because their endpoint is down.")
BREAKER_OPEN = gauge("hunyuan_breaker_open", "Circuits that are open now.")

# The relay

RELAY_CALLS = counter("hunyuan_relay_calls_total", "Calls that the relay took.")
RELAY_TRIES = counter("hunyuan_relay_tries_total", "Tries of these calls.")
RELAY_TURNED_AWAY = counter("hunyuan_relay_turned_away_total", "Calls that the queue or the circuit breaker refused.")
RELAY_BROKEN = counter("hunyuan_relay_streams_broken_total", "Streams that the endpoint broke off.")
RELAY_ABANDONED = counter("hunyuan_relay_abandoned_total", "Calls whose client left.")
RELAY_RETRIES = counter("hunyuan_relay_retries_total", "Further tries, by the failure before them.", "reason")

# Mending

MENDED = counter(
    "hunyuan_mended_total",
    "Refused requests that were sent once more, by what was wrong and by whether that helped.",
    "kind",
    "outcome",
)
LEARNT = gauge("hunyuan_learnt_models", "Models of which something is known that refusals have taught.")

# Traces

SPANS = counter("hunyuan_spans_total", "Spans of traces, by what became of them: exported, lost, dropped.", "result")

# Stores

STORE_HITS = counter("hunyuan_store_hits_total", "Keys that a store had.", "store")
STORE_MISSES = counter("hunyuan_store_misses_total", "Keys that a store had not.", "store")
STORE_FAILURES = counter("hunyuan_store_failures_total", "Operations that failed or took too long.", "store")
STORE_BYPASSED = counter("hunyuan_store_bypassed_total", "Operations not tried because the store was failing.", "store")
STORE_DROPPED = counter("hunyuan_store_writes_dropped_total", "Writes that were given up.", "store")
STORE_FAILING = gauge("hunyuan_store_failing", "1: the store is failing now.", "store")


class Counting:
    """The sink that counts exchanges. Of an observed one, the rules are counted apart and its images are not."""

    name = "metrics"
    kinds = (events.DONE,)

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def hear(self, event: Event) -> None:
        """Count an exchange that is over."""
        metrics, done = self._metrics, cast(Done, event.data)
        observed = done["mode"] == "observe"
        metrics.add(EXCHANGES, 1, done["mode"])
        metrics.add(ADDON_SECONDS, (done["addon_ms"] + done["vision_ms"]) / 1000)
        metrics.add(QUEUE_SECONDS, done["queue_ms"] / 1000)
        metrics.add(TOKENS, done["tokens"])
        for rule in done["rules"]:
            metrics.add(WOULD if observed else RULES, 1, rule)
        if not observed:
            if done["rules"]:
                metrics.add(REWRITTEN)
            if done["vision_calls"]:
                metrics.add(VISION_CALLS, done["vision_calls"])
            if done["cached"]:
                metrics.add(IMAGES_KNOWN, done["cached"])


def text(metrics: Metrics) -> str:
    """All metrics, for a person: sentences for the proxy's own, then the rules, then a line for each other metric."""
    return "\n".join(_Text(metrics.collect()).lines())


class _Text:
    """The text of `values`, and which of them it has shown."""

    def __init__(self, values: dict[Metric, Series]) -> None:
        self._values = values
        self._shown: set[Metric] = set()

    def lines(self) -> list[str]:
        worded = [*self._exchanges(), *self._calls(), *self._stores(), *self._redis(), *self._rules()]
        return [*worded, *self._rest()]

    def _series(self, metric: Metric) -> Series:
        self._shown.add(metric)
        return self._values.get(metric, {})

    def _all(self, metric: Metric) -> int:
        return round(sum(self._series(metric).values()))

    def _one(self, metric: Metric, *labels: str) -> int:
        return round(self._series(metric).get(labels, 0))

    def _milliseconds(self, metric: Metric) -> str:
        return f"{1000 * sum(self._series(metric).values()):.0f} ms"

    def _exchanges(self) -> Iterator[str]:
        yield (
            f"exchanges {self._all(EXCHANGES)}, rewritten {self._all(REWRITTEN)}, "
            f"observed {self._one(EXCHANGES, 'observe')}"
        )
        yield f"images: {self._all(VISION_CALLS)} vision calls, {self._all(IMAGES_KNOWN)} described without one"
        yield f"addon: {self._milliseconds(ADDON_SECONDS)} in all, {self._all(FAILURES)} failures"
        yield f"queue: {self._milliseconds(QUEUE_SECONDS)} in all; tokens used: {self._all(TOKENS)}"

    def _calls(self) -> Iterator[str]:
        yield (
            f"slots: {self._all(SLOTS_TAKEN)} taken, {self._all(SLOTS_WAITING)} waiting; "
            f"{self._one(ADMISSIONS, ADMITTED)} admitted, {self._one(ADMISSIONS, QUEUE_FULL)} refused by a full queue, "
            f"{self._one(ADMISSIONS, QUEUE_TIMEOUT)} after waiting"
        )
        yield (
            f"breaker: opened {self._all(BREAKER_OPENED)}, closed {self._all(BREAKER_CLOSED)}, "
            f"spared {self._all(BREAKER_SPARED)} calls; open now: {self._all(BREAKER_OPEN)}"
        )
        retries = ", ".join(f"{reason} {count}" for reason, count in self._most(RELAY_RETRIES)) or "none"
        yield (
            f"relay: {self._all(RELAY_CALLS)} calls, {self._all(RELAY_TRIES)} tries, "
            f"{self._all(RELAY_BROKEN)} streams broken off, {self._all(RELAY_ABANDONED)} abandoned; "
            f"tried again for: {retries}"
        )

    def _stores(self) -> Iterator[str]:
        for (store,) in self._series(STORE_HITS):
            failing = ", failing now" if self._one(STORE_FAILING, store) else ""
            yield (
                f"store {store}: {self._one(STORE_HITS, store)} hits, {self._one(STORE_MISSES, store)} misses, "
                f"{self._one(STORE_FAILURES, store)} failures, {self._one(STORE_BYPASSED, store)} by-passed, "
                f"{self._one(STORE_DROPPED, store)} writes lost{failing}"
            )

    def _redis(self) -> Iterator[str]:
        held, failures, answered = LEASES_HELD, LEASES_FAILURES, self._series(LEASES_ANSWERED)
        bypasses = self._all(LIMITS_BYPASSES)
        silent = "" if self._all(LEASES_ANSWERED) else ", Redis doesn't answer now"
        shown = f"leases over Redis: {self._all(held)} held, {self._all(failures)} failures{silent}"
        if answered:
            yield f"{shown}; limits of client tokens counted without it {bypasses} times"

    def _rules(self) -> Iterator[str]:
        for rule, count in self._most(RULES):
            yield f"  {rule} {count}"
        for rule, count in self._most(WOULD):
            yield f"  would apply {rule} {count}"

    def _most(self, metric: Metric) -> list[tuple[str, int]]:
        """The values of a metric with one label, the largest first."""
        ordered = sorted(self._series(metric).items(), key=lambda item: -item[1])
        return [(label, round(value)) for (label,), value in ordered]

    def _rest(self) -> Iterator[str]:
        for metric, series in self._values.items():
            if metric not in self._shown:
                yield from (line(metric, labels, value) for labels, value in series.items() if value)
