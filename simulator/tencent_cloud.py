"""Tencent Cloud's own API for Hunyuan, strictly: the signature, what a request may hold, and what it is in chat.

Written from the vendor's documents 1729/101843 (signature) and 1729/101836 (errors), and its SDK's data model
(hunyuan/v20230901); docs/facts/tencent-cloud.md.
"""

import hashlib
import hmac
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from . import checks
from .codec import decode
from .journal import Request
from .rows import Json

VERSION: Final = "2023-09-01"
ACTIONS: Final = ("ChatCompletions", "GetEmbedding", "GetTokenCount")
LARGEST: Final = 10 * 2**20
MOST_TEXTS: Final = 50
_SKEW: Final = 300
_ALGORITHM: Final = "TC3-HMAC-SHA256"
_AUTHORIZATION = re.compile(
    r"TC3-HMAC-SHA256\s+Credential=(?P<id>[^/,\s]+)/(?P<date>\d{4}-\d\d-\d\d)/(?P<service>[a-z0-9]+)/tc3_request,"
    r"\s*SignedHeaders=(?P<names>[a-z0-9;-]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True)
class Native:
    """How the stand-in is set up. `secrets`: SecretId -> SecretKey; `tokens`: SecretId -> the token that it needs."""

    secrets: Mapping[str, str] = field(default_factory=lambda: {"AKIDstandin": "standinsecret"})
    tokens: Mapping[str, str] = field(default_factory=dict)
    skew: float = 0.0
    """Seconds that its clock is ahead."""
    service: str = "hunyuan"

    def now(self) -> float:
        """Its time."""
        return time.time() + self.skew


class Error(Exception):
    """A refusal, by its code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code, self.message = code, message


def admitted(request: Request, native: Native) -> str:
    """The action of a request that is signed well. Raises `Error`."""
    if len(request.body) > LARGEST:
        raise Error("RequestSizeLimitExceeded", "请求包大小超过限制。")
    if request.method != "POST" or request.path != "/":
        raise Error("InvalidRequest", "请求必须是 POST /")
    _signed(request, native)
    action = request.header("x-tc-action")
    if not action:
        raise Error("MissingParameter", "The request is missing a required parameter `Action`.")
    if action not in ACTIONS:
        raise Error("InvalidAction", f"The request action={action} is invalid or doesn't exist.")
    if request.header("x-tc-version") != VERSION:
        raise Error("NoSuchVersion", "The API version doesn't exist.")
    return action


def _signed(request: Request, native: Native) -> None:
    given = _AUTHORIZATION.fullmatch(request.header("authorization").strip())
    if given is None:
        raise Error("AuthFailure.InvalidAuthorization", "请求头部的 Authorization 不符合腾讯云标准。")
    sent = request.header("x-tc-timestamp")
    if not sent.isdecimal():
        raise Error("MissingParameter", "The request is missing a required parameter `Timestamp`.")
    if abs(native.now() - int(sent)) > _SKEW:
        raise Error("AuthFailure.SignatureExpire", "签名过期。Timestamp 和服务器时间相差不得超过五分钟。")
    secret = native.secrets.get(given["id"])
    if secret is None:
        raise Error(
            "AuthFailure.SecretIdNotFound", "The SecretId is not found, please ensure that your SecretId is correct."
        )
    day = time.strftime("%Y-%m-%d", time.gmtime(int(sent)))
    names = given["names"].split(";")
    if given["date"] != day or given["service"] != native.service or not {"content-type", "host"} <= set(names):
        raise Error("AuthFailure.SignatureFailure", "The provided credentials could not be validated.")
    unsigned = request.header("x-tc-content-sha256") == "UNSIGNED-PAYLOAD"
    if not hmac.compare_digest(_expected(request, secret, given, names, unsigned=unsigned), given["signature"]):
        raise Error(
            "AuthFailure.SignatureFailure",
            "The provided credentials could not be validated. Please check your signature is correct.",
        )
    if (token := native.tokens.get(given["id"])) is not None and request.header("x-tc-token") != token:
        raise Error("AuthFailure.TokenFailure", "token 错误。")


def _expected(request: Request, secret: str, given: re.Match[str], names: list[str], *, unsigned: bool) -> str:
    lines = ""
    for name in names:
        value = request.header(name).strip()
        lines += f"{name}:{value.lower() if name == 'x-tc-action' else value}\n"
    body = b"UNSIGNED-PAYLOAD" if unsigned else request.body
    whole = f"{request.method}\n/\n\n{lines}\n{given['names']}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{given['date']}/{given['service']}/tc3_request"
    digest = hashlib.sha256(whole.encode()).hexdigest()
    key = f"TC3{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    text = f"{_ALGORITHM}\n{request.header('x-tc-timestamp')}\n{scope}\n{digest}"
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


# What a request may hold

_TOP: Final = {
    "Model": str,
    "Messages": list,
    "Stream": bool,
    "StreamModeration": bool,
    "TopP": float,
    "Temperature": float,
    "EnableEnhancement": bool,
    "Tools": list,
    "ToolChoice": str,
    "CustomTool": dict,
    "SearchInfo": bool,
    "Citation": bool,
    "EnableSpeedSearch": bool,
    "EnableMultimedia": bool,
    "EnableDeepSearch": bool,
    "Seed": int,
    "ForceSearchEnhancement": bool,
    "Stop": list,
    "EnableRecommendedQuestions": bool,
    "EnableDeepRead": bool,
    "WebSearchOptions": dict,
    "TopicChoice": str,
    "EnableThinking": bool,
}
_MESSAGE: Final = {
    "Role": str,
    "Content": str,
    "Contents": list,
    "ToolCallId": str,
    "ToolCalls": list,
    "FileIDs": list,
    "ReasoningContent": str,
}
_PART: Final = {"Type": str, "Text": str, "ImageUrl": dict, "VideoUrl": dict, "VideoFrames": dict}
_TOOL: Final = {"Type": str, "Function": dict}
_FUNCTION: Final = {"Name": str, "Parameters": str, "Description": str}
_CALL: Final = {"Id": str, "Type": str, "Function": dict, "Index": int}
_CALLED: Final = {"Name": str, "Arguments": str}
_SEARCH: Final = {"Knowledge": list, "UserLocation": dict, "Processes": bool, "EnableImage": bool, "EnableMusic": bool}
_CODES: Final = {"A5": "InvalidParameterValue.Model", "A10": "ActionOffline", "A4": "RequestLimitExceeded"}
_RANGES: Final = {"TopP": (0, 1), "Temperature": (0, 2), "Seed": (1, 10_000)}
_CHOICES: Final = ("none", "auto", "custom")


def as_chat(body: Any) -> Json:  # noqa: PLR0912 - one check after the other
    """The body of `ChatCompletions` in chat's words, once it satisfies the API. Raises `Error`."""
    _checked(body, _TOP, "")
    for name in ("Model", "Messages"):
        if not body.get(name):
            raise Error("MissingParameter", f"The request is missing a required parameter `{name}`.")
    for name, (low, high) in _RANGES.items():
        if not low <= body.get(name, low) <= high:
            raise Error("InvalidParameter", f"{name} must be {high} or less")
    if "WebSearchOptions" in body:
        _checked(body["WebSearchOptions"], _SEARCH, "WebSearchOptions.")
    chat: Json = {"model": body["Model"], "messages": [_message(message) for message in body["Messages"]]}
    if tools := [_tool(tool) for tool in body.get("Tools", [])]:
        chat["tools"] = tools
    choice = body.get("ToolChoice", "auto")
    if choice not in _CHOICES:
        raise Error("InvalidParameterValue.ParameterValueError", "ToolChoice")
    if choice == "custom":
        if "CustomTool" not in body:
            raise Error("MissingParameter", "CustomTool")
        chat["tools"] = [_tool(body["CustomTool"])]
    elif tools:
        chat["tool_choice"] = choice
    chat |= {"stream": body.get("Stream", False)}
    for native, name in (("Stop", "stop"), ("EnableThinking", "enable_thinking")):
        if native in body:
            chat[name] = body[native]
    refusal = checks.problems(chat, "hunyuan")
    if refusal is not None:
        message = str(refusal.body["error"]["message"])
        raise Error(_CODES.get(refusal.row, "InvalidParameter"), f"{message} {refusal.detail}")
    return chat


def _message(given: Any) -> Json:
    _checked(given, _MESSAGE, "Messages.")
    if "ReasoningContent" in given:
        raise Error("InvalidParameter", "messages 的请求参数中包含 reasoning_content")
    role, made = given.get("Role"), dict[str, Any]()
    if not given.get("Content") and not given.get("Contents"):
        raise Error("InvalidParameter", "Messages 中 Content 和 Contents 字段不能同时为空")
    if "Contents" in given:
        parts = [_part(part) for part in given["Contents"]]
        if role != "user" or not any(part["type"] == "text" for part in parts):
            raise Error("InvalidParameter", "Contents")
        made["content"] = parts
    else:
        made["content"] = given["Content"]
    if "ToolCalls" in given:
        made["tool_calls"] = [_call(call) for call in given["ToolCalls"]]
    if "ToolCallId" in given:
        made["tool_call_id"] = given["ToolCallId"]
    return {"role": role, **made}


def _part(given: Any) -> Json:
    _checked(given, _PART, "Contents.")
    match given:
        case {"Type": "text", "Text": str(text)}:
            return {"type": "text", "text": text}
        case {"Type": "image_url", "ImageUrl": {"Url": str(url), **rest}} if not rest:
            return {"type": "image_url", "image_url": {"url": url}}
        case {"Type": "video_url", "VideoUrl": {"Url": str(url), **rest}} if rest.keys() <= {"Fps"}:
            return {"type": "video_url", "video_url": {"url": url}}
        case {"Type": "video_frames", "VideoFrames": {"Frames": list(frames)}}:
            return {"type": "video_frames", "video_frames": {"frames": frames}}
    raise Error("InvalidParameter", f"Contents.Type {given.get('Type')}")


def _tool(given: Any) -> Json:
    _checked(given, _TOOL, "Tools.")
    function = given.get("Function")
    _checked(function, _FUNCTION, "Tools.Function.")
    if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", function.get("Name", "")) or "Parameters" not in function:
        raise Error("InvalidParameter", "Tools.Function")
    try:
        parameters = _decoded(function["Parameters"])
    except ValueError:
        raise Error("InvalidParameter", "Tools.Function.Parameters") from None
    described = {"description": function["Description"]} if "Description" in function else {}
    return {"type": "function", "function": {"name": function["Name"], "parameters": parameters, **described}}


def _call(given: Any) -> Json:
    _checked(given, _CALL, "ToolCalls.")
    function = given.get("Function")
    _checked(function, _CALLED, "ToolCalls.Function.")
    return {
        "id": given.get("Id"),
        "type": "function",
        "function": {"name": function.get("Name"), "arguments": function.get("Arguments")},
    }


def _checked(given: Any, fields: Mapping[str, type], place: str) -> None:
    if not isinstance(given, dict):
        raise Error("InvalidParameter", f"{place} is not an object")
    for name, value in given.items():
        kind = fields.get(name)
        if kind is None:
            raise Error("UnknownParameter", f"The parameter `{place}{name}` is not recognized.")
        is_number = kind is float and isinstance(value, int | float) and not isinstance(value, bool)
        if not (is_number or type(value) is kind):
            raise Error("InvalidParameter", f"The value type of parameter `{place}{name}` is not valid.")


def _decoded(text: str) -> Any:
    return decode(text.encode())


def texts(body: Any) -> list[str]:
    """The texts of a `GetEmbedding`. Raises `Error`."""
    _checked(body, {"Input": str, "InputList": list}, "")
    given = body.get("InputList", [body["Input"]] if "Input" in body else [])
    if not given or not all(isinstance(text, str) and text for text in given):
        raise Error("InvalidParameter", "Input")
    if len(given) > MOST_TEXTS:
        raise Error("InvalidParameterValue.ParameterValueError", "InputList")
    return list(given)


def prompt(body: Any) -> str:
    """The text of a `GetTokenCount`. Raises `Error`."""
    _checked(body, {"Prompt": str}, "")
    if not body.get("Prompt"):
        raise Error("MissingParameter", "The request is missing a required parameter `Prompt`.")
    return str(body["Prompt"])
