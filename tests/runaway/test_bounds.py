"""How often is too often: what the options accept."""

from __future__ import annotations

import pytest

from hunyuan_fix.runaway import Bounds, bounds


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("10/100", Bounds(10, 100)),
        ("10/off", Bounds(10, None)),
        ("off/100", Bounds(None, 100)),
        ("off", Bounds(None, None)),
        ("off/off", Bounds(None, None)),
        ("100", Bounds(50, 100)),
        ("3", Bounds(2, 3)),
        ("2", Bounds(2, 2)),
    ],
)
def test_accepted(text: str, accepted: Bounds) -> None:
    assert bounds(text) == accepted
    assert accepted.is_on is (accepted != Bounds(None, None))


@pytest.mark.parametrize(
    "text", ["", "0", "1", "10/1", "0/100", "-1", "10/", "/10", "a", "10/100/1000", "1.5", "9" * 10]
)
def test_refused(text: str) -> None:
    with pytest.raises(ValueError, match="10/100"):
        bounds(text)
