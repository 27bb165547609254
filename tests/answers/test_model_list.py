"""The endpoint's list of models, or what it says in its place, for a client of another format."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from hunyuan_fix import profiles
from hunyuan_fix.answers import model_list
from hunyuan_fix.dialects import APIS
from hunyuan_fix.exchange import Response

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


@pytest.mark.parametrize(
    ("form", "asked", "answers", "found"),
    [
        ("anthropic", "hy3", "hy3", ("hy3", "hy3")),
        ("anthropic", "claude-hy3", "hy3", ("claude-hy3", "hy3")),
        ("anthropic", "claude-opus-4-6", "hy3", ("claude-opus-4-6", "hy3")),
        ("anthropic", "hy3[1m]", "hy3", ("hy3[1m]", "hy3")),
        ("anthropic", "hy4", "hy4", None),
        ("openai", "hy3", "hy3", ("hy3", None)),
        ("openai", "claude-hy3", "hy3", ("claude-hy3", None)),
        ("openai", "x\ny" * 1000, "", None),
    ],
)
def test_one_of_a_list_has_the_name_that_was_asked_for(form: str, asked: str, answers: str, found: Any) -> None:
    profile = profiles.load("tokenhub")
    data = json.dumps(LIST).encode()
    listed = model_list.in_form_of(APIS.get(form, model_list.OPENAI), 200, data, "", profile, aliases=True)
    one = model_list.one_of(listed, asked, answers)
    body = json.loads(one.body)
    if found is None:
        assert (one.status, body["error"]["code"], one.headers["x-should-retry"]) == (404, "model_not_found", "false")
        assert len(one.body) < 500
        assert "\n" not in body["error"]["message"]
    else:
        assert (one.status, body["id"], body.get("display_name")) == (200, *found)


def test_where_nothing_is_listed_one_of_the_profile_s_is_a_whole_entry() -> None:
    listed = model_list.in_form_of(model_list.OPENAI, 404, b"", "", profiles.load("tokenhub"), aliases=True)
    entry = json.loads(model_list.one_of(listed, "hy3", "hy3").body)
    assert entry == {"id": "hy3", "object": "model", "created": 0, "owned_by": "tokenhub"}


def test_an_error_in_place_of_a_list_is_the_answer_for_one_of_it() -> None:
    refused = Response(401, {}, b"{}")
    assert model_list.one_of(refused, "hy3", "hy3") is refused


def test_the_users_own_window_is_shown() -> None:
    data = json.dumps(LIST).encode()
    profile = profiles.load("tokenhub")
    listed = model_list.in_form_of(APIS["anthropic"], 200, data, "", profile, aliases=True, window=90_000)
    assert {entry["max_input_tokens"] for entry in json.loads(listed.body)["data"]} == {90_000}


def test_a_damaged_list_is_an_error() -> None:
    assert answered(b"no gzip", coding="gzip")[0] == 502


def test_what_is_unpacked_has_a_bound() -> None:
    assert answered(gzip.compress(b" " * (1 << 23)), coding="gzip")[0] == 502


def test_one_that_is_misspelt_is_told_what_is_like_it() -> None:
    listed = Response(200, {}, json.dumps({"data": [{"id": "hy3-preview"}, {"id": "glm-5.2"}]}).encode())
    refused = model_list.one_of(listed, "hy3-previw", "hy3-previw")
    assert "similar id: hy3-preview." in json.loads(refused.body)["error"]["message"]
    other = json.loads(model_list.one_of(listed, "llama-4" * 10_000, "x").body)["error"]["message"]
    assert "similar" not in other
    assert len(other) < 400
