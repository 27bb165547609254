"""An upstream that speaks Tencent Cloud's own API: chat requests become `ChatCompletions`, embeddings `GetEmbedding`.

The house rules have repaired the chat request before, by the grammar that this API shares with the old platform's
OpenAI-compatible host (`profiles/tencent-cloud.toml`): roles alternate, at most 40 messages, no empty content, no
reasoning. What has no native field is dropped and told. Field tables: docs/facts/tencent-cloud.md#fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ...exchange import JsonObject
from ...rules import content, ids
from ...rules.fields import escape
from ...texts import Texts
from ...wire import json_body, rule_names, usage
from .. import spoken
from ..base import BadRequest, Demands, House
from ..told import Told
from . import errors, fields, upstream_answers
from .repeated import Repeated

_READ: Final = frozenset(["model", "messages", "tools", "tool_choice", "stop", "stream_options"])
"""Parameters that are read one by one."""
_NO_PARAMETERS: Final = '{"type":"object","properties":{}}'
_SEARCHES: Final = ("EnableEnhancement", "SearchInfo")
"""Switches without which `WebSearchOptions` does nothing."""


class TencentCloudUpstream:
    """An upstream that speaks Tencent Cloud's own API."""

    name = rule_names.TENCENT_CLOUD_UPSTREAM
    is_house = False
    lists_models = False

    def headers(self, house: House) -> Mapping[str, str]:
        """The action, which the API has in the place of a path, and its version."""
        action = fields.EMBEDDING if house == "embeddings" else fields.CHAT
        return {fields.ACTION_HEADER: action, fields.VERSION_HEADER: fields.VERSION}

    def path(self, house: House) -> str:
        """The root, always."""
        return "/"

    def request(self, chat: JsonObject, demands: Demands, note: JsonObject) -> JsonObject:
        """The native request. `note` gets what the answer must know, and `changes`: `[pointer, why]` each.

        Raises `BadRequest` for token ids and for content that the API has no part for.
        """
        model = chat.get("model")
        note["model"] = model if isinstance(model, str) else ""
        if not isinstance(chat.get("messages"), list):
            return _embedding(chat)
        told = Told()
        body: JsonObject = {"Model": model, "Messages": _messages(chat["messages"], demands.texts, told)}
        _parameters(chat, body, told)
        _offered(chat, body, told)
        note["include_usage"] = usage.is_asked(chat)
        note["changes"] = told.lines()
        return body

    def answer(self, body: JsonObject, note: JsonObject) -> JsonObject:
        """A whole answer as chat's or OpenAI's embeddings, an error as OpenAI's."""
        return upstream_answers.answer(body, note)

    def events(self, event: JsonObject, note: JsonObject) -> list[JsonObject]:
        """The chat chunks for one event."""
        return upstream_answers.events(event, note)

    def repeated(self, data: bytes, chunks: list[JsonObject], made: bytes) -> Repeated | None:
        """See `Repeated`."""
        return Repeated.of(data, chunks, made)

    def goes_on(self, raw: bytes) -> bool:
        """Whether the bytes of whole events tell that none ends the answer, or is an error."""
        return upstream_answers.goes_on(raw)

    def error(self, status: int, body: bytes) -> bytes:
        """An error in OpenAI's shape."""
        return errors.error(status, body)


def _embedding(request: JsonObject) -> JsonObject:
    """`GetEmbedding`: it has no model, and takes a list of texts. Larger lists come in parts."""
    given = request.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise BadRequest("input: must be a text or a list of texts; this endpoint takes no token ids.", "input")
    return {"InputList": texts}


# Messages


def _messages(messages: list[Any], texts: Texts, told: Told) -> list[JsonObject]:
    return [
        _message(message, f"/messages/{number}", texts, told)
        for number, message in enumerate(messages)
        if isinstance(message, dict)
    ]


def _message(message: JsonObject, pointer: str, texts: Texts, told: Told) -> JsonObject:
    role, given = message.get("role"), message.get("content")
    made: JsonObject = {"Role": role}
    if role == "user":
        made |= _user_content(given, f"{pointer}/content", texts)
    else:
        made["Content"] = _text(given, f"{pointer}/content")
    if role == "assistant":
        if refusal := spoken.text_of(message.get("refusal")):
            made["Content"] = content.BLANK_LINE.join(filter(None, [made["Content"], refusal]))
        if calls := spoken.calls_of(message):
            made["ToolCalls"] = [_call(call, number) for number, call in enumerate(calls)]
    elif role == "tool":
        made["ToolCallId"] = ids.as_text(message.get("tool_call_id"))
    for key in message.keys() - _OF_MESSAGES:
        told.count(f"{pointer}/{escape(key)}", "a field of a message that the endpoint doesn't have is dropped")
    return made


_OF_MESSAGES: Final = frozenset(["role", "content", "refusal", "tool_calls", "tool_call_id", "function_call"])


def _text(given: object, pointer: str) -> str:
    """The text of a content of another role than the user's, which can't have anything else."""
    parts = given if isinstance(given, list) else [given]
    for place, part in enumerate(parts):
        if not (part is None or isinstance(part, str) or content.is_text(part)):
            raise _unsupported(part, f"{pointer}/{place}")
    if not isinstance(given, list):
        return given if isinstance(given, str) else ""
    return content.BLANK_LINE.join(str(piece) for piece in content.pieces(given))


