"""Errors in Anthropic's shape, with the status after which each client does the right thing."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from hunyuan_fix.dialects.anthropic import Anthropic, errors
from hunyuan_fix.exchange import Response
from hunyuan_fix.wire import proxy_errors
from hunyuan_fix.wire.openai_error import ProxyError
from tests.dialects.anthropic import event_order
from tests.dialects.anthropic.answering import CLAUDE_CODE, NOTE, error_of, refused
from tests.looped import each

TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "invalid_request_error",
    409: "invalid_request_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    451: "invalid_request_error",
    500: "api_error",
    502: "api_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


@pytest.mark.parametrize(("status", "kind"), TYPES.items())
def test_others_get_the_honest_status(status: int, kind: str) -> None:
    made = refused(status, {"message": "It failed.", "type": "x"})
    assert (made.status, error_of(made)["type"], error_of(made)["message"]) == (status, kind, "It failed.")
    assert "x-should-retry" not in made.headers


CLAUDE_CODES = {
    400: 402,
    401: 401,
    402: 402,
    403: 402,
    404: 402,
    405: 402,
    413: 402,
    422: 402,
    451: 451,
}


@pytest.mark.parametrize(("status", "answered"), CLAUDE_CODES.items())
def test_claude_code_gets_a_status_after_which_it_shows_the_text_once(status: int, answered: int) -> None:
    made = refused(status, {"message": "It failed."}, **CLAUDE_CODE)
    assert (made.status, made.headers["x-should-retry"]) == (answered, "false")
    assert error_of(made) == {
        "type": TYPES[status],
        "message": "It failed.",
        "details": {"original": {"message": "It failed."}},
    }


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_claude_code_tries_again_what_may_pass(status: int) -> None:
    made = refused(status, {"message": "busy"}, {"retry-after": "7"}, **CLAUDE_CODE)
    assert (made.status, made.headers["retry-after"]) == (status, "7")
    assert "x-should-retry" not in made.headers


@pytest.mark.parametrize(("status", "answered"), [(429, 429), (500, 500), (502, 502), (409, 402), (400, 402)])
def test_claude_code_doesnt_try_again_what_is_known_not_to_pass(status: int, answered: int) -> None:
    made = refused(status, {"message": "no"}, {"x-should-retry": "false"}, **CLAUDE_CODE)
    assert (made.status, made.headers["x-should-retry"]) == (answered, "false")


def test_claude_code_tries_again_what_is_known_to_pass() -> None:
    made = refused(400, {"message": "busy"}, {"x-should-retry": "true"}, **CLAUDE_CODE)
    assert (made.status, made.headers["x-should-retry"]) == (400, "true")


# Too long


MEANT = "prompt is too long: 270000 tokens > 262144 maximum"
TOO_LONG = {
    "own": (f"{MEANT}. The proxy estimates this for the model hy3: the endpoint would drop the beginning", MEANT),
    "anthropic": (MEANT, MEANT),
    "kimi": ("Invalid request: Your request exceeded model token limit: 262144 (requested: 270000)", MEANT),
    "kimi, no number": (
        "Your request exceeded model token limit : 262144",
        "prompt is too long: 262145 tokens > 262144 maximum",
    ),
    "kimi, fewer than it takes": (
        "Your request exceeded model token limit: 262144 (requested: 200000)",
        "prompt is too long: 262145 tokens > 262144 maximum",
    ),
    "openai": (
        "This model's maximum context length is 262144 tokens. However, your messages resulted in 270000 tokens. "
        "Please reduce the length of the messages.",
        MEANT,
    ),
    "deepseek": (
        "This model's maximum context length is 262144 tokens. However, you requested 274000 tokens (270000 in the "
        "messages, 4000 in the completion). Please reduce the length of the messages or completion.",
        MEANT,
    ),
    "deepseek, room": (
        "This model's maximum context length is 131072 tokens. However, you requested 132000 tokens (100000 in the "
        "messages, 32000 in the completion). Please reduce the length of the messages or completion.",
        "input length and `max_tokens` exceed context limit: 100000 + 32000 > 131072, decrease input length or "
        "`max_tokens` and try again",
    ),
    "vllm": (
        "This model's maximum context length is 262144 tokens. However, your request has 270000 input tokens. Please "
        "reduce the length of the input messages.",
        MEANT,
    ),
    "vllm, room": (
        "'max_tokens' or 'max_completion_tokens' is too large: 32000. This model's maximum context length is 200000 "
        "tokens and your request has 190000 input tokens (32000 > 200000 - 190000).",
        "input length and `max_tokens` exceed context limit: 190000 + 32000 > 200000, decrease input length or "
        "`max_tokens` and try again",
    ),
    "anthropic, room": (
        "input length and `max_tokens` exceed context limit: 190000 + 32000 > 200000, decrease input length or "
        "`max_tokens` and try again",
        "input length and `max_tokens` exceed context limit: 190000 + 32000 > 200000, decrease input length or "
        "`max_tokens` and try again",
    ),
    "sglang": ("The input (270000 tokens) is longer than the model's context length (262144 tokens).", MEANT),
    "sglang, total": (
        "Requested token count exceeds the model's maximum context length of 262144 tokens. You requested a total of "
        "302000 tokens: 270000 tokens from the input messages and 32000 tokens for the completion. Please reduce",
        MEANT,
    ),
    "dashscope": (
        "Range of input length should be [1, 262144]",
        "prompt is too long: 262145 tokens > 262144 maximum",
    ),
    "words": ("Input token length too long", "prompt is too long: Input token length too long"),
    "chinese": ("输入长度超过限制", "prompt is too long: 输入长度超过限制"),
    "minimax": ("context window exceeds limit (2013)", "prompt is too long: context window exceeds limit (2013)"),
}


@pytest.mark.parametrize("client", ["", "claude-code"])
@pytest.mark.parametrize(("message", "meant"), TOO_LONG.values(), ids=TOO_LONG)
def test_an_input_that_is_too_long_is_told_so_that_it_is_compacted(message: str, meant: str, client: str) -> None:
    """raine/claude-code-proxy#29"""
    for status in (400, 413, 422):
        made = refused(status, {"message": message, "code": "x"}, client=client)
        assert (made.status, error_of(made)["type"], error_of(made)["message"]) == (400, "invalid_request_error", meant)
        assert "x-should-retry" not in made.headers
        assert error_of(made)["details"]["original"]["message"] == message


