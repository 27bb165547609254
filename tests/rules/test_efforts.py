"""Efforts of many vendors, and the nearest that a model tells apart."""

from __future__ import annotations

import pytest

from hunyuan_fix.rules.efforts import nearest, word


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("high", "high"),
        (" HIGH ", "high"),
        ("ultra", "max"),
        ("no_think", "none"),
        (False, "none"),
        ("auto", ""),
        ("", ""),
        ("banana", ""),
        (None, ""),
        (3, ""),
        (True, ""),
        (["high"], ""),
    ],
)
def test_words(given: object, meant: str) -> None:
    assert word(given) == meant


@pytest.mark.parametrize(
    ("wanted", "offered", "found"),
    [
        ("high", ("low", "high"), "high"),
        ("medium", ("low", "high"), "high"),  # as close: the stronger
        ("minimal", ("low", "high", "max"), "low"),
        ("xhigh", ("low", "high"), "high"),
        ("max", ("none", "high"), "high"),
        ("minimal", ("none", "high"), "high"),  # some is wanted
        ("none", ("none", "high"), "none"),
        ("none", ("low", "high"), ""),
        ("low", (), ""),
        ("low", ("none",), ""),
        ("low", ("turbo", "high"), "high"),  # a word of no order
        ("xhigh", ("minimal", "low", "medium", "high", "xhigh"), "xhigh"),
    ],
)
def test_nearest(wanted: str, offered: tuple[str, ...], found: str) -> None:
    assert nearest(wanted, offered) == found
