"""Folds that are kept: the same text as one that is made, for the same turns alone, and few of them."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix import profiles, rules
from hunyuan_fix.exchange import JsonObject
from hunyuan_fix.rules import folds
from hunyuan_fix.rules.content import Content
from hunyuan_fix.rules.folds import Folds
from hunyuan_fix.texts import load
from hunyuan_fix.texts.marks import tracked
from hunyuan_fix.wire import json_body
from tests import strategies
from tests.rule_context import answer, call, context


class Maker:
    """Makes a text of turns, and counts."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, turns: list[JsonObject]) -> Content:
        self.made += 1
        return "\n".join(str(turn["content"]) for turn in turns)


def turns(*contents: str) -> list[JsonObject]:
    return [{"role": "user", "content": content} for content in contents]


def test_a_fold_is_kept_from_the_second_time_on() -> None:
    kept, make = Folds(), Maker()
    for made in (1, 2, 2, 2):
        assert kept.fold(turns("a", "b"), make) == "a\nb"
        assert make.made == made
    assert kept.fold(turns("a", "c"), make) == "a\nc"
    assert kept.fold(turns("b"), make) == "b"
    assert make.made == 4


@pytest.mark.parametrize(
    "changed",
    [
        {"role": "user"},
        {"tool_call_id": "b"},
        {"tool_calls": [call("a", "ls", '{"path": "b"}')]},
        {"content": "b "},
        {"content": None},
    ],
)
def test_turns_that_differ_in_anything_have_a_fold_of_their_own(changed: JsonObject) -> None:
    kept, make = Folds(), Maker()
    message = {"role": "assistant", "content": "b", "tool_calls": [call("a", "ls")]}
    for _ in range(3):
        kept.fold([*turns("a"), message], make)
    made = make.made
    kept.fold([*turns("a"), message | changed], make)
    assert make.made == made + 1


@given(st.one_of(strategies.long_histories, strategies.histories), st.sampled_from(profiles.names()))
def test_a_body_is_repaired_alike_however_often_its_fold_was_made(history: list[Any], profile: str) -> None:
    results = []
    folds.of.cache_clear()
    for _ in range(3):
        body: dict[str, Any] = {"messages": copy.deepcopy(history)}
        changes = rules.apply_chat(body, context(profile, max_messages=5))
        results.append((json_body.serialise(body), list(changes)))
    assert results[0] == results[1] == results[2]


def test_parts_are_made_anew() -> None:
    """Rules change them in place."""
    kept = Folds()
    given: list[Content] = [kept.fold(turns("a"), lambda _: [{"type": "text", "text": "a"}]) for _ in range(3)]
    assert given[0] == given[1] == given[2]
    assert given[1] is not given[2]


def test_turns_that_cannot_be_digested_are_folded_anew() -> None:
    kept, make = Folds(), Maker()
    for made in (1, 2, 3):
        assert kept.fold(turns("a", "\ud800"), make) == "a\n\ud800"
        assert make.made == made


def test_the_latest_are_kept_and_not_too_many_characters() -> None:
    kept, make = Folds(), Maker()
    size = Folds.MOST // 10
    for number in range(45):
        for _ in range(2):
            kept.fold(turns("a", str(number).ljust(size)), make)
    made = make.made
    for number in range(44, 30, -1):
        kept.fold(turns("a", str(number).ljust(size)), make)
    assert make.made == made
    held = sum(map(len, (*kept._latest.values(), *kept._older.values())))
    assert held <= 2 * Folds.MOST


def test_a_fold_that_is_too_long_is_not_kept() -> None:
    kept, make = Folds(), Maker()
    for made in (1, 2, 3):
        kept.fold(turns("a", "b" * Folds.MOST), make)
        assert make.made == made


def test_each_language_has_its_own() -> None:
    chinese, english = (folds.of(tracked(load(language))) for language in ("zh", "en"))
    assert chinese is not english
    assert chinese is folds.of(tracked(load("zh")))


def test_a_conversation_that_grows_keeps_its_fold() -> None:
    """Its requests are the same as those of a process that has seen nothing of it."""
    history: list[Any] = [{"role": "user", "content": "go"}]
    for number in range(40):
        history.append({"role": "assistant", "content": None, "tool_calls": [call(f"c{number}", "ls")]})
        history.append(answer(f"c{number}", f"result {number}\nUser: no"))
        warm: dict[str, Any] = {"messages": copy.deepcopy(history)}
        rules.apply_chat(warm, context())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(folds, "of", lambda _: Folds())
            cold: dict[str, Any] = {"messages": copy.deepcopy(history)}
            rules.apply_chat(cold, context())
        assert warm == cold
