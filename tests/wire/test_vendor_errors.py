from __future__ import annotations

import json

import pytest

from hunyuan_fix import profiles
from hunyuan_fix.exchange import JsonObject, Response
from hunyuan_fix.profiles import Profile
from hunyuan_fix.wire.vendor_errors import as_meant, translate_error

LEGACY, TOKENHUB = profiles.load("hunyuan"), profiles.load("tokenhub")


def vendor(code: str | int, message: str = "请求限频，请稍后重试", type: str = "runtime_error") -> bytes:
    """The legacy endpoint's envelope (docs/facts/hunyuan.md#errors)."""
    error = {"id": "0" * 32, "message": message, "type": type, "param": None, "code": code}
    return json.dumps({"error": error}).encode()


def error_of(refused: Response) -> JsonObject:
    error: JsonObject = json.loads(refused.body)["error"]
    return error


def ask(
    status: int,
    body: bytes,
    retry_after: str | None = None,
    profile: Profile = LEGACY,
    model: str = "hunyuan-turbo",
) -> Response:
    refused = translate_error(status, body, retry_after, profile, model)
    assert refused is not None
    return refused


@pytest.mark.parametrize("code", ["2003", 2003, "rate_limit_exceeded"])
def test_a_rate_limit_is_a_429_that_keeps_what_the_vendor_said(code: str | int) -> None:
    refused = ask(400, vendor(code))
    assert (refused.status, refused.headers["retry-after"]) == (429, "2")
    error = error_of(refused)
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    assert error["message"] == "请求限频，请稍后重试"
    assert error["vendor"] == json.loads(vendor(code))["error"]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("7", "7"),
        ("0", "0"),
        ("1.2", "2"),
        ("Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:28:00 GMT"),
        ("soon", "2"),
        ("-3", "2"),
        ("nan", "2"),
        ("inf", "2"),
        ("", "2"),
    ],
)
def test_the_endpoint_s_own_retry_after_counts(given: str, sent: str) -> None:
    assert ask(400, vendor("2003"), retry_after=given).headers["retry-after"] == sent


@pytest.mark.parametrize(
    ("status", "body", "profile"),
    [
        (400, vendor("3008", "资源包余量已用尽，请购买资源包或开通后付费"), LEGACY),
        (402, b'{"error":{"type":"permission_error","code":"401007","message":"endpoint is inactive"}}', TOKENHUB),
    ],
)
def test_a_used_up_quota_is_not_tried_again(status: int, body: bytes, profile: Profile) -> None:
    refused = ask(status, body, profile=profile)
    assert refused.status == 400
    assert refused.headers["x-should-retry"] == "false"
    assert "retry-after" not in refused.headers
    assert error_of(refused)["type"] == error_of(refused)["code"] == "insufficient_quota"


@pytest.mark.parametrize("body", [vendor("1006", "模型不存在"), vendor("1001", "模型已下线")])
def test_an_unknown_or_retired_model_is_a_404_that_names_the_successor(body: bytes) -> None:
    refused = ask(400, body, model="hunyuan-translation")
    error = error_of(refused)
    assert (refused.status, error["code"], error["param"]) == (404, "model_not_found", "model")
    assert error["message"].startswith(error["vendor"]["message"])
    assert '"hy-mt2-pro"' in error["message"]


def test_a_model_without_a_successor_is_told_after_the_vendor_s_words_where_all_are() -> None:
    body = b'{"error":{"message":"The model or service ID xyz does not exist","code":"400002"}}'
    refused = ask(400, body, profile=TOKENHUB, model="xyz")
    assert refused.status == 404
    assert error_of(refused)["message"].startswith("The model or service ID xyz does not exist. GET /v1/models lists")


def test_tokenhub_s_451_is_a_content_filter() -> None:
    body = b'{"error":{"type":"content_filter_error","code":"451001","message":"m","request_id":"r"}}'
    refused = ask(451, body, profile=TOKENHUB)
    assert (refused.status, error_of(refused)["code"]) == (400, "content_policy_violation")
    assert error_of(refused)["vendor"]["request_id"] == "r"


def test_an_id_beside_the_error_is_kept() -> None:
    refused = ask(400, b'{"id": "535952d3", "error": {"code": "2003"}}')
    assert error_of(refused)["vendor"] == {"id": "535952d3", "code": "2003"}
    assert error_of(refused)["message"]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, vendor("1001", "messages 中 content 不能为空")),
        (500, vendor("2003")),
        (429, vendor("429001")),
        (200, vendor("3008")),
        (400, b"<html>2003</html>"),
        (400, b'["2003"]'),
        (400, b'{"error": "2003"}'),
        (400, b'{"error": {"message": 5}}'),
        (400, b"\xff"),
        (400, b""),
    ],
)
def test_everything_unknown_passes_as_it_came(status: int, body: bytes) -> None:
    assert translate_error(status, body, None, LEGACY, "hunyuan-turbo") is None


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"error":{"type":"rate_limit_error","message":"m"}}', 429),
        (b'{"error":{"code":"429001","message":"m"}}', 429),
        (vendor("2003"), 400),
        (b'{"error":{"message":"m"}}', 200),
        (b'{"error":null,"choices":[]}', 200),
        (b'{"choices":[{"message":{"content":"an \\"error\\""}}]}', 200),
        (b'"error"', 200),
        (b'{"error"', 200),
    ],
)
def test_an_error_in_a_success_gets_its_status_where_its_meaning_is_known(body: bytes, status: int) -> None:
    given = Response(200, {"x-request-id": "r"}, body)
    meant = as_meant(given, TOKENHUB if b"429" in body else LEGACY, "")
    assert (meant.status, meant.headers, meant.body) == (status, given.headers, body)


def test_an_error_with_its_own_status_keeps_it() -> None:
    given = Response(503, {}, b'{"error":{"type":"rate_limit_error","message":"m"}}')
    assert as_meant(given, LEGACY, "") is given
