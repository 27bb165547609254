from __future__ import annotations

import pytest

from hunyuan_fix.did_you_mean import alike, did_you_mean, suggestion

KNOWN = ("retry", "retry_tries", "queue_max")


@pytest.mark.parametrize(
    ("name", "near"), [("retyr", "retry"), ("retry_tires", "retry_tries"), ("listen_port", None), ("", None)]
)
def test_the_nearest_name_is_found_or_none(name: str, near: str | None):
    assert did_you_mean(name, KNOWN) == near
    assert did_you_mean(name, iter(KNOWN)) == near
    assert suggestion(name, KNOWN) == (f"; did you mean {near}?" if near else "")


def test_nothing_is_like_a_name_where_none_is_known():
    assert did_you_mean("retry", ()) is None


def test_the_case_of_a_name_does_not_count():
    assert did_you_mean("RETRY-TRIES", KNOWN) == "retry_tries"
    assert alike("HY3", ("hy4", "Hy3", "gpt-4o")) == ["Hy3", "hy4"]
