"""Errors of an upstream that speaks Messages, as OpenAI's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hunyuan_fix.dialects.anthropic import upstream_errors


def read(status: int, body: Any) -> dict[str, Any]:
    given = body if isinstance(body, bytes) else json.dumps(body).encode()
    found: dict[str, Any] = json.loads(upstream_errors.error(status, given))
    return found


def anthropic(kind: str, message: str = "m") -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [
        (400, "invalid_request_error", "invalid_request_error"),
        (401, "authentication_error", "authentication_error"),
        (402, "billing_error", "insufficient_quota"),
        (413, "request_too_large", "invalid_request_error"),
        (429, "rate_limit_error", "rate_limit_error"),
        (500, "api_error", "server_error"),
        (529, "overloaded_error", "overloaded_error"),
    ],
)
def test_types(status: int, kind: str, expected: str) -> None:
    found = read(status, anthropic(kind))
    assert found == {
        "error": {"message": "m", "type": expected, "param": None, "code": kind},
        "request_id": "req_1",
    }


@pytest.mark.parametrize(
    "message",
    [
        "prompt is too long: 270000 tokens > 262144 maximum",
        "Invalid request: Your request exceeded model token limit: 262144 (requested: 270000)",
    ],
)
def test_an_input_that_is_too_long_has_openais_code(message: str) -> None:
    assert read(400, anthropic("invalid_request_error", message))["error"]["code"] == "context_length_exceeded"
    assert upstream_errors.event({"message": message})["code"] == "context_length_exceeded"


def test_the_vendors_own_code_stays() -> None:
    assert read(429, {"error": {"type": "t", "code": "429001", "message": "m"}})["error"]["code"] == "429001"


def test_what_is_no_error_object_becomes_one() -> None:
    page = read(502, b"<html><title>Bad Gateway</title></html>")["error"]
    assert (page["type"], page["code"]) == ("server_error", None)
    assert "Bad Gateway" in page["message"]
    assert read(404, b"")["error"]["type"] == "invalid_request_error"
    assert upstream_errors.event("gone")["message"] == "gone"