def test_the_number_of_tokens_is_the_estimate_where_the_endpoint_gives_none() -> None:
    made = refused(400, {"message": "Your request exceeded model token limit : 262144"}, input_tokens=300_000)
    assert error_of(made)["message"] == "prompt is too long: 300000 tokens > 262144 maximum"


@pytest.mark.parametrize("code", ["20059", 20059, "context_length_exceeded"])
def test_a_code_may_say_it_alone(code: Any) -> None:
    made = refused(500, {"message": "bad", "code": code}, **CLAUDE_CODE)
    assert (made.status, error_of(made)["message"]) == (400, "prompt is too long: bad")


def test_a_rate_limit_that_speaks_of_tokens_is_no_input_that_is_too_long() -> None:
    text = "Limit 30000, requested 40000: prompt is too long: 40000 tokens > 30000 maximum."
    assert refused(429, {"message": text}).status == 429


@pytest.mark.parametrize(
    ("message", "asked", "meant"),
    [
        (
            "max_tokens is too large: 32000. This model supports at most 16384 completion tokens, whereas you provided",
            None,
            "max_tokens: 32000 > 16384, which is the maximum allowed number of output tokens for claude-hy3",
        ),
        (
            "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]",
            32000,
            "max_tokens: 32000 > 8192, which is the maximum allowed number of output tokens for claude-hy3",
        ),
        (
            "max_tokens: 32000 > 16384, which is the maximum allowed number of output tokens for claude-hy3",
            None,
            "max_tokens: 32000 > 16384, which is the maximum allowed number of output tokens for claude-hy3",
        ),
    ],
)
def test_too_much_output_is_told_so_that_less_is_asked_for(message: str, asked: int | None, meant: str) -> None:
    made = refused(400, {"message": message}, **{**CLAUDE_CODE, "max_tokens": asked})
    assert (made.status, error_of(made)["message"]) == (400, meant)


def test_too_much_output_without_the_number_asked_for_keeps_its_words() -> None:
    made = refused(400, {"message": "the valid range of max_tokens is [1, 8192]"})
    assert error_of(made)["message"] == "the valid range of max_tokens is [1, 8192]"


# Codes of vendors


