"""The sink that counts: exchanges at their end, and what became of their images and of mended tries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final, cast

from .. import events, profiles
from ..events import Done, Event, Paid
from ..exchange import JsonObject
from ..prices import UNITS
from ..wire import flaws, noted_errors
from . import statistics
from .metrics import OTHER, Metrics
from .statistics import NONE

STATUSES: Final = (NONE, "1xx", "2xx", "3xx", "4xx", "5xx")
"""Classes of a status, by its hundreds; what HTTP doesn't know counts as the last (RFC 9110 section 15)."""
TOKENS: Final = ("input", "cached", "output", "reasoning")
"""Kinds of tokens."""


class Counting:
    """The sink that counts. Its labels are closed: a model or a code that no data knows is `other`.

    Of an observed exchange, rules are counted apart, and nothing of its images: no call was made.
    """

    name = "metrics"

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._counted: Mapping[str, Callable[[JsonObject], None]] = {
            events.DESCRIBED: self._described,
            events.MENDED: self._mended,
            events.FALLBACK: self._fallback,
            events.DONE: self._done,
            events.PAID: self._paid,
        }
        self.kinds = tuple(self._counted)

    def hear(self, event: Event) -> None:
        """Count what has happened."""
        self._counted[event.kind](event.data)

    def _described(self, data: JsonObject) -> None:
        add = self._metrics.add
        for result, count in data["results"].items():
            add(statistics.IMAGES, count, result)
        for call in data["images"]:
            self._metrics.observe(statistics.VISION_SECONDS, call["ms"] / 1000)
            add(statistics.VISION_TRIES, call.get("tries", 0))
            for kind, count in call.get("tokens", {}).items():
                if kind in TOKENS:
                    add(statistics.VISION_TOKENS, count, kind)

    def _mended(self, data: JsonObject) -> None:
        self._metrics.add(statistics.MENDED, 1, data["reason"], data["outcome"])

    def _paid(self, data: JsonObject) -> None:
        paid, add = cast(Paid, data), self._metrics.add
        profile = paid["profile"] or NONE
        add(statistics.PAID_CALLS, 1, paid["purpose"])
        if not paid["usage"]:
            return
        model = known_model(paid["profile"], paid["model"])
        for kind, count in paid["usage"].items():
            add(statistics.PAID_TOKENS, count, profile, model, kind)
        if paid["is_estimated"]:
            add(statistics.ESTIMATED_CALLS)
        if paid["amount"] is None:
            add(statistics.UNPRICED_CALLS, 1, profile, model)
        else:
            add(statistics.COST, paid["amount"] / UNITS, paid["currency"], profile)

    def _fallback(self, data: JsonObject) -> None:
        self._metrics.add(statistics.FALLBACKS, 1, data["profile"], data["reason"], data["outcome"])

    def _done(self, data: JsonObject) -> None:
        done = cast(Done, data)
        add, observe = self._metrics.add, self._metrics.observe
        profile, dialect, status = done["profile"] or NONE, done["dialect"] or NONE, done["status"]

        # 1. The exchange.
        model = known_model(done["profile"], done["sent_model"] or done["model"])
        add(statistics.EXCHANGES, 1, profile, dialect, model, STATUSES[min((status or 0) // 100, 5)])
        observe(statistics.EXCHANGE_SECONDS, done["ms"] / 1000, profile, dialect)
        observe(statistics.OWN_SECONDS, done["addon_ms"] / 1000)
        if done["queue_ms"]:
            observe(statistics.QUEUE_SECONDS, done["queue_ms"] / 1000)

        # 2. What was changed.
        is_observed = done["mode"] == "observe"
        for rule in done["rules"]:
            add(statistics.WOULD_CHANGE if is_observed else statistics.CHANGES, 1, rule)
        if is_observed:
            add(statistics.OBSERVED)
        elif done["rules"]:
            add(statistics.REWRITTEN)

        # 3. The endpoint's answer.
        if done["first_byte_ms"]:
            observe(statistics.FIRST_BYTE_SECONDS, done["first_byte_ms"] / 1000, profile)
        if done["first_token_ms"]:
            observe(statistics.FIRST_TOKEN_SECONDS, done["first_token_ms"] / 1000, profile)
        for kind in TOKENS:
            if kind in done["usage"]:
                add(statistics.TOKENS, done["usage"][kind], profile, kind)

        # 4. How it ended.
        error = done["error"]
        if error and not done["left"]:
            add(statistics.ERRORS, 1, error if error in noted_errors.CODES else OTHER)
        if done["streamed"] and status is not None and status < 400:
            add(statistics.STREAMS)
            if error in noted_errors.CUT:
                add(statistics.STREAMS_CUT)
        if done["left"]:
            add(statistics.CLIENTS_GONE)


def known_model(profile: str, model: str) -> str:
    """`model` where it is one of the ids that the data of `profile` name; `other` for any other."""
    if not model:
        return NONE
    try:
        return model if model in profiles.load(profile).models else OTHER
    except KeyError:
        return OTHER


RETRY_REASONS: Final = (
    *("http_429", "http_4xx", "http_5xx", "timeout", "unusable_answer", "connection"),
    *("mended", "fallback"),
)
"""Why a call is tried again, as it is counted."""


def retry_reason(failure: str) -> str:
    """Which of `RETRY_REASONS` the failure of a try is, as the relay words it."""
    kind, _, status = failure.partition(" ")
    if kind == "HTTP":
        return "http_429" if status == "429" else "http_5xx" if status >= "500" else "http_4xx"
    return _REASONS.get(failure, "connection")


def by_reason(failures: Mapping[str, int]) -> Counter[str]:
    """How often tries failed, by `retry_reason`."""
    counted: Counter[str] = Counter()
    for failure, count in failures.items():
        counted[retry_reason(failure)] += count
    return counted


_REASONS: Final[Mapping[str, str]] = {
    "no answer in time": "timeout",
    "mended": "mended",
    "fallback": "fallback",
    **dict.fromkeys(
        [
            flaws.ERROR_ANSWER,
            flaws.ERROR_EVENT,
            *(flaw.what for flaw in vars(flaws).values() if isinstance(flaw, flaws.Flaw)),
        ],
        "unusable_answer",
    ),
}
