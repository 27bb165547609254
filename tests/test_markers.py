"""`--fast` leaves out by markers: what starts something must have one."""

from __future__ import annotations

import pytest

from tests.proxying import Trust


def test_what_starts_a_mitmproxy_is_slow(request: pytest.FixtureRequest, trust: Trust):
    assert request.node.get_closest_marker("slow")


def test_what_starts_nothing_is_fast(request: pytest.FixtureRequest):
    assert [mark.name for mark in request.node.iter_markers()] == []
