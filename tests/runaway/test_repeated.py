"""How often an agent does the same."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.runaway import repeated as counting
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
    at_once = [[Did("read", {}, "x"), Did("write", {}, "y")], [Did("ls", {}, "z")]]
    assert repeated(loop_of(body_of("chat", at_once * 4)).turns) == Repeated(4, ("read", "write", "ls"))
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


@pytest.mark.parametrize("calls", [17, 40])
@pytest.mark.parametrize("form", FORMATS)
def test_the_same_calls_at_once_count_however_many_they_are(form: str, calls: int) -> None:
    turn = [Did("read", {"path": str(number)}, "x") for number in range(calls)]
    assert count(form, *[turn] * 5) == 5
    assert count(form, *[turn, turn[::-1]] * 5) == 10, "in any order"


def _either_order(number: int, **more: Any) -> dict[str, Any]:
    """Arguments that are the same values in two orders: the texts differ, and must be read."""
    pairs = [("a", [{"k": 1}] * 40), *more.items()]
    return dict(pairs if number % 2 else pairs[::-1])


def marked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The calls that are read from now on, by their `id`."""
    read: list[int] = []
    mark = counting._mark

    def noted(call: Call) -> bytes:
        read.append(id(call))
        return mark(call)

    monkeypatch.setattr(counting, "_mark", noted)
    return read


HISTORIES: dict[str, Callable[[int], list[list[Did]]]] = {
    "identical": lambda size: [[SAME]] * (20 * size),
    "in another order": lambda size: [[Did("r", _either_order(number, b=1), "x")] for number in range(8 * size)],
    "large": lambda size: [[Did("r", {"a": ["y" * 50_000]}, f"Wall time: {number}\nx")] for number in range(size)],
    "in a cycle": lambda size: [[Did("r", _either_order(number, b=number % 3))] for number in range(8 * size)],
    "many at once": lambda size: [
        [Did("r", _either_order(number, b=place), "x") for place in range(32)] for number in range(size)
    ],
    "all in two turns": lambda size: [
        [Did("r", _either_order(number, b=place), "x") for place in range(16 * size)] for number in range(2)
    ],
}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("history", HISTORIES)
def test_each_call_is_read_once(form: str, history: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read = marked(monkeypatch)
    turns = loop_of(body_of(form, HISTORIES[history](16))).turns
    assert repeated(turns).count > 1
    assert len(read) == len(set(read)) <= sum(map(len, turns))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("history", HISTORIES)
def test_time_is_linear(form: str, history: str) -> None:
    """n against 4n, as CPU time of this thread; the best of three."""
    taken, sizes = [], []
    for size in (8, 32):
        body = body_of(form, HISTORIES[history](size))
        sizes.append(len(json.dumps(body)))
        best = float("inf")
        for _ in range(3):
            begun = time.thread_time()
            repeated(loop_of(body).turns)
            best = min(best, time.thread_time() - begun)
        taken.append(best)
    assert taken[1] / taken[0] < 2.5 * sizes[1] / sizes[0]


def test_most_agents_repeat_nothing_and_little_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read = marked(monkeypatch)
    repeated(loop_of(body_of("chat", [[Did("read", {"path": str(number)})] for number in range(500)])).turns)
    assert len(read) <= 5


def test_what_json_can_hardly_hold_is_counted() -> None:
    deep: Any = "x"
    for _ in range(1000):
        deep = [deep]
    for arguments in (deep, {"a": "\ud800"}, {"a": 1 << 200}, '{"a": "\\ud800"}', "\ud800", '{"a": NaN}', ""):
        assert repeated([[Call("r", arguments, deep)]] * 3).count == 3


SCREENSHOT = "data:image/png;base64,"


def shots(form: str, images: list[str], *, beside: bool = False) -> dict[str, Any]:
    """An agent that takes a screenshot with the same call again and again; the images stand behind its results."""
    body = body_of(form, [[Did("screenshot", {}, "Taken.")]])
    key = "input" if form == "responses" else "messages"
    first, *turn = body[key]
    history = [first]
    for number, image in enumerate(images):
        part = {
            "chat": {"type": "image_url", "image_url": {"url": SCREENSHOT + image}},
            "anthropic": {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": image}},
            "responses": {"type": "input_image", "image_url": SCREENSHOT + image},
        }[form]
        text = {"type": "input_text" if form == "responses" else "text", "text": "Attached media from tool result:"}
        copied = json.loads(json.dumps(turn).replace("call_0", f"call_{number}"))
        if beside and form == "anthropic":
            copied[-1]["content"] += [text, part]
        else:
            copied.append({"role": "user", "content": [text, part]})
        history += copied
    return {key: history}


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("form", FORMATS)
def test_a_screenshot_behind_a_result_is_part_of_it(form: str, beside: bool) -> None:
    def counted(images: list[str]) -> int:
        return repeated(loop_of(shots(form, images, beside=beside)).turns).count

    assert counted([f"{number:04}" for number in range(30)]) == 1, "the screen changes"
    assert counted(["same"] * 30) == 30, "it doesn't"
    assert counted(["one", *["same"] * 5]) == 5
    assert counted([*["same"] * 5, "other"]) == 1
    assert counted(["one", "two"] * 10) == 10, "it changes there and back"


def test_all_calls_of_a_turn_have_what_is_shown_behind_it() -> None:
    """Whose it is can't be told."""
    body = body_of("chat", [[Did("look", {"at": "a"}, "ok"), Did("look", {"at": "b"}, "ok")]])
    image = {"type": "image_url", "image_url": {"url": SCREENSHOT}}
    body["messages"].append({"role": "user", "content": [image]})
    (turn,) = loop_of(body).turns
    assert [call.shown for call in turn] == [(image,), (image,)]
