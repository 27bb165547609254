"""Names of other vendors' models, aliases, and Claude Code's mark of a window."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix import options, profiles
from hunyuan_fix.exchange import Change
from hunyuan_fix.rules.model_names import model_name
from tests.strategies import json_values

TOKENHUB = profiles.load("tokenhub")
PATTERNS = "claude-*haiku*=hy-mt2-pro, gpt-?=hy4-preview, mine[1m]=hy3-preview, *x*=eks"


def changed(model: Any, patterns: str = "", text_model: str | None = "hy3") -> tuple[Any, list[Change]]:
    models = options.parse({"hunyuan_models": patterns}).models
    body = {"model": model, "messages": []}
    changes = model_name(body, models, TOKENHUB, text_model)
    return body["model"], changes


@pytest.mark.parametrize(
    ("asked", "answers"),
    [
        ("claude-opus-4-6", "hy3"),
        ("claude-sonnet-5[1m]", "hy3"),
        ("gpt-5.5", "hy3"),
        ("claude-hy3", "hy3"),
        ("claude-hy4-preview", "hy4-preview"),
        ("claude-hy-vision-2.0-instruct[1m]", "hy-vision-2.0-instruct"),
        ("hy4-preview[1M]", "hy4-preview"),
        ("hy3-preview[256k]", "hy3-preview"),
        ("kimi-k3[1m]", "kimi-k3"),
        ("hy3", "hy3"),
        ("glm-5.3", "glm-5.3"),
        ("Claude", "Claude"),
        ("[1m]", "[1m]"),
    ],
)
def test_what_answers_in_a_translated_request(asked: str, answers: str) -> None:
    assert changed(asked)[0] == answers


@pytest.mark.parametrize("asked", ["claude-opus-4-6", "gpt-4o", "gpt-oss-120b", "anything"])
def test_a_chat_client_keeps_its_own_name_for_a_model(asked: str) -> None:
    assert changed(asked, text_model=None) == (asked, [])


def test_aliases_and_marks_are_read_for_chat_clients_too() -> None:
    assert changed("claude-hy3", text_model=None)[0] == "hy3"
    assert changed("hy3[1m]", text_model=None)[0] == "hy3"


@pytest.mark.parametrize(
    ("asked", "answers"),
    [
        ("claude-3-5-haiku-latest", "hy-mt2-pro"),
        ("claude-haiku-4-5[1m]", "hy-mt2-pro"),
        ("gpt-5", "hy4-preview"),
        ("gpt-5.5", "hy3"),  # `?` stands for one character
        ("mine[1m]", "hy3-preview"),  # brackets stand for themselves
        ("mine1", "mine1"),
        ("minem", "minem"),
        ("claude-haiku-x", "hy-mt2-pro"),  # the first that fits
        ("hy3x", "eks"),
    ],
)
def test_the_users_patterns_come_first(asked: str, answers: str) -> None:
    assert changed(asked, PATTERNS)[0] == answers
    if not asked.startswith("gpt-5."):
        assert changed(asked, PATTERNS, text_model=None)[0] == answers


def test_a_name_that_is_mapped_to_itself_stays() -> None:
    assert changed("gpt-oss-120b", "gpt-oss-*=gpt-oss-120b") == ("gpt-oss-120b", [])


@pytest.mark.parametrize("asked", ["claude-opus-4-6", "hy3[1m]", "claude-hy3", "mine[1m]"])
def test_the_change_is_told_without_the_name_that_was_asked_for(asked: str) -> None:
    answers, (change,) = changed(asked, PATTERNS)
    assert (change.rule, change.pointer) == ("model", "/model")
    assert asked not in change.why
    assert change.why.endswith((f"{answers} answers", "the client's own"))


@given(json_values | st.text())
def test_anything_may_stand_there(model: Any) -> None:
    answers, changes = changed(model, PATTERNS)
    assert (answers == model) == (not changes)
    assert changed(answers, "") == (answers, []) or str(answers).startswith(("claude-", "gpt-")) or "]" in str(answers)


def test_a_name_of_any_length_is_read_in_no_time() -> None:
    """Longer names than any model has stay, whatever the patterns are."""
    assert changed("claude-" + "a" * 10**7, "*a*a*a*a*a*b=hy3")[1] == []


def test_a_body_without_a_model_stays() -> None:
    body: dict[str, Any] = {"messages": []}
    assert model_name(body, {"*": "hy3"}, TOKENHUB, "hy3") == []
    assert body == {"messages": []}


@pytest.mark.parametrize(
    ("profile", "asked", "answers"),
    [
        ("zenmux", "kimi-k2.5", "moonshotai/kimi-k2.5"),
        ("zenmux", "kimi-k2.5[256k]", "moonshotai/kimi-k2.5"),
        ("openrouter", "deepseek-v4-pro", "deepseek/deepseek-v4-pro"),
        ("zenmux", "moonshotai/kimi-k2.5", "moonshotai/kimi-k2.5"),
        ("zenmux", "k2.5", "k2.5"),
        ("zenmux", "other/kimi-k2.5", "other/kimi-k2.5"),
        ("moonshot", "kimi-k2.5", "kimi-k2.5"),
        ("tokenhub", "kimi-k2.5", "kimi-k2.5"),
        ("moonshot", "Kimi-K2.6", "kimi-k2.6"),
        ("moonshot", "moonshotai/kimi-k2.6", "kimi-k2.6"),
        # LiteLLM's word for the format of an endpoint
        ("tokenhub", "openai/hy3", "hy3"),
        ("tokenhub", "litellm_proxy/hy3", "hy3"),
        ("moonshot", "openai/kimi-k2.6[256k]", "kimi-k2.6"),
        ("tokenhub", "openai/gpt-5", "openai/gpt-5"),
        ("tokenhub", "anthropic/hy3", "anthropic/hy3"),
        ("zenmux", "openai/moonshotai/kimi-k2.5", "moonshotai/kimi-k2.5"),
        ("moonshot", "MoonshotAI/Kimi-K2.6[256k]", "kimi-k2.6"),
        ("moonshot", "other/kimi-k2.6", "other/kimi-k2.6"),
        ("moonshot", "moonshotai/kimi-k2.6:free", "moonshotai/kimi-k2.6:free"),
        ("deepseek", "deepseek/deepseek-v4-pro", "deepseek-v4-pro"),
        ("tokenhub", "HY3", "hy3"),
        ("zenmux", "Kimi-K2.5", "moonshotai/kimi-k2.5"),
        ("zenmux", "moonshotai/Kimi-K2.5", "moonshotai/kimi-k2.5"),
    ],
)
def test_another_spelling_of_a_name_becomes_the_endpoints(profile: str, asked: str, answers: str) -> None:
    body = {"model": asked}
    changes = model_name(body, {}, profiles.load(profile), None)
    assert body["model"] == answers
    assert bool(changes) == (asked != answers)
    assert model_name(body, {}, profiles.load(profile), None) == []


def test_a_name_that_two_makers_have_stays() -> None:
    zenmux = profiles.load("zenmux")
    two = replace(zenmux, models={**zenmux.models, "other/kimi-k2.5": zenmux.models["moonshotai/kimi-k2.5"]})
    body = {"model": "kimi-k2.5"}
    assert model_name(body, {}, two, None) == []


def test_where_an_endpoint_has_models_of_openai_the_word_names_a_maker() -> None:
    hosts = replace(TOKENHUB, models={**TOKENHUB.models, "openai/gpt-oss": TOKENHUB.models["hy3"]})
    body = {"model": "openai/hy3"}
    assert model_name(body, {}, hosts, None) == []


def test_where_no_text_model_is_known_the_name_stays() -> None:
    assert changed("claude-opus-5", text_model="") == ("claude-opus-5", [])
