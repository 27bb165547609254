"""A native request becomes a chat request: nothing that a client says is lost, and what has no word in chat is told.

What clients send: docs/facts/tencent-sdk.md#requests. The translation knows no profile: it writes
plain chat, and the house rules make of it what the endpoint accepts. `null` means the same as an absent field.
"""

from __future__ import annotations

from typing import Any, Final, NoReturn

from ...counting import text
from ...counting.body import rough
from ...exchange import JsonObject
from ...rules.fields import escape
from ...wire import json_body
from ..base import BadRequest
from ..told import Told
from . import fields

EMBEDDING_MODEL: Final = "hunyuan-embedding"
"""What made the vectors of `GetEmbedding`, which names no model."""
UNNAMED: Final = "unnamed_model"
"""Whether the request leaves it to the endpoint which model answers; a key of the note."""
COUNTED: Final = "counted"
"""The tokens and the characters of the text whose tokens are asked for; a key of the note."""
REFUSED_AS: Final = "refused_as"
"""The vendor's code for a `BadRequest`, where it isn't that of an invalid value; a key of the note."""
_MISSING: Final = "MissingParameter"
_ROLES: Final = ("system", "user", "assistant", "tool")
_PLAIN: Final = {native: chat for chat, native in fields.PLAIN.items() if chat not in ("stream", "enable_thinking")}
"""Parameters that are the same in chat but for their names. Of Hunyuan's own switches other endpoints have nothing: the
rules drop and name them there."""
_NESTED: Final = {native: chat for chat, native in fields.NESTED.items()}
_ELSEWHERE: Final = frozenset(
    ["Model", "Messages", "Stream", "Stop", "EnableThinking", "Tools", "ToolChoice", "CustomTool"]
)
_OF_MESSAGES: Final = frozenset(["Role", "Content", "Contents", "ToolCallId", "ToolCalls", "ReasoningContent"])


def chat_request(body: JsonObject, note: JsonObject) -> JsonObject:
    """The chat request for the body of `ChatCompletions`. `body` stays as it is; its large texts are shared.

    `note` gets what the answer must know: `model` (as the client asked), `input_tokens` (an estimate), and `changes`
    ([pointer, why] for each thing dropped or reworded). Raises `BadRequest` where a part is missing or of another type;
    `note` has a `REFUSED_AS` then, if the usual code isn't the vendor's.
    """
    told = Told()
    # 1. The model and the conversation.
    model = _text(_given(body.get("Model") or None, "Model", note), "Model")
    chat: JsonObject = {"model": model, "messages": _messages(body.get("Messages"), note, told)}
    # 2. Parameters.
    if _switch(body, "Stream"):
        chat |= {"stream": True, "stream_options": {"include_usage": True}}
    chat |= {name: body[key] for key, name in _PLAIN.items() if body.get(key) is not None}
    chat |= {name: fields.to_chat(body[key]) for key, name in _NESTED.items() if body.get(key) is not None}
    if stop := _stop(body.get("Stop")):
        chat["stop"] = stop
    if (thinks := _switch(body, "EnableThinking")) is not None:
        chat["thinking"] = {"type": "enabled" if thinks else "disabled"}
    # 3. Tools.
    chat |= _tools(body, note)
    for key, value in body.items():
        if key not in _ELSEWHERE and key not in _PLAIN and key not in _NESTED and value is not None:
            told.say(f"/{escape(key)}", "a parameter that chat has no word for is dropped")
    # 4. What the answer must know.
    note["model"] = model
    note["input_tokens"] = rough(chat)
    note["changes"] = told.lines()
    return chat


def embedding_request(body: JsonObject, note: JsonObject) -> JsonObject:
    """The embeddings request for the body of `GetEmbedding`. Raises `BadRequest`."""
    key = "Input" if body.get("InputList") is None else "InputList"
    given = _given(body.get(key), key, note)
    texts = given if isinstance(given, list) else [given]
    if not texts:
        _refuse_missing(key, note)
    note[UNNAMED] = True
    note["changes"] = []
    return {"model": EMBEDDING_MODEL, "input": [_text(one, key) for one in texts]}


def count_request(body: JsonObject, note: JsonObject) -> JsonObject:
    """A chat request without any text, for the body of `GetTokenCount`: what is counted is in the note by then.

    Raises `BadRequest`.
    """
    prompt = _text(_given(body.get("Prompt"), "Prompt", note), "Prompt")
    note[COUNTED] = [text.tokens(prompt), len(prompt)]
    note["changes"] = []
    return {"messages": []}


# Messages


def _messages(given: object, note: JsonObject, told: Told) -> list[JsonObject]:
    listed = _list(_given(given or None, "Messages", note), "Messages")
    return [_message(_object(message, f"Messages.{index}"), index, note, told) for index, message in enumerate(listed)]


def _message(given: JsonObject, index: int, note: JsonObject, told: Told) -> JsonObject:
    place = f"Messages.{index}"
    role = _text(_given(given.get("Role"), f"{place}.Role", note), f"{place}.Role").lower()
    if role not in _ROLES:
        key, values = f"{place}.Role", ", ".join(_ROLES)
        raise BadRequest(f"{key}: must be one of {values}.", key)
    message: JsonObject = {"role": role, "content": _content(given, place)}
    if identity := _optional(given, "ToolCallId", place):
        message["tool_call_id"] = identity
    if calls := given.get("ToolCalls"):
        key = f"{place}.ToolCalls"
        message["tool_calls"] = [_call(call, f"{key}.{number}") for number, call in enumerate(_list(calls, key))]
    if thought := _optional(given, "ReasoningContent", place):
        message["reasoning_content"] = thought
    for key, value in given.items():
        if key not in _OF_MESSAGES and value is not None:
            told.count(f"/Messages/{index}/{escape(key)}", "a field of a message that chat has no word for is dropped")
    return message


