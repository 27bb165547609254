"""The answers of an endpoint that speaks Responses itself: what the proxy reads of them, and what it changes.

A call of a function that stands for another tool of the client's becomes a call of that tool, in whole answers and in
the events of its item. A client runs nothing that is called by another name (docs/facts/responses.md#calls).
"""

from __future__ import annotations

import re
from typing import Any, Final

from ...exchange import JsonObject
from ...wire import rule_names
from ..ending import GOES_ON, name_model
from . import calls, errors

_ENDS: Final = {"response.completed": "stop", "response.incomplete": "length"}
_ITEMS: Final = "items"
"""The key of a stream's open items that become others: the id of each -> its tool and its new id."""
_RESPONSE: Final = "response"
"""The key of the response as the stream began it."""
_NUMBER: Final = re.compile(rb'"sequence_number"\s*:\s*(\d{1,15})')
_CALLS: Final = "the answer calls the client's own tools by their names"
_MODEL: Final = "the answer names the model that was asked for"


class ResponsesReader:
    """An outline in chat of OpenAI's responses and events."""

    name = rule_names.RESPONSES_NATIVE
    is_house = False

    def answer(self, body: JsonObject, note: JsonObject) -> JsonObject:
        """A chat answer without a message, with finish reason and usage; an error where the response has failed.

        `body` itself where it is no response.
        """
        if body.get("error") or not isinstance(body.get("output"), list):
            return body
        reason = "length" if body.get("status") == "incomplete" else "stop"
        return {"choices": [{"index": 0, "finish_reason": reason}], "usage": _in_chat(body.get("usage"))}

    def events(self, event: JsonObject, note: JsonObject) -> list[JsonObject]:
        """At most one chunk without a text."""
        kind, response = event.get("type"), event.get("response")
        given: JsonObject = response if isinstance(response, dict) else {}
        if kind == "error" or event.get("error"):
            return [{"error": _error_in(event)}]
        if kind == "response.failed":
            return [{"error": given.get("error") or {"message": "The response failed.", "type": "server_error"}}]
        if kind in _ENDS:
            choice = {"index": 0, "delta": {}, "finish_reason": _ENDS[kind]}
            return [{"choices": [choice], "usage": _in_chat(given.get("usage"))}]
        return [GOES_ON] if isinstance(kind, str) and kind.startswith("response.") else []

    def error(self, status: int, body: bytes) -> bytes:
        """`body` itself."""
        return body


def goes_on(raw: bytes, *, calls: bool) -> bool:
    """Whether whole events have neither the beginning nor the end of a response, nor an error.

    `calls`: nor any of an item that may be a call.
    """
    return (
        raw.find(b'"response"') < 0
        and raw.find(b'"error"') < 0
        and raw.find(b"\\u00") < 0  # a key may be spelt with escapes
        and not (calls and (raw.find(b"output_item") >= 0 or raw.find(b"function_call") >= 0))
    )


def as_events(response: JsonObject) -> list[JsonObject]:
    """The events of a whole response: each item at once. Codex reads no item that isn't done."""
    begun = {**response, **_NOTHING_YET, "status": "in_progress"}
    events: list[JsonObject] = [{"type": f"response.{name}", "response": begun} for name in ("created", "in_progress")]
    for index, item in enumerate(response["output"]):
        events += [{"type": kind, "output_index": index, "item": item} for kind in (_ADDED, _DONE)]
    ending = "response.incomplete" if response.get("status") == "incomplete" else "response.completed"
    events.append({"type": ending, "response": response})
    return [event | {"sequence_number": number} for number, event in enumerate(events)]


def repaired_answer(body: JsonObject, note: JsonObject) -> str:
    """Change a response in place; why, or `""`."""
    tools: JsonObject = note.get("tools") or {}
    given = body.get("output")
    output: list[Any] = given if isinstance(given, list) else []
    called = False
    for place, item in enumerate(output):
        tool = _tool_of(item, tools)
        if tool is not None:
            output[place] = _as_called(item, tool)
            called = True
    named = name_model(body, note)
    return _and(_CALLS if called else "", _MODEL if named else "")


def _and(*whys: str) -> str:
    return " and ".join(filter(None, whys))


