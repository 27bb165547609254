"""What a repair must keep (docs/architecture.md), over generated histories, judged by the simulator's checks."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix import profiles, texts
from hunyuan_fix.exchange import Changes
from hunyuan_fix.images import in_body
from hunyuan_fix.rules import RuleContext, apply_chat
from hunyuan_fix.simulator import checks
from hunyuan_fix.simulator.checks import ProfileName
from hunyuan_fix.wire import json_body
from tests import strategies

TEXT_MODELS = {"hunyuan": "hunyuan-2.0-instruct-20251111", "tokenhub": "hy3", "moonshot": "kimi-k2.6"}
VISION_MODELS = {
    "hunyuan": "hunyuan-vision-1.5-instruct",
    "tokenhub": "hy-vision-2.0-instruct",
    "moonshot": "kimi-k2.6",
}
MARKERS = [word for word in strategies.WORDS if word not in ("a\nb", "%s", "null")]

profile_names = st.sampled_from(sorted(TEXT_MODELS))
"""The profiles that the simulator can judge by."""


def fix(body: dict[str, Any], profile_name: ProfileName, language: str = "zh") -> Changes:
    profile = profiles.load(profile_name)
    context = RuleContext(
        profile=profile,
        model=profile.model(body.get("model")),
        texts=texts.load(language),
        max_messages=profile.grammar.max_messages,
    )
    return apply_chat(body, context)


def body_of(messages: list[Any], profile_name: ProfileName) -> dict[str, Any]:
    model = VISION_MODELS if '"image_url"' in json_body.serialise(messages).decode() else TEXT_MODELS
    return {"model": model[profile_name], "messages": copy.deepcopy(messages)}


def strings(value: Any) -> str:
    if isinstance(value, str):
        return value + "\n"
    if isinstance(value, dict):
        return "".join(strings(item) for item in value.values())
    if isinstance(value, list):
        return "".join(strings(item) for item in value)
    return ""


def said(message: Any) -> str:
    """All that a client's message says: texts, refusal, speaker, tool calls' arguments. Reasoning goes by design."""
    if not isinstance(message, dict):
        return strings(message)
    kept = {key: message.get(key) for key in ("content", "refusal")}
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else []:
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            kept[f"call{len(kept)}"] = function.get("arguments")
    return strings(kept)


@given(strategies.histories, profile_names)
def test_sound(history: list[Any], profile_name: ProfileName) -> None:
    body = body_of(history, profile_name)
    fix(body, profile_name)
    assert checks.problems(body, profile_name, strict=True) is None


@given(strategies.long_histories)
def test_sound_when_too_long(history: list[Any]) -> None:
    body = body_of(history, "hunyuan")
    fix(body, "hunyuan")
    assert checks.problems(body, "hunyuan", strict=True) is None
    assert len(body["messages"]) <= 40


@given(st.one_of(strategies.histories, strategies.long_histories), profile_names)
def test_minimal(history: list[Any], profile_name: ProfileName) -> None:
    body = body_of(history, profile_name)
    before = json_body.serialise(body)
    # TokenHub ignores fields that it doesn't know; the profile has them removed all the same.
    ignored = profile_name == "tokenhub" and any(
        isinstance(message, dict) and {"annotations", "refusal", "name", "function_call"} & message.keys()
        for message in history
    )
    fine = not ignored and checks.problems(body, profile_name, strict=True) is None
    changes = fix(body, profile_name)
    assert bool(changes) == (json_body.serialise(body) != before)
    if fine:
        assert changes == []


@given(strategies.histories, profile_names)
def test_conserving(history: list[Any], profile_name: ProfileName) -> None:
    body = body_of(history, profile_name)
    before = "".join(said(message) for message in history)
    fix(body, profile_name)
    after = strings(body["messages"])
    for marker in MARKERS:
        assert after.count(marker) >= before.count(marker)


@given(strategies.long_histories)
def test_conserving_when_folded(history: list[Any]) -> None:
    body = body_of(history, "hunyuan")
    images = json_body.serialise(history).count(b'"image_url":{')
    before = "".join(said(message) for message in history)
    fix(body, "hunyuan")
    after = strings(body["messages"])
    for marker in MARKERS:
        assert after.count(marker) >= before.count(marker)
    assert json_body.serialise(body).count(b'"image_url":{') >= images


@given(st.one_of(strategies.histories, strategies.long_histories), profile_names, st.sampled_from(texts.LANGUAGES))
def test_idempotent(history: list[Any], profile_name: ProfileName, language: str) -> None:
    body = body_of(history, profile_name)
    fix(body, profile_name, language)
    once = json_body.serialise(body)
    assert fix(body, profile_name, language) == []
    assert json_body.serialise(body) == once


@given(strategies.histories, profile_names)
def test_deterministic(history: list[Any], profile_name: ProfileName) -> None:
    first, second = body_of(history, profile_name), body_of(history, profile_name)
    assert fix(first, profile_name) == fix(second, profile_name)
    assert json_body.serialise(first) == json_body.serialise(second)


@given(
    strategies.histories,
    st.lists(
        st.builds(
            lambda role, text: {"role": role, "content": text}, st.sampled_from(["user", "assistant"]), strategies.texts
        ),
        max_size=4,
    ),
    profile_names,
)
def test_prefix_stable(history: list[Any], later: list[Any], profile_name: ProfileName) -> None:
    """What comes later changes nothing but the last message of what was there."""
    short = body_of(history, profile_name)
    long = body_of([*history, {"role": "user", "content": "next"}, *later], profile_name)
    fix(short, profile_name)
    fix(long, profile_name)
    kept = short["messages"][:-1]
    assert long["messages"][: len(kept)] == kept


def whole(body: dict[str, Any], profile_name: ProfileName) -> dict[str, Any]:
    """A generated body with its model. Images beside tools are the cascade's business, before the rules."""
    made: dict[str, Any] = {"model": TEXT_MODELS[profile_name], **copy.deepcopy(body)}
    if '"image_url"' in json_body.serialise(body).decode():
        made["model"] = VISION_MODELS[profile_name]
        made.pop("tools", None)
    return made


