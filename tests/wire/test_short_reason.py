"""Why an exchange failed, as the log says it: a code and a few words, none of them a user's or a secret."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix import profiles
from hunyuan_fix.exchange import Response
from hunyuan_fix.texts import terminal
from hunyuan_fix.wire import proxy_errors, short_reason, vendor_errors
from tests.looped import each
from tests.wire.test_proxy_errors import values


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    before = terminal.language()
    terminal.use("en")
    yield
    terminal.use(before)


@each("language", ["en", "zh"])
@each("name", proxy_errors.CATALOGUE)
def test_an_error_of_ours_has_its_code_and_when_it_comes(name: str, language: str) -> None:
    terminal.use(language)
    entry = proxy_errors.CATALOGUE[name]
    error = entry(**dict.fromkeys(values(entry), "sk-secret 我的日记") | _number(entry))
    reason = short_reason.of_error(error)
    assert reason.startswith(f"{entry.code}: ")
    assert len(reason) <= short_reason.LONGEST
    assert "sk-secret" not in reason
    assert "日记" not in reason
    assert short_reason.of_known(error.reason) == reason
    assert error.reason.isascii()  # it goes through a header of the relay's


def _number(entry: proxy_errors.Entry) -> dict[str, Any]:
    return {"waited": 1.0} if "{waited" in entry.message else {}


def test_what_is_no_reason_of_ours_is_not_taken_for_one() -> None:
    assert short_reason.of_known("upstream_timeout: my diary") == ""


@pytest.mark.parametrize(
    ("status", "error", "reason"),
    [
        (
            400,
            {"code": "1001", "message": "messages 中 user（tool） 和 assistant 角色需交替出现"},
            "1001: messages 中 user … tool … 和 assistant 角色需交替出现",
        ),
        (
            404,
            {"code": 400002, "message": "The model or service ID gpt-4o does not exist"},
            "400002: The model or service ID … does not exist",
        ),
        (401, {"code": "401002", "message": "invalid api key sk-abcdef123456"}, "401002: invalid api key …"),
        (429, {"code": "429001", "message": "rate limit exceeded on dimension: rpm"}, None),
        (400, {"type": "invalid_request_error", "message": "hi Bob"}, "invalid_request_error"),
        (400, {"message": 'the text "call me at noon" is not allowed'}, "HTTP 400: the text … is not allowed"),
        (400, {"message": "输入内容「我的日记」违规"}, "HTTP 400: 输入内容 … 违规"),
        (400, {"message": "the diary_message is invalid"}, "HTTP 400: the … is invalid"),
        (400, {"message": "the max_tokens is invalid"}, "HTTP 400: the max_tokens is invalid"),
        (400, {"code": "sk-abcdef0123456789", "message": ""}, "HTTP 400"),
        (502, None, "HTTP 502"),
        (0, {"code": "stream_broken", "message": "?"}, "stream_broken"),
    ],
)
def test_an_endpoints_error_keeps_the_words_of_errors(status: int, error: Any, reason: str | None) -> None:
    expected = reason or f"{error['code']}: {error['message']}"
    assert short_reason.of_endpoint(status, error) == expected


@given(st.text(max_size=300), st.text(max_size=60))
def test_no_word_is_in_it_that_is_not_a_word_of_errors(message: str, code: str) -> None:
    reason = short_reason.of_endpoint(400, {"message": message, "code": code})
    assert len(reason) <= short_reason.LONGEST
    assert "\n" not in reason and "\x1b" not in reason


SECRET = st.sampled_from(["sk-tp-0123456789abcdef", "Bearer eyJhbGciOi", "password hunter2", "AKIDz8krbsJ5yKBZQpn74W"])


@given(
    SECRET, st.sampled_from(["{}", "invalid api key {}", "invalid api key: '{}'", "key={} is invalid", "密钥{}无效"])
)
def test_no_secret_that_an_endpoint_repeats_is_in_it(secret: str, words: str) -> None:
    reason = short_reason.of_endpoint(401, {"message": words.format(secret), "code": secret, "type": secret})
    for word in secret.replace("-", " ").split():
        if len(word) > 4 and word != "Bearer":
            assert word not in reason


def test_what_a_user_wrote_and_a_moderator_quotes_is_not_in_it() -> None:
    said = "昨天和张三吵架了，他住在解放路 12 号 my neighbour Alice stole 5 bicycles"
    for template in ("内容违规：{}", "content policy violation: {}", "{}", "输入包含敏感词 {}，请修改"):
        reason = short_reason.of_endpoint(451, {"code": "451001", "message": template.format(said)})
        for word in ("张三", "解放", "12", "Alice", "neighbour", "bicycles", "吵架"):
            assert word not in reason


def test_the_code_of_the_endpoint_stands_before_ours() -> None:
    body = json.dumps({"error": {"code": "20098", "message": "token plan quota exhausted"}}).encode()
    refused = vendor_errors.translate_error(429, body, None, profiles.load("tokenhub-plan"), "hy3")
    assert refused is not None
    assert short_reason.of_answer(refused) == "20098 insufficient_quota: the account's quota is used up"


def test_an_answer_that_is_no_json() -> None:
    assert short_reason.of_answer(Response(503, {}, b"<html>sk-secret</html>")) == "HTTP 503"


def test_an_error_in_a_stream_of_ours_has_our_words() -> None:
    error = proxy_errors.STREAM_BROKEN().in_language("zh").fields()
    assert short_reason.in_stream(error) == "stream_broken: the endpoint broke off a stream after its beginning"
    assert short_reason.in_stream({"code": "1", "message": "server busy"}) == "1: server busy"
    assert short_reason.in_stream("text") == "error"
