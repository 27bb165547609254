"""A day of traffic, minute by minute: a quiet night, working hours with bursts, a deployment, one outage."""

from __future__ import annotations

import math
import random
from itertools import accumulate

from tests.observe.alerts.traces import Trace

MINUTES = 24 * 60
DEPLOYED = 10 * 60 + 7
"""The process is started anew: its counters begin at 0."""
OUTAGE = range(14 * 60 + 3, 14 * 60 + 41)
BURSTS = (range(11 * 60, 11 * 60 + 12), range(16 * 60 + 30, 16 * 60 + 50))


def day(seed: int) -> Trace:
    """The samples of one day."""
    chance = random.Random(seed)
    trace = Trace(MINUTES)
    trace.started({0: -1e6, DEPLOYED: 60.0 * DEPLOYED - 30})
    requests = [_poisson(chance, _rate(minute)) for minute in range(MINUTES)]
    failed = [
        sum(chance.random() < (0.85 if minute in OUTAGE else 0.012) for _ in range(count))
        for minute, count in enumerate(requests)
    ]
    refused = [sum(chance.random() < 0.03 for _ in range(count)) for count in requests]
    served = [max(0, a - b - c) for a, b, c in zip(requests, failed, refused, strict=True)]
    for profile, share in (("tokenhub", 0.7), ("kimi", 0.3)):
        for status, counts in (("2xx", served), ("5xx", failed), ("4xx", refused)):
            labels = {"profile": profile, "dialect": "chat", "model": "other", "status": status}
            _count(trace, "hunyuan_exchanges_total", labels, [round(share * count) for count in counts])
    _count(trace, "hunyuan_exchanges_total", {"profile": "tokenhub", "status": "none"}, [c // 9 for c in requests])
    _count(trace, "hunyuan_streams_total", {}, served)
    _count(trace, "hunyuan_streams_cut_total", {}, [sum(chance.random() < 0.01 for _ in range(c)) for c in served])
    _count(trace, "hunyuan_admissions_total", {"result": "admitted"}, requests)
    late = [int(minute in BURSTS[0] and chance.random() < 0.3) for minute in range(MINUTES)]
    _count(trace, "hunyuan_admissions_total", {"result": "queue_timeout"}, late)
    for result, share in (("cached", 0.8), ("described", 0.15), ("shared", 0.05)):
        amounts = [sum(chance.random() < share for _ in range(count // 2)) for count in requests]
        _count(trace, "hunyuan_images_total", {"result": result}, amounts)
    waits = [[chance.expovariate(1 / (8 if _bursts(m) else 0.4)) for _ in range(c)] for m, c in enumerate(requests)]
    _observe(trace, "hunyuan_queue_seconds", waits)
    begins = [[chance.lognormvariate(0.8, 0.8) for _ in range(count)] for count in served]
    _observe(trace, "hunyuan_first_byte_seconds", begins)
    lags = [[chance.expovariate(1 / (0.02 if _bursts(m) else 0.003)) for _ in range(60)] for m in range(MINUTES)]
    _observe(trace, "hunyuan_event_loop_lag_seconds", lags)
    trace.put("hunyuan_breaker_open", {}, [float(minute in OUTAGE[2:]) for minute in range(MINUTES)])
    trace.put("hunyuan_health", {"check": "endpoint"}, [float(1 + (m not in OUTAGE)) for m in range(MINUTES)])
    # Redis fails for moments, shorter than the alert's time.
    trace.put("hunyuan_store_failing", {"store": "redis"}, [float(chance.random() < 0.01) for _ in range(MINUTES)])
    return trace


def _rate(minute: int) -> float:
    """Requests a minute that are to be expected."""
    hour = minute / 60
    rate = 0.05 if hour < 7 or hour > 22 else 4 + 10 * math.sin(math.pi * (hour - 7) / 15)
    return rate * (12 if _bursts(minute) else 1)


def _bursts(minute: int) -> bool:
    return any(minute in burst for burst in BURSTS)


def _poisson(chance: random.Random, rate: float) -> int:
    count, left = 0, chance.expovariate(1)
    while left < rate:
        count, left = count + 1, left + chance.expovariate(1)
    return count


def _count(trace: Trace, name: str, labels: dict[str, str], amounts: list[int]) -> None:
    before, after = accumulate(amounts[:DEPLOYED]), accumulate(amounts[DEPLOYED:])
    trace.put(name, labels, [float(total) or None for total in (*before, *after)])


def _observe(trace: Trace, name: str, observed: list[list[float]]) -> None:
    trace.observe(name, {}, observed)
    for sample in (f"{name}_bucket", f"{name}_count"):
        for labels, values in trace.series[sample].items():
            at = values[DEPLOYED - 1] or 0.0
            trace.series[sample][labels] = [*values[:DEPLOYED], *((value or 0.0) - at for value in values[DEPLOYED:])]
