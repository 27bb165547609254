"""Thinking, by the one parameter by which a model is switched."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest

from hunyuan_fix import profiles
from hunyuan_fix.profiles import Thinking
from hunyuan_fix.rules.survey import Survey
from hunyuan_fix.rules.thinking import RULE, thinking, thinks
from tests.looped import each
from tests.rule_context import context

K2_6 = Thinking(default=True, fields=frozenset({"type", "keep"}))
K2_7 = Thinking(default=True, can_be_off=False, fields=frozenset({"type", "keep"}))
K3 = Thinking(default=True, can_be_off=False, control="effort", efforts=("low", "high", "max"))
HY3 = Thinking(default=False, efforts=("none", "high"), adaptive=True)
V3_2 = Thinking(default=False)
M2 = Thinking(default=True, can_be_off=False, can_be_asked=False)
QWEN = Thinking(default=False, control="enable_thinking")
ROUTER = Thinking(
    default=True,
    control="reasoning",
    fields=frozenset({"enabled", "effort", "max_tokens", "exclude"}),
    efforts=("minimal", "low", "medium", "high", "xhigh"),
)
GRADED = Thinking(default=True, control="enable_thinking", efforts=("low", "high"))
BY_EFFORT = Thinking(default=False, control="effort", efforts=("none", "low", "high"))
FIXED = Thinking(default=True, can_be_off=False, control="none")
NESTED = Thinking(default=True, fields=frozenset({"type", "effort"}), efforts=("low", "high"))

ENABLED, DISABLED = {"type": "enabled"}, {"type": "disabled"}

STAYS: list[tuple[Thinking, dict[str, Any]]] = [
    (K2_6, {"thinking": ENABLED}),
    (K2_6, {"thinking": DISABLED}),
    (K2_6, {"thinking": {"keep": "all", "type": "enabled"}}),
    (K2_6, {"thinking": {"type": "disabled", "keep": None}}),
    (K2_7, {"thinking": {"type": "enabled", "keep": "all"}}),
    (K3, {"reasoning_effort": "low"}),
    (HY3, {"thinking": {"type": "adaptive"}}),
    (HY3, {"reasoning_effort": "high"}),
    (HY3, {"reasoning_effort": "none"}),
    (HY3, {"thinking": ENABLED, "reasoning_effort": "high"}),
    (HY3, {"thinking": DISABLED}),  # says what is so anyway: the client's words
    (QWEN, {"enable_thinking": True}),
    (QWEN, {"enable_thinking": False}),
    (ROUTER, {"reasoning": {"effort": "high"}}),
    (ROUTER, {"reasoning": {"enabled": False, "exclude": True}}),
    (ROUTER, {"reasoning": {"max_tokens": 2000}}),
    (ROUTER, {"reasoning": {"exclude": True}}),
    (BY_EFFORT, {"reasoning_effort": "none"}),
    (NESTED, {"thinking": {"type": "enabled", "effort": "low"}}),
]
CHANGES: list[tuple[Thinking, dict[str, Any], dict[str, Any]]] = [
    # what it can't do
    (K2_7, {"thinking": DISABLED}, {}),
    (K2_7, {"thinking": {"type": "disabled", "keep": "all"}}, {"thinking": {"type": "enabled", "keep": "all"}}),
    (K2_7, {"enable_thinking": False}, {}),
    (K2_7, {"reasoning_effort": "none"}, {}),
    (M2, {"thinking": ENABLED}, {}),
    (M2, {"thinking": DISABLED}, {}),
    (M2, {"reasoning_effort": "high"}, {}),
    (FIXED, {"thinking": ENABLED, "reasoning_effort": "low", "enable_thinking": False}, {}),
    # unknown fields, objects that say nothing, other spellings of the same
    (K2_6, {"thinking": {"type": "enabled", "budget_tokens": 1024, "display": "omitted"}}, {"thinking": ENABLED}),
    (K2_6, {"thinking": {"type": "adaptive"}}, {"thinking": ENABLED}),
    (K2_6, {"thinking": {"budget_tokens": 1024}}, {"thinking": ENABLED}),
    (K2_6, {"thinking": {"budget_tokens": 0}}, {"thinking": DISABLED}),
    (K2_6, {"thinking": {"keep": "all"}}, {"thinking": {"type": "enabled", "keep": "all"}}),
    (K2_6, {"thinking": {}}, {}),
    (K2_6, {"thinking": {"type": None}}, {}),
    (K2_6, {"thinking": {"type": ["enabled"]}}, {}),
    (K2_6, {"thinking": None}, {}),
    (K2_6, {"thinking": 7}, {}),
    (K2_6, {"thinking": False}, {"thinking": DISABLED}),
    (K2_6, {"thinking": "disabled"}, {"thinking": DISABLED}),
    # from one control to another
    (K2_6, {"enable_thinking": False}, {"thinking": DISABLED}),
    (K2_6, {"enable_thinking": True}, {}),  # it does anyway
    (K2_6, {"reasoning": {"enabled": False}}, {"thinking": DISABLED}),
    (K2_6, {"reasoning": {"effort": "none"}}, {"thinking": DISABLED}),
    (K2_6, {"reasoning_effort": "none"}, {"thinking": DISABLED}),
    (K2_6, {"chat_template_kwargs": {"thinking": False}}, {"thinking": DISABLED}),
    (K2_6, {"chat_template_kwargs": {"enable_thinking": False, "x": 1}}, {"thinking": DISABLED}),
    (K2_6, {"reasoning_effort": "high"}, {}),
    (V3_2, {"reasoning_effort": "high"}, {"thinking": ENABLED}),
    (V3_2, {"reasoning": {"effort": "low"}}, {"thinking": ENABLED}),
    (V3_2, {"reasoning_effort": "none"}, {}),
    (V3_2, {"enable_thinking": True}, {"thinking": ENABLED}),
    (QWEN, {"thinking": {"type": "enabled", "budget_tokens": 1}}, {"enable_thinking": True}),
    (QWEN, {"thinking": DISABLED}, {}),
    (QWEN, {"enable_thinking": "true"}, {"enable_thinking": True}),
    (ROUTER, {"thinking": DISABLED}, {"reasoning": {"enabled": False}}),
    (ROUTER, {"thinking": {"type": "enabled", "budget_tokens": 1}}, {}),
    (ROUTER, {"reasoning": {"effort": "none"}}, {"reasoning": {"enabled": False}}),
    (ROUTER, {"reasoning": {"effort": "max"}}, {"reasoning": {"effort": "xhigh"}}),
    (ROUTER, {"reasoning": {"enabled": "yes", "effort": "low"}}, {"reasoning": {"enabled": True, "effort": "low"}}),
    (ROUTER, {"reasoning": {"summary": "auto"}}, {}),
    (BY_EFFORT, {"thinking": ENABLED}, {"reasoning_effort": "high"}),
    (BY_EFFORT, {"thinking": DISABLED}, {}),
    (dataclasses.replace(BY_EFFORT, default=True), {"thinking": DISABLED}, {"reasoning_effort": "none"}),
    # the nearest effort
    (K3, {"reasoning_effort": "medium"}, {"reasoning_effort": "high"}),
    (K3, {"reasoning_effort": "minimal"}, {"reasoning_effort": "low"}),
    (K3, {"reasoning_effort": "none"}, {}),
    (K3, {"reasoning_effort": "banana"}, {}),
    (K3, {"reasoning_effort": "HIGH"}, {"reasoning_effort": "high"}),
    (K3, {"thinking": ENABLED}, {}),
    (K3, {"reasoning": {"effort": "low"}}, {"reasoning_effort": "low"}),
    (HY3, {"reasoning_effort": "low"}, {"reasoning_effort": "high"}),
    (HY3, {"thinking": DISABLED, "reasoning_effort": "high"}, {"thinking": DISABLED}),
    (HY3, {"thinking": ENABLED, "reasoning_effort": "none"}, {"thinking": ENABLED}),
    (
        GRADED,
        {"enable_thinking": True, "reasoning": {"effort": "low"}},
        {"enable_thinking": True, "reasoning_effort": "low"},
    ),
    (GRADED, {"enable_thinking": False, "reasoning_effort": "low"}, {"enable_thinking": False}),
    (NESTED, {"thinking": {"type": "enabled", "effort": "max"}}, {"thinking": {"type": "enabled", "effort": "high"}}),
    (
        NESTED,
        {"thinking": {"type": "enabled", "effort": "low"}, "reasoning_effort": "high"},
        {"thinking": {"type": "enabled", "effort": "low"}},
    ),
    # of two that contradict each other the first spelling counts
    (K2_6, {"enable_thinking": True, "thinking": DISABLED}, {"thinking": DISABLED}),
]


def made(known: Thinking | None, **given: Any) -> Any:
    held = context("tokenhub", **given)
    held.model = dataclasses.replace(held.model, thinking=known)
    return held


def fixed(known: Thinking | None, said: dict[str, Any], **given: Any) -> dict[str, Any]:
    body = {"model": "m", "messages": [], **copy.deepcopy(said)}
    held = made(known, **given)
    changes = thinking(body, held)
    rest = {key: value for key, value in body.items() if key not in ("model", "messages")}
    assert bool(changes) == (rest != said)
    assert {change.rule for change in changes} <= {"thinking"}
    assert all(change.pointer.removeprefix("/") in {*said, *rest} for change in changes)
    assert thinking(body, held) == []
    return rest


@pytest.mark.parametrize(("known", "said"), STAYS)
def test_what_is_right_stays(known: Thinking, said: dict[str, Any]) -> None:
    assert list(fixed(known, said).items()) == list(said.items())


@each(("known", "said", "left"), CHANGES)
def test_what_a_request_says_is_said_as_the_model_takes_it(
    known: Thinking, said: dict[str, Any], left: dict[str, Any]
) -> None:
    assert fixed(known, said) == left


@pytest.mark.parametrize("known", [None, K2_6, K2_7, K3, HY3, M2, QWEN, ROUTER, FIXED])
def test_a_request_that_says_nothing_says_nothing(known: Thinking | None) -> None:
    body = {"messages": [], "temperature": 1}
    assert not RULE.needed(Survey(body), made(known))
    assert fixed(known, {}) == {}


def test_of_a_model_that_is_not_known_nothing_is_changed() -> None:
    said = {"thinking": {"type": "disabled", "x": 1}, "reasoning_effort": "banana"}
    assert fixed(None, said) == said


def test_parameters_that_are_kept() -> None:
    said = {"thinking": DISABLED, "reasoning_effort": "banana"}
    assert fixed(K2_7, said, keep_params=frozenset(said)) == said
    assert fixed(K2_6, {"enable_thinking": False}, keep_params=frozenset({"thinking"})) == {}


def test_a_template_that_the_endpoint_takes_stays() -> None:
    held = made(K2_6)
    parameters = {**held.profile.parameters, "chat_template_kwargs": held.profile.parameters["thinking"]}
    held.profile = dataclasses.replace(held.profile, parameters=parameters)
    body = {"chat_template_kwargs": {"thinking": False}}
    assert thinking(body, held) == []


def test_the_change_of_an_effort_is_shown() -> None:
    body = {"reasoning_effort": "medium"}
    [change] = thinking(body, made(K3))
    assert "high is the nearest to medium" in change.why


@pytest.mark.parametrize(
    ("known", "said", "whether"),
    [
        (K2_6, {}, True),
        (HY3, {}, False),
        (HY3, {"thinking": ENABLED}, True),
        (K2_6, {"thinking": DISABLED}, False),
        (K2_7, {"thinking": DISABLED}, True),
        (None, {}, True),
        (None, {"thinking": DISABLED}, False),
    ],
)
def test_whether_it_thinks(known: Thinking | None, said: dict[str, Any], whether: bool) -> None:
    assert thinks(said, made(known).model) is whether


@pytest.mark.parametrize("name", profiles.names())
def test_every_model_is_switched_by_a_parameter_that_its_endpoint_takes(name: str) -> None:
    profile = profiles.load(name)
    for model in profile.models.values():
        known = model.thinking
        if known is None or known.control == "none":
            continue
        parameter = "reasoning_effort" if known.control == "effort" else known.control
        assert parameter in profile.parameters, model.id
        if known.efforts and known.control != "reasoning":
            assert "reasoning_effort" in profile.parameters, model.id
