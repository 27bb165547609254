"""Parameters: only those that the profile lists, each with a value that it takes. Runs last.

Sources: the profiles' data files. On the legacy host no report proves whether an unknown parameter is refused
or ignored, so none is sent.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from ..counting import body as counting
from ..exchange import Change, Changes, JsonObject
from ..profiles import Parameter, ParameterType
from .base import Rule, RuleContext
from .fields import escape

_CONVERSATION = ("model", "messages")
"""What makes a request: the endpoint refuses a wrong `model` itself, and other rules repair `messages`."""

_THINKING_TYPES = ("enabled", "disabled", "adaptive")  # TokenHub 1823/135872
_STREAM_OPTIONS = ("include_usage",)
_NEAREST_CHOICE = {"minimal": "low", "xhigh": "high", "max": "high", "ultra": "high"}
"""Reasoning efforts of other vendors -> what comes closest."""

_UNUSABLE: Final = object()


def parameters(body: JsonObject, context: RuleContext) -> Changes:
    """Remove parameters that the profile doesn't list, bring the others into type and range.

    Those in `context.keep_params` aren't looked at. Notes the stop texts in `context.plan.stop` where the
    endpoint includes them in its output.
    """
    changes = Changes(_max_tokens(body, context))
    for key in [key for key in body if key not in context.keep_params and key not in _CONVERSATION]:
        why = _checked(body, key, context)
        if why:
            changes.note_at("parameters", f"/{escape(key)}", why)
    changes += _limited_max_tokens(body, context)
    changes += _stream_options(body, context)
    if context.profile.stop_included:
        fitted = _fitted_texts(_stop_texts(body.get("stop")), context.profile.parameters["stop"])
        context.plan.stop = [] if fitted is _UNUSABLE else fitted
    return changes


RULE = Rule(
    name="parameters",
    repairs=(
        "Parameters that aren't documented go; values are converted where nothing is lost, brought into "
        "range, or removed."
    ),
    why="Compatibility page 1729/111007, the complete list; TokenHub: 1823/135872.",
    apply=parameters,
    after=(
        "tools",
        "intents",
    ),
)


_MARGIN: Final = 1.25
"""What an estimate of tokens may be too low by."""
_KEPT: Final = 1024
"""Tokens that are left free beside an estimate."""
_LEAST: Final = 8
"""Where less than this part of the window is left, the request is too long, and not its answer."""
_MOST_TOKENS = ("max_completion_tokens", "max_tokens")
"""The two names of the limit of an answer; where a request has both, the first counts."""


def _max_tokens(body: JsonObject, context: RuleContext) -> list[Change]:
    """Call the limit as the endpoint does that knows one of the names alone."""
    own = [key for key in _MOST_TOKENS if key in context.profile.parameters]
    if len(own) != 1 or own[0] in context.keep_params:
        return []
    key = next(key for key in _MOST_TOKENS if key != own[0])
    if key not in body or key in context.keep_params:
        return []
    value = _integer(body[key])
    if value is _UNUSABLE or value < 1:
        return []  # removed with the other unknown ones
    if key != _MOST_TOKENS[0] and own[0] in body:
        return []  # the one that counts is there
    del body[key]
    body[own[0]] = value
    name = own[0]
    why = f"called {name} here, and wins over it" if key == _MOST_TOKENS[0] else f"called {name} here"
    return [Change("parameters", f"/{key}", why)]


def _limited_max_tokens(body: JsonObject, context: RuleContext) -> list[Change]:
    """What a model gives in one answer is a limit where the client can't know it; its window is one always."""
    most, window = context.model.output, context.model.context
    changes: list[Change] = []
    for key in _MOST_TOKENS:
        asked = body.get(key, 0)
        if key in context.keep_params:
            continue
        if context.limits_max_tokens and most is not None and asked > most:
            body[key] = asked = most
            changes.append(Change("parameters", f"/{key}", "more than the model gives in one answer"))
        if window is None or context.model.input is not None or asked <= window // 2:
            continue  # the input has a limit of its own, or surely room
        tokens = counting.rough(body)
        room = window - round(tokens * _MARGIN) - _KEPT
        if asked + tokens > window and room > window // _LEAST:
            body[key] = room
            changes.append(Change("parameters", f"/{key}", "input and answer share the model's window: what is left"))
    return changes


def _checked(body: JsonObject, key: str, context: RuleContext) -> str:
    """Remove a parameter, or bring it into shape: why, or "" where it stays as it is."""
    value = body[key]
    parameter = context.profile.parameters.get(key)
    kept, why = _UNUSABLE, _refusal_reason(key, value)
    if key in context.model.refused:
        why = "the model fixes this parameter, or doesn't take it"
    elif key in context.model.values:
        kept = context.model.values[key]
        why = (
            ""
            if value == kept and isinstance(value, bool) == isinstance(kept, bool)
            else "the only value that the model takes"
        )
    elif parameter is not None:
        kept, why = _judged(key, value, parameter, context)
    if kept is _UNUSABLE:
        del body[key]
        return f"{why}: removed"
    if why:
        body[key] = kept
    return why


def _refusal_reason(key: str, value: object) -> str:
    if key == "n" and value not in (None, 1):
        return "the endpoint gives one answer a request, not several"
    return "the endpoint does not take this parameter"


