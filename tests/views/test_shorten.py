"""Long strings made short."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from hunyuan_fix.views import shorten
from tests.strategies import json_values


@pytest.mark.parametrize(("count", "text"), [(0, "0 bytes"), (999, "999 bytes"), (412_000, "412 kB"), (5e6, "5 MB")])
def test_size(count: float, text: str) -> None:
    assert shorten.size(count) == text


def test_data_urls_keep_their_kind_and_size() -> None:
    assert shorten.text("data:image/png;base64," + "A" * 549_334) == "data:image/png;base64,… 412 kB"


def test_base64_without_a_url() -> None:
    assert shorten.text("QUJD" * 1000) == "QUJDQUJDQUJDQUJDQUJD… 3 kB of base64"


def test_long_texts_keep_both_ends() -> None:
    short = shorten.text("first " + "word " * 10_000 + "last")
    assert short.startswith("first ")
    assert short.endswith("last")
    assert "49,210 characters" in short
    assert len(short) < 900


@given(json_values)
def test_short_values_stay(value: Any) -> None:
    assert shorten.everything(value) == value
