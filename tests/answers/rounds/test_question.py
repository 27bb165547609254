from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.answers.rounds.question import further, limit_of
from hunyuan_fix.profiles import Thinking
from hunyuan_fix.rules import apply_chat
from hunyuan_fix.simulator.checks import ProfileName, problems
from tests.rule_context import context
from tests.strategies import bodies

ASKED = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Write."}]


def sent(model: str, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": copy.deepcopy(ASKED), **more}


def test_kimi_completes_one_message_with_all_the_text() -> None:
    body, known = sent("kimi-k2.6", stream=True), context("moonshot", "kimi-k2.6")
    before = copy.deepcopy(body)
    made = further(body, known, "Once upon", "I think", limit=None)
    assert made.is_completion
    assert made.body["messages"][:2] == ASKED
    last = made.body["messages"][2]
    assert (last["role"], last["content"], last["partial"]) == ("assistant", "Once upon", True)
    assert len(made.body["messages"]) == 3
    assert made.body["thinking"] == {"type": "disabled"}
    assert last["reasoning_content"] == "I think"
    assert body == before
    again = further(made.body, known, " a time", "I think", limit=None)
    assert again.body["messages"][2]["content"] == "Once upon a time"


def test_hunyuan_is_asked_in_words() -> None:
    for language, words in (("zh", "接着写"), ("en", "Go on")):
        known = context("hunyuan", language=language)
        made = further(sent(known.model.id), known, "Once upon", "I think", limit=None)
        assert not made.is_completion
        first, second = made.body["messages"][2:]
        assert first == {"role": "assistant", "content": "Once upon"}
        assert second["role"] == "user"
        assert words in second["content"]


def test_qwen_completes_only_while_it_does_not_think() -> None:
    known = context("dashscope", "qwen3.7-max")
    assert further(sent("qwen3.7-max", enable_thinking=True), known, "Once", "", limit=None).is_completion
    known.model = replace(known.model, thinking=Thinking(can_be_off=False, control="enable_thinking"))
    made = further(sent("qwen3.7-max"), known, "Once", "", limit=None)
    assert not made.is_completion
    assert made.body["messages"][-1]["role"] == "user"
    assert not any("partial" in message for message in made.body["messages"])


@pytest.mark.parametrize("said", ["<think>hm</think>Once", "  Once ", "[图片见后面的用户消息] Once"])
def test_a_completion_goes_on_from_the_very_words(said: str) -> None:
    for model in ("kimi-k2.6", "kimi-k2-thinking"):
        made = further(sent(model), context("moonshot", model), said, "", limit=None)
        assert made.is_completion
        assert made.body["messages"][-1]["content"] == said


@pytest.mark.parametrize("kind", ["json_object", "json_schema"])
def test_no_completion_where_json_is_asked_for(kind: str) -> None:
    known = context("moonshot", "kimi-k2.6")
    made = further(sent("kimi-k2.6", response_format={"type": kind}), known, '{"a":', "", limit=None)
    assert not made.is_completion
    assert made.body["messages"][-1]["role"] == "user"
    assert not any("partial" in message for message in made.body["messages"])
    assert further(sent("kimi-k2.6", response_format={"type": "text"}), known, "a", "", limit=None).is_completion


def test_the_beginning_that_the_client_gave_stays() -> None:
    known = context("moonshot", "kimi-k2.6")
    body = sent("kimi-k2.6")
    body["messages"].append({"role": "assistant", "content": "Once", "partial": True})
    made = further(body, known, " upon", "", limit=None)
    assert [message["content"] for message in made.body["messages"]] == ["Be brief.", "Write.", "Once upon"]


@pytest.mark.parametrize(
    ("given_limits", "limit", "expected"),
    [
        ({}, None, {}),
        ({}, 50, {"max_completion_tokens": 50}),
        ({"max_tokens": 100}, 50, {"max_tokens": 50}),
        ({"max_tokens": 40}, 50, {"max_tokens": 40}),
        ({"max_tokens": 40}, None, {"max_tokens": 40}),
    ],
)
def test_its_limit(given_limits: dict[str, int], limit: int | None, expected: dict[str, int]) -> None:
    known = context("moonshot", "kimi-k2.6")
    made = further(sent("kimi-k2.6", **given_limits), known, "Once", "", limit=limit)
    assert {name: value for name, value in made.body.items() if "max_" in name} == expected


@pytest.mark.parametrize(
    ("body", "limit"),
    [
        ({}, None),
        ({"max_tokens": 5}, 5),
        ({"max_tokens": 5, "max_completion_tokens": 7}, 7),
        ({"max_tokens": 5.0}, 5),
        ({"max_tokens": "5"}, None),
        ({"max_tokens": True}, None),
        ({"max_tokens": -1}, None),
        ({"max_tokens": 0}, None),
        ({"max_tokens": None}, None),
        ({"max_tokens": float("nan")}, None),
    ],
)
def test_the_limit_of_a_request(body: dict[str, Any], limit: int | None) -> None:
    assert limit_of(body) == limit


@pytest.mark.parametrize("profile", ["hunyuan", "tokenhub", "moonshot"])
@given(
    body=bodies,
    said=st.sampled_from(["Once", "今天 `x`", "<think>a</think>b", "[图片见后面的用户消息]"]),
    again=st.booleans(),
)
def test_whatever_was_sent_the_endpoint_takes_the_next_round(
    profile: ProfileName, body: Any, said: str, again: bool
) -> None:
    known = context(profile)
    body = copy.deepcopy(body) | {"model": known.model.id}
    apply_chat(body, known)
    if problems(body, profile) is not None:
        return  # what can't be repaired gets its own error
    made = further(body, known, said, "A thought.", limit=100)
    assert problems(made.body, profile) is None
    if again:
        made = further(made.body, known, said, "A thought.", limit=100)
        assert problems(made.body, profile) is None
