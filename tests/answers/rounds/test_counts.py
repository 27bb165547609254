from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.answers.rounds.counts import added

COUNT = st.integers(0, 2**40)
USAGE = st.fixed_dictionaries(
    {"prompt_tokens": COUNT, "completion_tokens": COUNT},
    optional={"cached_tokens": COUNT, "prompt_tokens_details": st.fixed_dictionaries({"cached_tokens": COUNT})},
)


@given(USAGE, USAGE, USAGE)
def test_the_order_of_the_rounds_makes_no_difference(one, other, third) -> None:
    assert added(one, other) == added(other, one)
    assert added(added(one, other), third) == added(one, added(other, third))


def test_every_field_is_a_sum() -> None:
    one = {"prompt_tokens": 3, "details": {"cached": 1}, "seconds": 0.5, "tier": "default", "only": 7}
    other = {"prompt_tokens": 9, "details": {"cached": 2, "more": 4}, "seconds": 1.5, "tier": "flex"}
    sum_ = {"prompt_tokens": 12, "details": {"cached": 3, "more": 4}, "seconds": 2.0, "tier": "flex", "only": 7}
    assert added(one, other) == sum_
    assert added(None, one) == added(one, None) == added({}, one) == one


@pytest.mark.parametrize("hostile", ["12", None, True, math.nan, math.inf, -5, 2**80, [], {}])
def test_what_is_no_count_takes_none_away(hostile) -> None:
    assert added({"n": 5}, {"n": hostile})["n"] == 5
