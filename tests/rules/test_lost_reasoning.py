"""Histories whose reasoning is lost, foreign, empty or half there; the simulator judges what leaves for its models."""

from __future__ import annotations

import copy
import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hunyuan_fix.exchange import Changes
from hunyuan_fix.rules import apply_chat
from hunyuan_fix.simulator import checks
from hunyuan_fix.simulator.checks import ProfileName
from tests import strategies
from tests.rule_context import context

MODELS: list[tuple[ProfileName, str]] = [
    ("moonshot", "kimi-k3"),
    ("moonshot", "kimi-k2.7-code"),
    ("moonshot", "kimi-k2.6"),
    ("moonshot", "kimi-k2.5"),
    ("moonshot", "kimi-k2-thinking"),
    ("moonshot", "kimi-k2-0905-preview"),
    ("kimi-coding", "kimi-for-coding"),
    ("zenmux", "moonshotai/kimi-k2.6"),
    ("deepseek", "deepseek-v4-pro"),
]
models = st.sampled_from(MODELS)
REAL = "what the model really thought"

_numbers = itertools.count()
_calls = st.lists(
    st.builds(
        lambda name, value: {
            "id": f"call_{next(_numbers)}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps({"path": value})},
        },
        st.sampled_from(["Read", "Bash"]),
        strategies.words,
    ),
    max_size=2,
)
_reasoning: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {},
        {},
        {"reasoning_content": REAL},
        {"reasoning_content": ""},
        {"reasoning_content": None},
        {"reasoning_content": [{"type": "text", "text": REAL}]},
        {"reasoning": REAL},
        {"reasoning": ""},
        {"reasoning_details": [{"type": "reasoning.text", "text": REAL}]},
        {"reasoning_details": [{"type": "reasoning.encrypted", "data": "QUJD"}]},
        {"thinking_blocks": [{"type": "thinking", "thinking": REAL, "signature": "QUJD"}]},
        {"tagged": "<think>{}</think>{}"},
        {"tagged": "<thinking>\n{}\n</thinking>\n\n{}"},
        {"tagged": "<think>{}"},
        {"tagged": "{}</think>{}"},
        {"part": {"type": "thinking", "thinking": REAL}},
        {"part": {"type": "redacted_thinking", "data": "QUJD"}},
    ]
)


