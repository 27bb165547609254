from __future__ import annotations

import pytest

from hunyuan_fix.answers.tool_calls import to_function_call, to_function_call_frames
from hunyuan_fix.exchange import Change, JsonObject
from tests.answers.streamed import frame


@pytest.mark.parametrize("delta", [{}, {"tool_calls": None}, {"tool_calls": [1, None]}, {"tool_calls": {}}])
def test_another_shape_stays(delta: JsonObject) -> None:
    before = repr(delta)
    changes: list[Change] = []
    assert not to_function_call_frames(delta, "", changes.append)
    to_function_call(delta, "", changes.append)
    assert repr(delta) == before
    assert changes == []


def test_the_first_tool_call_becomes_the_function_call() -> None:
    message = {"content": "x", "tool_calls": [frame(0, "a", "f", "{}"), frame(1, "b", "g", "{}")]}
    changes: list[Change] = []
    to_function_call(message, "/m", changes.append)
    assert message == {"content": "x", "function_call": {"name": "f", "arguments": "{}"}}
    assert "no room" in changes[0].why


def test_function_call_frames_are_those_of_the_first_call() -> None:
    deltas: list[JsonObject] = [
        {"role": "assistant", "tool_calls": [frame(0, "a", "f")]},
        {"tool_calls": [frame(0, arguments="{"), frame(0, arguments="}"), frame(1, "b", "g")]},
        {"tool_calls": [frame(1, arguments="{}")]},
    ]
    changes: list[Change] = []
    assert all(to_function_call_frames(delta, "/d", changes.append) for delta in deltas)
    assert deltas == [
        {"role": "assistant", "function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"arguments": "{}"}},
        {},
    ]
