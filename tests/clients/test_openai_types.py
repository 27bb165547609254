"""Whatever the types of OpenAI's SDK accept for `/responses` is translated, accepted by the strict endpoints, and loses
no text; and what the strategies generate is of these types."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from hunyuan_fix.dialects.base import BadRequest
from hunyuan_fix.simulator.checks import ProfileName
from hunyuan_fix.simulator.openai_shapes import body_findings
from tests.dialects.anthropic.translating import refusal
from tests.dialects.responses import strategies
from tests.dialects.responses.judging import translated

type Body = dict[str, Any]

HERE = Path(__file__).parent
NEED_WHAT_IS_KEPT = {"background", "conversation", "previous_response_id", "prompt", "store"}


def script(name: str, given_input: str = "") -> list[str]:
    """The lines that a script says in the clients' own Python."""
    python = Path(os.environ["HUNYUAN_FIX_CLIENTS"]) / "python/bin/python"
    environment = os.environ | {"PYTHONPATH": str(HERE.parents[1])}
    ran = subprocess.run(
        [str(python), str(HERE / name)],
        input=given_input,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
        env=environment,
    )
    return ran.stdout.splitlines()


@pytest.fixture(scope="module")
def bodies() -> list[Body]:
    return [json.loads(line) for line in sorted(set(script("openai_types.py")))]


def kinds(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("type"), str):
            yield value["type"]
        for item in value.values():
            yield from kinds(item)
    elif isinstance(value, list):
        for item in value:
            yield from kinds(item)


def stands_alone(body: Body) -> bool:
    """Whether a body is understood without anything that an endpoint keeps."""
    items = body["input"] if isinstance(body["input"], list) else []
    refers = any(
        item.get("type", "item_reference") in ("item_reference", None) and "role" not in item for item in items
    )
    return not refers and not any(body.get(name) for name in NEED_WHAT_IS_KEPT)


@pytest.fixture(scope="module")
def alone(bodies: list[Body]) -> list[Body]:
    return [body for body in bodies if stands_alone(body)]


def test_they_are_of_all_kinds(bodies: list[Body]) -> None:
    found = set(kinds(bodies))
    assert len(bodies) > 500
    assert found >= {"message", "function_call", "custom_tool_call", "shell_call", "tool_search_output", "compaction"}
    assert found >= {"input_image", "input_file", "refusal", "namespace", "custom", "web_search", "mcp", "json_schema"}


def test_the_simulator_knows_them_all(bodies: list[Body]) -> None:
    """All but one thing: the types let an assistant say what only users can."""
    unknown = {finding.detail for body in bodies for finding in body_findings(body)}
    assert {text for text in unknown if not text.endswith("Supported values are: 'output_text', 'refusal'.")} == set()


@pytest.mark.parametrize("profile_name", ["hunyuan", "tokenhub"])
def test_each_is_translated_and_accepted(alone: list[Body], profile_name: ProfileName) -> None:
    refused = []
    for body in alone:
        chat, _ = translated(body)
        if (problem := refusal(chat, profile_name)) is not None:
            refused.append((problem.row, problem.detail, body))
    assert refused == []


def test_the_rest_is_refused_in_words_or_translated(bodies: list[Body]) -> None:
    for body in bodies:
        try:
            translated(body)
        except BadRequest as error:
            assert error.message


def test_no_text_is_lost(alone: list[Body]) -> None:
    lost = []
    for body in alone:
        items = [item for item in body["input"] if isinstance(item, dict) and item.get("type") != "reasoning"]
        said = len(re.findall("word1x", json.dumps([items, body.get("instructions")])))
        chat, _ = translated(body)
        if len(re.findall("word1x", json.dumps(chat["messages"]))) < said:
            lost.append(body)
    assert lost == []


def test_the_strategies_are_of_these_types() -> None:
    lines: list[str] = []

    @settings(max_examples=800, database=None, suppress_health_check=list(HealthCheck), deadline=None)
    @given(strategies.typed_bodies, strategies.stored_bodies)
    def generate(typed: Body, stored: Body) -> None:
        lines.extend(json.dumps(body | {"stream": bool(body.get("stream"))}) for body in (typed, stored))

    generate()
    assert script("openai_validity.py", "\n".join(lines)) == []


def test_what_isnt_of_these_types_is_found() -> None:
    wrong = [
        {"model": "hy3", "input": [{"type": "function_call", "name": 1}]},
        {"model": "hy3", "tools": [{"type": "x"}]},
    ]
    assert len(script("openai_validity.py", "\n".join(json.dumps(body) for body in wrong))) == 2
