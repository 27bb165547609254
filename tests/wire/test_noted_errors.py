"""The code by which an error is counted: one of a closed list, and the same for all that mean the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix import profiles
from hunyuan_fix.exchange import Exchange, Response
from hunyuan_fix.wire import noted_errors, proxy_errors, vendor_errors
from hunyuan_fix.wire.noted_errors import CODES, CUT, OTHER
from tests.looped import each
from tests.strategies import json_values


def of_answer(status: int, body: Any, profile: str = "tokenhub") -> str:
    exchange = Exchange(profile=profile)
    noted_errors.answer(exchange, Response(status, {}, json.dumps(body).encode()))
    return exchange.error


def in_stream(error: Any, profile: str = "tokenhub") -> str:
    exchange = Exchange(profile=profile)
    noted_errors.in_stream(exchange, error)
    return exchange.error


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (429, {"code": "429001", "message": "rate limit exceeded on dimension: rpm"}, "rate_limit_exceeded"),
        (429, {"type": "rate_limit_reached_error", "message": "max request: 3"}, "rate_limit_exceeded"),
        (429, {"type": "engine_overloaded_error", "message": "busy"}, "engine_overloaded"),
        (429, {"type": "exceeded_current_quota_error", "message": "suspended"}, "insufficient_quota"),
        (403, {"message": "You've reached your usage limit for this billing cycle"}, "insufficient_quota"),
        (402, {"message": "?"}, "insufficient_quota"),
        (400, {"code": "20034", "message": "?"}, "rate_limit_exceeded"),
        (401, {"message": "?"}, "invalid_api_key"),
        (400, {"type": "authentication_error"}, "invalid_api_key"),
        (400, {"code": "400123", "message": "?"}, "invalid_request_error"),
        (422, {"message": "?"}, "invalid_request_error"),
        (403, {"message": "?"}, "permission_error"),
        (404, {"message": "?"}, "not_found_error"),
        (529, {"type": "overloaded_error"}, "engine_overloaded"),
        (500, {"message": "?"}, "server_error"),
        (503, "plain words", "server_error"),
    ],
)
def test_an_endpoints_error_is_counted_as_what_it_means(status: int, error: Any, code: str) -> None:
    assert of_answer(status, {"error": error}) == code


def test_rules_of_the_profile_count_first() -> None:
    error = {"code": "2003", "message": "请求限频，请稍后重试"}
    assert of_answer(400, {"error": error}, "hunyuan") == "rate_limit_exceeded"
    assert in_stream(error, "hunyuan") == "rate_limit_exceeded"


def test_without_its_profile_an_error_is_counted_by_the_rules_for_all() -> None:
    for profile in ("", "a-file-that-has-gone"):
        assert of_answer(400, {"error": {"code": "20034"}}, profile) == "rate_limit_exceeded"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"code": "stream_broken", "message": "?"}, "stream_broken"),
        ({"code": "429001", "message": "?"}, "rate_limit_exceeded"),
        ({"type": "overloaded_error"}, "engine_overloaded"),
        ({"message": "?"}, OTHER),
        ("words", OTHER),
    ],
)
def test_an_error_in_a_stream(error: Any, code: str) -> None:
    assert in_stream(error) == code


@each("name", proxy_errors.CATALOGUE)
def test_an_error_of_ours_is_counted_by_its_code(name: str) -> None:
    entry, exchange = proxy_errors.CATALOGUE[name], Exchange()
    noted_errors.known(exchange, f"{entry.code}: {entry.when}")
    assert exchange.error == entry.code in CODES
    noted_errors.none(exchange)
    assert (exchange.error, exchange.failure) == ("", "")
    noted_errors.known(exchange, f"{entry.code}: my diary")
    assert exchange.error == ""


def test_an_error_of_ours_with_an_endpoints_in_it_is_counted_as_what_that_means() -> None:
    exchange = Exchange(profile="tokenhub")
    error = proxy_errors.INSUFFICIENT_QUOTA(message="?", vendor={"code": "x", "message": "?"})
    noted_errors.answer(exchange, error.response())
    assert exchange.error == "insufficient_quota"


@given(st.integers(400, 599), json_values, st.sampled_from(["", *profiles.names()]))
def test_whatever_an_endpoint_says_the_code_is_of_the_list(status: int, error: Any, profile: str) -> None:
    for body in (error, {"error": error}, {"error": {"code": error, "type": error, "message": error}}):
        assert of_answer(status, body, profile) in CODES - {OTHER}
    assert in_stream(error, profile) in CODES
    assert in_stream({"code": error, "type": error}, profile) in CODES


def test_what_an_error_means_is_counted_the_same_whoever_says_it() -> None:
    """By a rule, by its type, and by its status."""
    assert set(vendor_errors._CODES.values()) <= CODES
    assert {entry.code for entry in vendor_errors.ENTRIES.values()} <= CODES
    assert {"stream_broken", "stream_incomplete", "upstream_timeout"} <= CUT <= CODES
