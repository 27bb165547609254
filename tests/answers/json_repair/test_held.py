from __future__ import annotations

import copy
from typing import Any

import pytest

from hunyuan_fix.answers.json_repair import held as holding
from hunyuan_fix.answers.json_repair.asked import Asked, Wrong
from hunyuan_fix.answers.json_repair.held import HeldAnswer
from hunyuan_fix.wire import json_body

TOOLS = json_body.serialise({"add": {"properties": {"n": {"type": "integer"}}}})
HEAD = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "hy3"}


def chunk(reason: str | None = None, place: int = 0, **delta: Any) -> dict[str, Any]:
    return {**HEAD, "choices": [{"index": place, "delta": delta, "finish_reason": reason}]}


def frame(index: int, arguments: str, name: str = "") -> dict[str, Any]:
    named = {"id": f"call_{index}", "type": "function"} if name else {}
    return {"index": index, **named, "function": {"arguments": arguments} | ({"name": name} if name else {})}


def sent(asked: Asked, *chunks: dict[str, Any], ends: bool = True) -> list[dict[str, Any]]:
    answer = HeldAnswer(asked)
    found = [one for given in chunks for one in answer.feed(copy.deepcopy(given))]
    return [*found, *(answer.last() if ends else [])]


def deltas(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [choice["delta"] for one in chunks for choice in one["choices"]]


def content() -> Asked:
    return Asked(is_content=True, wanted="object")


def test_reasoning_passes_and_text_comes_in_one_piece_before_the_end() -> None:
    usage = {**HEAD, "choices": [], "usage": {"total_tokens": 1}}
    pieces = (
        chunk(role="assistant", content=""),
        chunk(reasoning_content="hm"),
        chunk(content='x {"n"'),
        chunk(content=": 1}"),
    )
    found = sent(content(), *pieces, chunk("stop"), usage)
    assert deltas(found) == [{"role": "assistant"}, {"reasoning_content": "hm"}, {"content": '{"n": 1}'}, {}]
    assert found[2] == {**HEAD, "choices": [{"index": 0, "delta": {"content": '{"n": 1}'}, "finish_reason": None}]}
    assert found[-2]["choices"][0]["finish_reason"] == "stop"
    assert found[-1] == usage


def test_text_in_the_last_chunk_counts() -> None:
    assert deltas(sent(content(), chunk(content="{}"), chunk("stop", content=" x"))) == [{"content": "{}"}, {}]


def test_choices_are_held_apart() -> None:
    asked = content()
    pieces = (chunk(content="a {}", place=0), chunk(content="{} b", place=1), chunk("stop", 1), chunk("stop", 0))
    found = sent(asked, *pieces)
    assert [(one["choices"][0]["index"], one["choices"][0]["delta"]) for one in found] == [
        (1, {"content": "{}"}),
        (1, {}),
        (0, {"content": "{}"}),
        (0, {}),
    ]
    assert [judged.verdict for judged in asked.verdicts] == ["repaired", "repaired"]


def test_an_answer_that_is_cut_short_is_unchanged() -> None:
    asked = content()
    assert deltas(sent(asked, chunk(content="x {} {"), chunk("length"))) == [{"content": "x {} {"}, {}]
    assert asked.verdict == "invalid"


def test_an_answer_without_an_end_gives_what_it_held() -> None:
    asked = content()
    assert deltas(sent(asked, chunk(content="x {"), chunk(content="}"))) == [{"content": "x {}"}]
    assert asked.verdict == "invalid"


def test_text_beside_calls_is_no_answer() -> None:
    asked = Asked(is_content=True, tools=TOOLS)
    calls = [chunk(content="I add "), chunk(tool_calls=[frame(0, "", "add")]), chunk(tool_calls=[frame(0, '{"n": ')])]
    found = sent(asked, *calls, chunk(tool_calls=[frame(0, '"1"}')]), chunk("tool_calls"))
    assert deltas(found) == [
        {"tool_calls": [frame(0, "", "add")]},
        {"content": "I add "},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"n": 1}'}}]},
        {},
    ]
    assert asked.verdict is None
    assert asked.fitted == {"from-text": 1}


def test_arguments_that_are_cut_short_stay() -> None:
    found = sent(Asked(tools=TOOLS), chunk(tool_calls=[frame(0, '{"n": "1"}', "add")]), chunk("length"))
    assert deltas(found)[1] == {"tool_calls": [{"index": 0, "function": {"arguments": '{"n": "1"}'}}]}


def test_text_passes_where_only_calls_are_looked_at() -> None:
    given = [chunk(content="x "), chunk(content="{"), chunk("stop")]
    assert sent(Asked(tools=TOOLS), *given) == given


def test_calls_pass_where_only_text_is_looked_at() -> None:
    given = [chunk(tool_calls=[frame(0, '{"n": "1"}', "add")]), chunk("tool_calls")]
    assert sent(content(), *given) == given


def test_probabilities_stay_with_a_text_that_is_unchanged() -> None:
    def with_probabilities(text: str) -> dict[str, Any]:
        one = chunk(content=text)
        one["choices"][0]["logprobs"] = {"content": [{"token": text}]}
        return one

    found = sent(content(), with_probabilities("{"), with_probabilities("}"), chunk("stop"))
    assert found[0]["choices"][0]["logprobs"] == {"content": [{"token": "{"}, {"token": "}"}]}
    found = sent(content(), with_probabilities("x {"), with_probabilities("}"), chunk("stop"))
    assert "logprobs" not in found[0]["choices"][0]


def test_too_long_a_text_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "LARGEST", 8)
    asked = content()
    found = sent(asked, chunk(content="x {"), chunk(content="123456"), chunk(content="}"), chunk("stop"))
    assert deltas(found) == [{"content": "x {123456"}, {"content": "}"}, {}]
    assert asked.verdict == "invalid"
    assert len(asked.verdicts) == 1


def test_a_wrong_answer_waits_with_its_end() -> None:
    asked = Asked(is_content=True, wanted="object", may_ask=True)
    answer = HeldAnswer(asked)
    assert list(answer.feed(chunk(content="no"))) == []
    assert list(answer.feed(chunk("stop"))) == []
    assert asked.wrong == Wrong(0, "no", "it has no JSON object")
    asked.second[0] = asked.judged("x {}", is_cut=False)
    assert deltas(answer.last()) == [{"content": "{}"}, {}]
    assert asked.wrong is None
    assert answer.last() == []


def test_nobody_is_asked_about_an_answer_that_was_cut_short() -> None:
    asked = Asked(is_content=True, may_ask=True)
    assert deltas(sent(asked, chunk(content="no"), chunk("length"), ends=False)) == [{"content": "no"}, {}]
    assert asked.wrong is None


NO_CHUNKS: list[dict[str, Any]] = [
    {"choices": "no"},
    {"choices": [None]},
    {"error": {}},
    {"choices": [{"delta": None}]},
]


@pytest.mark.parametrize("given", NO_CHUNKS)
def test_what_is_no_chunk_passes(given: dict[str, Any]) -> None:
    assert list(HeldAnswer(content()).feed(copy.deepcopy(given))) == [given]
