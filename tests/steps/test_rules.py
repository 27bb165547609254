"""What the rules are given beside the body."""

from __future__ import annotations

import pytest

from hunyuan_fix import options
from hunyuan_fix.dialects import DIALECTS
from hunyuan_fix.exchange import Exchange
from hunyuan_fix.steps.rules import context_of
from tests.seams.toys import ToyDialect


@pytest.mark.parametrize(("dialect", "limits"), [("chat", False), ("toy", True), ("", False)])
def test_max_tokens_is_limited_for_clients_of_another_format(
    monkeypatch: pytest.MonkeyPatch, dialect: str, limits: bool
) -> None:
    monkeypatch.setitem(DIALECTS, "toy", ToyDialect())
    exchange = Exchange(profile="hunyuan", dialect=dialect, chat={"model": "hunyuan-lite", "messages": []})
    assert context_of(exchange, options.parse({})).limits_max_tokens is limits
