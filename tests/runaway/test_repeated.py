"""How often an agent does the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.runaway.loop import Call, loop_of
from hunyuan_fix.runaway.repeated import Repeated, repeated
from tests.runaway.agents import FORMATS, Did, body_of

SAME = Did("read", {"path": "a", "line": 1}, "nothing")
COUNTS = st.integers(1, 30)


def count(form: str, *turns: list[Did] | str) -> int:
    return repeated(loop_of(body_of(form, turns)).turns).count


@given(st.sampled_from(FORMATS), COUNTS)
def test_the_same_call_is_counted(form: str, times: int) -> None:
    assert count(form, *[[SAME]] * times) == times


@given(st.sampled_from(FORMATS), COUNTS, COUNTS)
def test_a_message_of_the_user_begins_anew(form: str, before: int, after: int) -> None:
    assert count(form, *[[SAME]] * before, "go on", *[[SAME]] * after) == after


@given(st.sampled_from(FORMATS), COUNTS, COUNTS, st.sampled_from(["result", "arguments", "name"]))
def test_another_result_arguments_or_tool_begin_anew(form: str, before: int, after: int, what: str) -> None:
    other = {"result": "done", "arguments": {"path": "b"}, "name": "write"}[what]
    changed = Did(**{"name": SAME.name, "arguments": SAME.arguments, "result": SAME.result, what: other})  # type: ignore[arg-type]
    assert count(form, *[[SAME]] * before, [changed], *[[SAME]] * after) == after


@given(st.sampled_from(FORMATS), st.integers(2, 30))
def test_an_agent_that_waits_repeats_nothing(form: str, times: int) -> None:
    assert count(form, *[[Did("status", {}, f"{number} of 30 done")] for number in range(times)]) == 1


@pytest.mark.parametrize("form", FORMATS)
def test_other_calls_beside_it_change_nothing(form: str) -> None:
    turns = [[SAME, Did("read", {"path": str(number)}, "x")] for number in range(7)]
    assert count(form, *turns) == 7


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_call_several_times_at_once_counts_each_time(form: str) -> None:
    assert count(form, [SAME] * 3, [SAME] * 2) == 5


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("length", [2, 3])
def test_a_few_turns_in_the_same_order_are_counted(form: str, length: int) -> None:
    cycle = [[Did("read", {"path": str(number)}, "x")] for number in range(length)]
    assert count(form, *cycle * 6) == 6
    assert count(form, *cycle * 3) == 3
    assert count(form, *cycle * 6, [Did("other")]) == 1
    assert count(form, *cycle * 3, [Did("other")], *cycle * 2) == 2


def test_the_tools_are_named_in_the_order_of_their_calls() -> None:
    cycle = [[Did("read", {}, "x")], [Did("write", {}, "y")]]
    assert repeated(loop_of(body_of("chat", cycle * 4)).turns) == Repeated(4, ("read", "write"))
    assert repeated(loop_of(body_of("chat", [[SAME]] * 4)).turns) == Repeated(4, ("read",))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Call("a", '{"x": 1, "y": 2}', "r"), Call("a", '{"y":2,"x":1}', "r")),
        (Call("a", "no JSON", "r"), Call("a", "no JSON", "r")),
        (Call("a", '{"x": 1}', "r"), Call("a", {"x": 1}, "r")),
        (Call("a", {}, "Wall time: 0.044 seconds\nx"), Call("a", {}, "Wall time: 1.3 seconds\nx")),
        (Call("a", {}, "Chunk ID: 1\nWall time: 0 seconds\nx"), Call("a", {}, "Chunk ID: 22\nWall time: 1 s\nx")),
        (Call("a", {}, "x"), Call("a", {}, "x\n\n<system-reminder>\nrepeated\n</system-reminder>")),
        (Call("a", {}, [{"type": "text", "text": "x"}]), Call("a", {}, [{"type": "text", "text": "x "}])),
    ],
)
def test_what_differs_though_the_tool_gave_the_same_does_not_count(one: Call, other: Call) -> None:
    assert repeated([[one], [other]]).count == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Call("a", '{"x": 1}', "r"), Call("a", '{"x": 2}', "r")),
        (Call("a", "no JSON", "r"), Call("a", "no  JSON", "r")),
        (Call("a", {}, "Wall time: 1 s\nx"), Call("a", {}, "Wall time: 1 s\ny")),
        (Call("a", {}, "10 %"), Call("a", {}, "20 %")),
        (Call("a", {}, None), Call("a", {}, "")),
        (Call("a", {}, [{"type": "image", "source": 1}]), Call("a", {}, [{"type": "image", "source": 2}])),
    ],
)
def test_what_differs_counts(one: Call, other: Call) -> None:
    assert repeated([[one], [other]]).count == 1


def test_nothing_repeats_nothing() -> None:
    assert repeated([]).count == 0
    assert repeated([[]]).count == 0
