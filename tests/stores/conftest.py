"""Budgets for the tests that use real stores."""

from __future__ import annotations

import pytest

from hunyuan_fix.stores import guard, level, redis

_PATIENT = 30.0
_REDIS = redis.TIMEOUT


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails does so for what is done to it, not because the machine is busy with eight other tests."""
    monkeypatch.setattr(level, "BUDGET", _PATIENT)
    monkeypatch.setattr(redis, "TIMEOUT", _PATIENT)


@pytest.fixture
def hurried(unhurried: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real budgets, for what hangs."""
    monkeypatch.setattr(level, "BUDGET", guard.BUDGET)
    monkeypatch.setattr(redis, "TIMEOUT", _REDIS)