def _user_content(given: object, pointer: str, texts: Texts) -> JsonObject:
    """`Content` for text alone, else `Contents`, which need a text."""
    if not isinstance(given, list) or all(isinstance(part, str) or content.is_text(part) for part in given):
        return {"Content": _text(given, pointer)}
    parts = [_part(part, f"{pointer}/{place}") for place, part in enumerate(given)]
    if not any(part["Type"] == "text" and not content.is_blank_text(part["Text"]) for part in parts):
        parts = [{"Type": "text", "Text": texts.image_only}, *(part for part in parts if part["Type"] != "text")]
    return {"Contents": parts}


def _part(part: Any, pointer: str) -> JsonObject:
    if isinstance(part, str) or content.is_text(part):
        return {"Type": "text", "Text": part if isinstance(part, str) else part["text"]}
    kind = part.get("type") if isinstance(part, dict) else None
    fields_ = _MEDIA.get(kind, ()) if isinstance(kind, str) else ()
    inside = part.get(kind) if fields_ else None
    if isinstance(inside, str):
        inside = {"url": inside}
    if not fields_ or not isinstance(inside, dict) or fields_[0] not in inside:
        raise _unsupported(part, pointer)
    value = {fields.pascal(name): inside[name] for name in fields_ if inside.get(name) is not None}
    return {"Type": kind, fields.pascal(str(kind)): value}


_MEDIA: Final[Mapping[str, tuple[str, ...]]] = {
    "image_url": ("url",),
    "video_url": ("url", "fps"),
    "video_frames": ("frames",),
}
"""Type of a part -> the fields of its object, the one that it must have first."""


def _unsupported(part: object, pointer: str) -> BadRequest:
    kind = part.get("type") if isinstance(part, dict) else None
    place = pointer.strip("/").replace("/", ".")
    return BadRequest(
        f"{place}: the endpoint takes texts, and in messages of the user images and videos by their URL, but no "
        f"{kind if isinstance(kind, str) else 'such part'}.",
        place,
    )


def _call(call: JsonObject, number: int) -> JsonObject:
    name, arguments = spoken.function_of(call)
    return {
        "Id": ids.as_text(call.get("id")),
        "Type": "function",
        "Function": {"Name": name, "Arguments": arguments},
        "Index": number,
    }


# Parameters


def _parameters(chat: JsonObject, body: JsonObject, told: Told) -> None:
    for key, value in chat.items():
        if key in _READ or value is None:
            continue
        if key in fields.PLAIN:
            if not (key == "stream" and value is not True):
                body[fields.PLAIN[key]] = value
        elif key in fields.NESTED and isinstance(value, dict):
            _search(value, body, told)
        else:
            told.say(f"/{escape(key)}", "a parameter that the endpoint has no field for is dropped")
    stop = chat.get("stop")
    if stops := [text for text in ([stop] if isinstance(stop, str) else stop or ()) if isinstance(text, str) and text]:
        body["Stop"] = stops


def _search(given: JsonObject, body: JsonObject, told: Told) -> None:
    """OpenAI's `web_search_options`, with the vendor's own fields beside them. To give them is to ask for a search."""
    options = {key: value for key, value in given.items() if fields.pascal(key) in _OF_SEARCHES and value is not None}
    for key in given.keys() - options.keys():
        told.say(f"/web_search_options/{escape(key)}", "an option that the endpoint has no field for is dropped")
    if options:
        body["WebSearchOptions"] = fields.to_native(options)
    for switch in _SEARCHES:
        body.setdefault(switch, True)


_OF_SEARCHES: Final = frozenset(["Knowledge", "UserLocation", "Processes", "EnableImage", "EnableMusic"])


# Tools


def _offered(chat: JsonObject, body: JsonObject, told: Told) -> None:
    """`Tools`, and which of them is to be called: one that is named is `custom`, and stands there as a whole."""
    given = chat.get("tools")
    tools: dict[str, JsonObject] = {}
    for number, tool in enumerate(given if isinstance(given, list) else ()):
        function = tool.get("function") if isinstance(tool, dict) else None
        name = function.get("name") if isinstance(function, dict) else None
        if not isinstance(function, dict) or not isinstance(name, str) or name in tools:
            told.say(f"/tools/{number}", "no function, or one whose name is taken: dropped")
            continue
        tools[name] = _tool(name, function)
    choice = chat.get("tool_choice")
    if not tools:
        if choice not in (None, "none"):
            told.say("/tool_choice", "there is no tool to choose: dropped")
        return
    body["Tools"] = list(tools.values())
    if isinstance(choice, str):
        body["ToolChoice"] = choice
    elif isinstance(choice, dict):
        named = choice.get("function")
        name = named.get("name") if isinstance(named, dict) else None
        if not isinstance(name, str) or name not in tools:
            raise BadRequest("tool_choice: must name one of the functions in tools.", "tool_choice")
        body["ToolChoice"], body["CustomTool"] = "custom", tools[name]


def _tool(name: str, function: JsonObject) -> JsonObject:
    parameters = function.get("parameters")
    if not isinstance(parameters, str):
        parameters = json_body.serialise(parameters).decode() if isinstance(parameters, dict) else _NO_PARAMETERS
    made: JsonObject = {"Name": name, "Parameters": parameters}
    if isinstance(function.get("description"), str):
        made["Description"] = function["description"]
    return {"Type": "function", "Function": made}