def repaired_event(event: JsonObject, note: JsonObject, state: JsonObject) -> tuple[list[JsonObject], str]:
    """The events in the place of one, and why; `""`: it stays as it is."""
    kind, item = event.get("type"), event.get("item")
    if kind == "error" or (kind is None and event.get("error")):
        return _told(event, note, state)
    response = event.get("response")
    if isinstance(response, dict):
        why = _and(_repaired_error(response, note), repaired_answer(response, note))
        state.setdefault(_RESPONSE, {key: response[key] for key in _HEAD if key in response})
        return [event], why
    if kind in (_ADDED, _DONE):
        tool = _tool_of(item, note.get("tools") or {})
        if tool is None or not isinstance(item, dict):
            return [event], ""
        return _item(event, item, tool, state), _CALLS
    if isinstance(kind, str) and kind.startswith("response.function_call_arguments."):
        known = state.get(_ITEMS, {}).get(str(event.get("item_id")))
        return _pieces(event, known, state) if known else ([event], "")
    return [event], ""


def failure(error: JsonObject, note: JsonObject, state: JsonObject) -> list[JsonObject]:
    """The event by which the client learns that its response fails."""
    said = errors.failure(error, note)
    found = _NUMBER.findall(state.get("last", b""))
    number = {"sequence_number": int(found[-1]) + 1 if found else 0}
    begun = state.get(_RESPONSE)
    if not begun:
        return [{"type": "error", **said, "param": None, **number}]
    response = {**begun, **_NOTHING_YET, "status": "failed", "error": said}
    return [{"type": "response.failed", "response": response, **number}]


_ADDED: Final = "response.output_item.added"
_DONE: Final = "response.output_item.done"
_HEAD: Final = ("id", "object", "created_at", "model", "parallel_tool_calls", "tool_choice")
"""The fields of a response that events made here repeat."""
_NOTHING_YET: Final[JsonObject] = {"error": None, "incomplete_details": None, "output": [], "tools": [], "usage": None}
_INPUT: Final = "response.custom_tool_call_input"


def _tool_of(item: object, tools: JsonObject) -> JsonObject | None:
    """The client's tool that an item calls, where it is no plain function of the same name."""
    if not isinstance(item, dict) or item.get("type") != "function_call" or not isinstance(item.get("name"), str):
        return None
    found: JsonObject | None = tools.get(item["name"])
    return found


def _as_called(item: JsonObject, tool: JsonObject, *, is_done: bool = True) -> JsonObject:
    """The item of a call of the client's tool."""
    kind = calls.type_of(tool)
    if kind is None:
        named: JsonObject = {"name": tool["name"]}
        if tool.get("namespace"):
            named["namespace"] = tool["namespace"]
        return {**item, **named}
    given = item.get("arguments")
    own = kind.made(tool["name"], given if isinstance(given, str) else "")
    if not is_done and "input" in own:
        own["input"] = ""
    if tool.get("namespace") and "name" in own:
        own["namespace"] = tool["namespace"]
    id = str(item.get("id") or "").removeprefix("fc_")
    kept = {key: value for key, value in item.items() if key not in ("id", "type", "name", "arguments")}
    return {"type": kind.type, "id": f"{kind.prefix}_{id}", **kept, **own}


def _item(event: JsonObject, item: JsonObject, tool: JsonObject, state: JsonObject) -> list[JsonObject]:
    """What stands in the place of the event that begins an item, or ends it.

    An item without pieces begins once it is whole: with the event that has all its arguments, or the one that ends it.
    """
    items = state.setdefault(_ITEMS, {})
    made = _as_called(item, tool, is_done=event["type"] == _DONE)
    if event["type"] == _ADDED:
        items[str(item.get("id"))] = known = {"tool": tool, "id": made["id"], "added": event}
        return [_in_progress(event, state)] if _is_whole(tool) else [{**known["added"], "item": made}]
    known = items.pop(str(item.get("id")), {})
    waits = _is_whole(tool) and "added" in known
    begun = [known.pop("added") | {"item": {**made, "status": "in_progress"}}] if waits else []
    return [*begun, {**event, "item": made}]