def _judged(key: str, value: Any, parameter: Parameter, context: RuleContext) -> tuple[Any, str]:
    """What is sent of an accepted parameter (`_UNUSABLE`: nothing), and why it differs from what came ("")."""
    if value is None:
        return _UNUSABLE, "null says nothing"
    if key == "reasoning_effort" and context.model.thinking and value in context.model.thinking.efforts:
        return value, ""
    if key in _ACCEPTS:
        return (value, "") if _ACCEPTS[key](value, context) else (_UNUSABLE, "not a value that the endpoint knows")
    converted = _CONVERSIONS[parameter.type](value)
    if converted is _UNUSABLE:
        return _UNUSABLE, f"not a usable {parameter.type}"
    why = "" if type(converted) is type(value) and converted == value else f"brought into type {parameter.type}"
    fitted = _fitted(converted, parameter)
    if fitted is _UNUSABLE:
        return _UNUSABLE, "a value that the endpoint does not take"
    if fitted != converted:
        why = "brought into the range that the endpoint takes"
    return fitted, why


def _accepts_tool_choice(value: object, context: RuleContext) -> bool:
    named = isinstance(value, dict) and context.profile.tool_choice_object
    return named or (isinstance(value, str) and value in context.profile.tool_choices)


def _accepts_tools(value: object, _: RuleContext) -> bool:
    return isinstance(value, list) and bool(value)


def _accepts_thinking(value: object, _: RuleContext) -> bool:
    return isinstance(value, dict) and value.get("type") in _THINKING_TYPES


_ACCEPTS: dict[str, Callable[[object, RuleContext], bool]] = {
    "tool_choice": _accepts_tool_choice,
    "tools": _accepts_tools,
    "thinking": _accepts_thinking,
}
"""Parameters whose value isn't converted: it is right or goes."""


def _fitted(value: Any, parameter: Parameter) -> Any:
    if parameter.choices:
        word = value.lower()
        return next((w for w in (word, _NEAREST_CHOICE.get(word)) if w in parameter.choices), _UNUSABLE)
    if parameter.type == "string_list":
        return _fitted_texts(value, parameter)
    low, high = parameter.minimum, parameter.maximum
    if parameter.type == "integer":
        return _fitted_integer(value, low, high)
    if parameter.type == "number":
        return _clamped(value, low, high)
    return value


def _fitted_texts(texts: list[str], parameter: Parameter) -> Any:
    return [text for text in texts if _fits_in(text, parameter)][: parameter.max_items] or _UNUSABLE


def _fits_in(text: str, parameter: Parameter) -> bool:
    longest, most = parameter.max_length, parameter.max_bytes
    if longest is not None and len(text) > longest:
        return False
    return most is None or len(text.encode("utf-8", "surrogatepass")) <= most


def _fitted_integer(value: int, low: float | None, high: float | None) -> Any:
    """Integers with both bounds (`seed`) are wrapped, so that different ones stay different; others must fit."""
    if low is not None and high is not None:
        return (value - int(low)) % (int(high) - int(low) + 1) + int(low)
    fits = (low is None or value >= low) and (high is None or value <= high)
    return value if fits else _UNUSABLE


def _clamped(value: float, low: float | None, high: float | None) -> float:
    if low is not None and value < low:
        return low
    return high if high is not None and value > high else value


def _boolean(value: object) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower(), _UNUSABLE)
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    return _UNUSABLE


def _number(value: object) -> Any:
    if isinstance(value, str):
        value = _parsed(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _UNUSABLE
    return value if isinstance(value, int) or math.isfinite(value) else _UNUSABLE


def _integer(value: object) -> Any:
    number = _number(value)
    if isinstance(number, float):
        return int(number) if number.is_integer() else _UNUSABLE
    return number


def _parsed(text: str) -> object:
    for number in (int, float):
        try:
            return number(text)
        except ValueError:  # also what int says to thousands of digits
            continue
    return _UNUSABLE


def _string(value: object) -> Any:
    return value if isinstance(value, str) else _UNUSABLE


def _string_list(value: object) -> Any:
    """Stop texts. White space is kept: a line break is the most common of them."""
    return _stop_texts(value) or _UNUSABLE


def _stop_texts(value: object) -> list[str]:
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, str) and item]


def _object(value: object) -> Any:
    return value if isinstance(value, dict) else _UNUSABLE


def _list(value: object) -> Any:
    return value if isinstance(value, list) else _UNUSABLE


_CONVERSIONS: dict[ParameterType, Callable[[object], Any]] = {
    "boolean": _boolean,
    "integer": _integer,
    "number": _number,
    "string": _string,
    "string_list": _string_list,
    "object": _object,
    "list": _list,
}


def _stream_options(body: JsonObject, context: RuleContext) -> list[Change]:
    """Only with `stream` (compat page: "仅在 stream 为 true 时"), and only what is documented in it."""
    key, pointer = "stream_options", "/stream_options"
    options = body.get(key)
    if not isinstance(options, dict) or key in context.keep_params:
        return []
    if body.get("stream") is not True:
        del body[key]
        return [Change("parameters", pointer, "only accepted with stream: removed")]
    converted = {name: _boolean(options[name]) for name in _STREAM_OPTIONS if name in options}
    kept = {name: value for name, value in converted.items() if value is not _UNUSABLE}
    if not kept:
        del body[key]
        return [Change("parameters", pointer, "nothing in it that the endpoint takes: removed")]
    if len(kept) == len(options) and all(kept[name] is options[name] for name in kept):
        return []
    body[key] = kept
    return [Change("parameters", pointer, "only include_usage is accepted in it")]
