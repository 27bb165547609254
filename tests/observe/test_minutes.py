"""What went on in each of the last minutes: sums that are right, and bounded."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix import events
from hunyuan_fix.events import Event
from hunyuan_fix.exchange import Exchange
from hunyuan_fix.observe.done import done
from hunyuan_fix.observe.minutes import MOST, Minutes, Times
from hunyuan_fix.observe.outcomes import trouble

NOW = 60_000_000.0


def hear(minutes: Minutes, at: float = NOW, **told: Any) -> None:
    minutes.hear(Event(events.DONE, "a", at, {**done(Exchange(), "200", "answered", 200), **told}))


def paid(minutes: Minutes, amount: int | None, currency: str = "CNY", at: float = NOW, **usage: int) -> None:
    minutes.hear(Event(events.PAID, "a", at, {"usage": usage, "amount": amount, "currency": currency}))


def test_each_exchange_is_in_the_minute_in_which_it_ended() -> None:
    minutes = Minutes()
    hear(minutes, NOW - 60, rules=["merge_system"], tries=2, ms=500.0, addon_ms=1.0)
    hear(minutes, NOW, rules=["merge_system"], mode="observe", first_token_ms=100.0, ms=1.5)
    hear(minutes, NOW + 59.9, left=True, how="failed", status=None, ms=2.0)
    series = minutes.series(NOW + 59)
    assert len(series["at"]) == MOST and series["at"][-1] == NOW and series["at"][-2] == NOW - 60
    assert series["exchanges"][-3:] == [0, 1, 2]
    assert (series["changed"][-2:], series["tries"][-2], series["left"][-1]) == ([1, 0], 2, 1)
    assert series["ms"][-2:] == [500.0, 3.5]
    assert series["own_median"][-3] is None and series["own_median"][-2] == pytest.approx(1.0, rel=0.05)
    assert series["first_median"][-2] is None and series["first_median"][-1] == pytest.approx(100, rel=0.05)
    assert series["refused"][-1] == series["endpoint"][-1] == series["failed"][-1] == 0


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ({"status": 429, "how": "refused"}, "refused"),
        ({"status": 503, "how": "answered"}, "endpoint"),
        ({"status": 200, "how": "answered", "error": "FailedOperation"}, "endpoint"),
        ({"status": None, "how": "failed"}, "failed"),
        ({"status": 200, "how": "failed", "error": "stream_broken"}, "failed"),
        ({"status": None, "how": "failed", "left": True}, ""),
        ({"status": 200, "how": "answered", "error": "cancelled", "left": True}, ""),
        ({"status": 200, "how": "answered"}, ""),
    ],
)
def test_an_error_is_counted_by_who_has_made_it(told: dict[str, Any], kind: str) -> None:
    minutes = Minutes()
    hear(minutes, **told)
    assert trouble(told.get) == kind
    series: Any = minutes.series(NOW)
    assert {one: series[one][-1] for one in ("refused", "endpoint", "failed")} == {
        one: int(one == kind) for one in ("refused", "endpoint", "failed")
    }


def test_tokens_and_cost_are_those_of_all_calls() -> None:
    minutes = Minutes()
    paid(minutes, 5, "CNY", input=100, cached=60, output=7, reasoning=3)
    paid(minutes, 7, "CNY", input=10)
    paid(minutes, 2, "USD")
    paid(minutes, None, "", output=1)
    series = minutes.series(NOW)
    assert (series["input"][-1], series["cached"][-1], series["output"][-1]) == (110, 60, 8)
    assert {currency: parts[-1] for currency, parts in series["cost"].items()} == {"CNY": 12, "USD": 2}


@given(st.lists(st.integers(-(10**6), 10**6), max_size=50), st.lists(st.text(max_size=3), max_size=50))
def test_whatever_comes_it_is_bounded(offsets: list[int], currencies: list[str]) -> None:
    minutes = Minutes(most=5)
    for offset in offsets:
        hear(minutes, NOW + offset)
    for currency in currencies:
        paid(minutes, 1, currency)
    assert len(minutes._minutes) <= 5
    series = minutes.series(NOW)
    assert len(series["cost"]) <= 8
    assert {len(values) for name, values in series.items() if name != "cost"} == {5}  # type: ignore[arg-type]


@given(st.lists(st.floats(0, 1e12), min_size=1, max_size=200), st.sampled_from([0.5, 0.95]))
def test_a_share_is_within_its_class_of_the_exact_one(given_times: list[float], share: float) -> None:
    times = Times()
    for one in given_times:
        times.add(one)
    exact = sorted(min(max(one, 1e-3), 1e9) for one in given_times)
    place = next(place for place in range(len(exact)) if (place + 1) >= share * len(exact) - 1e-9)
    found = times.share(share)
    assert found is not None and 0.95 * exact[place] - 0.001 <= found <= 1.05 * exact[place] + 0.001
    assert len(times._counted) < 700
