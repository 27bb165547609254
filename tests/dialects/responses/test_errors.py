"""Errors: each client gets the status and the code by which it does the right thing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hunyuan_fix.dialects.responses import errors
from hunyuan_fix.wire import proxy_errors
from tests.dialects.responses.answering import error_of, refused

CODEX: dict[str, Any] = {"client": "codex"}
TOO_LONG = "Your request exceeded model token limit: 262144 (requested: 270000)"


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 413, 422, 451])
def test_what_another_try_cant_mend_is_400_for_codex_and_honest_for_others(status: int) -> None:
    body = {"message": "The reason.", "code": "403002", "type": "permission_error"}
    made = refused(status, body, **CODEX)
    assert (made.status, error_of(made)["code"]) == (400, "403002")
    assert error_of(made)["message"].startswith("The reason.")
    assert refused(status, body).status == status


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
@pytest.mark.parametrize("client", ["codex", ""])
def test_what_another_try_may_mend_keeps_its_status(status: int, client: str) -> None:
    assert refused(status, {"message": "Later."}, client=client).status == status


def test_an_error_of_a_server_that_says_it_is_final_is_400_for_codex() -> None:
    made = refused(502, {"message": "Never."}, {"x-should-retry": "false"}, **CODEX)
    assert made.status == 400
    assert refused(502, {"message": "Never."}, {"x-should-retry": "false"}).status == 502


@pytest.mark.parametrize("client", ["codex", ""])
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"message": TOO_LONG}),
        (413, {"message": "input is too long: 上下文长度超过限制"}),
        (400, {"message": "?", "code": "20059"}),
        (400, {"message": "?", "vendor": {"code": "20059", "message": "?"}}),
    ],
)
def test_an_input_that_is_too_long_has_openais_code(client: str, status: int, body: dict[str, Any]) -> None:
    made = refused(status, body, client=client)
    assert (made.status, error_of(made)["code"]) == (400, "context_length_exceeded")
    assert error_of(made)["message"].startswith(body["message"])


def test_a_quota_is_no_rate_limit() -> None:
    body = {"message": "Used up.", "type": "insufficient_quota"}
    assert (refused(429, body, **CODEX).status, refused(429, body).status) == (400, 402)
    assert error_of(refused(429, body))["code"] == "insufficient_quota"
    assert error_of(refused(429, {**body, "code": "x"}))["code"] == "x"


@pytest.mark.parametrize(
    ("after", "says"),
    [
        ("4", "Slow down. Please try again in 4s."),
        ("0.5", "Slow down. Please try again in 1s."),
        ("Sat, 28 Nov 2026 18:00:00 GMT", "Slow down."),
        ("1e9", "Slow down."),
        ("nan", "Slow down."),
        ("-1", "Slow down."),
    ],
)
def test_a_rate_limit_says_how_long_it_lasts(after: str, says: str) -> None:
    made = refused(429, {"message": "Slow down."}, {"retry-after": after})
    assert (error_of(made)["message"], made.headers["retry-after"]) == (says, after)
    own = refused(429, {"message": "Please try again in 1.5s"}, {"retry-after": after})
    assert error_of(own)["message"] == "Please try again in 1.5s"
    assert error_of(refused(503, {"message": "Slow down."}, {"retry-after": after}))["message"] == "Slow down."


@pytest.mark.parametrize(("pause", "for_codex"), [(28.2, "5"), (2, "2")])
def test_codex_asks_again_soon_where_the_endpoint_is_down(pause: float, for_codex: str) -> None:
    down = proxy_errors.UPSTREAM_DOWN(host="a.example", seconds=29, retry_after=pause).response()
    assert errors.error(down, dict(CODEX)).headers["retry-after"] == for_codex
    assert errors.error(down, {}).headers["retry-after"] == down.headers["retry-after"]
    assert refused(503, {"message": "Busy."}, {"retry-after": "28"}, **CODEX).headers["retry-after"] == "28"


def test_a_code_may_say_how_long_it_lasts() -> None:
    made = refused(400, {"message": "Too many at once.", "code": "20034"})
    assert (made.status, made.headers["retry-after"]) == (429, "2")
    assert error_of(made)["message"] == "Too many at once. (code 20034). Please try again in 2s."


def test_the_vendors_own_error_object_stays_beside_it() -> None:
    vendor = {"code": "X1", "message": "原因", "request_id": "r1"}
    made = refused(400, {"message": "原因", "type": "invalid_request_error", "param": "messages", "vendor": vendor})
    assert error_of(made) == {
        "message": "原因",
        "type": "invalid_request_error",
        "param": None,
        "code": "X1",
        "vendor": vendor,
    }
    assert made.headers["x-request-id"] == "r1"
    assert "vendor" not in error_of(refused(400, {"message": "a", "type": "b", "param": "c", "code": None}))
    large = {"message": "a", "more": "x" * 20_000}
    assert "vendor" not in error_of(refused(400, large))
    assert "vendor" not in error_of(refused(400, {"message": "原因", "vendor": vendor}, **CODEX))  # a person reads it


def test_an_error_of_openais_own_shape_stays_as_it_is() -> None:
    body = {"message": "a", "type": "invalid_request_error", "param": "tools[0]", "code": "unknown_parameter"}
    assert error_of(refused(400, body, **CODEX)) == body


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"<html><title>502 Bad Gateway</title>", "502 Bad Gateway"),
        (b"", "HTTP 502"),
        (b"no JSON", "no JSON"),
        (b'{"error": "x"}', "x"),
        (b'{"error_msg": "y", "code": 1}', "y"),
    ],
)
def test_anything_becomes_an_error(body: bytes, says: str) -> None:
    made = refused(502, body, {"content-type": "text/html", "content-length": "5"})
    assert made.status == 502 and says in error_of(made)["message"]
    assert "content-length" not in made.headers


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"message": TOO_LONG, "type": "invalid_request_error"}, "context_length_exceeded"),
        ({"message": "?", "code": "context_length_exceeded"}, "context_length_exceeded"),
        ({"message": "?", "code": "20059"}, "context_length_exceeded"),
        ({"message": "?", "type": "insufficient_quota"}, "insufficient_quota"),
        ({"message": "?", "code": "20031"}, "insufficient_quota"),
        ({"message": "?", "type": "invalid_request_error"}, "invalid_prompt"),
        ({"message": "?", "type": "authentication_error"}, "invalid_prompt"),
        ({"message": "?", "type": "content_filter_error"}, "invalid_prompt"),
        ({"message": "?", "code": 403002}, "invalid_prompt"),
        ({"message": "?", "type": "rate_limit_error"}, "rate_limit_exceeded"),
        ({"message": "?", "code": 429001}, "rate_limit_exceeded"),
        ({"message": "?", "type": "overloaded_error"}, "server_error"),
        ({"message": "?", "type": "timeout_error"}, "server_error"),
        ({"message": "?"}, "server_error"),
        ({}, "server_error"),
        (proxy_errors.STREAM_INCOMPLETE().fields(), "server_error"),
    ],
)
def test_in_a_stream_the_code_says_whether_to_ask_again(given: dict[str, Any], code: str) -> None:
    made = errors.failure(given, {})
    assert made.keys() == {"code", "message"} and made["code"] == code
    assert made["message"]


def test_in_a_stream_codex_shows_the_vendors_words_for_a_quota() -> None:
    """After `insufficient_quota` it shows words of its own."""
    given = {"message": "Not in your plan.", "type": "insufficient_quota"}
    assert errors.failure(given, CODEX) == {"code": "invalid_prompt", "message": "Not in your plan."}


def test_in_a_stream_the_wait_is_in_the_words() -> None:
    assert errors.failure({"message": "Busy", "code": "20034"}, {})["message"].endswith("Please try again in 2s.")


def test_long_texts_are_cut() -> None:
    made = refused(400, json.dumps({"error": {"message": "x" * 10_000}}).encode())
    assert len(error_of(made)["message"]) < 5000
