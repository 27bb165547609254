"""A row, put into a request's body: in chat, and in Messages and Responses where these stay what they are. Pure.

Each format has its own fields for the same thing. What the row says by `default` counts where the request says nothing
of it, in whatever spelling; what it says by `force` takes the place of all of them. The rules that come after fit the
values to the model that answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from ..exchange import Change, JsonObject
from ..rules import efforts, thinking
from ..rules.content import BLANK_LINE, is_blank
from ..wire import rule_names
from .row import Row, SystemText

NAME: Final = rule_names.MODEL_MAP

_LIMITS: Final = ("max_completion_tokens", "max_tokens")
"""Chat's names of the limit of an answer; the first counts."""
_SYSTEM: Final = ("system", "developer")  # no set: a body may have anything in this place
_TEMPLATE: Final = "chat_template_kwargs"
_IN_TEMPLATE: Final = ("thinking", "enable_thinking", "reasoning_effort")
"""What a template's arguments may say of thinking."""
_LEAST_BUDGET: Final = 1024
"""Tokens of thinking that Messages take at least."""
_BUDGETS: Final = {"minimal": 1024, "low": 4096, "medium": 10_000, "high": 31_999, "xhigh": 31_999, "max": 31_999}
"""Effort -> tokens of thinking, where an endpoint takes no effort in Messages: up to Claude Code's own."""
_ON: Final = ("enabled", "adaptive", "between_tools")
"""The types of `thinking` in Messages that switch it on."""
_FORCED: Final = ("any", "tool")
"""Choices of tools in Messages that go with no thinking."""
_BESIDE_THINKING: Final[Mapping[str, Callable[[float], bool]]] = {
    "temperature": lambda value: value == 1,
    "top_p": lambda value: 0.95 <= value <= 1,
    "top_k": lambda value: False,
}
"""Sampling in Messages -> the values that go with thinking."""
_IN_MESSAGES: Final = {"minimal": "low"}
"""Efforts that Messages have no word for -> the next one."""


def model(body: JsonObject, row: Row) -> list[Change]:
    """Let the row's model answer."""
    if not row.model or body.get("model") == row.model:
        return []
    body["model"] = row.model
    label, answers = row.label, row.model
    return [Change(NAME, "/model", f"row {label} of hunyuan_model_map: {answers} answers")]


def in_chat(body: JsonObject, row: Row) -> list[Change]:
    """Put the values and the system text of `row` into a chat request, in place."""
    changes = [
        *_number("temperature", ("temperature",), body, row),
        *_number("top_p", ("top_p",), body, row),
        *_number("max_tokens", _LIMITS, body, row),
        *_effort(body, row, _says_in_chat, _put_in_chat),
    ]
    text = row.system
    messages = body.get("messages")
    if text is None or not isinstance(messages, list) or not _is_wanted(text, any(map(_is_system, messages))):
        return changes
    body["messages"] = [{"role": text.role, "content": text.text}, *messages]
    return [*changes, _of_system("/messages", row)]


def in_messages(body: JsonObject, row: Row, *, takes_effort: bool) -> list[Change]:
    """The same for a Messages request. `takes_effort`: its endpoint takes an effort in `output_config`."""

    def put(body: JsonObject, effort: str) -> str:
        return _put_in_messages(body, effort, takes_effort=takes_effort)

    changes = [
        *_number("temperature", ("temperature",), body, row),
        *_number("top_p", ("top_p",), body, row),
        *_number("max_tokens", ("max_tokens",), body, row),
        *_effort(body, row, _says_in_messages, put),
    ]
    if changes:
        changes += _fit_thinking(body)
    text, given = row.system, body.get("system")
    messages = body.get("messages")
    said = not is_blank(given) or any(map(_is_system, messages if isinstance(messages, list) else ()))
    if text is None or not _is_wanted(text, said):
        return changes
    if isinstance(given, list):
        body["system"] = [{"type": "text", "text": text.text}, *given]
    else:
        body["system"] = text.text if is_blank(given) else f"{text.text}{BLANK_LINE}{given}"
    return [*changes, _of_system("/system", row)]


def in_responses(body: JsonObject, row: Row) -> list[Change]:
    """The same for a Responses request."""
    changes = [
        *_number("temperature", ("temperature",), body, row),
        *_number("top_p", ("top_p",), body, row),
        *_number("max_tokens", ("max_output_tokens",), body, row),
        *_effort(body, row, _says_in_responses, _put_in_responses),
    ]
    text, given, items = row.system, body.get("instructions"), body.get("input")
    said = not is_blank(given) or any(map(_is_system, items if isinstance(items, list) else ()))
    if text is None or not _is_wanted(text, said):
        return changes
    if text.role == "developer" and isinstance(items, str | list):
        said_now = items if isinstance(items, list) else [{"role": "user", "content": items}]
        body["input"] = [{"type": "message", "role": "developer", "content": text.text}, *said_now]
        return [*changes, _of_system("/input", row)]
    if not (given is None or isinstance(given, str)):
        return changes  # no Responses request, whatever it is
    body["instructions"] = text.text if is_blank(given) else f"{text.text}{BLANK_LINE}{given}"
    return [*changes, _of_system("/instructions", row)]


# Numbers


