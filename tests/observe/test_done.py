"""What the last event of an exchange tells."""

from __future__ import annotations

import pytest

from hunyuan_fix.events import Done
from hunyuan_fix.exchange import Change, Exchange
from hunyuan_fix.observe.done import done
from hunyuan_fix.rules import made_up_reasoning, reasoning


def test_it_has_every_field() -> None:
    assert set(done(Exchange(), "200")) == set(Done.__annotations__)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ([], {}),
        ([Change("roles", "/messages/1", "x")], {}),
        ([Change("reasoning", "/messages/1", "reasoning is called reasoning_content here")], {}),
        ([Change("reasoning", "/messages/1", why) for why in reasoning.RECOVERED], {"recovered": 2}),
        (
            [
                Change("reasoning-memory", "/messages/1", "x"),
                Change("reasoning-memory", "/messages/3", "x"),
                Change("made-up-reasoning", "/messages/5", made_up_reasoning.WHY),
            ],
            {"kept": 2, "made_up": 1},
        ),
    ],
)
def test_reasoning_that_was_put_back_is_counted_by_where_it_is_from(
    changes: list[Change], told: dict[str, int]
) -> None:
    exchange = Exchange()
    exchange.note(changes)
    assert done(exchange, "200")["reasoning"] == told
    noted = exchange.noted()
    exchange.note([Change("made-up-reasoning", "/messages/7", "x")])
    exchange.forget(noted)
    assert done(exchange, "200")["reasoning"] == told, "what was taken back isn't told"
