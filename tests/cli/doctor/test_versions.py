"""Versions against what is asked for."""

from __future__ import annotations

import pytest

from hunyuan_fix.cli.doctor import versions


@pytest.mark.parametrize(
    ("version", "wanted", "good"),
    [
        ("12.2.3", ">=12.2.3,<13", True),
        ("12.10", ">=12.2.3,<13", True),
        ("12.2.2", ">=12.2.3,<13", False),
        ("13.0.0", ">=12.2.3,<13", False),
        ("3.11.9", ">=3.12", False),
        ("3.12.0rc1", ">=3.12", True),
    ],
)
def test_versions(version: str, wanted: str, good: bool) -> None:
    assert versions.satisfies(version, wanted) is good
