"""Anthropic Messages of the simulator: a request read as chat for the "model", its answer as a message or as events.

docs/facts/anthropic.md#facades.
"""

import base64
import hashlib
from collections.abc import Iterator
from functools import partial
from typing import Any

from .answers import Answer, pieces_of
from .answers import answer as answer_chat
from .anthropic_checks import inner_blocks, input_tokens
from .anthropic_facade import Facade
from .codec import decode, encode
from .rows import THINKERS, Finding, Json, Problem, problem
from .streams import Frames
from .variant import DOCUMENTED, Variant

_STATUSES = {  # of a row; what isn't here is 400
    "model": 404,
}
_TYPES = {  # of an error, by its status
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    451: "invalid_request_error",
    529: "overloaded_error",
}
_STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "sensitive": "refusal",
    "content_filter": "refusal",
}
_TURNED_OFF = "omitted"


# Errors


def refusal(finding: Finding, facade: Facade) -> Problem:
    """A broken rule, in the facade's words."""
    if facade.profile in THINKERS and finding.subject:
        row = "A5" if finding.row == "model" else finding.row
        said_so = problem(facade.profile, Finding(row, finding.detail, finding.subject))
        return Problem(finding.row, said_so.status, reworded(said_so).body, finding.detail)
    status = _STATUSES.get(finding.row, 400)
    said = finding.detail
    if facade.profile in THINKERS:
        return Problem(finding.row, status, _error(status, f"Invalid request: {said}"), said)
    if not facade.anthropic_words:
        place, _, why = said.partition(": ") if ": " in said else (finding.row, "", "")
        said = f"input token length too long: {why}" if finding.row == "overflow" else f"invalid parameter '{place}'"
    return Problem(finding.row, status, _error(status, said), finding.detail)


def reworded(problem: Problem) -> Problem:
    """A refusal of the chat API in Anthropic's shape: its status and its text stay."""
    if problem.body.get("type") == "error":
        return problem
    error = problem.body.get("error", {})
    return Problem(problem.row, problem.status, _error(problem.status, error.get("message", "")), problem.detail)


