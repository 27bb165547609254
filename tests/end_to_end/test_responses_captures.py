"""Requests of Codex and of SDKs to `/v1/responses`, replayed through mitmdump.

They go to endpoints that speak chat only, and to hy3's own `/responses`, which takes part of it.

The recorder cut images, and nobody can read half an image: each gets a whole one. The recorded model is hy3, which the
legacy endpoint doesn't have.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from hunyuan_fix.simulator.vision import data_url, png_with_text
from tests.dialects.responses.captures import ALONE, Recorded
from tests.dialects.responses.event_order import check_response, response_in
from tests.dialects.responses.test_captures import said, sent
from tests.end_to_end import processes
from tests.end_to_end.processes import KEY, LEGACY, TOKENHUB, Certificates, Simulator

SCREENSHOT = data_url(png_with_text("a screenshot"))
MODELS = {"hunyuan": "hunyuan-t1-latest", "tokenhub": "hy3"}


@dataclass(frozen=True, slots=True)
class Way:
    """A client behind the proxy, and the endpoint before it."""

    profile: str
    simulator: Simulator
    client: httpx.Client


@contextmanager
def run_way(certificates: Certificates, profile: str, *arguments: str, options: tuple[str, ...] = ()) -> Iterator[Way]:
    """An endpoint with more `arguments`, and the proxy before it with more `options`."""
    host = LEGACY if profile == "hunyuan" else TOKENHUB
    given = ["--no-mentions", "--concurrency", "0", *arguments]
    words = [word for option in options for word in ("--set", option)]
    with (
        processes.run_simulator(certificates, *given, hosts=[host], profile=profile) as simulator,
        processes.run_proxy(certificates, {f"{host}:443": simulator.port}, *words) as proxy,
        httpx.Client(
            proxy=proxy.url,
            verify=certificates.proxy_trusted(),
            trust_env=False,
            timeout=60,
            base_url=f"https://{host}/v1",
            headers={"authorization": f"Bearer {KEY}"},
        ) as client,
    ):
        yield Way(profile, simulator, client)


@pytest.fixture(scope="module", params=sorted(MODELS))
def way(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[Way]:
    """Endpoints that answer 404 for `/v1/responses`."""
    without = ("--no-messages", "--no-responses") if request.param == "tokenhub" else ()
    options = ("hunyuan_translate=always",) if request.param == "tokenhub" else ()
    with run_way(certificates, request.param, *without, options=options) as running:
        yield running


@pytest.fixture(scope="module")
def native_way(certificates: Certificates) -> Iterator[Way]:
    """TokenHub with its own `/v1/responses`, as strict as it may be."""
    with run_way(certificates, "tokenhub") as running:
        yield running


@pytest.mark.parametrize("recorded", ALONE)
def test_accepted_without_losing_a_word(way: Way, recorded: Recorded) -> None:
    body = {**whole(recorded.body), "model": MODELS[way.profile]}
    way.simulator.reset()

    answer = way.client.post("/responses", json=body, headers=recorded.headers)

    assert answer.status_code == 200, answer.text
    response = response_in(answer.content) if body.get("stream") else answer.json()
    check_response(response, "completed")
    assert response["output"]
    requests = way.simulator.requests()
    assert {request["path"] for request in requests} == {"/v1/chat/completions"}
    assert {request["status"] for request in requests} == {200}
    assert said(body["input"]) <= sent(requests[-1]["body"])


@pytest.mark.parametrize("recorded", ALONE)
def test_accepted_by_hy3_s_own(native_way: Way, recorded: Recorded) -> None:
    """Where it is sent in its own format: what stores nothing, as Codex."""
    body = {**whole(recorded.body), "model": "hy3"}
    native_way.simulator.reset()

    answer = native_way.client.post("/responses", json=body, headers=recorded.headers)

    assert answer.status_code == 200, answer.text
    response = response_in(answer.content) if body.get("stream") else answer.json()
    check_response(response, "completed")
    *_, last = native_way.simulator.requests()
    assert last["status"] == 200
    is_native = body.get("store") is False
    assert last["path"] == ("/v1/responses" if is_native else "/v1/chat/completions")
    if is_native:
        given, received = (said(one["input"]) + said(one.get("instructions") or "") for one in (body, last["body"]))
        assert given <= received


def whole(value: Any) -> Any:
    """The recorded body with whole images, all alike."""
    if isinstance(value, dict):
        return {key: whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [whole(item) for item in value]
    return (
        data_url(png_with_text("a screenshot")) if isinstance(value, str) and value.startswith("data:image") else value
    )


def test_a_turn_that_is_answered_goes_on(way: Way) -> None:
    """A call, its output, and the answer to that: what the client gets goes back as it is."""
    tool = {"type": "function", "name": "ls", "parameters": {"type": "object", "properties": {}}, "strict": None}
    free = {"type": "custom", "name": "apply_patch", "description": "Patches."}
    asked = '[[sim:say I look.]][[sim:tool #1 {}]][[sim:tool #2 {"input": "*** Begin Patch"}]]'
    body: dict[str, Any] = {"model": MODELS[way.profile], "tools": [tool, free], "stream": True, "store": False}
    history: list[Any] = [{"role": "user", "content": asked}]
    way.simulator.reset()
    first = response_in(way.client.post("/responses", json={**body, "input": history}).content)
    kinds = [item["type"] for item in first["output"] if item["type"] != "reasoning"]  # the legacy model thinks always
    assert kinds == ["message", "function_call", "custom_tool_call"]
    calls = [item for item in first["output"] if "call_id" in item]
    outputs = [
        {
            "type": f"{item['type'].removesuffix('_call')}_call_output",
            "call_id": item["call_id"],
            "output": f"out {number}",
        }
        for number, item in enumerate(calls)
    ]
    history += [*first["output"], *outputs]
    second = response_in(way.client.post("/responses", json={**body, "input": history}).content)
    assert "out 1" in json.dumps(second["output"])
    one, two = (request["body"] for request in way.simulator.requests())
    shared = len(one["messages"])
    assert two["messages"][:shared] == one["messages"]
    assert [message["role"] for message in two["messages"][shared:]] == ["assistant", "tool", "tool"]