@pytest.mark.parametrize(
    ("status", "error", "answered", "kind", "words"),
    [
        (
            403,
            {"code": 403002, "type": "permission_error", "message": "no permission"},
            403,
            "permission_error",
            "no permission (code 403002). The key, or its plan, does not cover this model. GET /v1/models lists what a "
            "TokenHub key may use.",
        ),
        (
            429,
            {"code": "20098", "message": "token plan quota exhausted."},
            402,
            "billing_error",
            "token plan quota exhausted. (code 20098). The plan's quota is used up, or this model is not in the plan: "
            "the endpoint says the same for both.",
        ),
        (
            401,
            {"code": "not_authorized", "message": "no."},
            401,
            "authentication_error",
            "no. There is no key, or one of another product: keys of TokenHub, of its plans and of LKEAP are good for "
            "their own hosts only.",
        ),
        (400, {"code": "20031", "message": "quota"}, 402, "billing_error", "quota (code 20031)"),
        (400, {"code": "20034", "message": "busy"}, 429, "rate_limit_error", "busy (code 20034)"),
        (429, {"type": "engine_overloaded_error", "message": "busy"}, 529, "overloaded_error", "busy"),
        (429, {"type": "exceeded_current_quota_error", "message": "pay"}, 402, "billing_error", "pay"),
        (429, {"type": "rate_limit_reached_error", "message": "slow"}, 429, "rate_limit_error", "slow"),
        (400, {"code": "1001", "message": "roles 1001"}, 400, "invalid_request_error", "roles 1001"),
        (400, {"code": "1001", "message": "roles"}, 400, "invalid_request_error", "roles (code 1001)"),
        (403, {"type": "exceeded_current_quota_error", "message": "pay"}, 402, "billing_error", "pay"),
        (400, {"code": True, "message": "roles"}, 400, "invalid_request_error", "roles"),
    ],
)
def test_what_a_vendor_means(status: int, error: Any, answered: int, kind: str, words: str) -> None:
    made = refused(status, error)
    assert (made.status, error_of(made)["type"], error_of(made)["message"]) == (answered, kind, words)
    assert error_of(made)["details"]["original"] == error
    code = error.get("code")
    assert error_of(made)["details"].get("error_code") == (None if code in (None, True) else str(code))


def test_a_limit_of_calls_at_once_says_when_to_come_back() -> None:
    assert refused(400, {"code": "20034", "message": "busy"}).headers["retry-after"] == "2"
    assert refused(400, {"code": "20034", "message": "b"}, {"retry-after": "9"}).headers["retry-after"] == "9"


def test_the_foreign_channel_is_explained_and_not_worked_around() -> None:
    body = json.dumps({"code": 11128, "msg": "Illegal API invocation from an unapproved channel"}).encode()
    made = refused(400, body, **CLAUDE_CODE)
    error = error_of(made)
    assert (made.status, made.headers["x-should-retry"]) == (402, "false")
    assert error["message"].startswith("Illegal API invocation from an unapproved channel (code 11128). CodeBuddy's")
    assert error["details"]["error_code"] == "11128"


def test_the_vendors_error_inside_ours() -> None:
    own = proxy_errors.INSUFFICIENT_QUOTA(message="资源包余量已用尽", vendor={"code": "3008", "id": "ab12"})
    made = Anthropic().error(own.response(), dict(CLAUDE_CODE))
    assert (made.status, error_of(made)["type"]) == (402, "billing_error")
    assert error_of(made)["message"] == "资源包余量已用尽 (code 3008)"
    assert error_of(made)["details"] == {"error_code": "insufficient_quota", "original": {"code": "3008", "id": "ab12"}}
    assert json.loads(made.body)["request_id"] == made.headers["request-id"] == "ab12"


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "m", "request_id": "r1"}},
        {"error": {"message": "m", "id": "r1"}},
        {"error": {"message": "m"}, "id": "r1"},
        {"error": {"message": "m"}, "request_id": "r1"},
        {"type": "error", "error": {"type": "api_error", "message": "m"}, "request_id": "r1"},
    ],
)
def test_the_request_id_is_kept(body: Any) -> None:
    made = refused(500, json.dumps(body).encode())
    assert json.loads(made.body)["request_id"] == made.headers["request-id"] == "r1"
    assert error_of(made)["message"] == "m"


# Bodies that are no error object


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "The endpoint answered HTTP 502 and gave no reason."),
        (b" \n", "The endpoint answered HTTP 502 and gave no reason."),
        (b'{"error": {}}', 'The endpoint answered HTTP 502: {"error": {}}'),
        (b'{"error": {"message": ""}}', "The endpoint answered HTTP 502 and gave no reason."),
        (b'{"error": {"message": 5}}', "The endpoint answered HTTP 502 and gave no reason."),
        (b'{"error": "busy"}', "busy"),
        (b'{"message": "busy"}', "busy"),
        (b'{"detail": "busy"}', "busy"),
        (b'{"Response": {"Error": {"Code": "X", "Message": "busy"}}}', "busy"),
        (b'{"detail": [{"loc": ["body"]}]}', 'The endpoint answered HTTP 502: {"detail": [{"loc": ["body"]}]}'),
        (b"upstream connect error", "The endpoint answered HTTP 502: upstream connect error"),
        (b"\xff\xfe\x00", "The endpoint answered HTTP 502: \ufffd\ufffd\x00"),
        (
            b"<html>\n<head><title> 502 Bad Gateway </title></head>",
            "The endpoint answered HTTP 502 with a page in place of an error: 502 Bad Gateway.",
        ),
        (b"<!doctype html>", "The endpoint answered HTTP 502 with a page in place of an error."),
    ],
)
def test_other_bodies_become_errors(body: bytes, words: str) -> None:
    made = refused(502, body, {"content-type": "text/html", "content-length": str(len(body))})
    assert (made.status, error_of(made)["message"]) == (502, words)
    assert "content-length" not in made.headers


