from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.wire import retry_after

NOW = 1_800_000_000.0  # Fri, 15 Jan 2027 08:00:00 GMT


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("-5", None),
        ("1.5", 1.5),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0.0),
        ("Fri, 15 Jan 2027 08:01:00 GMT", 60.0),
        ("Fri, 99 Jan 2027 08:01:00 GMT", None),
        ("Fri, 15 Jan 2027 10:01:00 +0200", 60.0),
        ("Fri, 15 Jan 2027 08:01:00 -0000", 60.0),
        ("Mon, 01 Jan 0001 00:00:00 -0000", 0.0),
    ],
)
def test_seconds(value: str | None, seconds: float | None) -> None:
    assert retry_after.seconds(value, NOW) == seconds


@given(
    st.one_of(st.text(), st.from_regex(r"[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{1,5} \d\d:\d\d:\d\d [-+A-Z0-9]{1,5}"))
)
def test_nothing_raises(value: str) -> None:
    seconds = retry_after.seconds(value, NOW)
    assert seconds is None or 0 <= seconds < math.inf
