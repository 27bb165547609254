"""What kind of call a request is, as its client sent it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from hunyuan_fix.model_map.kinds import kind_of
from hunyuan_fix.wire import user_agents

TESTS = Path(__file__).parents[1]
TOOL = {"name": "Read", "input_schema": {"type": "object"}}
SEARCH = {"type": "web_search_20250305", "name": "web_search"}


def kind(
    body: dict[str, Any], program: str = "", headers: dict[str, str] | None = None, *, counts: bool = False
) -> str:
    return kind_of(headers or {}, program, body, embeddings=False, counts=counts)


@pytest.mark.parametrize("header", ["x-claude-code-agent-id", "x-openai-subagent", "x-codex-parent-thread-id"])
def test_a_subagent_names_itself(header: str) -> None:
    assert kind({"tools": [TOOL]}, headers={header: "a"}) == "subagent"
    assert kind({}, "claude-code", {header: "a"}) == "subagent", "its small calls, too"


def test_small_calls_of_claude_code_have_no_tools_of_its_own() -> None:
    assert kind({"tools": [TOOL]}, "claude-code") == "main"
    assert kind({"tools": []}, "claude-code") == "helper"
    assert kind({}, "claude-code") == "helper"
    assert kind({"tools": [SEARCH]}, "claude-code") == "helper", "the call of its WebSearch"
    assert kind({"tools": [SEARCH, TOOL]}, "claude-code") == "main"
    assert kind({}, "claude-code", counts=True) == "main"
    assert kind({}, "openai-python") == "main", "programs without tools are no agents"


@pytest.mark.parametrize(
    "body",
    [
        {"system": "You are a title generator. You output"},
        {"system": [{"type": "text", "text": "You are a title generator."}]},
        {"instructions": "You are a title generator."},
        {"messages": [{"role": "system", "content": "You are a title generator."}]},
        {"input": [{"role": "developer", "content": [{"type": "input_text", "text": "You are a title generator"}]}]},
    ],
)
def test_a_title_is_known_by_its_system_text_in_any_format(body: dict[str, Any]) -> None:
    assert kind(body) == "helper"
    assert kind({**body, "tools": [TOOL]}) == "main"


@pytest.mark.parametrize(
    "body",
    [
        {"system": 1, "tools": 1, "messages": 1},
        {"messages": [None], "tools": [None]},
        {"messages": [{"role": "system", "content": [None, {"text": 1}]}]},
        {"messages": [{"role": "system", "content": {"text": "You are a title generator"}}], "tools": [[]]},
        {"tools": [{"type": []}], "messages": [{"role": [], "content": "You are a title generator"}]},
    ],
)
def test_hostile_bodies_have_a_kind(body: dict[str, Any]) -> None:
    assert kind(body) == "main"
    assert kind(body, "claude-code") in ("main", "helper")


def test_embeddings() -> None:
    assert kind_of({}, "", {"input": "a"}, embeddings=True, counts=False) == "embeddings"


RECORDED = {
    "opencode": {"main": 7, "helper": 2},
    "aider": {"main": 11, "helper": 1},
    "cline": {"main": 6},
    "qwen-code": {"main": 6},
    "continue": {"main": 5},
    "codex-0.77-chat": {"main": 7},
}


@pytest.mark.parametrize("folder", RECORDED)
def test_recorded_requests_of_agents(folder: str) -> None:
    found: Counter[str] = Counter()
    for file in sorted((TESTS / "captures" / folder).glob("*.json")):
        recorded = json.loads(file.read_text(encoding="utf-8"))
        body = recorded.get("body", recorded)
        body = json.loads(body) if isinstance(body, str) else body
        found[kind(body, user_agents.program(folder + "/"))] += 1
    assert found == RECORDED[folder]