@pytest.mark.parametrize(
    "piece", [b"x", b"<title ", b'{"error": {"message": "', b"[" * 10, b"maximum context length is 1"]
)
def test_a_huge_body_is_answered_in_few_words(piece: bytes) -> None:
    body = piece * (2**20 // len(piece))
    made = refused(400, body)
    assert len(made.body) < 1000
    assert len(refused(400, {"message": "x" * 2**20}).body) < 5000
    text = "maximum context length is 1 tokens. However, you requested 1 tokens (" * 2**14
    assert len(error_of(refused(400, {"message": text}))["message"]) < 5000


@pytest.mark.parametrize("note", [{}, {"client": 5, "input_tokens": "x", "model": [], "max_tokens": True}])
@pytest.mark.parametrize("body", [b"", b"<", b"{", b'{"error": {"message": "Input token length too long"}}'])
def test_a_request_that_was_not_read_gets_its_error_too(note: dict[str, Any], body: bytes) -> None:
    made = Anthropic().error(Response(400, {}, body), note)
    assert made.status == 400
    assert error_of(made)["message"]


# The proxy's own errors


def filled(entry: proxy_errors.Entry) -> ProxyError:
    """The error with some value for each field of its message."""
    template = re.sub(r"\{(\w+)[^}]*\}", "7", entry.message)
    return ProxyError(
        status=entry.status or 502,
        type=entry.type,
        code=entry.code,
        template=template,
        retry=entry.retry,
        retry_after=entry.retry_after,
    )


OWN = {name: entry for name, entry in proxy_errors.CATALOGUE.items() if entry.status != proxy_errors.IN_STREAM}
IN_STREAMS = {name: entry for name, entry in proxy_errors.CATALOGUE.items() if entry.status == proxy_errors.IN_STREAM}


@each("name", OWN)
def test_each_error_of_our_own_is_shown_by_claude_code_or_tried_again(name: str) -> None:
    own = filled(OWN[name])
    made = Anthropic().error(own.response(), dict(CLAUDE_CODE))
    error = error_of(made)
    if made.status == 400:
        assert error["message"].startswith("prompt is too long: "), "Claude Code sends any other 400 six times"
    else:
        final = made.headers.get("x-should-retry") == "false"
        assert made.status in (402, 451) if made.status < 500 and made.status not in (401, 429) else True
        assert final == (own.retry is False or own.status < 429 or own.code == "insufficient_quota")
        assert own.message in error["message"]
    assert error["details"]["error_code"] == own.code


@each("name", OWN)
def test_each_error_of_our_own_has_its_status_for_others(name: str) -> None:
    own = filled(OWN[name])
    made = Anthropic().error(own.response(), dict(NOTE))
    others = {"INSUFFICIENT_QUOTA": 402, "VISION_QUOTA": 402, "BUDGET_SPENT": 402, "ENGINE_OVERLOADED": 529}
    assert made.status == others.get(name, own.status)
    assert made.headers.get("retry-after") == own.response().headers.get("retry-after")


@each("name", IN_STREAMS)
def test_each_error_inside_a_stream(name: str) -> None:
    writer = Anthropic().stream(dict(NOTE))
    found = event_order.read(b"".join(writer.fail(filled(IN_STREAMS[name]).fields()))).error
    assert found is not None and found["type"] == "api_error"


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"type": "rate_limit_error"}, "rate_limit_error"),
        ({"type": "engine_overloaded_error"}, "overloaded_error"),
        ({"code": "429001"}, "rate_limit_error"),
        ({"code": 503}, "overloaded_error"),
        ({"code": "insufficient_quota"}, "billing_error"),
        ({"code": 42}, "api_error"),
        ({"code": "999999"}, "api_error"),
        ({"code": "context_length_exceeded"}, "invalid_request_error"),
        ({"type": "invalid_request_error", "message": "Input token length too long"}, "invalid_request_error"),
        ({}, "api_error"),
        ({"message": {"deep": 1}, "type": [], "code": {}}, "api_error"),
    ],
)
def test_the_type_of_an_error_inside_a_stream(given: Any, kind: str) -> None:
    made = errors.event(given, {})
    assert made["error"]["type"] == kind
    assert isinstance(made["error"]["message"], str) and made["error"]["message"]
