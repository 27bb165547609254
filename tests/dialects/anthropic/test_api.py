"""What Anthropic's clients ask for beside messages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from hunyuan_fix import dialects, profiles
from hunyuan_fix.dialects.anthropic.api import AnthropicApi
from hunyuan_fix.rules.model_names import model_name
from tests.strategies import json_values

TOKENHUB = profiles.load("tokenhub")
API = AnthropicApi()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("HEAD", "/", b""),
        ("HEAD", "/api/hello", b""),
        ("GET", "/api/hello", b'{"message":"hello"}'),
        ("POST", "/api/event_logging/batch", b"{}"),
        ("POST", "/api/event_logging/v2/batch", b"{}"),
    ],
)
def test_what_no_endpoint_has_to_see(method: str, path: str, body: bytes) -> None:
    answer = dialects.answered_here(method, path)
    assert answer
    assert (answer.status, answer.body) == (200, body)
    assert ("content-type" in answer.headers) == bool(body)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("POST", "/"),
        ("HEAD", "/v1/models"),
        ("GET", "/v1/api/hello"),
        ("POST", "/api/event_logging"),
        ("GET", "/api/event_logging/batch"),
        ("POST", "/v1/messages"),
    ],
)
def test_all_else_is_the_endpoints(method: str, path: str) -> None:
    assert dialects.answered_here(method, path) is None


def test_its_clients_are_known_by_the_header_that_the_api_demands() -> None:
    api = dialects.api_of({"anthropic-version": "2023-06-01"})
    assert api
    assert api.dialect == "anthropic"
    assert dialects.api_of({"authorization": "Bearer x", "anthropic-beta": "x"}) is None


def test_claude_code_is_known() -> None:
    assert API.client({"user-agent": "claude-cli/2.1.332 (external, cli)"}) == "claude-code"
    assert API.client({"user-agent": "Anthropic/Python 2.14"}) == ""
    assert API.client({}) == ""


def test_the_list_of_models_has_aliases_and_limits() -> None:
    listed = {
        "object": "list",
        "data": [
            {"id": "hy3", "object": "model", "created": 1_783_296_000, "owned_by": "tencent"},
            {"id": "glm-9", "object": "model"},
            {"id": "kinfra-text-embedding-4b", "object": "model"},
        ],
    }
    assert API.models(listed, TOKENHUB, aliases=True) == {
        "data": [
            {
                "type": "model",
                "id": "hy3",
                "display_name": "hy3",
                "created_at": "2026-07-06T00:00:00Z",
                "max_input_tokens": 192000,
                "max_tokens": 128000,
            },
            {
                "type": "model",
                "id": "claude-hy3",
                "display_name": "hy3",
                "created_at": "2026-07-06T00:00:00Z",
                "max_input_tokens": 192000,
                "max_tokens": 128000,
            },
            {"type": "model", "id": "glm-9", "display_name": "glm-9", "created_at": "1970-01-01T00:00:00Z"},
        ],
        "has_more": False,
        "first_id": "hy3",
        "last_id": "glm-9",
    }


def test_without_aliases_each_model_is_there_once() -> None:
    listed = {"data": [{"id": "hy3"}, {"id": "glm-5.3"}]}
    assert [entry["id"] for entry in API.models(listed, TOKENHUB, aliases=False)["data"]] == ["hy3", "glm-5.3"]


def test_each_name_in_the_list_leads_to_its_model() -> None:
    listed = {"data": [{"id": name} for name in TOKENHUB.models]}
    for entry in API.models(listed, TOKENHUB, aliases=True)["data"]:
        body = {"model": entry["id"]}
        model_name(body, {}, TOKENHUB, "hy3")
        assert body["model"] == entry["display_name"]


@given(json_values)
def test_any_list_has_a_form(data: Any) -> None:
    for listed in ({"data": data}, {"data": [{"id": "hy3", "created": data}, {"id": data}, data]}):
        made = API.models(listed, TOKENHUB, aliases=True)
        json.dumps(made)
        assert made["has_more"] is False
        assert all(entry["created_at"].endswith("Z") for entry in made["data"])
