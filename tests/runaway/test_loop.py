"""What an agent did since its user's last message, read from requests in each format."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.runaway import loop
from hunyuan_fix.runaway.loop import Before, Call, goes_on, loop_of, may_hold
from hunyuan_fix.runaway.repeated import repeated
from tests.runaway.agents import FORMATS, Did, Turn, body_of
from tests.test_session import CHATS, JSON, KEYS

TWO: list[Turn] = [[Did("ls", {"path": "a"}, "x"), Did("cat", {"path": "b"}, "y")], [Did("ls", {"path": "c"}, "z")]]


@pytest.mark.parametrize("form", FORMATS)
def test_the_turns_since_the_user_s_last_message_are_read(form: str) -> None:
    found = loop_of(body_of(form, [*TWO, "and now?", *TWO]))
    assert found.before is Before.USER
    assert [sorted(call.name for call in turn) for turn in found.turns] == [["ls"], ["cat", "ls"]]
    assert [repr(call.result).count("'") > 0 for turn in found.turns for call in turn] == [True] * 3


@pytest.mark.parametrize("form", FORMATS)
def test_without_results_at_the_end_there_is_no_loop(form: str) -> None:
    assert goes_on(body_of(form, TWO))
    assert not goes_on(body_of(form, [*TWO, "and now?"]))
    assert loop_of(body_of(form, [*TWO, "and now?"])).turns == []


@pytest.mark.parametrize("form", FORMATS)
def test_a_client_s_own_words_are_not_the_user_s(form: str) -> None:
    turns = [TWO[0], "<system-reminder>\nBe quick.\n</system-reminder>", TWO[1], "Attached media from tool result:"]
    body = body_of(form, turns)
    assert goes_on(body)
    assert len(loop_of(body).turns) == 2
    with_words = body_of(form, [TWO[0], "<system-reminder>\nBe quick.\n</system-reminder>\nStop!", TWO[1]])
    assert len(loop_of(with_words).turns) == 1


@pytest.mark.parametrize("form", FORMATS)
def test_behind_a_summary_the_history_is_longer(form: str) -> None:
    summary = "This session is being continued from a previous conversation that ran out of context. The summary: …"
    found = loop_of(body_of(form, [*TWO, summary, *TWO]))
    assert (len(found.turns), found.before, found.summary) == (2, Before.SUMMARY, summary)


def test_calls_in_messages_of_their_own_are_one_turn() -> None:
    """Codex 0.77: two assistant messages with one call each, one with text, then both answers."""
    calls = [{"role": "assistant", "tool_calls": [tool_call(id)]} for id in ("a", "b")]
    results = [{"role": "tool", "tool_call_id": id, "content": "ok"} for id in ("a", "b")]
    messages = [{"role": "user", "content": "go"}, *calls, {"role": "assistant", "content": "Both."}, *results]
    assert [len(turn) for turn in loop_of({"messages": messages}).turns] == [2]


def test_only_results_are_one_turn() -> None:
    """The endpoint keeps the calls (`previous_response_id`)."""
    items = [{"type": "function_call_output", "call_id": id, "output": "ok"} for id in ("a", "b")]
    assert loop_of({"input": items, "previous_response_id": "resp_1"}) == loop.Loop([[]], Before.NOTHING)


def test_the_old_functions_are_read() -> None:
    messages = [
        {"role": "user", "content": "go"},
        {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "1"},
    ]
    assert loop_of({"messages": messages}).turns == [[Call("f", "{}", "1")]]


@given(JSON)
def test_any_json_is_read(value: Any) -> None:
    for body in (value if isinstance(value, dict) else {}, {"messages": value}, {"input": [value, value]}):
        goes_on(body)
        repeated(loop_of(body).turns)


SMALL = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=4,
)
"""As `JSON`, in the many fields of an item: large ones would take most of the time."""
ITEM = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(["user", "assistant", "tool", "function"]),
        "type": st.sampled_from(["function_call", "function_call_output", "tool_use", "message"]),
        "tool_calls": st.lists(
            st.fixed_dictionaries({}, optional={"id": SMALL, "function": SMALL, "custom": SMALL}), max_size=4
        ),
        "function_call": SMALL,
        "tool_call_id": SMALL,
        "call_id": SMALL,
        "content": st.lists(
            st.dictionaries(st.sampled_from(["type", "id", "tool_use_id", "text", "input"]), SMALL, max_size=4),
            max_size=4,
        ),
        "output": SMALL,
        "name": SMALL,
    },
)


@given(st.lists(ITEM, max_size=6))
def test_any_messages_are_read(messages: list[Any]) -> None:
    for name in ("messages", "input"):
        repeated(loop_of({name: messages}).turns)


@pytest.mark.parametrize("form", FORMATS)
def test_how_many_calls_a_request_may_hold_is_known_without_reading_it(form: str) -> None:
    body = body_of(form, ["do it", *TWO])
    assert may_hold(body, 3)
    assert not may_hold(body, 30)
    assert may_hold(body_of(form, ["This session is being continued from a previous conversation …", *TWO]), 1000)


@pytest.mark.parametrize("field", ["tool_calls", "content"])
def test_calls_of_one_message_are_as_many_as_calls_of_several(field: str) -> None:
    calls = [{"type": "tool_use", "id": str(number), "name": "ls", "input": {}} for number in range(12)]
    assert may_hold({"messages": [{"role": "assistant", field: calls}]}, 12)
    assert not may_hold({"messages": [{"role": "assistant", field: calls}]}, 14)


@given(st.lists(ITEM, max_size=6), st.integers(1, 12))
def test_no_request_holds_more_calls_than_it_may(messages: list[Any], calls: int) -> None:
    for name in ("messages", "input"):
        found = loop_of({name: messages})
        if found.before is Before.SUMMARY or sum(map(len, found.turns)) >= calls:
            assert may_hold({name: messages}, calls)


@pytest.mark.parametrize("client", sorted(CHATS))
def test_recorded_requests_of_real_programs_are_far_below_every_default(client: str) -> None:
    for body in CHATS[client]:
        found = loop_of(body)
        assert len(found.turns) < 20
        assert repeated(found.turns).count < 5, json.dumps(body)[-2000:]


def test_recorded_requests_have_loops() -> None:
    assert sum(bool(loop_of(body).turns) for some in CHATS.values() for body in some) > 60


def tool_call(id: str) -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}}
