"""Whole chat answers, vectors and errors in the vendor's shape, read by its SDK's data model."""

from __future__ import annotations

import base64
import json
from array import array
from typing import Any

import pytest
from hypothesis import given

from hunyuan_fix.dialects.tencent_cloud.client import TencentCloud, TencentEmbedding
from hunyuan_fix.exchange import Response
from hunyuan_fix.wire import proxy_errors
from tests.dialects.chat_answers import USAGE, finishes, messages
from tests.dialects.tencent_cloud.native_clients import completion
from tests.strategies import json_values

NOTE = {"request_id": "a-request", "input_tokens": 12, "model": "hunyuan-lite"}


def answered(message: dict[str, Any], finish: str | None, usage: Any = USAGE) -> dict[str, Any]:
    choices = [{"index": 0, "message": message, "finish_reason": finish}]
    return TencentCloud().answer({"id": "c", "created": 1700000000, "choices": choices, "usage": usage}, dict(NOTE))


@given(messages(), finishes)
def test_the_sdk_reads_a_whole_answer(message: dict[str, Any], finish: str) -> None:
    read = completion(answered(message, finish))
    said = read.Choices[0].Message
    assert said.Role == "assistant"
    assert said.Content == (message["content"] or "")
    assert (said.ReasoningContent or "") == message.get("reasoning_content", "")
    calls = [(call.Id, call.Function.Name, call.Function.Arguments) for call in said.ToolCalls or ()]
    wanted = [
        (call["id"], call["function"]["name"], call["function"]["arguments"]) for call in message.get("tool_calls", ())
    ]
    assert calls == wanted
    assert read.Choices[0].FinishReason in ("stop", "tool_calls", "sensitive")
    assert (read.Id, read.Created, read.RequestId) == ("c", 1700000000, "a-request")
    assert (read.Usage.PromptTokens, read.Usage.CompletionTokens, read.Usage.TotalTokens) == (50, 7, 57)
    assert read.Usage.PromptTokensDetails.CachedTokens == "20"


def test_what_an_endpoint_leaves_out_is_estimated() -> None:
    said = answered({"content": "word " * 30}, "stop", None)["Response"]
    assert said["Usage"] == {"PromptTokens": 12, "CompletionTokens": 50, "TotalTokens": 62}
    called = answered({"content": None, "tool_calls": [{"function": {"name": "ls", "arguments": {"a": 1}}}]}, None)
    choice = called["Response"]["Choices"][0]
    assert choice["FinishReason"] == "tool_calls"
    assert choice["Message"]["ToolCalls"][0]["Id"]
    assert choice["Message"]["ToolCalls"][0]["Function"]["Arguments"] == '{"a":1}'


@given(json_values)
def test_nonsense_is_no_exception(value: Any) -> None:
    for given_answer in ({"choices": value}, {"choices": [value]}, {"choices": [{"message": value}], "usage": value}):
        assert TencentCloud().answer(given_answer, {})["Response"]["RequestId"] == ""
    for vectors in ({"data": value}, {"data": [value]}, {"data": [{"embedding": value}], "usage": value}):
        assert "Data" in TencentEmbedding().answer(vectors, {})["Response"]


def test_vectors() -> None:
    packed = base64.b64encode(array("f", [0.5, -1.0]).tobytes()).decode()
    data = [{"embedding": [0.5, -1.0], "index": 0}, {"embedding": packed, "index": 1}]
    said = TencentEmbedding().answer({"data": data, "usage": {"prompt_tokens": 3, "total_tokens": 3}}, dict(NOTE))
    assert said["Response"]["Data"] == [
        {"Embedding": [0.5, -1.0], "Index": number, "Object": "embedding"} for number in (0, 1)
    ]
    assert said["Response"]["Usage"] == {"PromptTokens": 3, "TotalTokens": 3}


@pytest.mark.parametrize(
    ("response", "code"),
    [
        (proxy_errors.NATIVE_ACTION_UNKNOWN(action="X").response(), "InvalidAction"),
        (proxy_errors.NATIVE_VERSION_UNKNOWN(version="1", known="2").response(), "NoSuchVersion"),
        (proxy_errors.NATIVE_HEADER_MISSING(header="X-TC-Timestamp").response(), "MissingParameter"),
        (proxy_errors.NATIVE_PROTOCOL().response(), "UnsupportedProtocol"),
        (proxy_errors.NATIVE_UNTRANSLATED().response(), "UnsupportedOperation"),
        (proxy_errors.SIGNATURE_EXPIRED(seconds=400).response(), "AuthFailure.SignatureExpire"),
        (proxy_errors.SIGNATURE_UNREADABLE().response(), "AuthFailure.InvalidAuthorization"),
        (proxy_errors.SIGNATURE_WRONG().response(), "AuthFailure.SignatureFailure"),
        (proxy_errors.SECRET_ID_UNKNOWN().response(), "AuthFailure.SecretIdNotFound"),
        (proxy_errors.REQUEST_TOO_LARGE(limit=1).response(), "RequestSizeLimitExceeded"),
        (proxy_errors.CLIENT_LIMIT_REACHED(limit=1, kind="requests", seconds=9).response(), "RequestLimitExceeded"),
        (Response(451, {}, b'{"error":{"message":"no"}}'), "OperationDenied.TextIllegalDetected"),
        (Response(404, {}, b'{"error":{"message":"no","code":"model_not_found"}}'), "InvalidParameterValue.Model"),
        (
            Response(429, {}, b'{"error":{"message":"no","type":"insufficient_quota"}}'),
            "ResourceInsufficient.ChargeResourceExhaust",
        ),
        (Response(502, {"content-type": "text/html"}, b"<html><title>Bad</title>"), "InternalError"),
        (Response(404, {}, b'{"error":{"message":"gone","code":"endpoint_retired"}}'), "ActionOffline"),
        (Response(504, {}, b""), "FailedOperation.EngineRequestTimeout"),
        (Response(400, {}, b'{"error":{"message":"no","native_code":"LimitExceeded"}}'), "LimitExceeded"),
    ],
)
def test_an_error_has_its_native_code(response: Response, code: str) -> None:
    told = TencentCloud().error(response, dict(NOTE))
    assert told.status == 200
    assert told.headers["content-type"] == "application/json"
    assert told.headers["x-tc-requestid"] == "a-request"
    said = json.loads(told.body)["Response"]
    assert said["Error"]["Code"] == code
    assert said["Error"]["Message"]
    assert said["RequestId"] == "a-request"
