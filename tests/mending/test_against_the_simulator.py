"""What an endpoint refuses of a model that nothing is known of: its own errors say enough to make it acceptable.

Errors are those of the stand-ins for Moonshot and DeepSeek; the request is repaired as one to an endpoint that takes
anything, under what was read out of the errors so far.
"""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import pytest

from hunyuan_fix import profiles, rules, texts
from hunyuan_fix.mending.reading import Reading, Sent, read
from hunyuan_fix.profiles import Model, Profile
from hunyuan_fix.profiles.overlay import merged
from hunyuan_fix.rules.base import RuleContext
from hunyuan_fix.simulator.checks import problems
from hunyuan_fix.simulator.rows import ProfileName
from hunyuan_fix.simulator.variant import DOCUMENTED, Variant, differs
from tests.simulator.test_kimi import ROWS

type Body = dict[str, Any]

USER = {"role": "user", "content": "hi"}
MENDED = {"reasoning", "thinking", "fixed", "effort", "choice", "schema"}
"""Rows of Moonshot's contract whose errors say what is wrong, and by what a model is switched."""
NOT_MENDED: list[object] = ["on", {"type": "enabled", "keep": "some"}]
"""Values of `thinking` that no client sends."""
MOST_TRIES = 4


def anything() -> Profile:
    """An endpoint whose profile lists what the bodies have, and knows no model."""
    plain = profiles.load("siliconflow")
    names = {name for _, refused, _, _ in ROWS for name in refused}
    parameters = dict.fromkeys(names - plain.parameters.keys(), profiles.Parameter("object"))
    return replace(plain, parameters={**plain.parameters, **parameters}, builtin_functions=True, tool_name_length=256)


PROFILE = anything()


def accepted(body: Body, endpoint: ProfileName, variant: Variant = DOCUMENTED) -> tuple[Body, list[Reading], str]:
    """What is accepted in the end of `body`, what was read on the way, and the last error; `""` for none."""
    learnt: dict[str, Any] = {}
    known: list[Reading] = []
    body = repaired(copy.deepcopy(body), learnt)
    for _ in range(MOST_TRIES):
        problem = problems(body, endpoint, variant=variant)
        if problem is None:
            return body, known, ""
        sent = Sent(copy.deepcopy(body), profiles.over(Model(body["model"]), learnt))
        found = read(problem.status, json.dumps(problem.body).encode(), sent)
        if found is None:
            return body, known, problem.body["error"]["message"]
        known.append(found)
        learnt = merged(learnt, found.overlay)
        body = repaired(body, learnt)
    return body, known, f"not accepted after {MOST_TRIES} tries"


def repaired(body: Body, learnt: dict[str, Any]) -> Body:
    model = profiles.over(Model(body["model"]), learnt)
    context = RuleContext(PROFILE, model, texts.load("en"), None, limits_max_tokens="output" in learnt)
    rules.apply_chat(body, context)
    return body


@pytest.mark.parametrize(
    "refused",
    [
        pytest.param(refused, id=f"{number}: {row}")
        for number, (row, refused, _, _) in enumerate(ROWS)
        if row in MENDED and refused.get("thinking") not in NOT_MENDED
    ],
)
def test_moonshots_contract(refused: Body):
    body, known, error = accepted(refused, "moonshot")
    assert error == ""
    # What is learnt makes the same request acceptable at once, and takes nothing from one that needs no repair.
    learnt: dict[str, Any] = {}
    for found in known:
        learnt = merged(learnt, found.overlay)
    assert problems(repaired(copy.deepcopy(refused), learnt), "moonshot") is None
    assert repaired(copy.deepcopy(body), learnt) == body


@pytest.mark.parametrize("difference", ["mfjs-strict", "empty-reasoning-refused"])
def test_what_an_endpoint_does_otherwise(difference: str):
    variant = Variant(differs=differs([difference]))
    call = {"id": "f:0", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    schema = {"type": "object", "properties": {"a": {"type": ["string", "null"], "format": "x", "default": "b"}}}
    asked = {
        "model": "kimi-k2.5",
        "messages": [
            USER,
            {"role": "assistant", "content": "", "tool_calls": [call], "reasoning_content": ""},
            {"role": "tool", "tool_call_id": "f:0", "content": "1"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}],
    }
    assert problems(asked, "moonshot", variant=variant) is not None
    _, known, error = accepted(asked, "moonshot", variant)
    assert error == ""
    assert known


@pytest.mark.parametrize("model", ["deepseek-v4-pro", "deepseek-v4-flash"])
def test_deepseeks_contract(model: str):
    call = {"id": "f:0", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    asked = {
        "model": model,
        "messages": [
            USER,
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "f:0", "content": "1"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
    }
    assert problems(asked, "deepseek") is not None
    _, known, error = accepted(asked, "deepseek")
    assert error == ""
    assert [found.kind for found in known][:1] == ["reasoning-missing"]
