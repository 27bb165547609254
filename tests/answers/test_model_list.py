"""The endpoint's list of models, or what it says in its place, for a client of another format."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from hunyuan_fix import profiles
from hunyuan_fix.answers import model_list
from hunyuan_fix.dialects import APIS

LIST = {"object": "list", "data": [{"id": "hy3", "created": 0}]}


def answered(body: Any, status: int = 200, coding: str = "", profile: str = "tokenhub") -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = model_list.in_form_of(APIS["anthropic"], status, data, coding, profiles.load(profile), aliases=True)
    assert answer.headers["content-type"] == "application/json"
    return answer.status, json.loads(answer.body)


def ids(answer: tuple[int, Any]) -> list[str]:
    assert answer[0] == 200
    return [entry["id"] for entry in answer[1]["data"]]


def test_a_list_gets_the_form() -> None:
    assert ids(answered(LIST)) == ["hy3", "claude-hy3"]
    assert ids(answered(gzip.compress(json.dumps(LIST).encode()), coding="gzip")) == ["hy3", "claude-hy3"]


def test_a_list_that_has_the_form_stays() -> None:
    own = {"data": [{"type": "model", "id": "x"}], "has_more": True, "first_id": "x", "last_id": "x"}
    assert answered(own) == (200, own)


@pytest.mark.parametrize("status", [404, 405, 501])
def test_for_an_endpoint_that_lists_nothing_the_profile_does(status: int) -> None:
    listed = ids(answered(b"<html>", status))
    assert {"hy3", "claude-hy3", "hy-vision-2.0-instruct"} <= set(listed)
    assert not {"hunyuan-lite", "kinfra-text-embedding-4b"} & set(listed)
    assert "hunyuan-2.0-instruct-20251111" in ids(answered(b"", status, profile="hunyuan"))


@pytest.mark.parametrize(
    ("body", "status", "meant", "code"),
    [
        ({"error": {"message": "no", "code": "invalid_api_key"}}, 401, 401, "invalid_api_key"),
        ({"error": {"message": "later", "code": "429001"}}, 429, 429, "429001"),
        ({"error": {"message": "no", "code": "401007"}}, 402, 400, "insufficient_quota"),
        ({"error": {"message": "no", "code": "429001"}}, 200, 429, "429001"),
        (b"<html>", 200, 502, "upstream_invalid_answer"),
        ({"choices": 1}, 200, 502, "upstream_invalid_answer"),
    ],
)
def test_an_error_keeps_what_it_means(body: Any, status: int, meant: int, code: str) -> None:
    found, answer = answered(body, status)
    assert (found, answer["error"]["code"]) == (meant, code)


def test_a_damaged_list_is_an_error() -> None:
    assert answered(b"no gzip", coding="gzip")[0] == 502


def test_what_is_unpacked_has_a_bound() -> None:
    assert answered(gzip.compress(b" " * (1 << 23)), coding="gzip")[0] == 502
