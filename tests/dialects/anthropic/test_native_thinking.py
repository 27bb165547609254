"""What a model's own data says holds in Messages requests, too: thinking, forced tools, fixed parameters."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix import profiles, texts
from hunyuan_fix.dialects.anthropic.native import repaired
from hunyuan_fix.profiles import Model, Native, Thinking
from tests.dialects.anthropic.translating import tool

EN = texts.load("en")
ALL = frozenset({"auto", "any", "none"})
KIMI = Native(roles=frozenset({"user", "assistant"}), tool_choices=ALL)
CLAUDE = Native(roles=frozenset({"user", "assistant"}), tool_choices=frozenset({"auto", "none"}))
ALWAYS = Model("k3", thinking=Thinking(default=True, can_be_off=False, can_be_asked=False))
CODE = Model("k2.7", thinking=Thinking(default=True, can_be_off=False))
USUAL = Model("k2.6", thinking=Thinking(default=True))
RARE = Model("hy3", thinking=Thinking(default=False))
ON, OFF, ADAPTIVE = {"type": "enabled", "budget_tokens": 2000}, {"type": "disabled"}, {"type": "adaptive"}
NAMED = {"type": "tool", "name": "ls", "disable_parallel_tool_use": True}


def fixed(model: Model, accepted: Native = KIMI, **body: Any) -> tuple[dict[str, Any], list[str]]:
    """A body after its repair, and where it was changed."""
    made = {"model": model.id, "max_tokens": 9000, "messages": [{"role": "user", "content": "a"}], **body}
    changes = [change.pointer for change in repaired(made, accepted, EN, model)]
    assert not repaired(made, accepted, EN, model), "once is enough"
    return made, changes


@pytest.mark.parametrize(
    ("model", "given", "left"),
    [
        (ALWAYS, OFF, None),
        (ALWAYS, ON, None),
        (ALWAYS, ADAPTIVE, None),
        (CODE, OFF, None),
        (CODE, ON, ON),
        (CODE, ADAPTIVE, ADAPTIVE),
        (USUAL, OFF, OFF),
        (USUAL, ON, ON),
        (Model("unknown"), OFF, OFF),
        (USUAL, {"type": "new"}, {"type": "new"}),
        (USUAL, "odd", "odd"),
    ],
)
def test_thinking_that_cant_be_switched(model: Model, given: Any, left: Any) -> None:
    body, changes = fixed(model, thinking=copy.deepcopy(given))
    assert body.get("thinking") == left
    assert changes == ([] if left == given else ["/thinking"])


@pytest.mark.parametrize(
    ("model", "accepted", "thinking", "expected", "left"),
    [
        # Nothing of thinking is said: it gives way to the tool.
        (USUAL, KIMI, None, OFF, "tool"),
        (USUAL, CLAUDE, None, OFF, "tool"),
        # It is asked for: another tool may be called in the place of the named one.
        (USUAL, KIMI, ON, ON, "any"),
        (USUAL, KIMI, ADAPTIVE, ADAPTIVE, "any"),
        # No tool can be forced while it thinks: who forces one can't go on without.
        (USUAL, CLAUDE, ON, OFF, "tool"),
        (Model("unknown"), CLAUDE, ON, OFF, "tool"),
        # It can't be off.
        (CODE, KIMI, None, None, "any"),
        (CODE, CLAUDE, None, None, "auto"),
        (ALWAYS, CLAUDE, None, None, "auto"),
        # It doesn't think.
        (USUAL, CLAUDE, OFF, OFF, "tool"),
        (RARE, CLAUDE, None, None, "tool"),
        (Model("unknown"), CLAUDE, None, None, "tool"),
        (RARE, Native(roles=KIMI.roles), ON, ON, "tool"),
    ],
)
def test_a_forced_tool(model: Model, accepted: Native, thinking: Any, expected: Any, left: str) -> None:
    given = {"thinking": copy.deepcopy(thinking)} if thinking else {}
    body, _ = fixed(model, accepted, tools=[tool()], tool_choice=dict(NAMED), **given)
    assert body.get("thinking") == expected
    assert body["tool_choice"]["type"] == left
    assert body["tool_choice"].get("name") == ("ls" if left == "tool" else None)
    assert body["tool_choice"]["disable_parallel_tool_use"] is True


@pytest.mark.parametrize(
    ("model", "accepted", "display", "left"),
    [
        (USUAL, KIMI, "omitted", None),
        (Model("m", thinking=Thinking(default=False), replay="required"), KIMI, "omitted", None),
        (Model("unknown"), KIMI, "omitted", "omitted"),
        (USUAL, KIMI, "summarized", "summarized"),
        (Model("m", thinking=Thinking(default=True), replay="ignored"), KIMI, "omitted", "omitted"),
        (USUAL, Native(roles=KIMI.roles, signed=("k2.*",)), "omitted", "omitted"),
    ],
)
def test_thinking_that_no_signature_carries_is_shown(
    model: Model, accepted: Native, display: str, left: str | None
) -> None:
    """What comes back would be empty, as Claude Code's was at zenmux."""
    body, changes = fixed(model, accepted, thinking={**ADAPTIVE, "display": display})
    assert body["thinking"] == {**ADAPTIVE, **({"display": left} if left else {})}
    assert changes == ([] if left else ["/thinking/display"])


def test_parameters_that_are_fixed() -> None:
    model = Model("m", refused=frozenset({"temperature", "top_p"}), values={"top_k": 5, "n": 1})
    body, changes = fixed(model, temperature=0.6, top_k=9, stop_sequences=["a"])
    assert body.keys() == {"model", "max_tokens", "messages", "top_k", "stop_sequences"}
    assert (body["top_k"], changes) == (5, ["/temperature", "/top_k"])


def test_kimi_gets_claude_codes_sub_agent() -> None:
    """It sends `disabled` with a temperature of 1 (docs/facts/kimi.md#models: both are errors)."""
    moonshot = profiles.load("moonshot")
    accepted, model = moonshot.native["anthropic"], moonshot.model("kimi-k2.7-code")
    body, _ = fixed(model, accepted, thinking=OFF, temperature=1)
    assert body.keys() == {"model", "max_tokens", "messages"}


@given(
    st.dictionaries(
        st.sampled_from(["thinking", "tool_choice", "tools", "temperature"]), st.none() | st.text() | st.just({})
    )
)
def test_no_body_raises(body: dict[str, Any]) -> None:
    for model in (ALWAYS, USUAL, RARE):
        repaired(dict(body), CLAUDE, EN, model)


def test_schemas_have_the_flavour_that_the_model_has() -> None:
    refused = {"type": "object", "properties": {"a": {"enum": ["x"]}}, "required": ["a", "lost"]}
    sound = {"type": "object", "properties": {"a": {"type": "string"}}}
    tools = [{**tool("f"), "input_schema": refused}, {**tool("g"), "input_schema": sound}]
    made, changes = fixed(replace(USUAL, schema="mfjs-lite"), tools=copy.deepcopy(tools))
    assert changes == ["/tools/0/input_schema"]
    assert made["tools"][0]["input_schema"] == {
        "type": "object",
        "properties": {"a": {"enum": ["x"], "type": "string"}},
        "required": ["a"],
    }
    assert made["tools"][1] == tools[1]
    assert fixed(USUAL, tools=copy.deepcopy(tools))[1] == []
