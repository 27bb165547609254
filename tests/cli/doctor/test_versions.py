"""Versions against what is asked for."""

from __future__ import annotations

from dataclasses import replace
from importlib import metadata

import pytest

from hunyuan_fix.cli.doctor import connections, versions
from tests.cli.doctor.situations import situation
from tests.end_to_end.processes import Certificates


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


def test_a_proxy_of_another_version_or_in_another_mode(certificates: Certificates) -> None:
    at = situation(certificates)
    assert versions.running(at) is connections.mode(at) is None
    assert versions.running(replace(at, version=metadata.version("hunyuan-fix"))) is None
    assert connections.mode(replace(at, mode="repair")) is None
    old, off = versions.running(replace(at, version="0.0.1")), connections.mode(replace(at, mode="off"))
    assert old
    assert (old.id, old.result) == ("proxy/other-version", "warning")
    assert off
    assert (off.id, off.result) == ("proxy/mode", "warning")
