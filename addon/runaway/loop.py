"""What an agent did since its user's last message, read from the end of a request in any format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from itertools import islice
from typing import Any, Final, NamedTuple

from ..exchange import JsonObject
from ..session import is_summary, own_words

MOST_TURNS: Final = 10_000
"""Turns that are looked at."""
_ARGUMENTS: Final = ("arguments", "input", "action", "operation")
"""Where an item of the Responses API has the arguments of its call."""


class Call(NamedTuple):
    """A call of a tool, and what the tool gave; as the request has them. `None`: it has no result."""

    name: str
    arguments: Any
    result: Any
    shown: tuple[Any, ...] = ()
    """Images and files in a message of their own behind the results of its turn: where a tool's message can have none,
    clients and our translation put there what it gave. All calls of the turn have them."""


class Before(Enum):
    """What stands before an agent's turns."""

    USER = auto()
    """A message of its user."""
    SUMMARY = auto()
    """What its client has made of a longer history."""
    NOTHING = auto()
    """The history begins with the turns, or goes on from what the endpoint keeps."""


@dataclass(frozen=True, slots=True)
class Loop:
    """An agent's turns, the newest first: the calls that the model made before it got their results, the last first."""

    turns: list[list[Call]]
    before: Before
    summary: str = ""
    """The summary's text."""


def goes_on(body: JsonObject) -> bool:
    """Whether `body` ends with results, so that there is a loop. Costs nothing beside reading it."""
    messages = _messages(body)
    last = messages[-1] if messages else None
    if not isinstance(last, dict):
        return False
    return last.get("role") != "user" or not _is_users(last.get("content"))


def may_hold(body: JsonObject, calls: int) -> bool:
    """Whether `body` may have that many calls of tools, or a summary in the place of more. It isn't read for this."""
    found = 0
    for message in _messages(body):
        if isinstance(message, dict):
            role, content, more = message.get("role"), message.get("content"), message.get("tool_calls")
            found += 1 + (len(more) if isinstance(more, list) else 0)
            if isinstance(content, list):
                found += len(content)
            if found >= calls or (role == "user" and any(map(is_summary, _texts(content)))):
                return True
    return False


def loop_of(body: JsonObject) -> Loop:
    """The loop at the end of a request: chat, Messages or Responses. Linear; raises nothing."""
    turns: list[list[Call]] = []
    results: dict[Any, Any] = {}
    was_result = True
    behind: list[Any] = []  # what is shown behind the results of the turn to come
    shown: tuple[Any, ...] = ()  # behind those of this turn

    def called(call_id: Any, name: Any, arguments: Any) -> None:
        nonlocal was_result, behind, shown
        if was_result:
            turns.append([])
            was_result = False
            behind, shown = [], tuple(behind)
        result = results.pop(call_id, None) if isinstance(call_id, str) else None
        turns[-1].append(Call(name if isinstance(name, str) else "", arguments, result, shown))

    messages = _messages(body)
    for message in reversed(messages):
        if len(turns) > MOST_TURNS:
            break
        if not isinstance(message, dict):
            continue
        role, content = message.get("role"), message.get("content")
        if role == "user":
            if _is_users(content):
                return Loop(turns, Before.USER)
            if summary := next((text for text in _texts(content) if is_summary(text)), ""):
                return Loop(turns, Before.SUMMARY, summary)
            behind += _shown(content)
        # 1. Results: a message of the role tool, blocks of a user's message, an item.
        for call_id, result in _results(message):
            results[call_id] = result
            was_result = True
        # 2. Calls, the last first.
        for call_id, name, arguments in reversed(list(_calls(message))):
            called(call_id, name, arguments)
    if not turns and results:
        turns.append([])  # their calls are kept by the endpoint
    return Loop(turns, Before.NOTHING)


def _messages(body: JsonObject) -> list[Any]:
    """The messages, or the items of the Responses API."""
    messages = body.get("messages")
    if not isinstance(messages, list):
        messages = body.get("input")
    return messages if isinstance(messages, list) else []


def _results(message: JsonObject) -> Iterator[tuple[str, Any]]:
    """Ids of calls and what their tools gave."""
    role, content, kind = message.get("role"), message.get("content"), message.get("type")
    if role == "tool":
        yield _id(message.get("tool_call_id")), content
    elif role == "function":
        yield _id(message.get("name")), content
    elif role == "user" and isinstance(content, list):
        for block in content:
            if isinstance(block, dict) and "tool_use_id" in block:
                yield _id(block["tool_use_id"]), block.get("content")
    elif isinstance(kind, str) and kind.endswith("_output") and "call_id" in message:
        yield _id(message["call_id"]), message.get("output")


def _calls(message: JsonObject) -> Iterator[tuple[Any, Any, Any]]:
    """Id, name and arguments of the calls in a message or an item."""
    kind = message.get("type")
    if message.get("role") == "assistant":
        calls, content, old = message.get("tool_calls"), message.get("content"), message.get("function_call")
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, dict):
                function = call.get("function") or call.get("custom")
                function = function if isinstance(function, dict) else {}
                yield call.get("id"), function.get("name"), function.get("arguments", function.get("input"))
        if isinstance(old, dict):
            yield old.get("name"), old.get("name"), old.get("arguments")
        for block in content if isinstance(content, list) else ():
            if isinstance(block, dict) and block.get("type") == "tool_use":
                yield block.get("id"), block.get("name"), block.get("input")
    elif isinstance(kind, str) and kind.endswith("_call") and "call_id" in message:
        arguments = next((message[key] for key in _ARGUMENTS if key in message), None)
        yield message["call_id"], message.get("name") or kind.removesuffix("_call"), arguments


def _shown(content: Any) -> Iterator[Any]:
    """What a message in the user's place has beside texts and results: images, files."""
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict) and "text" not in part and "tool_use_id" not in part:
            yield part


def _is_users(content: Any) -> bool:
    """Whether a message in the user's place has words of the user. Images alone mostly go with a tool's result."""
    if isinstance(content, list):
        return any(own_words(text) for text in _texts(content))
    return isinstance(content, str) and bool(own_words(content))


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    for part in islice(content, MOST_TURNS) if isinstance(content, list) else ():
        text = part.get("text") if isinstance(part, dict) else part
        if isinstance(text, str):
            yield text


def _id(value: Any) -> str:
    return value if isinstance(value, str) else ""