@st.composite
def turns(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A question, what an assistant said and called, and the results: some of it lost."""
    calls = draw(_calls)
    said = draw(st.sampled_from(["", "Let me see.", "Done."]) if calls else st.just("Done."))
    message: dict[str, Any] = {"role": "assistant", "content": said}
    if calls:
        message["tool_calls"] = calls
    extra = dict(draw(_reasoning))
    if "tagged" in extra:
        message["content"] = extra.pop("tagged").format(REAL, said)
    if "part" in extra:
        message["content"] = [extra.pop("part"), {"type": "text", "text": said or "."}]
    message |= extra
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "done"} for call in calls]
    if draw(st.integers(0, 9)) == 0:
        results = results[1:]
    return [{"role": "user", "content": draw(strategies.words)}, message, *results]


histories = st.builds(
    lambda turned, last: [*itertools.chain.from_iterable(turned), {"role": "user", "content": last}],
    st.lists(turns(), min_size=1, max_size=6),
    strategies.words,
)
switches: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {},
        {},
        {"thinking": {"type": "enabled"}},
        {"thinking": {"type": "disabled"}},
        {"thinking": {"type": "enabled", "keep": "all"}},
        {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        {"thinking": {"type": "adaptive"}},
        {"thinking": {}},
        {"enable_thinking": True},
        {"reasoning_effort": "minimal"},
        {"reasoning_effort": "xhigh", "temperature": 0.2},
        {"reasoning": {"effort": "high"}},
        {"chat_template_kwargs": {"thinking": False}},
    ]
)
_schemas = st.sampled_from(
    [
        {"type": "object", "properties": {"path": {"type": "string"}}},
        {"type": "object", "properties": {"path": {"enum": ["a", None]}}, "required": ["path", "gone"]},
        {"$ref": "#/definitions/In", "definitions": {"In": {"type": "object", "properties": {"a": {"$ref": "#"}}}}},
    ]
)
offers: st.SearchStrategy[dict[str, Any]] = st.builds(
    lambda names, schema, choice: {
        "tools": [{"type": "function", "function": {"name": name, "parameters": schema}} for name in names],
        **choice,
    },
    st.sampled_from([["Read"], ["Read", "Bash", "a" * 80, "ns:bad"]]),
    _schemas,
    st.sampled_from(
        [
            {},
            {"tool_choice": "auto"},
            {"tool_choice": "required"},
            {"tool_choice": {"type": "function", "function": {"name": "Read"}}},
        ]
    ),
)


def repaired(body: dict[str, Any], profile: ProfileName, model: str) -> Changes:
    return apply_chat(body, context(profile, model, session="abc"))


@settings(max_examples=1000)
@given(histories, models, switches, st.one_of(st.just({}), offers))
def test_accepted_with_the_real_text_wherever_it_is(
    history: list[Any], at: tuple[ProfileName, str], switch: dict[str, Any], offer: dict[str, Any]
) -> None:
    profile, model = at
    given_body = {"model": model, "messages": history, **switch, **offer}
    body = copy.deepcopy(given_body)
    fine = checks.problems(body, profile) is None
    repaired(body, profile, model)
    assert checks.problems(body, profile) is None
    # 1. Real text stays, and nothing is made up beside it.
    before, after = json.dumps(given_body), json.dumps(body)
    assert after.count(REAL) >= before.count(REAL) - sum("reasoning_details" in message for message in history)
    # 2. Idempotent, deterministic.
    again = copy.deepcopy(body)
    assert repaired(again, profile, model) == []
    twice = copy.deepcopy(given_body)
    repaired(twice, profile, model)
    assert json.dumps(again) == json.dumps(twice) == after
    # 3. Nothing is made up in what was fine.
    if fine:
        thoughts = [message.get("reasoning_content") for message in history if message["role"] == "assistant"]
        kept = [message.get("reasoning_content") for message in body["messages"] if message["role"] == "assistant"]
        for thought, left in zip(thoughts, kept, strict=False):
            assert left == thought or (not isinstance(thought, str) and (not left or REAL in left))


@settings(max_examples=200)
@given(histories, models, st.lists(turns(), min_size=1, max_size=3))
def test_prefix_stable(history: list[Any], at: tuple[ProfileName, str], later: list[list[Any]]) -> None:
    profile, model = at
    short = {"model": model, "messages": copy.deepcopy(history)}
    answered = list(itertools.chain.from_iterable(later))[1:]
    long = {"model": model, "messages": copy.deepcopy([*history, *answered])}
    repaired(short, profile, model)
    repaired(long, profile, model)
    assert long["messages"][: len(short["messages"]) - 1] == short["messages"][:-1]


@pytest.mark.parametrize(("profile", "model"), MODELS[:5])
def test_fifty_turns_have_fifty_thoughts(profile: ProfileName, model: str) -> None:
    """Lingtai-AI/lingtai-kernel#9, router-for-me/CLIProxyAPI#4899."""
    history: list[Any] = []
    for number in range(50):
        call = {"id": f"c{number}", "type": "function", "function": {"name": "Bash", "arguments": '{"command": "ls"}'}}
        history += [
            {"role": "user", "content": "go on"},
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"c{number}", "content": "done"},
        ]
    body = {"model": model, "messages": history}
    held = context(profile, model)
    apply_chat(body, held)
    thoughts = [message["reasoning_content"] for message in body["messages"] if message["role"] == "assistant"]
    assert len(set(thoughts)) == len(thoughts) == 50
    assert held.counts == {"made up": 50}
