"""OpenAI's own SDKs and `responses` on endpoints that speak chat only: what they make of the translated answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.clients.sdk_scripts import run
from tests.clients.translating import Way
from tests.end_to_end.processes import Proxy, Simulator

MODELS = {"hunyuan": "hunyuan-a13b", "tokenhub": "hy3", "chat-only": "hy3"}
"""Those that think."""
EVENTS = [
    "response.completed",
    "response.content_part.added",
    "response.content_part.done",
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.output_item.done",
    "response.output_text.delta",
    "response.output_text.done",
]
CITIES = [{"city": "Shenzhen"}, {"city": "Beijing"}]
REFUSED = ["BadRequestError", 400]
NOT_FOUND = ["NotFoundError", 404]


def assert_accepted(way: Way) -> None:
    """What can be translated is accepted; what is wrong in itself TokenHub refuses itself."""
    assert {request["status"] for request in way.upstream.requests()} - {200} <= ({400} if way.native else set())


def test_the_python_sdk(way: Way, tmp_path: Path) -> None:
    model = MODELS[way.name]
    python = run(tmp_path, "openai_responses.py", way.proxy.reverse_url, model)
    counted = python.pop("counted")
    assert 100 <= counted <= 250, "a hundred words and a tool"
    assert python == {
        "whole": {
            "text": "hello",
            "model": model,
            "counted": [True] * 3,
            "echoed": ["Be kind.", {"a": "b"}, 2000],
        },
        "streamed": {"text": "one two three four", "kinds": EVENTS, "output": True},
        "parallel": {"inputs": CITIES, "status": "completed", "then": "工具返回：Beijing: sun"},
        "custom": {"name": "note", "input": "a line\nand {another}", "then": "工具返回：noted"},
        "parsed": {"whole": "yes", "streamed": "yes"},
        "reasoning": {"kinds": [["reasoning", "message"]] * 2, "thought": "because", "sealed": True, "again": "on"},
        "previous": {
            "said": "cedar",
            "previous": True,
            "kept": [True, "I keep it."],
            "listed": ["message", "message", "message"],
            "deleted": NOT_FOUND,
            "unknown": REFUSED,
        },
        "image": "seen",
        "tool's image": "a tool's image",
        "cut": ["incomplete", "max_output_tokens"],
        "failing": {"no input": REFUSED, "an unknown role": REFUSED, "background": REFUSED},
    }
    assert_accepted(way)


def test_the_node_sdk(way: Way, tmp_path: Path) -> None:
    node = run(tmp_path, "openai_responses.mjs", way.proxy.reverse_url, MODELS[way.name])
    assert node == {
        "whole": "hello",
        "streamed": ["one two three four", "completed", True, True],
        "parallel": [CITIES, "completed", "工具返回：Beijing: sun"],
        "custom": [["note", "a line"]],
        "image": "seen",
        "reasoning": [["reasoning", "message"], ["because"]],
        "parsed": {"answer": "yes"},
        "previous": ["cedar", "I keep it.", NOT_FOUND],
        "failing": REFUSED,
    }
    assert_accepted(way)


def test_openai_agents(way: Way, tmp_path: Path) -> None:
    agents = run(tmp_path, "openai_agents.py", way.proxy.reverse_url, MODELS[way.name])
    kinds, said = agents.pop("tools")
    assert kinds == ["tool_call_item"] * 2 + ["tool_call_output_item"] * 2 + ["message_output_item"]
    assert "An error occurred" in said
    events, streamed = agents.pop("streamed")
    assert events == ["agent_updated_stream_event", "raw_response_event", "run_item_stream_event"]
    assert "An error occurred" in streamed
    assert agents.pop("photographed")
    assert "a red square" in json.dumps(way.upstream.bodies())
    assert agents == {
        "image": "seen",
        "structured": "yes",
        "handed_over": "other",
        "previous": ["cedar", 1],
        "failing": [*REFUSED, "previous_response_not_found"],
    }
    assert_accepted(way)


@pytest.mark.parametrize(
    ("fault", "class_", "status"),
    [
        ("rate_limit", "RateLimitError", 429),
        ("overflow", "BadRequestError", 400),
        ("quota", "APIStatusError", 402),
        ("status:401", "AuthenticationError", 401),
        ("html_502", "InternalServerError", 502),
    ],
)
def test_an_error_has_its_class(way: Way, tmp_path: Path, fault: str, class_: str, status: int) -> None:
    way.upstream.program({"fault": fault, "times": 9})
    found = run(tmp_path, "openai_responses.py", way.proxy.reverse_url, MODELS[way.name], "asked")["asked"]
    assert found[:2] == [class_, status], found
    assert found[3]
    if fault == "overflow":
        assert found[2] == "context_length_exceeded"


@pytest.mark.parametrize("fault", ["cut:2", "error_event_mid", "no_finish"])
def test_half_a_stream_is_no_answer(way: Way, tmp_path: Path, fault: str) -> None:
    way.upstream.program({"fault": fault, "times": 9})
    found = run(tmp_path, "openai_responses.py", way.proxy.reverse_url, MODELS[way.name], "streamed")["streamed"]
    assert found[0] != "answered", found


@pytest.mark.parametrize("script", ["openai_responses.py", "openai_responses.mjs", "openai_agents.py"])
def test_without_the_addon_nothing_works(script: str, bare_proxy: Proxy, simulator: Simulator, tmp_path: Path) -> None:
    found = run(tmp_path, script, bare_proxy.reverse_url, "hunyuan-a13b")
    worked = [name for name, result in found.items() if not (isinstance(result, dict) and "raised" in result)]
    assert set(worked) <= {"failing"}
    assert 404 in {request["status"] for request in simulator.requests()}