@given(strategies.bodies, profile_names)
def test_a_whole_body_is_sound_and_stays_so(body: dict[str, Any], profile_name: ProfileName) -> None:
    """Messages, parameters, tools and images together: no rule undoes another's work."""
    made = whole(body, profile_name)
    fine = checks.problems(made, profile_name, strict=True) is None
    fine = fine and ("tools" in made or "tool_choice" not in made)  # which OpenAI's API refuses, not this endpoint
    before = json_body.serialise(made)
    changes = fix(made, profile_name)
    once = json_body.serialise(made)
    assert checks.problems(made, profile_name, strict=True) is None
    assert bool(changes) == (once != before)
    # TokenHub ignores parameters and fields that it doesn't know; the profile has them removed all the same.
    assert not (fine and changes and profile_name == "hunyuan")
    assert fix(made, profile_name) == []
    assert json_body.serialise(made) == once
    again = whole(body, profile_name)
    assert fix(again, profile_name) == changes
    assert json_body.serialise(again) == once


@given(strategies.bodies, profile_names)
def test_a_whole_body_keeps_what_was_said(body: dict[str, Any], profile_name: ProfileName) -> None:
    made = whole(body, profile_name)
    before = "".join(said(message) for message in body["messages"])
    fix(made, profile_name)
    after = strings(made["messages"])
    for marker in MARKERS:
        assert after.count(marker) >= before.count(marker)


@pytest.mark.parametrize("calls", [0, 1, 2])
def test_a_growing_history_is_folded_at_fixed_multiples(calls: int) -> None:
    """Over a long agent run the folded message stays the same bytes for about half the limit."""
    history: list[Any] = [{"role": "system", "content": "be brief"}]
    folds: list[str] = []
    for turn in range(150):
        history.append({"role": "user", "content": f"question {turn}"})
        body = body_of(history, "hunyuan")
        fix(body, "hunyuan")
        folds.append(strings(body["messages"][1]))
        assert checks.problems(body, "hunyuan", strict=True) is None
        if calls:
            ids = [f"call_{turn}_{position}" for position in range(calls)]
            function = {"name": "ls", "arguments": "{}"}
            tool_calls = [{"id": call_id, "type": "function", "function": function} for call_id in ids]
            history.append({"role": "assistant", "content": "looking", "tool_calls": tool_calls})
            history += [{"role": "tool", "tool_call_id": call_id, "content": "a.txt"} for call_id in ids]
        history.append({"role": "assistant", "content": f"answer {turn}"})
    messages_a_turn = 2 + (1 + calls if calls else 0)
    rewrites = sum(before != after for before, after in itertools.pairwise(folds))
    assert rewrites <= 150 * messages_a_turn / 19 + 1


def test_a_tool_group_that_is_too_large_alone_is_folded_whole() -> None:
    calls = [
        {"id": f"c{number}", "type": "function", "function": {"name": "ls", "arguments": "{}"}} for number in range(60)
    ]
    history = [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": "ok", "tool_calls": calls},
        *({"role": "tool", "tool_call_id": f"c{number}", "content": f"result {number}"} for number in range(60)),
    ]
    body = body_of(history, "hunyuan")
    fix(body, "hunyuan")
    assert [message["role"] for message in body["messages"]] == ["user"]
    assert all(f"result {number}" in body["messages"][0]["content"] for number in range(60))


@pytest.mark.parametrize("messages", [None, {}, "text", 3, []])
def test_what_cannot_be_repaired_is_left_alone(messages: Any) -> None:
    body = {"model": "hunyuan-lite", "messages": messages, "n": 2}
    before = copy.deepcopy(body)
    assert fix(body, "hunyuan") == []
    assert body == before


_pictures = st.sampled_from([strategies.PIXEL, strategies.PIXEL.replace("image/png;base64,", "image/png;base64%2C")])
_said_elsewhere = st.one_of(
    st.fixed_dictionaries({"role": st.just("assistant"), "refusal": _pictures}),
    st.fixed_dictionaries({"role": st.just("user"), "name": _pictures, "content": st.just("look")}),
    st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "tool_calls": st.lists(_pictures)}),
    st.fixed_dictionaries({"role": st.just("tool"), "tool_call_id": st.just("x"), "content": _pictures}),
    st.fixed_dictionaries({"role": st.just("assistant"), "reasoning_content": _pictures, "content": st.just("")}),
    _pictures,
)


@given(st.lists(st.one_of(strategies.messages(), _said_elsewhere), min_size=1, max_size=6), profile_names)
def test_what_the_search_for_images_found_changes_nothing(history: list[Any], profile_name: ProfileName) -> None:
    """Where it found none the rule looks no further, and would have found none."""
    outcomes = []
    for searched in (True, False):
        body = copy.deepcopy({"model": VISION_MODELS[profile_name], "messages": history})
        profile = profiles.load(profile_name)
        context = RuleContext(profile, profile.model(body["model"]), texts.load("zh"), profile.grammar.max_messages)
        if searched:
            context.may_hold_images = in_body.suspected(body)
        outcomes.append((apply_chat(body, context), body))
    assert outcomes[0] == outcomes[1]
