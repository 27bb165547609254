"""Each row of the table of errors, both ways (docs/facts/tencent-cloud.md#errors)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.dialects.tencent_cloud import errors
from hunyuan_fix.wire import json_body

ROWS = [
    ("AuthFailure.SignatureExpire", 401, "authentication_error", "signature_expired", False),
    ("AuthFailure.UnauthorizedOperation", 403, "permission_error", "access_denied", False),
    ("UnauthorizedOperation", 403, "permission_error", "access_denied", False),
    ("UnauthorizedOperation.CamNoAuth", 403, "permission_error", "access_denied", False),
    ("AuthFailure.SignatureFailure", 401, "authentication_error", "invalid_api_key", False),
    ("AuthFailure.SecretIdNotFound", 401, "authentication_error", "invalid_api_key", False),
    ("AuthFailure.InvalidSecretId", 401, "authentication_error", "invalid_api_key", False),
    ("AuthFailure.InvalidAuthorization", 401, "authentication_error", "invalid_api_key", False),
    ("AuthFailure.TokenFailure", 401, "authentication_error", "invalid_api_key", False),
    ("AuthFailure.MFAFailure", 401, "authentication_error", "invalid_api_key", False),
    ("IpInBlacklist", 403, "permission_error", "ip_not_allowed", False),
    ("IpNotInWhitelist", 403, "permission_error", "ip_not_allowed", False),
    ("ActionOffline", 404, "invalid_request_error", "endpoint_retired", False),
    ("InvalidAction", 404, "invalid_request_error", "unsupported_endpoint", False),
    ("NoSuchProduct", 404, "invalid_request_error", "unsupported_endpoint", False),
    ("NoSuchVersion", 404, "invalid_request_error", "unsupported_endpoint", False),
    ("UnsupportedProtocol", 404, "invalid_request_error", "unsupported_endpoint", False),
    ("UnsupportedRegion", 400, "invalid_request_error", "unsupported_endpoint", False),
    ("InvalidParameterValue.Model", 404, "invalid_request_error", "model_not_found", False),
    ("ResourceNotFound", 404, "invalid_request_error", "model_not_found", False),
    ("ResourceNotFound.Any", 404, "invalid_request_error", "model_not_found", False),
    ("InvalidParameter.ImageCountLimitExceededError", 400, "invalid_request_error", "invalid_image", False),
    ("InvalidParameter.ImageProcessingFailureError", 400, "invalid_request_error", "invalid_image", False),
    ("InvalidParameterValue.ImageRequestError", 400, "invalid_request_error", "invalid_image", False),
    ("FailedOperation.ImageDecodeFailed", 400, "invalid_request_error", "invalid_image", False),
    ("FailedOperation.ImageDownloadError", 400, "invalid_request_error", "invalid_image", False),
    ("FailedOperation.DownloadError", 400, "invalid_request_error", "invalid_image", False),
    ("InvalidParameter", 400, "invalid_request_error", "invalid_parameter", False),
    ("InvalidParameter.InvalidParameter", 400, "invalid_request_error", "invalid_parameter", False),
    ("InvalidParameterValue.ParameterValueError", 400, "invalid_request_error", "invalid_parameter", False),
    ("MissingParameter", 400, "invalid_request_error", "invalid_parameter", False),
    ("UnknownParameter", 400, "invalid_request_error", "invalid_parameter", False),
    ("InvalidRequest", 400, "invalid_request_error", "invalid_parameter", False),
    ("UnsupportedOperation", 400, "invalid_request_error", "invalid_parameter", False),
    ("DryRunOperation", 400, "invalid_request_error", "invalid_parameter", False),
    ("RequestSizeLimitExceeded", 413, "invalid_request_error", "request_too_large", False),
    ("OperationDenied.TextIllegalDetected", 400, "invalid_request_error", "content_policy_violation", False),
    ("OperationDenied.ImageIllegalDetected", 400, "invalid_request_error", "content_policy_violation", False),
    ("FailedOperation.GenerateImageFailed", 400, "invalid_request_error", "content_policy_violation", False),
    ("FailedOperation.SensitiveContent", 400, "invalid_request_error", "content_policy_violation", False),
    ("RequestLimitExceeded", 429, "rate_limit_error", "rate_limit_exceeded", True),
    ("RequestLimitExceeded.UinLimitExceeded", 429, "rate_limit_error", "rate_limit_exceeded", True),
    ("FailedOperation.EngineServerLimitExceeded", 429, "rate_limit_error", "rate_limit_exceeded", True),
    ("LimitExceeded", 429, "rate_limit_error", "rate_limit_exceeded", True),
    ("ResourceInsufficient.ChargeResourceExhaust", 429, "insufficient_quota", "insufficient_quota", False),
    ("FailedOperation.ResourcePackExhausted", 429, "insufficient_quota", "insufficient_quota", False),
    ("FailedOperation.FreeResourcePackExhausted", 429, "insufficient_quota", "insufficient_quota", False),
    ("ResourceUnavailable.InArrears", 429, "insufficient_quota", "insufficient_quota", False),
    ("ResourceUnavailable.LowBalance", 429, "insufficient_quota", "insufficient_quota", False),
    ("ResourceUnavailable.StopUsing", 429, "insufficient_quota", "insufficient_quota", False),
    ("FailedOperation.ServiceStopArrears", 429, "insufficient_quota", "insufficient_quota", False),
    ("FailedOperation.ServiceNotActivated", 403, "permission_error", "service_not_activated", False),
    ("FailedOperation.ServiceStop", 403, "permission_error", "service_not_activated", False),
    ("FailedOperation.UserUnAuthError", 403, "permission_error", "service_not_activated", False),
    ("FailedOperation.PartnerAccountUnSupport", 403, "permission_error", "service_not_activated", False),
    ("FailedOperation.SetPayModeExceed", 403, "permission_error", "service_not_activated", False),
    ("ResourceUnavailable.NotExist", 403, "permission_error", "service_not_activated", False),
    ("FailedOperation.EngineRequestTimeout", 504, "server_error", "upstream_timeout", True),
    ("4001", 504, "server_error", "upstream_timeout", True),
    ("ServiceUnavailable", 503, "server_error", "overloaded", True),
    ("ResourceUnavailable", 503, "server_error", "overloaded", True),
    ("ResourceInsufficient", 503, "server_error", "overloaded", True),
    ("ResourceInUse", 503, "server_error", "overloaded", True),
    ("FailedOperation.EngineServerError", 500, "server_error", "upstream_error", True),
    ("FailedOperation.ConsoleServerError", 500, "server_error", "upstream_error", True),
    ("FailedOperation", 500, "server_error", "upstream_error", True),
    ("InternalError", 500, "server_error", "upstream_error", True),
    ("InternalError.Db", 500, "server_error", "upstream_error", True),
    ("ResponseSizeLimitExceeded", 500, "server_error", "upstream_error", True),
    ("4000", 500, "server_error", "upstream_error", True),
    ("Unheard", 502, "server_error", "upstream_error", True),
    ("", 502, "server_error", "upstream_error", True),
]


@pytest.mark.parametrize(("native", "status", "type_", "code", "retry"), ROWS)
def test_each_native_code(native: str, status: int, type_: str, code: str, retry: bool):
    meant = errors.meaning(native)
    assert (meant.status, meant.type, meant.code, meant.retry) == (status, type_, code, retry)
    for body in (
        {"Response": {"Error": {"Code": native, "Message": "m"}, "RequestId": "r"}},
        {"Error": {"Code": native, "Message": "m"}, "RequestId": "r"},
        {"Choices": [], "ErrorMsg": {"Code": native, "Msg": "m"}, "RequestId": "r"},
    ):
        assert errors.given(body) == {
            "message": "m",
            "type": type_,
            "param": None,
            "code": code,
            "native_code": native,
            "status": status,
            "request_id": "r",
        }


def test_the_number_of_an_error_in_a_stream():
    made = errors.given({"ErrorMsg": {"Code": 4001, "Msg": "模型超时"}})
    assert made is not None
    assert (made["native_code"], made["status"]) == ("4001", 504)


@pytest.mark.parametrize(
    "body",
    [{}, {"Response": None}, {"Response": {"Choices": []}}, {"ErrorMsg": None}, {"Error": {}}, {"Error": "text"}],
)
def test_what_is_no_error(body: dict[str, object]):
    assert errors.given(body) is None


ANY = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda s: st.lists(s, max_size=2))


@given(st.dictionaries(st.sampled_from(["Code", "Message", "Msg"]), ANY, min_size=1), ANY)
def test_any_error_object_is_read(error: dict[str, object], request_id: object):
    made = errors.given({"Response": {"Error": error, "RequestId": request_id}})
    assert made is not None
    assert 400 <= made["status"] <= 504
    json_body.serialise(made)


def test_a_gateways_error_keeps_its_status_and_what_is_no_json_its_bytes():
    body = json_body.serialise({"Response": {"Error": {"Code": "RequestLimitExceeded", "Message": "m"}}})
    error = (json_body.parse_object(errors.error(503, body)) or {})["error"]
    assert (error["status"], error["code"]) == (503, "rate_limit_exceeded")
    assert errors.error(502, b"<html>") == b"<html>"
    assert errors.error(502, b'{"detail":"x"}') == b'{"detail":"x"}'


@pytest.mark.parametrize(
    ("status", "error", "native"),
    [
        (401, {}, "AuthFailure.SignatureFailure"),
        (403, {}, "UnauthorizedOperation"),
        (404, {"code": "model_not_found"}, "InvalidParameterValue.Model"),
        (404, {}, "InvalidParameter"),
        (400, {}, "InvalidParameter"),
        (422, {"type": "invalid_request_error"}, "InvalidParameter"),
        (413, {}, "RequestSizeLimitExceeded"),
        (429, {}, "RequestLimitExceeded"),
        (529, {}, "RequestLimitExceeded"),
        (402, {}, "ResourceInsufficient.ChargeResourceExhaust"),
        (429, {"type": "insufficient_quota"}, "ResourceInsufficient.ChargeResourceExhaust"),
        (400, {"code": "insufficient_quota"}, "ResourceInsufficient.ChargeResourceExhaust"),
        (451, {}, "OperationDenied.TextIllegalDetected"),
        (400, {"code": "content_filter"}, "OperationDenied.TextIllegalDetected"),
        (504, {}, "FailedOperation.EngineRequestTimeout"),
        (503, {}, "ServiceUnavailable"),
        (500, {}, "InternalError"),
        (502, {}, "InternalError"),
        (0, {}, "InternalError"),
        (0, {"status": 429}, "RequestLimitExceeded"),
        (400, {"native_code": "ActionOffline"}, "ActionOffline"),
    ],
)
def test_back_from_openais_words(status: int, error: dict[str, object], native: str):
    assert errors.native_code(status, error) == native
