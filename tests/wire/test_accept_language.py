"""The header `Accept-Language`, read as RFC 9110 says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.wire.accept_language import preferred

OFFERED = ("en", "zh")


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("zh", "zh"),
        ("zh-CN", "zh"),
        ("zh-TW,zh;q=0.9,en;q=0.8", "zh"),
        ("zh-Hans", "zh"),
        ("zh-Hant-HK", "zh"),
        ("ZH-cn", "zh"),
        ("en-US,en;q=0.9,zh;q=0.8", "en"),
        ("en;q=0.5, zh;q=0.6", "zh"),
        ("en ; q=0.5 , zh ; q = 0.6", "zh"),
        ("zh;q=0.6, en;q=0.6", "zh"),
        ("en, zh", "en"),
        ("fr, zh;q=0.1", "zh"),
        ("fr-CH, de", None),
        ("*", "en"),
        ("fr, *;q=0.5", "en"),
        ("*, en;q=0.5", "zh"),
        ("*, en;q=0", "zh"),
        ("zh;q=0", None),
        ("zh;q=0, en", "en"),
        ("zh;q=0.0, *;q=0", None),
        ("zh;q=1.5, en;q=0.1", "en"),
        ("zh;q=, en;q=0.1", "en"),
        ("zh;level=1, en;q=0.1", "en"),
        ("zhongwen, en;q=0.1", "en"),
        ("zh_CN, en;q=0.1", "en"),
        ("", None),
        (",,;", None),
        ("en;q=0.1, zh;q=1.000", "zh"),
        ("zh;q=0.2, zh-TW;q=0.9, en;q=0.5", "zh"),
        ("zh-TW;q=0.9, zh;q=0.2, en;q=0.5", "zh"),
    ],
)
def test_the_language_that_the_header_wants_most(header: str, language: str | None) -> None:
    assert preferred(header, OFFERED) == language


@given(st.text(st.characters(codec="latin-1")))
def test_anything_may_come(header: str) -> None:
    assert preferred(header, OFFERED) in (None, *OFFERED)


@given(st.lists(st.tuples(st.sampled_from(["en", "zh", "fr"]), st.integers(0, 1000)), min_size=1, max_size=5))
def test_the_greatest_weight_counts(wanted: list[tuple[str, int]]) -> None:
    header = ", ".join(f"{name};q={weight / 1000}" for name, weight in wanted)
    found = preferred(header, OFFERED)
    weights = {name: max((weight for other, weight in wanted if other == name), default=0) for name in OFFERED}
    assert weights.get(found or "", 0) == max(weights.values())


def test_a_long_header_is_read_in_part() -> None:
    assert preferred("fr," * 400 + "zh", OFFERED) is None
