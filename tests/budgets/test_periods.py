"""Days and months, in a time zone: what they are called, and when the next begins."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.budgets import periods
from hunyuan_fix.budgets.periods import Period, span

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_a_day_is_that_of_the_zone() -> None:
    now = at("2026-11-29T17:30:00+00:00")
    assert span("day", now, SHANGHAI) == periods.Span(
        "2026-11-30", at("2026-12-01T00:00:00+08:00"), "2026-12-01 00:00 +08:00"
    )
    assert span("day", now, ZoneInfo("UTC")).name == "2026-11-29"


def test_a_month_ends_with_its_last_day() -> None:
    for day, ends in (("2026-12-31", "2027-01-01"), ("2028-02-29", "2028-03-01"), ("2026-01-31", "2026-02-01")):
        found = span("month", at(f"{day}T23:59:59+08:00"), SHANGHAI)
        assert (found.name, found.ends) == (day[:7], at(f"{ends}T00:00:00+08:00"))


def test_a_day_with_a_change_of_clocks_has_another_length() -> None:
    for day, hours in (("2026-03-29", 23), ("2026-10-25", 25), ("2026-10-26", 24)):
        begun = datetime.fromisoformat(f"{day}T00:00:00").replace(tzinfo=BERLIN).timestamp()
        assert span("day", begun, BERLIN).ends - begun == hours * 3600


@pytest.fixture
def in_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.skipif(os.name == "nt", reason="TZ is not for Windows")
def test_without_a_zone_it_is_the_machine_s(in_zone: None) -> None:
    for period in ("day", "month"):
        for now in (at("2026-11-30T15:59:59+00:00"), at("2026-11-30T16:00:00+00:00")):
            assert span(period, now) == span(period, now, SHANGHAI)


PERIODS = st.sampled_from(["day", "month"])
TIMES = st.floats(at("2000-01-01T00:00:00+00:00"), at("2100-01-01T00:00:00+00:00"))
ZONES = st.sampled_from(
    [SHANGHAI, BERLIN, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Asia/Kathmandu"), ZoneInfo("UTC")]
)


@given(PERIODS, TIMES, ZONES)
def test_the_next_begins_where_it_ends(period: Period, now: float, zone: ZoneInfo) -> None:
    found = span(period, now, zone)
    assert found.ends > now
    assert span(period, found.ends, zone).name > found.name
    assert span(period, found.ends - 0.001, zone).name == found.name
    assert datetime.fromtimestamp(found.ends, UTC).astimezone(zone).hour == 0


@pytest.mark.parametrize("text", ["Nowhere/Land", "../../etc/passwd", "Asia", "", "\0", "é"])
def test_what_is_no_zone_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="Asia/Shanghai"):
        periods.zone(text)
