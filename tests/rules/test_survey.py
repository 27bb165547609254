"""The survey spares rules their work, and nothing else."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix import profiles, rules
from hunyuan_fix.exchange import Changes
from hunyuan_fix.rules import Rule
from hunyuan_fix.rules.base import always
from hunyuan_fix.rules.survey import Survey
from hunyuan_fix.texts.marks import tracked
from hunyuan_fix.wire import json_body
from tests import strategies
from tests.looped import each
from tests.rule_context import context
from tests.rules.hostile import BODIES, FIELDS, user

SURVEYED = [rule for rule in dict.fromkeys(rules.CHAT_RULES) if rule.needed is not always]

profile_names = st.sampled_from(profiles.names())


def told_apart(body: dict[str, Any], profile_name: str) -> None:
    """Run every rule, needed or not: one that isn't changes nothing. Its plan stays empty, too."""
    body = {"model": profiles.load(profile_name).text_model, **copy.deepcopy(body)}
    given = context(profile_name, body["model"])
    given = replace(given, texts=tracked(given.texts))
    for rule in rules.CHAT_RULES:
        needed = rule.needed(Survey(body), given)
        before, plan = json_body.serialise(body), repr(given.plan)
        changes = rule.apply(body, given)
        if not needed:
            assert (rule.name, list(changes), json_body.serialise(body)) == (rule.name, [], before)
            assert repr(given.plan) == plan


@given(st.one_of(strategies.histories, strategies.long_histories), profile_names)
def test_a_rule_that_is_not_needed_changes_nothing(history: list[Any], profile_name: str) -> None:
    if history:
        told_apart({"messages": history}, profile_name)


@given(strategies.bodies, profile_names)
def test_nor_does_it_in_a_whole_body(body: dict[str, Any], profile_name: str) -> None:
    if rules.repairable(body):
        told_apart(body, profile_name)


@each("profile_name", profiles.names())
@each("name", [*BODIES, *FIELDS])
def test_nor_in_a_hostile_one(name: str, profile_name: str) -> None:
    made = {"messages": BODIES[name](20)} if name in BODIES else {"messages": [user()], **FIELDS[name](20)}
    told_apart(json_body.parse(json_body.serialise(made)), profile_name)


@given(strategies.bodies, profile_names)
def test_with_and_without_the_survey_the_result_is_the_same(body: dict[str, Any], profile_name: str) -> None:
    """Over all rules in one go: the survey is made anew where a rule has changed something."""
    results: list[tuple[bytes, Changes]] = []
    for chat_rules in (rules.CHAT_RULES, tuple(replace(rule, needed=always) for rule in rules.CHAT_RULES)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rules, "CHAT_RULES", chat_rules)
            made = {"model": profiles.load(profile_name).text_model, **copy.deepcopy(body)}
            changes = rules.apply_chat(made, context(profile_name, made["model"]))
            results.append((json_body.serialise(made), changes))
    assert results[0] == results[1]


def history(name: object = "ls", arguments: object = "{}", **more: object) -> list[dict[str, Any]]:
    """A good one with one call, unless its name, its arguments or further fields of the call aren't."""
    call = {"id": "a", "type": "function", "function": {"name": name, "arguments": arguments}, **more}
    return [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "ok", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": "done"},
    ]


@pytest.mark.parametrize("rule", SURVEYED, ids=lambda rule: rule.name)
def test_a_good_history_needs_no_rule_but_pairing(rule: Rule) -> None:
    searched = context(may_hold_images=False)
    assert rule.needed(Survey({"messages": history()}), searched) == (rule.name == "pairing")
    assert not rule.needed(Survey({"messages": history()[:2]}), searched)


@pytest.mark.parametrize(
    ("messages", "needed"),
    [
        (history(arguments="{"), {"calls"}),
        (history(arguments="[]"), {"calls"}),
        (history(arguments={}), {"calls", "tool-names"}),
        (history(arguments=None), {"calls", "tool-names"}),
        (history(name="ls.-"), {"tool-names"}),
        (history(name=""), {"calls", "tool-names"}),
        (history(name=None), {"calls", "tool-names"}),
        (history(type="custom"), {"calls", "tool-names"}),
        (history(id=7), {"calls", "tool-names"}),
        (history(index=0), {"calls", "tool-names"}),
        ([{"role": "user", "content": "hi", "tool_calls": history()[2]["tool_calls"]}], {"calls"}),
        ([{"role": "assistant", "content": "hi", "tool_calls": []}], {"calls", "tool-names"}),
        ([{"role": "assistant", "content": "hi", "tool_calls": None}], {"calls", "tool-names"}),
        ([{"role": "assistant", "content": "hi", "function_call": {"name": "ls"}}], {"tool-names"}),
        ([{"role": "user", "content": "hi", "name": "Ann"}], {"tool-names"}),
    ],
)
def test_calls_that_are_not_in_shape_need_their_rules(messages: list[dict[str, Any]], needed: set[str]) -> None:
    by_name = {rule.name: rule for rule in SURVEYED}
    asked = {
        name for name in ("calls", "tool-names") if by_name[name].needed(Survey({"messages": messages}), context())
    }
    assert asked == needed


@pytest.mark.parametrize(
    ("more", "needed"),
    [
        ({"tools": [{"type": "function", "function": {"name": "ls"}}], "tool_choice": "auto"}, False),
        ({"tools": [{"type": "function", "function": {"name": "l s"}}]}, True),
        ({"tools": [{"type": "function", "function": {}}]}, True),
        ({"tools": [{"type": "web_search"}]}, True),
        ({"tools": [7]}, True),
        ({"tools": 7}, True),
        ({"tools": None}, False),
        ({"functions": []}, True),
        ({"function_call": "auto"}, True),
        ({"tool_choice": {"type": "function", "function": {"name": "ls"}}}, True),
    ],
)
def test_tools_whose_names_are_accepted_need_no_walk(more: dict[str, Any], needed: bool) -> None:
    (rule,) = [rule for rule in SURVEYED if rule.name == "tool-names"]
    assert rule.needed(Survey({"messages": history(), **more}), context()) == needed


CALL = {"id": "a", "type": "function", "function": {"name": "ls", "arguments": "{}"}}
SAID = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ok", "tool_calls": [CALL]}]


@each("profile_name", profiles.names())
@each(
    "body",
    [
        {"messages": [*SAID, {"role": "tool", "call_id": "a", "content": "done"}]},
        {
            "messages": [*SAID, {"role": "tool", "tool_call_id": "a", "content": "done"}],
            "thinking": {"type": "enabled"},
        },
        {"messages": [{"role": "system", "content": " "}, *SAID]},
        {"messages": [*SAID, {"role": "assistant", "content": "more"}]},
    ],
    ids=["another name of the id", "thinking", "an empty system text", "neighbours"],
)
def test_what_few_histories_need_is_done(body: dict[str, Any], profile_name: str) -> None:
    told_apart(body, profile_name)


def test_what_a_rule_has_changed_is_looked_at_anew() -> None:
    """A later system message becomes user text: its neighbours are of one role only then."""
    roles = ("user", "system", "user")
    body: dict[str, Any] = {"model": "hunyuan-lite", "messages": [{"role": role, "content": role} for role in roles]}
    assert rules.apply_chat(body, context()).rules() == ["system", "merge"]
    assert len(body["messages"]) == 1
