"""Roles: `developer` is system, `ai` and `model` are assistant, the deprecated function calls are tool calls, any other
role is user.

Source: SDK Message.Role ("可选值：system、user、assistant、tool").
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from ..exchange import Changes, JsonObject
from ..wire import json_body
from . import content
from .base import Rule, RuleContext
from .survey import Survey

ROLES = frozenset({"system", "user", "assistant", "tool"})

_WHY = {role: f"the role becomes {role}" for role in ROLES}
_OTHER_NAMES = {
    "developer": "system",  # OpenAI's newer name
    "ai": "assistant",  # LangChain
    "model": "assistant",  # Gemini
    "bot": "assistant",
    "chatbot": "assistant",  # Cohere
    "gpt": "assistant",  # ShareGPT
    "function": "tool",  # OpenAI's deprecated function calls
    "tool_result": "tool",
    "tool_response": "tool",
}
"""Names of the four roles elsewhere. `human` and the rest are user."""

_OTHER_ID_FIELDS = ("call_id", "tool_use_id", "toolCallId")
"""`tool_call_id` in the Responses API, in Anthropic's, in the AI SDK."""


def role_of(message: JsonObject) -> str:
    """The role that a message has here, however it is written."""
    name = _written(message)
    role = _OTHER_NAMES.get(name, name)
    return role if role in ROLES else "user"


def _written(message: JsonObject) -> str:
    given = message.get("role")
    return given.strip().lower() if isinstance(given, str) else ""


def roles(body: JsonObject, context: RuleContext) -> Changes:
    """Give every message one of the four roles; what isn't a message at all becomes user text."""
    changes = Changes()
    messages = _objects(body["messages"], changes)
    if changes:
        context.may_hold_images = True
    calls = _FunctionCalls()
    for index, message in enumerate(messages):
        written = message.get("role")
        if isinstance(written, str) and written in ROLES and (written != "tool" or "tool_call_id" in message):
            role = written  # as in most messages
            calls.end_of_answers()
        else:
            role = role_of(message)
            if _written(message) == "function" and message.get("tool_call_id") is None:
                calls.answer(message)
            else:
                calls.end_of_answers()
            if role == "tool" and message.get("tool_call_id") is None:
                _take_id(message)
        if message.get("role") != role:
            message["role"] = role
            changes.note("roles", index, _WHY[role], "/role")
        if role == "assistant" and "function_call" in message and isinstance(message["function_call"], dict):
            _to_tool_call(message, calls)
            changes.note("roles", index, "function_call becomes a tool call", "/function_call")
    calls.end_of_answers()
    body["messages"] = messages
    return changes


def _needed(survey: Survey, context: RuleContext) -> bool:
    """False where every role is one of the four, answers name their calls, and no call has the deprecated form."""
    return survey.shapes is None or any(
        shape.role not in ROLES
        or "function_call" in shape.fields
        or (shape.role == "tool" and "tool_call_id" not in shape.fields)
        for shape in survey.shapes
    )


RULE = Rule(
    name="roles",
    repairs=(
        "`developer` becomes system; `ai`, `model`, `bot`, `chatbot` and `gpt` become assistant; `function` "
        "and `function_call` become tool calls; capitals and white space around a role go; any other role "
        "becomes user."
    ),
    why="SDK Message.Role: system, user, assistant, tool.",
    apply=roles,
    after=("tool-names",),
    needed=_needed,
)


def _objects(messages: list[Any], changes: Changes) -> list[JsonObject]:
    """The messages that are objects; other values are kept as user text, neighbours as one, nulls go."""
    objects: list[JsonObject] = []
    texts: list[str] = []
    for index, message in enumerate(messages):
        if isinstance(message, dict):
            objects += _as_user_text(texts)
            texts = []
            objects.append(message)
            continue
        changes.note("roles", index, "not a message: kept as user text")
        if message is not None:
            texts.append(message if isinstance(message, str) else json_body.serialise(message).decode())
    return objects + _as_user_text(texts)


def _as_user_text(texts: list[str]) -> list[JsonObject]:
    return [{"role": "user", "content": content.join(*texts) or ""}] if texts else []


def _take_id(message: JsonObject) -> None:
    """Call the id of an answer `tool_call_id`, where it has another dialect's name."""
    for name in _OTHER_ID_FIELDS:
        if message.get(name) is not None:
            message["tool_call_id"] = message.pop(name)
            return


class _FunctionCalls:
    """Deprecated function calls, and the `function` messages that answer them, by the function's name alone.

    Answers that follow each other go, in their order, to the nearest calls before them that wait: those under the
    answer's name; an answer without a name to any. Ids are given by ordinal, so that the same history always gets
    the same ids.
    """

    def __init__(self) -> None:
        self._count = 0
        self._waiting: dict[str, list[str]] = defaultdict(list)
        """Name -> ids of the calls that wait, the nearest last."""
        self._names: dict[str, str] = {}
        """Id of each call that waits -> its name."""
        self._order: list[str] = []
        """Ids of the calls in their order; of those that wait no more, some."""
        self._answers: list[JsonObject] = []

    def call(self, name: object) -> str:
        """The id of a new call."""
        self._count += 1
        call_id = f"call_function_{self._count}"
        self._waiting[_key(name)].append(call_id)
        self._names[call_id] = _key(name)
        self._order.append(call_id)
        return call_id

    def answer(self, message: JsonObject) -> None:
        """Take an answer. It has its id at the end of the answers that follow each other."""
        self._answers.append(message)

    def end_of_answers(self) -> None:
        """Give the answers that followed each other the ids of their calls."""
        if not self._answers:
            return
        by_name: dict[str, list[JsonObject]] = defaultdict(list)
        for message in self._answers:
            by_name[_key(message.get("name"))].append(message)
        self._answers = []
        nameless = by_name.pop(_NO_NAME, [])
        for name, messages in by_name.items():
            waiting = self._waiting.get(name, [])
            nearest = waiting[-len(messages) :]
            del waiting[-len(messages) :]
            for call_id, message in zip(nearest, messages, strict=False):
                del self._names[call_id]
                message["tool_call_id"] = call_id
        taken = [taken_id for _ in nameless if (taken_id := self._take_nearest()) is not None]
        for taken_id, message in zip(reversed(taken), nameless, strict=False):
            message["tool_call_id"] = taken_id

    def _take_nearest(self) -> str | None:
        """The nearest call of any name that waits. It waits no more."""
        while self._order:
            call_id = self._order.pop()
            name = self._names.pop(call_id, None)
            if name is not None:
                self._waiting[name].pop()
                return call_id
        return None


_NO_NAME = ""


def _key(name: object) -> str:
    if name is None:
        return _NO_NAME
    return name if isinstance(name, str) else json_body.serialise(name).decode()


def _to_tool_call(message: JsonObject, calls: _FunctionCalls) -> None:
    function = message.pop("function_call")
    call = {"id": calls.call(function.get("name")), "type": "function", "function": function}
    given = message.get("tool_calls")
    message["tool_calls"] = [*given, call] if isinstance(given, list) else [call]
