"""Every reason that a change is given can be shown in Chinese: over recorded requests, cases and generated bodies."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix import options
from hunyuan_fix.cli.lint.reading import Request
from hunyuan_fix.cli.lint.verdict import judge
from hunyuan_fix.exchange import Change
from hunyuan_fix.texts import sentences
from tests import more_cases, strategies
from tests.end_to_end.test_captures import CAPTURES, whole
from tests.test_cases import FOLDER
from tests.texts.reasons_in_code import Reasons

HAN = re.compile(r"[\u3400-\u9fff]")
PROFILES = ("hunyuan", "tokenhub", "moonshot", "deepseek", "anthropic")


def assert_shown_in_chinese(changes: Iterable[Change]) -> None:
    for change in changes:
        shown = sentences.translated("zh", change.why)
        assert HAN.search(shown), change
        assert not re.search(r"[a-z]{3,} (?:the|is|are|of) [a-z]{3,}", shown), (change, shown)


def changes_of(body: Any, dialect: str, profile: str) -> Iterable[Change]:
    settings = options.parse({"hunyuan_profile": profile})
    return judge(Request("file", dialect, copy.deepcopy(body)), settings, rerouted=True).exchange.changes


@pytest.mark.parametrize("profile", PROFILES)
def test_of_recorded_requests(profile: str) -> None:
    for path in CAPTURES:
        body = json.loads(path.read_text("utf-8"))["body"]
        dialect = "chat" if "messages" in body else "embeddings"
        assert_shown_in_chinese(changes_of(whole(body, "picture"), dialect, profile))


@pytest.mark.parametrize("profile", PROFILES)
def test_of_reported_cases(profile: str) -> None:
    bodies = [variant.get("body") for _, variant, _ in more_cases.variants()]
    for file in FOLDER.glob("*/request.json"):
        bodies += [variant.get("body") for variant in json.loads(file.read_text("utf-8"))["variants"]]
    chats = [body for body in bodies if isinstance(body, dict) and isinstance(body.get("messages"), list)]
    assert len(chats) > 20
    for body in chats:
        assert_shown_in_chinese(changes_of(body, "chat", profile))


@given(strategies.bodies, st.lists(strategies.tools(), max_size=3), st.sampled_from(PROFILES))
def test_of_generated_bodies(body: dict[str, Any], tools: list[Any], profile: str) -> None:
    model = {"hunyuan": "hunyuan-t1-latest", "moonshot": "kimi-k2.5"}.get(profile, "hy3")
    sent = {"model": model, "tools": tools, "tool_choice": "required", **body}
    assert_shown_in_chinese(changes_of(sent, "chat", profile))


def test_reasons_are_found_wherever_they_are_put_together() -> None:
    """In a call, a table, a constant, a function that returns it, a parameter, with a reason inside of it."""
    found = Reasons().all()
    assert {
        "the model is retired or mapped: {chosen} answers",
        "the role becomes {role}",
        "what reads like a mark of the proxy's own gets other brackets",
        "the model always thinks: removed",
        "a tool must be called",
        "{why}: tool_choice is {choice}",
        "parameters were no schema",
    } <= found
    assert sentences.translated("zh", "a tool must be called: tool_choice is required") == (
        "要求必须调用工具：tool_choice 改为 required"
    )


def test_several_reasons_in_one_line() -> None:
    why = "parameters were no schema; the root is an object with properties"
    assert sentences.translated("zh", why) == "parameters 不是 schema；根部改为带 properties 的对象"
    assert sentences.translated("zh", "nothing; of this") == "nothing; of this"
