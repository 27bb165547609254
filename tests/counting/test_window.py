"""Whether a request fits into its model's window, and the room for the request to compact."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from hunyuan_fix.counting import body as counting
from hunyuan_fix.counting import window
from hunyuan_fix.counting.text import MARGIN
from hunyuan_fix.counting.window import ROOM, Excess, compacts, is_near, limit, surely_fits, to_compact_at, with_room
from hunyuan_fix.profiles import Model
from hunyuan_fix.rules import apply_chat
from hunyuan_fix.wire import json_body
from tests.counting.texts import TEXTS
from tests.rule_context import context
from tests.strategies import histories

WORD = "word "
ASKS = "Your task is to create a detailed summary of the conversation so far."


def said(words: int, *more: str) -> dict[str, Any]:
    """A body whose count is about `words`, and texts in messages of their own after it."""
    texts = [WORD * round(words / MARGIN / 0.91), *more]
    return {"messages": [{"role": "user", "content": text} for text in texts]}


def excess(body: dict[str, Any], longest: int, *, leaves_room: bool) -> Excess | None:
    """What a whole count finds."""
    return window.excess(body, counting.count(body), longest, leaves_room=leaves_room)


@pytest.mark.parametrize(
    ("model", "max_tokens", "own", "expected"),
    [
        (Model("x", input=1000, context=5000), 400, None, 1000),
        (Model("x", context=1000), None, None, 1000),
        (Model("x", context=1000), 400, None, 600),
        (Model("x", context=1000), 5000, None, 0),
        (Model("x", context=1000), -5, None, 1000),
        (Model("x", context=1000), "400", None, 1000),
        (Model("x", input=1000), None, 70, 70),
        (Model("x"), 400, 70, 70),
        (Model("x"), 400, None, None),
    ],
)
def test_the_limit(model: Model, max_tokens: object, own: int | None, expected: int | None) -> None:
    assert limit(model, max_tokens, own) == expected


def test_the_room_is_claude_codes_own_and_less_of_a_small_window() -> None:
    assert with_room(192_000) == 192_000 - ROOM
    assert with_room(8000) == 7000
    assert with_room(0) == 0


def test_a_client_compacts_before_its_history_is_refused() -> None:
    """Also where a fifth more is counted here than at the endpoint."""
    for most in (8000, 192_000, 1_000_000):
        assert 0.69 * most < to_compact_at(most) <= with_room(most) / 1.25


def test_past_the_limit() -> None:
    body = said(2000)
    tokens = counting.count(body)
    assert excess(body, tokens, leaves_room=False) is None
    assert excess(body, tokens - 1, leaves_room=False) == Excess(tokens, tokens - 1)


def test_room_is_left_for_the_request_to_compact() -> None:
    longest = 8000
    assert excess(said(6900), longest, leaves_room=True) is None
    for body in (said(7500), said(7500, "And now fix the tests.")):
        assert excess(body, longest, leaves_room=True) == Excess(counting.count(body), 7000)
        assert excess(body, longest, leaves_room=False) is None


@pytest.mark.parametrize("text", [ASKS, "Summarize this thread.", "请总结以上对话", "SUMMARISE", "Compact the history"])
def test_the_request_to_compact_uses_the_room(text: str) -> None:
    assert excess(said(7500, text), 8000, leaves_room=True) is None
    assert excess(said(9000, text), 8000, leaves_room=True) is None, "the count may be a quarter too high"
    assert excess(said(10_500, text), 8000, leaves_room=True) is not None
    assert excess(said(9000, text), 8000, leaves_room=False) is not None


def test_only_the_last_message_says_so() -> None:
    assert not compacts(said(1, ASKS, "thanks"))
    assert not compacts({"messages": [{"role": "tool", "content": ASKS}]})
    assert compacts({"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}, {"text": ASKS}]}]})
    assert compacts({"messages": [{"role": "user", "content": "x" * 50_000 + ASKS + "x" * 15_000}]})
    assert not compacts({"messages": [{"role": "user", "content": "x" * 30_000 + ASKS + "x" * 30_000}]})
    assert not compacts(said(1, "<tools-used-before-summary>Read</tools-used-before-summary> <summary>done</summary>"))
    others: list[dict[str, Any]] = [{}, {"messages": None}, {"messages": []}, {"messages": [1]}]
    assert not any(map(compacts, others))


def test_a_body_of_few_bytes_surely_fits() -> None:
    assert surely_fits(20_000, 32_000, leaves_room=False)
    assert surely_fits(20_000, 32_000, leaves_room=True)
    assert surely_fits(24_000, 32_000, leaves_room=False)
    assert not surely_fits(24_000, 32_000, leaves_room=True)


def test_where_it_only_warns_a_body_is_taken_for_text() -> None:
    assert surely_fits(60_000, 32_000, leaves_room=False, only_warns=True)
    assert not surely_fits(66_000, 32_000, leaves_room=False, only_warns=True)


@pytest.mark.parametrize(("tokens", "near"), [(49_999, False), (50_000, True), (200_000, True), (200_001, False)])
def test_far_from_the_limit_a_sample_tells(tokens: int, near: bool) -> None:
    assert is_near(tokens, 100_000, leaves_room=False) is near


@pytest.mark.parametrize(("tokens", "near"), [(43_749, False), (43_750, True), (175_000, True), (175_001, False)])
def test_so_it_does_from_the_room_that_is_left(tokens: int, near: bool) -> None:
    assert is_near(tokens, 100_000, leaves_room=True) is near


@pytest.mark.parametrize("name", TEXTS)
def test_a_sample_is_never_so_far_off(name: str) -> None:
    """That of the whole decides whatever is nearer than half and twice the limit."""
    body = {"messages": [{"role": "user", "content": TEXTS[name] * 50}]}
    assert 0.7 <= counting.rough(body) / max(1, counting.count(body)) <= 1.5


def test_one_with_as_many_tokens_as_bytes_does_not() -> None:
    digits = {"messages": [{"role": "user", "content": "7" * 1000}]}
    size = len(json_body.serialise(digits))
    assert excess(digits, 1100, leaves_room=False) is not None
    assert not surely_fits(size, 1100, leaves_room=False)


@given(histories)
def test_such_a_body_has_no_more_tokens_than_the_limit(history: list[Any]) -> None:
    """Also after the rules have filled it up: what they add at most to a body is allowed for."""
    body = {"model": "hunyuan-turbos-latest", "messages": history}
    size = len(json_body.serialise(body))
    apply_chat(body, context(model="hunyuan-turbos-latest", may_hold_images=False))
    images = json_body.serialise(body).count(b'"image_url"')
    assert counting.count(body) - 1600 * images <= size * window._TOKENS_A_BYTE + 100
