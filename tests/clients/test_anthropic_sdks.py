"""Anthropic's own SDKs on endpoints that speak chat only: what they make of the translated answers."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from tests.clients.sdk_scripts import run
from tests.clients.translating import Way
from tests.end_to_end.processes import Proxy, Simulator

MODELS = {"hunyuan": "hunyuan-a13b", "tokenhub": "hy3", "chat-only": "hy3"}
"""Those that think."""
SCRIPTS = ("anthropic_python.py", "anthropic_node.mjs")
EVENTS = [
    "content_block_delta",
    "content_block_start",
    "content_block_stop",
    "message_delta",
    "message_start",
    "message_stop",
]
CITIES = [{"city": "Shenzhen"}, {"city": "Beijing"}]
ERRORS = {
    "rate_limit": ("RateLimitError", 429),
    "overflow": ("BadRequestError", 400),
    "quota": ("PaymentRequiredError", 402),
    "status:401": ("AuthenticationError", 401),
    "html_502": ("InternalServerError", 502),
}
"""A fault of the endpoint -> the class that the SDKs have for it, and the status."""
NO_SUCH = ["BadRequestError", 400, True]


def assert_accepted(way: Way) -> None:
    """What can be translated is accepted; what is wrong in itself TokenHub refuses itself."""
    assert {request["status"] for request in way.upstream.requests()} - {200} <= ({400, 404} if way.native else set())


@pytest.fixture
def python(way: Way, tmp_path: Path) -> dict[str, Any]:
    return run(tmp_path, "anthropic_python.py", way.base_url, MODELS[way.name])


def test_the_python_sdk(python: dict[str, Any], way: Way) -> None:
    model = MODELS[way.name]
    counted = python.pop("counted")
    assert 100 <= counted <= 250  # a hundred words and a tool
    ending = "\nBeijing: sun" if way.native else "Error: Beijing: sun"
    assert python.pop("parallel")["then"].endswith(ending)
    assert python.pop("stopped")[2] == "one "
    assert python == {
        "whole": {"text": "hello", "stop": "end_turn", "model": model, "counted": [True, True]},
        "streamed": {"text": "one two three four", "kinds": EVENTS, "output": True},
        "image": "seen",
        "document": "from the document",
        "paper": "from the paper",
        "thinking": {"kinds": [["thinking", "text"]] * 2, "thought": "because", "again": "on"},
        "structured": [{"answer": "yes"}, "yes"],
        "cut": "max_tokens",
        "models": True,
        "failing": {"no message": NO_SUCH, "an unknown role": NO_SUCH, "batches": ["NotFoundError", 404, True]},
    }
    assert_accepted(way)


def test_the_node_sdk(way: Way, tmp_path: Path) -> None:
    node = run(tmp_path, "anthropic_node.mjs", way.base_url, MODELS[way.name])
    assert 100 <= node.pop("counted") <= 250
    assert node == {
        "whole": "hello",
        "streamed": ["one two three four", "end_turn", True, True],
        "parallel": [CITIES, "tool_use", f"工具返回：{'Shenzhen: sun\n' if way.native else ''}Beijing: sun"],
        "image": "seen",
        "document": "from the document",
        "paper": "from the paper",
        "thinking": [["thinking", "text"], "because"],
        "structured": [{"answer": "yes"}, "yes"],
        "failing": NO_SUCH,
    }
    assert_accepted(way)


def with_faults(way: Way, folder: Path, script: str, scenario: str, faults: Collection[str]) -> dict[str, list[Any]]:
    """What each fault of the endpoint becomes: class, status, text."""
    way.upstream.program(*({"fault": fault, "match": {"contains": f" {fault}"}, "times": 9} for fault in faults))
    found: dict[str, list[Any]] = run(folder, script, way.base_url, MODELS[way.name], scenario, *faults)[scenario]
    return found


@pytest.mark.parametrize("script", SCRIPTS)
def test_an_error_has_its_class(way: Way, tmp_path: Path, script: str) -> None:
    found = with_faults(way, tmp_path, script, "asked", ERRORS)
    assert {fault: tuple(said[:2]) for fault, said in found.items()} == ERRORS
    assert all(said[2] for said in found.values())
    assert "prompt is too long" in found["overflow"][2]


@pytest.mark.parametrize("script", SCRIPTS)
def test_half_a_stream_is_no_answer(way: Way, tmp_path: Path, script: str) -> None:
    found = with_faults(way, tmp_path, script, "streamed", ("cut:2", "error_event_mid", "no_finish"))
    assert len(found) == 3
    assert "answered" not in {said[0] for said in found.values()}, found


def test_a_search_of_the_web(searching: Way, tmp_path: Path) -> None:
    searching.upstream.reset()
    model = MODELS[searching.name]
    found = run(tmp_path, "anthropic_python.py", searching.base_url, model, "searched")["searched"]
    kinds = found.pop("kinds")
    assert [made[-3:] for made in kinds] == [["server_tool_use", "web_search_tool_result", "text"]] * 2
    assert found == {"found": [["Cedars", "https://trees.example/cedar"]], "counted": [1, 1], "again": "on"}
    assert {request["status"] for request in searching.upstream.requests()} == {200}


@pytest.mark.parametrize("script", SCRIPTS)
def test_without_the_addon_nothing_works(script: str, bare_proxy: Proxy, simulator: Simulator, tmp_path: Path) -> None:
    found = run(tmp_path, script, bare_proxy.reverse_url.removesuffix("/v1"), "hunyuan-a13b")
    worked = [name for name, result in found.items() if not (isinstance(result, dict) and "raised" in result)]
    assert set(worked) <= {"failing", "models"}
    assert 404 in {request["status"] for request in simulator.requests()}
