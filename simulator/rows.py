"""The refusals: what each profile answers for each row, word for word.

Texts, statuses and codes: docs/facts/hunyuan.md#errors and docs/facts/tokenhub.md#errors; what each row refuses:
docs/facts/hunyuan.md#simulator-rows. A text that no report shows is inferred.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from .kimi_rows import KIMI
from .refusal import Refusal

type Json = dict[str, Any]
type ProfileName = Literal["hunyuan", "tokenhub", "tokenhub-plan", "moonshot", "kimi-coding", "zenmux", "deepseek"]

PROFILES: tuple[ProfileName, ...] = get_args(ProfileName.__value__)
THINKERS: frozenset[ProfileName] = frozenset({"moonshot", "kimi-coding", "zenmux", "deepseek"})
"""The profiles of endpoints that hold the contract of Moonshot's (`kimi`)."""

_REQUEST = "invalid_request_error"
_RUNTIME = "runtime_error"


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule broken: the row's name, a JSON Pointer with a reason, and the word the message needs."""

    row: str
    detail: str
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """A refusal as it goes over the wire, with the row it comes from and where the body breaks it."""

    row: str
    status: int
    body: Json
    detail: str = ""


HUNYUAN: Mapping[str, Refusal] = {
    "A1": Refusal(
        400,
        "messages 中 user（tool） 和 assistant 角色需交替出现 (一问一答)，以 user 提问开始， "
        "user（tool）提问结束, tool 可以连续出现多次",
        _REQUEST,
        "1001",
    ),
    "A2": Refusal(400, "messages 中 system 角色必须位于列表的最开始", _REQUEST, "1001"),
    "A3": Refusal(400, "messages 中 content 不能为空", _REQUEST, "1001"),
    "A4": Refusal(400, "请求限频，请稍后重试", _RUNTIME, "2003"),
    "A4b": Refusal(400, "请求频繁，请稍后重试", _REQUEST, "rate_limit_exceeded"),
    "A5": Refusal(400, "模型不存在", _REQUEST, "1006"),
    "A6": Refusal(400, "请求格式有误", _RUNTIME, "4003"),
    "A7": Refusal(400, "messages 中不支持 reasoning_content", _REQUEST, "1001"),
    "A8": Refusal(400, "资源包余量已用尽，请购买资源包或开通后付费", _RUNTIME, "3008"),
    "A9": Refusal(500, "内部错误，请稍后重试", _RUNTIME, "2000"),
    "A10": Refusal(400, "模型已下线", _REQUEST, "1006"),
    "A11": Refusal(401, "Incorrect API key provided", _REQUEST, "invalid_api_key"),
    "B1": Refusal(400, "messages 长度最多为 40", _REQUEST, "1001"),
    "B2": Refusal(400, "messages 中 role 可选值为 system、user、assistant、tool", _REQUEST, "1001"),
    "B3": Refusal(400, "Temperature must be 2 or less", _REQUEST, "1001"),
    "B4": Refusal(400, "{subject} 取值错误", _REQUEST, "1001"),
    "B5": Refusal(400, "stream_options 仅在 stream 为 true 时可设置", _REQUEST, "1001"),
    "B6": Refusal(400, "{subject} 取值错误", _REQUEST, "1001"),
    "B7": Refusal(400, "tool_choice 可选值为 none、auto、custom", _REQUEST, "1001"),
    "B8": Refusal(400, "messages 中 content 取值错误", _REQUEST, "1001"),
    "B9": Refusal(400, "messages 中 role 为 tool 时 tool_call_id 不能为空", _REQUEST, "1001"),
    "B10": Refusal(400, "请求格式有误", _RUNTIME, "4003"),
    "C1": Refusal(400, "请求格式有误", _RUNTIME, "4003"),
    "C2": Refusal(400, "请求格式有误", _RUNTIME, "4003"),
    "C3": Refusal(400, "模型不支持 {subject}", _REQUEST, "1001"),
    "C4": Refusal(400, "messages 中 tool_calls 与 tool 消息不匹配", _REQUEST, "1001"),
    "C5": Refusal(400, "messages 中 content 不能为空", _REQUEST, "1001"),
    "C6": Refusal(400, "messages 中不支持 {subject}", _REQUEST, "1001"),
    "overflow": Refusal(400, "输入长度超过模型上限", _REQUEST, "1001"),  # as a fault only: it cuts in silence
    "overload": Refusal(500, "内部错误，请稍后重试", _RUNTIME, "2000"),
    "input": Refusal(400, "input 取值错误", _REQUEST, "1001"),
    "image": Refusal(400, "图片处理失败错误", _REQUEST, "1001"),
    "moderation": Refusal(400, "文本包含违法违规信息，审核不通过", _REQUEST, "1001"),
    "path": Refusal(404, "Not Found", _REQUEST, "404"),
}