def _error(status: int, message: str) -> Json:
    request_id = hashlib.md5(message.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()[:24]
    return {
        "type": "error",
        "error": {"type": _TYPES.get(status, "api_error"), "message": message},
        "request_id": f"req_{request_id}",
    }


# The request


def as_chat(body: Json) -> Json:
    """What `answers.answer` reads of a body that passed the checks: texts, tools, images."""
    messages = [_as_chat(message) for message in body["messages"] if message["role"] != "system"]
    if messages and messages[-1]["role"] == "assistant":
        messages[-1]["partial"] = True
    if system := _text(body.get("system", "")):
        messages.insert(0, {"role": "system", "content": system})
    chat: Json = {"model": body["model"], "messages": messages, "max_tokens": body.get("max_tokens")}
    tools = [tool for tool in body.get("tools", []) if "input_schema" in tool]
    chat["tools"] = [{"function": {"name": tool["name"], "parameters": tool["input_schema"]}} for tool in tools]
    match body.get("tool_choice", {}):
        case {"type": "any"}:
            chat["tool_choice"] = "required"
        case {"type": "none"}:
            chat["tool_choice"] = "none"
        case {"type": "tool", "name": name}:
            chat["tool_choice"] = {"function": {"name": name}}
    match (body.get("thinking") or {}).get("type"):
        case "enabled" | "adaptive":
            chat["thinking"] = {"type": "enabled"}
        case "disabled":
            chat["thinking"] = {"type": "disabled"}
    if "output_format" in body or "format" in (body.get("output_config") or {}):
        chat["response_format"] = {"type": "json_schema"}
    return chat


def _as_chat(message: Json) -> Json:
    content = message["content"]
    if isinstance(content, str):
        return {"role": message["role"], "content": content}
    results = any(block["type"] == "tool_result" for block in content)
    parts: list[Json] = [{"type": "text", "text": _text(content)}]
    for block in inner_blocks({"messages": [message]}):
        source = block.get("source")
        if block["type"] == "image" and isinstance(source, dict):
            parts.append({"type": "image_url", "image_url": {"url": _url(source)}})
    read: Json = {"role": "tool" if results else message["role"], "content": parts}
    if calls := [block["id"] for block in content if block["type"] == "tool_use"]:
        read["tool_calls"] = calls
    return read


def _text(content: Any) -> str:
    """The text of a content, with that of tool results and documents."""
    if isinstance(content, str):
        return content
    texts = []
    for block in content if isinstance(content, list) else []:
        source = block.get("source")
        if block["type"] == "text":
            texts.append(block["text"])
        elif block["type"] == "tool_result":
            texts.append(_text(block.get("content", "")))
        elif block["type"] == "document" and isinstance(source, dict) and source.get("type") == "text":
            texts.append(source["data"])
    return "\n".join(text for text in texts if text)


def _url(source: Json) -> str:
    return source.get("url") or f"data:{source.get('media_type')};base64,{source.get('data', '')}"


# The answer


def answer(
    body: Json,
    facade: Facade,
    *,
    created: int = 0,
    seed: bytes = b"",
    mentions: bool = True,
    variant: Variant = DOCUMENTED,
    read: tuple[int, int] | None = None,
) -> tuple[Answer, str]:
    """The answer to a body that passed the checks, and the stop sequence that ended it, `""` if none did.

    Raises vision.UnreadableImage where an image can't be decoded.
    """
    chat = as_chat(body)
    answered = partial(
        answer_chat,
        profile=facade.profile,
        created=created,
        seed=seed,
        mentions=mentions,
        variant=variant,
        read=read,
    )
    whole = answered(chat)
    sequences = body.get("stop_sequences") or []
    places = [(whole.text.find(one), one) for one in sequences if one in whole.text]
    if not places:
        return whole, ""
    return answered(chat | {"stop": sequences}), min(places)[1]


def count(body: Json) -> Json:
    """The answer of count_tokens."""
    return {"input_tokens": input_tokens(body)}


def message(answer: Answer, stop: str, body: Json, read: tuple[int, int] | None = None, *, signed: bool = True) -> Json:
    """An answer without `stream`. `read`: the tokens of the prompt and the cached ones; `signed`: as thoughts are."""
    blocks = [start | {name: text} for start, name, text in _blocks(answer, body)]
    for block in blocks:
        if block["type"] == "tool_use":
            block["input"] = decode(block.pop("partial_json").encode() or b"{}")
        elif block["type"] == "thinking" and signed:
            block["signature"] = _signature(answer.reasoning)
    return _head(answer, body) | {
        "content": blocks,
        "stop_reason": _stop_reason(answer, stop),
        "stop_sequence": stop or None,
        "usage": _usage(body, answer.usage["completion_tokens"], read),
    }


def events(
    answer: Answer, stop: str, body: Json, read: tuple[int, int] | None = None, *, signed: bool = True
) -> Frames:
    """The events of a stream: one block after the other, then how it ended."""
    first = _head(answer, body) | {"content": [], "stop_reason": None, "stop_sequence": None}
    first["usage"] = _usage(body, 1, read)
    frames = [event({"type": "message_start", "message": first}), event({"type": "ping"})]
    for index, (start, name, text) in enumerate(_blocks(answer, body)):
        nothing: Json = {"input": {}} if name == "partial_json" else {name: ""}
        empty = start | nothing
        frames.append(event({"type": "content_block_start", "index": index, "content_block": empty}))
        for delta in _deltas(answer, start, name, text, signed=signed):
            frames.append(event({"type": "content_block_delta", "index": index, "delta": delta}))
        frames.append(event({"type": "content_block_stop", "index": index}))
    ending = {"stop_reason": _stop_reason(answer, stop), "stop_sequence": stop or None}
    counts = _usage(body, answer.usage["completion_tokens"], read)
    return Frames(
        said=frames,
        ending=[event({"type": "message_delta", "delta": ending, "usage": counts})],
        done=event({"type": "message_stop"}),
        error=event(_error(500, "Internal server error")),
        broken=b'event: content_block_delta\ndata: {"type": "content_block_delta", "ind\n\n',
    )


def event(data: Json) -> bytes:
    """One event: its name is its type."""
    return b"event: " + str(data["type"]).encode() + b"\ndata: " + encode(data) + b"\n\n"


def _head(answer: Answer, body: Json) -> Json:
    return {"id": f"msg_{answer.id[:24]}", "type": "message", "role": "assistant", "model": body["model"]}


def _blocks(answer: Answer, body: Json) -> Iterator[tuple[Json, str, str]]:
    """Each block as its start, the field that holds its text, and the text."""
    if answer.reasoning:
        shown = body.get("thinking", {}).get("display") != _TURNED_OFF
        yield {"type": "thinking", "signature": ""}, "thinking", answer.reasoning if shown else ""
    if answer.text:
        yield {"type": "text"}, "text", answer.text
    for call in answer.tool_calls:
        start = {"type": "tool_use", "id": call.id.replace("call_", "toolu_"), "name": call.name}
        yield start, "partial_json", call.arguments


def _deltas(answer: Answer, start: Json, name: str, text: str, *, signed: bool) -> Iterator[Json]:
    pieces = answer.pieces if name == "text" else pieces_of(text)
    kind = "input_json_delta" if name == "partial_json" else f"{name}_delta"
    for piece in pieces:
        yield {"type": kind, name: piece}
    if name == "thinking" and signed:
        yield {"type": "signature_delta", "signature": _signature(answer.reasoning)}


def _signature(thought: str) -> str:
    return base64.b64encode(hashlib.sha256(thought.encode("utf-8", "replace")).digest()).decode()


def _stop_reason(answer: Answer, stop: str) -> str:
    return "stop_sequence" if stop and answer.finish_reason == "stop" else _STOP_REASONS[answer.finish_reason]


def _usage(body: Json, written: int, read: tuple[int, int] | None) -> Json:
    total, cached = read or (input_tokens(body), 0)
    return {
        "input_tokens": total - cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "output_tokens": written,
    }