def _is_whole(tool: JsonObject) -> bool:
    """Whether a call of the tool has no pieces."""
    return tool["kind"] not in ("function", "custom")


def _pieces(event: JsonObject, known: JsonObject, state: JsonObject) -> tuple[list[JsonObject], str]:
    """What stands in the place of an event with a piece of the arguments, or with all of them.

    The pieces are of JSON, so that a text is whole only at the end. Until then, and for calls that have no pieces, each
    event says that the response goes on: so their numbers have no gap, and the client knows that something comes. The
    number of the last piece is kept for the text.
    """
    tool, is_done = known["tool"], str(event["type"]).endswith("done")
    if calls.type_of(tool) is None:
        renamed = is_done and "name" in event
        return [{**event, "name": tool["name"]} if renamed else event], _CALLS if renamed else ""
    if _is_whole(tool):
        if not is_done or "added" not in known:
            return [_in_progress(event, state)], _CALLS
        added: JsonObject = known.pop("added")
        item = _as_called({**added["item"], "arguments": event.get("arguments")}, tool)
        number = {key: event[key] for key in ("sequence_number",) if key in event}
        return [{**added, "item": item, **number}], _CALLS
    before = known.pop("held", None)
    if not is_done:
        known["held"] = event
        return [] if before is None else [_in_progress(before, state)], _CALLS
    given = event.get("arguments")
    text = calls.unwrapped(tool["name"], given if isinstance(given, str) else "")
    kept = {key: value for key, value in event.items() if key not in ("type", "arguments", "name")}
    whole = {"type": f"{_INPUT}.done", **kept, "item_id": known["id"], "input": text}
    if before is None:
        return [whole], _CALLS
    if not text:
        return [_in_progress(before, state), whole], _CALLS
    return [{**before, "type": f"{_INPUT}.delta", "item_id": known["id"], "delta": text}, whole], _CALLS


def _in_progress(event: JsonObject, state: JsonObject) -> JsonObject:
    """The event that says no more than that the response goes on, with the number of another event."""
    response = {**state.get(_RESPONSE, {}), **_NOTHING_YET, "status": "in_progress"}
    made: JsonObject = {"type": "response.in_progress", "response": response}
    return made | {key: event[key] for key in ("sequence_number",) if key in event}


def _told(event: JsonObject, note: JsonObject, state: JsonObject) -> tuple[list[JsonObject], str]:
    """An error in the middle of an answer, with the code that its client knows."""
    meant = errors.failure(_error_in(event), note)
    if event.get("type") == "error" and all(event.get(key) == value for key, value in meant.items()):
        return [event], ""
    made = failure(_error_in(event), note, state)
    numbered = {key: event[key] for key in ("sequence_number",) if key in event}
    return [one | numbered for one in made], _ERROR


def _repaired_error(response: JsonObject, note: JsonObject) -> str:
    given = response.get("error")
    if not isinstance(given, dict):
        return ""
    meant = errors.failure(given, note)
    if all(given.get(key) == value for key, value in meant.items()):
        return ""
    response["error"] = meant
    return _ERROR


_ERROR: Final = "the error has the code that its client knows"


def _error_in(event: JsonObject) -> JsonObject:
    """The error object of an event `error`: its own fields, or an object in it."""
    inner = event.get("error")
    if isinstance(inner, dict):
        return inner
    fields = {key: event[key] for key in ("code", "message", "param") if event.get(key) is not None}
    return fields or {"message": "The response failed.", "type": "server_error"}


def _in_chat(given: object) -> JsonObject:
    """OpenAI's usage of a response as that of a chat answer."""
    usage: dict[str, Any] = given if isinstance(given, dict) else {}
    counts = {
        chat: usage[own]
        for own, chat in (
            ("input_tokens", "prompt_tokens"),
            ("output_tokens", "completion_tokens"),
            ("total_tokens", "total_tokens"),
        )
        if type(usage.get(own)) is int
    }
    for own, chat in (
        ("input_tokens_details", "prompt_tokens_details"),
        ("output_tokens_details", "completion_tokens_details"),
    ):
        if isinstance(usage.get(own), dict):
            counts[chat] = usage[own]
    return counts
