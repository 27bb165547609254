from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addon.exchange import Change, JsonObject
from addon.wire import rule_names
from addon.wire.tool_calls import FunctionCallFrames, ToolFrames, name_back, to_function_call


def frame(
    index: object = None, id: object = None, name: object = None, arguments: object = "", **fields: object
) -> JsonObject:
    function = {"arguments": arguments} | ({} if name is None else {"name": name})
    found = {"id": id, "index": index} | fields
    return {key: value for key, value in found.items() if value is not None} | {"function": function}


def repaired(*frames: JsonObject) -> list[Change]:
    """The frames, one delta each, and the changes."""
    tool_frames = ToolFrames()
    changes: list[Change] = []
    for call in frames:
        before = repr(call)
        changed = tool_frames.repair({"tool_calls": [call]}, "/d", changes.append)
        assert changed == (repr(call) != before)
    return changes


def test_frames_as_hunyuan_a13b_sends_them() -> None:
    """hunyuan.md section 6, captured."""
    call = "call_da0n2pk2c3mcmj6ghdb0"
    first = {"id": call, "index": 0, "type": "function", "function": {"name": "datetime_now", "arguments": ""}}
    second = {"id": call, "index": 0, "type": "function", "function": {"name": "", "arguments": "{}"}}
    changes = repaired(first, second)
    assert first == {
        "id": call,
        "index": 0,
        "type": "function",
        "function": {"name": "datetime_now", "arguments": ""},
    }
    assert second == {"index": 0, "function": {"arguments": "{}"}}
    assert [change.rule for change in changes] == [rule_names.TOOL_FRAMES]


def test_frames_as_openai_sends_them_stay() -> None:
    assert repaired(frame(0, "a", "f", type="function"), frame(0, arguments="{"), frame(1, "b", "g"), frame(1)) == []


def test_a_null_name_goes_like_an_empty_one() -> None:
    later = {"index": 0, "function": {"name": None, "arguments": "{}"}}
    repaired(frame(0, "a", "f"), later)
    assert later == frame(0, arguments="{}")


def test_a_name_that_comes_late_stays() -> None:
    later = frame(0, name="f")
    assert repaired(frame(0, "a", ""), later) == []


def test_an_id_that_comes_late_stays() -> None:
    later = frame(0, "a")
    assert repaired(frame(0, name="f"), later) == []


def test_another_id_under_one_index_is_another_call_and_stays_whole() -> None:
    second = frame(0, "b", "g", type="function")
    assert repaired(frame(0, "a", "f", type="function"), second) == []


def test_a_missing_index_is_given_by_id() -> None:
    frames = [
        frame(id="a", name="f"),
        frame(id="b", name="g"),
        frame(id="a", arguments="1"),
        frame(id="b", arguments="2"),
    ]
    repaired(*frames)
    assert [call["index"] for call in frames] == [0, 1, 0, 1]


def test_a_frame_without_id_goes_on_with_the_last_call() -> None:
    frames = [frame(id="a", name="f"), frame(arguments="1"), frame(id="b", name="g"), frame(arguments="2")]
    repaired(*frames)
    assert [call["index"] for call in frames] == [0, 0, 1, 1]


def test_a_name_without_id_starts_a_call() -> None:
    frames = [frame(name="f", arguments="{}"), frame(name="f", arguments="{}"), frame(arguments=" ")]
    repaired(*frames)
    assert [call["index"] for call in frames] == [0, 1, 1]


FRAMES = st.builds(
    frame,
    index=st.sampled_from([None, 0, 1, "0"]),
    id=st.sampled_from([None, "", "a", "b", 5]),
    name=st.sampled_from([None, "", "f", 1]),
    arguments=st.sampled_from(["", "{}", None]),
    type=st.sampled_from([None, "function"]),
)


@given(st.lists(FRAMES))
def test_every_frame_has_an_index_and_repairing_twice_changes_nothing(frames: list[JsonObject]) -> None:
    repaired(*frames)
    assert all(isinstance(call["index"], int) for call in frames)
    assert repaired(*frames) == []


@pytest.mark.parametrize("delta", [{}, {"tool_calls": None}, {"tool_calls": [1, None]}, {"tool_calls": {}}])
def test_another_shape_stays(delta: JsonObject) -> None:
    before = repr(delta)
    changes: list[Change] = []
    assert not ToolFrames().repair(delta, "", changes.append)
    assert not FunctionCallFrames().repair(delta, "", changes.append)
    assert not name_back(delta, {"a": "b"}, "", changes.append)
    to_function_call(delta, "", changes.append)
    assert repr(delta) == before
    assert changes == []


def test_tools_are_named_back() -> None:
    message = {"tool_calls": [frame(0, "a", "mcp_read"), frame(1, "b", "other"), {"function": 1}, frame(2, name=7)]}
    changes: list[Change] = []
    assert name_back(message, {"mcp_read": "mcp:read"}, "/m", changes.append)
    assert [call["function"]["name"] for call in message["tool_calls"][:2]] == ["mcp:read", "other"]
    assert [change.pointer for change in changes] == ["/m/tool_calls/0/function/name"]


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
    function_call = FunctionCallFrames()
    changes: list[Change] = []
    assert all(function_call.repair(delta, "/d", changes.append) for delta in deltas)
    assert deltas == [
        {"role": "assistant", "function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"arguments": "{}"}},
        {},
    ]
