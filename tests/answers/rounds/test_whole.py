from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.answers.rounds.whole import WholeAnswer

TEXT = "Bis morgen, sagte der Müller; 今天我们可以看到结果。🙂 The quick brown fox jumps over the lazy dog."


def answer(content: Any, reason: Any = "length", number: int = 1, **message: Any) -> dict[str, Any]:
    return {
        "id": f"id-{number}",
        "created": number,
        "model": "m",
        "choices": [
            {"index": 0, "finish_reason": reason, "message": {"role": "assistant", "content": content, **message}}
        ],
        "usage": {"prompt_tokens": 10 * number, "completion_tokens": number},
    }


def message_of(joined: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = joined["choices"][0]["message"]
    return message


@given(st.lists(st.integers(1, len(TEXT) - 1), min_size=1, max_size=4, unique=True), st.booleans(), st.integers(8, 30))
def test_a_text_cut_anywhere_is_whole(cuts: list[int], repeats: bool, again: int) -> None:
    cuts = [0, *sorted(cuts), len(TEXT)]
    whole = WholeAnswer(answer(TEXT[: cuts[1]]))
    for number, (start, end) in enumerate(pairwise(cuts[1:]), 2):
        assert whole.said.is_cut
        begin = start - again if repeats and start >= again else start
        reason = "stop" if end == len(TEXT) else "length"
        assert whole.add(answer(TEXT[begin:end], reason, number, reasoning_content="no"), is_completion=not repeats)
    joined = whole.joined()
    rounds = len(cuts) - 1
    total = rounds * (rounds + 1) // 2
    assert not whole.said.is_cut
    assert message_of(joined) == {"role": "assistant", "content": TEXT}
    assert joined["choices"][0]["finish_reason"] == "stop"
    assert (joined["id"], joined["created"]) == ("id-1", 1)
    assert joined["usage"] == {"prompt_tokens": 10 * total, "completion_tokens": total}


@pytest.mark.parametrize(
    "given_answer",
    [
        answer(""),
        answer(None),
        answer("", reasoning_content="long"),
        answer("a", "stop"),
        answer("a", None),
        answer("a", 7),
        answer([{"type": "text", "text": "a"}]),
        answer("a", tool_calls=[{"id": "x"}]),
        answer("a", function_call={"name": "x"}),
        answer("a") | {"choices": []},
        answer("a") | {"choices": None},
        answer("a") | {"choices": [7]},
        answer("a") | {"choices": answer("a")["choices"] * 2},
        answer("a") | {"choices": [{"finish_reason": "length"}]},
        answer("a") | {"error": {"message": "x"}},
        {},
    ],
)
def test_what_is_not_continued(given_answer: dict[str, Any]) -> None:
    assert not WholeAnswer(given_answer).said.is_cut


@pytest.mark.parametrize(
    "second",
    [
        {},
        {"error": {"message": "busy"}},
        answer("b", None),
        answer([{"type": "text", "text": "a"}]),
        answer("b") | {"choices": answer("b")["choices"] * 2},
        answer("b") | {"choices": [{"finish_reason": "stop", "message": None}]},
    ],
)
def test_what_can_not_be_added_changes_nothing(second: dict[str, Any]) -> None:
    whole = WholeAnswer(answer("a"))
    assert not whole.add(second, is_completion=True)
    assert whole.joined() == answer("a")


def test_a_round_of_thoughts_alone_is_the_last() -> None:
    whole = WholeAnswer(answer("a", reasoning_content="first"))
    assert whole.add(answer("", "length", 2, reasoning_content="again"), is_completion=True)
    assert not whole.said.is_cut
    joined = whole.joined()
    assert message_of(joined) == {"role": "assistant", "content": "a", "reasoning_content": "first"}
    assert joined["usage"]["prompt_tokens"] == 30  # it is billed all the same


def test_a_call_in_a_further_round_ends_the_answer() -> None:
    whole = WholeAnswer(answer("I look: ", tool_calls=None))
    assert whole.add(answer(None, "tool_calls", 2, tool_calls=[{"id": "x"}]), is_completion=True)
    assert not whole.said.is_cut
    joined = whole.joined()
    assert message_of(joined)["tool_calls"] == [{"id": "x"}]
    assert message_of(joined)["content"] == "I look: "
    assert joined["choices"][0]["finish_reason"] == "tool_calls"


def test_probabilities_are_joined_unless_a_text_is_cut_off() -> None:
    def with_probabilities(text: str, number: int) -> dict[str, Any]:
        made = answer(text, "length", number)
        made["choices"][0]["logprobs"] = {"content": [text]}
        return made

    whole = WholeAnswer(with_probabilities("The quick brown fox", 1))
    whole.add(with_probabilities(" jumps", 2), is_completion=False)
    assert whole.joined()["choices"][0]["logprobs"] == {"content": ["The quick brown fox", " jumps"]}
    whole.add(with_probabilities("fox jumps over", 3), is_completion=False)
    assert whole.joined()["choices"][0]["logprobs"] is None
    assert message_of(whole.joined())["content"] == "The quick brown fox jumps over"


def test_usage_that_only_a_further_round_tells() -> None:
    first = answer("a")
    del first["usage"]
    whole = WholeAnswer(first)
    whole.add(answer("b", "stop", 2), is_completion=True)
    assert whole.joined()["usage"] == {"prompt_tokens": 20, "completion_tokens": 2}