TOKENHUB: Mapping[str, Refusal] = {
    "A1": Refusal(400, "invalid parameter 'messages': roles must alternate", _REQUEST, "400002"),
    "A2": Refusal(400, "invalid parameter 'messages': system must come first, once", _REQUEST, "400002"),
    "A3": Refusal(400, "invalid parameter 'messages': content is required", _REQUEST, "400002"),
    "A4": Refusal(429, "rate limit exceeded on dimension: rpm", "rate_limit_error", "429001"),
    "A4b": Refusal(429, "rate limit exceeded on dimension: tpm", "rate_limit_error", "429001"),
    "A5": Refusal(400, "The model or service ID {subject} does not exist", _REQUEST, "400004"),
    "A6": Refusal(400, "invalid request body", _REQUEST, "400001"),
    "A8": Refusal(402, "endpoint is inactive: FREE_QUOTA_EXHAUSTED", "permission_error", "401007"),
    "A8p": Refusal(403, "token plan quota exhausted", "permission_error", "20098"),
    "A9": Refusal(502, "upstream error", "upstream_error", "502001"),
    "A10": Refusal(400, "The model or service ID {subject} does not exist", _REQUEST, "400004"),
    "A11": Refusal(401, "invalid api key", "authentication_error", "401002"),
    "A12": Refusal(403, "the model {subject} is not available for this key", "permission_error", "403002"),
    "B2": Refusal(400, "invalid parameter 'messages': unknown role", _REQUEST, "400002"),
    "B3": Refusal(400, "invalid parameter 'temperature'", _REQUEST, "400002"),
    "B4": Refusal(400, "invalid parameter '{subject}'", _REQUEST, "400002"),
    "B6": Refusal(400, "invalid parameter '{subject}'", _REQUEST, "400002"),
    "B7": Refusal(400, "invalid parameter 'tool_choice'", _REQUEST, "400002"),
    "B8": Refusal(400, "invalid parameter 'messages': bad content part", _REQUEST, "400002"),
    "B9": Refusal(400, "invalid parameter 'messages': tool_call_id is required", _REQUEST, "400002"),
    "B10": Refusal(400, "invalid parameter '{subject}': {subject} is required", _REQUEST, "400004"),
    "C3": Refusal(400, "invalid parameter: the model does not support {subject}", _REQUEST, "400002"),
    "C4": Refusal(400, "invalid parameter 'messages': tool_calls without answers", _REQUEST, "400002"),
    "C5": Refusal(400, "invalid parameter 'messages': content is blank", _REQUEST, "400002"),
    "H1": Refusal(400, "invalid parameter 'messages': reasoning_content is required", _REQUEST, "400002"),
    "overflow": Refusal(400, "input token length too long{subject}", _REQUEST, "20059"),  # LKEAP's code
    "overload": Refusal(503, "no available instance", "upstream_error", "503001"),
    "unknown": Refusal(400, "invalid parameter '{subject}'", _REQUEST, "400002"),
    "schema": Refusal(400, "invalid parameter 'tools.function.parameters': {subject}", _REQUEST, "400002"),
    "input": Refusal(400, "invalid parameter 'input'", _REQUEST, "400002"),
    "image": Refusal(400, "invalid parameter 'image_url': unreadable image", _REQUEST, "400002"),
    "moderation": Refusal(451, "content blocked by moderation", "content_filter_error", "451001"),
    "path": Refusal(404, "not found", _REQUEST, "404001"),
}

_SOURCES = {"rate_limit_error": "gateway", "upstream_error": "upstream", "gateway_error": "gateway"}


def refusals(profile: ProfileName) -> Mapping[str, Refusal]:
    """The table of a profile."""
    return HUNYUAN if profile == "hunyuan" else KIMI if profile in THINKERS else TOKENHUB


def problem(profile: ProfileName, finding: Finding) -> Problem:
    """The refusal that `profile` answers for `finding`.

    The 32 hex id is a hash of row and place instead of random, so that the same body is always refused
    with the same bytes.
    """
    refusal = refusals(profile)[finding.row]
    body = error_body(profile, refusal, subject=finding.subject, salt=finding.row + finding.detail)
    return Problem(finding.row, refusal.status, body, finding.detail)


def error_body(profile: ProfileName, refusal: Refusal, *, subject: str = "", salt: str = "") -> Json:
    """The JSON envelope: docs/facts/hunyuan.md#errors, docs/facts/tokenhub.md#errors (1823/131595), or Moonshot's."""
    request_id = hashlib.md5(salt.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()
    message = refusal.message.format(subject=subject)
    if profile in THINKERS:
        return {"error": {"message": message, "type": refusal.kind}}
    if profile == "hunyuan":
        return {
            "error": {
                "id": request_id,
                "message": message,
                "type": refusal.kind,
                "param": None,
                "code": refusal.code,
            }
        }
    return {
        "error": {
            "type": refusal.kind,
            "code": refusal.code,
            "message": message,
            "source": _SOURCES.get(refusal.kind, "client"),
            "upstream_code": "",
            "upstream_status": 0,
            "request_id": request_id,
        }
    }
