"""Rules of plug-ins among the shipped ones: in their place, and without effect where they fail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from hunyuan_fix import rules
from hunyuan_fix.exchange import JsonObject
from hunyuan_fix.plugins import Change, RuleContext
from hunyuan_fix.rules import added
from hunyuan_fix.rules.base import Added, Rule
from hunyuan_fix.rules.places import Track
from tests.plugins.plugged import rule
from tests.rule_context import context


def nothing(body: JsonObject, context: RuleContext) -> Sequence[Change]:
    return ()


def says(word: str) -> Any:
    def apply(body: JsonObject, context: RuleContext) -> Sequence[Change]:
        body["messages"][0]["content"] += word
        return [Change("another's name", "/messages/0", "a word")]

    return apply


def with_rules(*own: Rule) -> RuleContext:
    given = Added(added.in_place(rules.CHAT_RULES, own), frozenset(one.name for one in own))
    return replace(context("tokenhub", "hy3"), added=given)


def request(*contents: str) -> JsonObject:
    return {"model": "hy3", "messages": [{"role": "user", "content": content} for content in contents]}


def test_each_stands_behind_the_last_that_its_after_names() -> None:
    own = [
        rule("b", nothing, ("merge",)),
        rule("c", nothing, ("merge",)),
        rule("e", nothing, ()),
        rule("d", nothing, ("b",)),
    ]
    names = [one.name for one in added.in_place(rules.CHAT_RULES, own)]
    last_merge = len(names) - names[::-1].index("merge") - 1
    assert names[last_merge + 1 : last_merge + 4] == ["b", "c", "d"]
    assert names[-1] == "e"
    assert [name for name in names if name not in ("b", "c", "d", "e")] == [one.name for one in rules.CHAT_RULES]


def test_an_after_that_no_rule_has_is_refused() -> None:
    with pytest.raises(ValueError, match="nobody"):
        added.in_place(rules.CHAT_RULES, [rule("a", nothing, ("nobody",))])


def test_its_changes_have_its_own_name() -> None:
    body, given = request("a"), with_rules(rule("mine", says("b")))
    assert [(change.rule, change.why) for change in rules.apply_chat(body, given)] == [("mine", "a word")]
    assert body["messages"][0]["content"] == "ab"
    assert given.failed == []


def test_a_change_that_isnt_told_is_noticed_and_one_that_isnt_made_too() -> None:
    def quiet(body: JsonObject, context: RuleContext) -> Sequence[Change]:
        body["user"] = "x"
        return ()

    def boasts(body: JsonObject, context: RuleContext) -> Sequence[Change]:
        return [Change("boasts", "", "nothing")]

    given = with_rules(rule("quiet", quiet), rule("boasts", boasts))
    assert [change.rule for change in rules.apply_chat(request("a"), given) if change.rule != "parameters"] == ["quiet"]


@pytest.mark.parametrize("told", [None, 5, ["text"], [None]])
def test_what_is_no_list_of_changes_is_a_failure(told: Any) -> None:
    def apply(body: JsonObject, context: RuleContext) -> Any:
        body["messages"][0]["content"] = "half"
        return told

    body, given = request("a", "b"), with_rules(rule("mine", apply))
    assert rules.apply_chat(body, given) == rules.apply_chat(request("a", "b"), context("tokenhub", "hy3"))
    assert body == repaired("a", "b")
    assert [name for name, _ in given.failed] == ["mine"]


def repaired(*contents: str) -> JsonObject:
    body = request(*contents)
    rules.apply_chat(body, context("tokenhub", "hy3"))
    return body


@pytest.mark.parametrize("where", ["apply", "needed"])
def test_one_that_raises_costs_its_own_effect_alone(where: str) -> None:
    def raises(*_: Any) -> Any:
        raise ValueError

    broken = rule("broken", raises) if where == "apply" else replace(rule("broken", nothing), needed=raises)
    body, given = request("a", "b"), with_rules(rule("first", says(" 1")), broken, rule("second", says(" 2")))
    track = Track()
    changes = rules.apply_chat(body, given, track=track)
    assert [change.rule for change in changes if change.rule in ("first", "broken", "second")] == ["first", "second"]
    assert body["messages"][0]["content"].startswith("a 1 2")
    assert [name for name, _ in given.failed] == ["broken"]


def test_the_plan_and_the_places_are_those_of_the_rules_that_ran() -> None:
    """Rules that ran before the failing one run again: what they left for the answer is there once."""

    def raises(body: JsonObject, context: RuleContext) -> Sequence[Change]:
        context.plan.stop.append("half")
        context.counts["half"] += 1
        raise KeyError

    def with_tool() -> JsonObject:
        function = {"name": "a:b", "parameters": {"type": "object", "properties": {}}}
        return request("a", "b") | {"tools": [{"type": "function", "function": function}]}

    body, plain, noted = with_tool(), context("tokenhub", "hy3"), Track()
    rules.apply_chat(with_tool(), plain, track=noted)
    given, track = with_rules(rule("broken", raises, ("merge",))), Track()
    plan = given.plan
    rules.apply_chat(body, given, track=track)
    assert given.plan is plan
    assert [*plan.tool_names.values()] == ["a:b"]
    assert (given.plan, given.counts) == (plain.plan, plain.counts)
    assert track.note(0) == noted.note(0)
    assert track.note(0) is not None


def test_a_shipped_rule_that_cant_work_with_what_it_left_blames_it() -> None:
    """A role that the rule `roles` would have changed, had it come before."""

    def odd(body: JsonObject, context: RuleContext) -> Sequence[Change]:
        body["messages"].append({"role": "nobody", "content": "x"})
        return [Change("odd", "", "a message")]

    body, given = request("a", "b"), with_rules(rule("fine", says(" 1"), ("roles",)), rule("odd", odd, ("prefill",)))
    rules.apply_chat(body, given)
    assert {name for name, _ in given.failed} == {"fine", "odd"}
    assert body == repaired("a", "b")


def test_a_fault_that_is_no_plug_ins_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(*_: Any) -> Any:
        raise ZeroDivisionError

    given = with_rules(rule("mine", says("b"), ()))
    first, *others = given.added.rules  # type: ignore[union-attr]
    given.added = Added((replace(first, apply=raises, needed=lambda *_: True), *others), frozenset({"mine"}))
    with pytest.raises(ZeroDivisionError):
        rules.apply_chat(request("a"), given)


def test_work_that_is_given_up_ends() -> None:
    """What the checkpoint raises is nobody's failure."""

    class GivenUp(Exception):
        pass

    calls = 0

    def checkpoint() -> None:
        nonlocal calls
        calls += 1
        if calls == len(rules.CHAT_RULES):
            raise GivenUp

    with pytest.raises(GivenUp):
        rules.apply_chat(request("a"), with_rules(rule("mine", says("b"), ("roles",))), checkpoint)
    assert calls == len(rules.CHAT_RULES)


def test_fields_that_a_failing_one_has_added_are_gone() -> None:
    def raises(body: JsonObject, context: RuleContext) -> Sequence[Change]:
        body["temperature"] = 0.5  # which the endpoint takes
        raise KeyError

    body, given = request("a"), with_rules(rule("mine", raises, ()))
    rules.apply_chat(body, given)
    assert body == repaired("a")


@pytest.mark.parametrize("left", [None, [], "no"])
def test_one_that_leaves_no_messages_has_failed(left: Any) -> None:
    def empties(body: JsonObject, context: RuleContext) -> Sequence[Change]:
        body["messages"] = left
        return [Change("mine", "", "all gone")]

    body, given = request("a"), with_rules(rule("mine", empties, ()))
    rules.apply_chat(body, given)
    assert body == repaired("a")
    assert [name for name, _ in given.failed] == ["mine"]