def _number(key: str, names: tuple[str, ...], body: JsonObject, row: Row) -> Iterator[Change]:
    """Put one number of the row into `body`. `names`: what the format calls it."""
    given, label = [name for name in names if body.get(name) is not None], row.label
    if key in row.default and not given:
        name, value = names[-1], row.default[key]
        body[name] = value
        yield Change(NAME, f"/{name}", f"row {label} of hunyuan_model_map: {value}, where the request says nothing")
    if key in row.force:
        value = row.force[key]
        for name in given or names[-1:]:
            if not _is_same(body.get(name), value):
                body[name] = value
                yield Change(NAME, f"/{name}", f"row {label} of hunyuan_model_map: {value}, whatever the request says")


def _is_same(one: object, other: object) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


# How hard to think


def _effort(
    body: JsonObject, row: Row, says: Callable[[JsonObject], bool], put: Callable[[JsonObject, str], str]
) -> Iterator[Change]:
    """Put the row's effort into `body`: `says` tells whether it has one, `put` sets it and returns where."""
    label = row.label
    if "effort" in row.default and not says(body):
        value = row.default["effort"]
        where = put(body, value)
        yield Change(NAME, where, f"row {label} of hunyuan_model_map: {value}, where the request says nothing")
    if "effort" in row.force:
        before, value = _thinking_in(body), row.force["effort"]
        where = put(body, value)
        if _thinking_in(body) != before:
            yield Change(NAME, where, f"row {label} of hunyuan_model_map: {value}, whatever the request says")


def _thinking_in(body: JsonObject) -> dict[str, Any]:
    """All that a request of any format says of thinking."""
    return {key: _copied(body[key]) for key in (*thinking.SPELLINGS, "output_config") if key in body}


def _copied(value: Any) -> Any:
    return dict(value) if isinstance(value, dict) else value


def _says_in_chat(body: JsonObject) -> bool:
    said = thinking.wish(body)
    return said.on is not None or said.effort is not None


def _put_in_chat(body: JsonObject, effort: str) -> str:
    for key in thinking.SPELLINGS:
        if key != _TEMPLATE:
            body.pop(key, None)
    template = body.get(_TEMPLATE)
    if isinstance(template, dict) and any(key in template for key in _IN_TEMPLATE):
        body[_TEMPLATE] = {key: value for key, value in template.items() if key not in _IN_TEMPLATE}
    body["reasoning_effort"] = effort
    return "/reasoning_effort"


def _says_in_messages(body: JsonObject) -> bool:
    return isinstance(body.get("thinking"), dict) or _config(body).get("effort") is not None


def _put_in_messages(body: JsonObject, effort: str, *, takes_effort: bool) -> str:
    config, given = _config(body), body.get("thinking")
    switch: Mapping[str, Any] = given if isinstance(given, dict) else {}
    if effort == efforts.OFF or not takes_effort:
        config = {key: value for key, value in config.items() if key != "effort"}
        if config or "output_config" in body:
            body["output_config"] = config
            if not config:
                del body["output_config"]
        if effort == efforts.OFF:
            body["thinking"] = {"type": "disabled"}
        else:
            kept = {key: value for key, value in switch.items() if key not in ("type", "budget_tokens")}
            body["thinking"] = {"type": "enabled", "budget_tokens": _BUDGETS[effort], **kept}
        return "/thinking"
    body["output_config"] = {**config, "effort": _IN_MESSAGES.get(effort, effort)}
    if switch.get("type") == "disabled":
        del body["thinking"]
    return "/output_config/effort"


def _config(body: JsonObject) -> dict[str, Any]:
    given = body.get("output_config")
    return given if isinstance(given, dict) else {}


def _fit_thinking(body: JsonObject) -> Iterator[Change]:
    """What Messages demand of a request that thinks, once a row has changed one (docs/facts/anthropic.md#thinking).

    A forced tool or a small `max_tokens` was asked for by name, so thinking gives way; sampling gives way to thinking.
    """
    given, most, choice = body.get("thinking"), body.get("max_tokens"), body.get("tool_choice")
    if not isinstance(given, dict) or given.get("type") not in _ON:
        return
    budget = given.get("budget_tokens")
    if isinstance(choice, dict) and choice.get("type") in _FORCED:
        del body["thinking"]
        yield Change(NAME, "/thinking", "a tool is forced, and that leaves no room for thinking: removed")
        return
    if type(budget) is int and type(most) is int and budget >= most:
        if most <= _LEAST_BUDGET:
            del body["thinking"]
            yield Change(NAME, "/thinking", "max_tokens leaves no room for thinking: removed")
            return
        body["thinking"] = {**given, "budget_tokens": most - 1}
        yield Change(NAME, "/thinking/budget_tokens", "below max_tokens, as the format demands")
    for name, goes in _BESIDE_THINKING.items():
        value = body.get(name)
        if value is not None and not (isinstance(value, int | float) and goes(value)):
            del body[name]
            yield Change(NAME, f"/{name}", "sampling that the format doesn't allow beside thinking: removed")


def _says_in_responses(body: JsonObject) -> bool:
    given = body.get("reasoning")
    return isinstance(given, dict) and given.get("effort") is not None


def _put_in_responses(body: JsonObject, effort: str) -> str:
    given = body.get("reasoning")
    body["reasoning"] = {**(given if isinstance(given, dict) else {}), "effort": effort}
    return "/reasoning/effort"


# System text


def _is_system(message: object) -> bool:
    return isinstance(message, dict) and message.get("role") in _SYSTEM


def _is_wanted(text: SystemText, said: bool) -> bool:
    """Whether the row's text goes into a request that has a system text itself, or has none."""
    return text.place == "before" or not said


def _of_system(pointer: str, row: Row) -> Change:
    label = row.label
    return Change(NAME, pointer, f"row {label} of hunyuan_model_map: its system text")
