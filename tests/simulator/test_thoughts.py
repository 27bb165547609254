"""What came back of thoughts: of the same calls made twice, too."""

from typing import Any

from hunyuan_fix.simulator.thoughts import Thoughts, thought

CALLS = [("look_up", '{"a": 1}')]


def turn(text: Any, arguments: str = '{"a":1}') -> dict[str, Any]:
    call = {"id": "x", "type": "function", "function": {"name": "look_up", "arguments": arguments}}
    return {"role": "assistant", "content": "", "tool_calls": [call], "reasoning_content": text}


def judged(thoughts: Thoughts, *messages: Any) -> list[str]:
    return [one["what"] for one in thoughts.judge([*messages], "reasoning_content")]


def test_thoughts_of_equal_turns_keep_their_order() -> None:
    thoughts = Thoughts()
    thoughts.remember("first", "", CALLS)
    thoughts.remember("second", "", CALLS)
    assert judged(thoughts, turn("first"), turn("second")) == ["real", "real"]
    assert judged(thoughts, turn("second"), turn("first")) == ["real", "foreign"]
    assert judged(thoughts, turn("first"), turn("first")) == ["real", "foreign"]


def test_a_turn_is_known_by_its_calls_and_without_them_by_its_text() -> None:
    thoughts = Thoughts()
    thoughts.remember("called", "", CALLS)
    thoughts.remember("said", "it is so", [])
    assert judged(thoughts, turn("called", '{ "a": 1 }')) == ["real"]
    assert judged(thoughts, turn("called", '{"a":2}')) == ["foreign"]
    spoken = {"role": "assistant", "content": "it  is so ", "reasoning_content": "said"}
    assert judged(thoughts, spoken, spoken | {"content": "it isn't"}) == ["real", "foreign"]
    assert judged(thoughts, turn("other"), turn(""), turn(None)) == ["made up", "empty", "missing"]


def test_in_messages_they_are_blocks() -> None:
    thoughts = Thoughts()
    thoughts.remember("called", "", CALLS)
    use = {"type": "tool_use", "id": "x", "name": "look_up", "input": {"a": 1}}
    blocks = [{"type": "thinking", "thinking": "called"}, use]
    assert judged(thoughts, {"role": "assistant", "content": blocks}) == ["real"]
    assert judged(thoughts, {"role": "assistant", "content": [use]}) == ["missing"]


def test_what_is_malformed_is_skipped() -> None:
    assert judged(Thoughts(), None, {"role": "user"}, {"role": "assistant", "tool_calls": [1, {}]}) == ["missing"]
    assert Thoughts().judge("nothing", "reasoning_content") == []


def test_no_two_thoughts_are_alike() -> None:
    asked = [{"role": "user", "content": "hi"}]
    assert thought("hi", asked) == thought("hi", asked) != thought("hi", [*asked, *asked])