def _content(given: JsonObject, place: str) -> str | list[JsonObject]:
    said = _optional(given, "Content", place)
    if not (parts := given.get("Contents")):
        return said
    key = f"{place}.Contents"
    made = [_part(_object(part, f"{key}.{number}"), f"{key}.{number}") for number, part in enumerate(_list(parts, key))]
    return [{"type": "text", "text": said}, *made] if said else made


def _part(given: JsonObject, place: str) -> JsonObject:
    match given.get("Type"):
        case "text":
            return {"type": "text", "text": _optional(given, "Text", place)}
        case "image_url":
            return {"type": "image_url", "image_url": {"url": _url(given, "ImageUrl", place)}}
        case "video_url":
            video: JsonObject = {"url": _url(given, "VideoUrl", place)}
            fps = given["VideoUrl"].get("Fps")
            return {"type": "video_url", "video_url": video if fps is None else {**video, "fps": fps}}
        case "video_frames":
            key = f"{place}.VideoFrames"
            frames = _list(_object(given.get("VideoFrames"), key).get("Frames"), f"{key}.Frames")
            return {"type": "video_frames", "video_frames": {"frames": list(frames)}}
    key, values = f"{place}.Type", "text, image_url, video_url, video_frames"
    raise BadRequest(f"{key}: must be one of {values}.", key)


def _url(given: JsonObject, name: str, place: str) -> str:
    key = f"{place}.{name}"
    url = _text(_object(given.get(name), key).get("Url"), f"{key}.Url")
    if not url:
        raise BadRequest(f"{key}: must have a URL or a data URL.", key)
    return url


def _call(given: object, place: str) -> JsonObject:
    call = _object(given, place)
    function = _object(call.get("Function"), f"{place}.Function")
    arguments = function.get("Arguments")
    if not isinstance(arguments, str):
        arguments = "" if arguments is None else json_body.serialise(arguments).decode()
    said = {"type": "function", "function": {"name": _name(function, place), "arguments": arguments}}
    # Of whole answers some calls have no id, as in the vendor's own sample: the rules give them one.
    return {"id": call["Id"], **said} if isinstance(call.get("Id"), str) and call["Id"] else said


# Tools


def _tools(body: JsonObject, note: JsonObject) -> JsonObject:
    """`tools` and `tool_choice`, as far as the client says anything of them."""
    tools = [_tool(tool, f"Tools.{number}") for number, tool in enumerate(_list(body.get("Tools") or [], "Tools"))]
    choice = _optional(body, "ToolChoice", "")
    chat: JsonObject = {}
    if choice == "custom":
        named = _tool(_given(body.get("CustomTool"), "CustomTool", note), "CustomTool")
        name = named["function"]["name"]
        if all(tool["function"]["name"] != name for tool in tools):
            tools.append(named)
        chat["tool_choice"] = {"type": "function", "function": {"name": name}}
    elif choice:
        chat["tool_choice"] = choice
    return {"tools": tools, **chat} if tools else chat


def _tool(given: object, place: str) -> JsonObject:
    function = _object(_object(given, place).get("Function"), f"{place}.Function")
    made: JsonObject = {"name": _name(function, place)}
    if said := _optional(function, "Description", f"{place}.Function"):
        made["description"] = said
    if (schema := _schema(function.get("Parameters"), f"{place}.Function.Parameters")) is not None:
        made["parameters"] = schema
    return {"type": "function", "function": made}


def _name(function: JsonObject, place: str) -> str:
    key = f"{place}.Function.Name"
    name = _text(function.get("Name"), key)
    if not name:
        raise BadRequest(f"{key}: must be a name.", key)
    return name


def _schema(given: Any, key: str) -> JsonObject | None:
    """The schema in `Parameters`, which is JSON in a text; some clients send the object itself."""
    if given is None or given == "":
        return None
    schema = json_body.parse_object(given.encode("utf-8", "replace")) if isinstance(given, str) else given
    if not isinstance(schema, dict):
        raise BadRequest(f"{key}: must be a JSON schema, an object, as a text.", key)
    return schema


# Values


def _stop(given: object) -> list[str]:
    if given is None:
        return []
    return [one for one in (_text(text, "Stop") for text in (given if isinstance(given, list) else [given])) if one]


def _given(value: Any, key: str, note: JsonObject) -> Any:
    if value is None:
        _refuse_missing(key, note)
    return value


def _refuse_missing(key: str, note: JsonObject) -> NoReturn:
    note[REFUSED_AS] = _MISSING
    raise BadRequest(f"{key}: is missing.", key)


def _switch(body: JsonObject, key: str) -> bool | None:
    given = body.get(key)
    if not (given is None or isinstance(given, bool)):
        raise BadRequest(f"{key}: must be true or false.", key)
    return given


def _optional(holder: JsonObject, name: str, place: str) -> str:
    """A text that may be absent: `""` then."""
    given = holder.get(name)
    return "" if given is None else _text(given, f"{place}.{name}" if place else name)


def _text(given: object, key: str) -> str:
    if not isinstance(given, str):
        raise BadRequest(f"{key}: must be a text.", key)
    return given


def _list(given: object, key: str) -> list[Any]:
    if not isinstance(given, list):
        raise BadRequest(f"{key}: must be a list.", key)
    return given


def _object(given: object, key: str) -> JsonObject:
    if not isinstance(given, dict):
        raise BadRequest(f"{key}: must be an object.", key)
    return given
