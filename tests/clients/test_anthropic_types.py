"""Whatever the types of Anthropic's SDK accept is translated, accepted by the strict endpoints, and loses no text."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hunyuan_fix.simulator.checks import ProfileName
from tests.dialects.anthropic.translating import refusal, translated

type Body = dict[str, Any]

SCRIPT = Path(__file__).parent / "anthropic_types.py"


@pytest.fixture(scope="module")
def bodies() -> list[Body]:
    python = Path(os.environ["HUNYUAN_FIX_CLIENTS"]) / "python/bin/python"
    environment = os.environ | {"PYTHONPATH": str(SCRIPT.parents[2])}
    made = subprocess.run(
        [str(python), str(SCRIPT)], capture_output=True, text=True, timeout=100, check=True, env=environment
    )
    return [json.loads(line) for line in sorted(set(made.stdout.splitlines()))]


def kinds(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("type"), str):
            yield value["type"]
        for item in value.values():
            yield from kinds(item)
    elif isinstance(value, list):
        for item in value:
            yield from kinds(item)


def test_they_are_of_all_kinds(bodies: list[Body]) -> None:
    found = set(kinds(bodies))
    assert len(bodies) > 1000
    assert found >= {"image", "document", "tool_result", "thinking", "server_tool_use", "tool_reference", "compaction"}
    assert found >= {"web_search_20250305", "mcp_toolset", "clear_thinking_20251015", "json_schema", "adaptive"}


@pytest.mark.parametrize("profile_name", ["hunyuan", "tokenhub"])
def test_each_is_translated_and_accepted(bodies: list[Body], profile_name: ProfileName) -> None:
    refused = []
    for body in bodies:
        chat, _ = translated(body)
        if (problem := refusal(chat, profile_name)) is not None:
            refused.append((problem.row, problem.detail, body))
    assert refused == []


def test_no_text_is_lost(bodies: list[Body]) -> None:
    lost = []
    for body in bodies:
        said = len(re.findall("word1x", json.dumps([body["messages"], body.get("system")])))
        chat, _ = translated(body)
        if len(re.findall("word1x", json.dumps(chat["messages"]))) < said:
            lost.append(body)
    assert lost == []
