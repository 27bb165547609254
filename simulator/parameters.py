"""The parameter rules, as findings: rows B3 to B7, C1 and C2.

docs/facts/hunyuan.md#parameters and docs/facts/tokenhub.md#parameters.
"""

from collections.abc import Callable, Iterator, Set
from typing import Any

from . import mfjs
from .messages import NAME
from .rows import Finding, Json
from .variant import Variant

_EXTRAS = {  # Hunyuan's own switches, all booleans
    "citation",
    "enable_deep_read",
    "enable_deep_search",
    "enable_enhancement",
    "enable_multimedia",
    "enable_recommended_questions",
    "enable_speed_search",
    "enable_thinking",
    "force_search_enhancement",
    "search_info",
}
# Everything the legacy endpoint documents (compat page 1729/111007) or was seen to take.
LEGACY_PARAMETERS = _EXTRAS | {
    "max_tokens",
    "messages",
    "model",
    "seed",
    "stop",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_p",
}
_CLAIMED = ("parallel_tool_calls", "reasoning_effort")
_EFFORTS = ("low", "medium", "high")
_THINKING = ("enabled", "disabled", "adaptive")
_FORMATS = ("text", "json_object", "json_schema")


def _number(value: object, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _integer(value: object, low: int, high: float = float("inf")) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _type_of(value: object) -> object:
    return value.get("type") if isinstance(value, dict) else None


def unknown(body: Json) -> Iterator[Finding]:
    """C1 and C2: a parameter outside the documented list, `strict` in a function, a null."""
    for name, value in body.items():
        if name in _CLAIMED:
            yield Finding("C1", f"/{name}")
        elif name not in LEGACY_PARAMETERS:
            yield Finding("C2", f"/{name}")
        elif value is None:
            yield Finding("A6", f"/{name}: null")
    for index, tool in enumerate(_list(body.get("tools"))):
        function = tool.get("function") if isinstance(tool, dict) else None
        if isinstance(function, dict) and "strict" in function:
            yield Finding("C1", f"/tools/{index}/function/strict")


def legacy(body: Json, *, strict: bool) -> Iterator[Finding]:
    """B3 to B5 and B7: ranges and types of the documented parameters."""
    for name in sorted(_EXTRAS | {"stream"}):
        if not isinstance(body.get(name), bool | None):
            yield Finding("A6", f"/{name}: not a boolean")
    yield from _sampling(body)
    seed, stop, choice = body.get("seed"), body.get("stop"), body.get("tool_choice")
    if seed is not None and not _integer(seed, 1, 10_000):
        yield Finding("B4", "/seed: not an integer from 1 to 10000", "seed")
    if stop is not None and not _strings(stop) and (strict or not isinstance(stop, str)):
        yield Finding("B4", "/stop: not a list of strings", "stop")
    if body.get("stream_options") is not None and body.get("stream") is not True:
        yield Finding("B5", "/stream_options: without stream")
    yield from _stream_options(body)
    if strict and choice is not None and choice not in ("none", "auto", "custom"):
        yield Finding("B7", "/tool_choice")


def tokenhub(body: Json, *, ignored: Set[str] = frozenset()) -> Iterator[Finding]:
    """The successor's parameters; a null counts as absent, an unknown one is ignored, as are those in `ignored`."""
    for name in ("stream", "parallel_tool_calls"):
        if not isinstance(body.get(name), bool | None):
            yield Finding("A6", f"/{name}: not a boolean")
    yield from _sampling(body)
    yield from _stream_options(body)
    for name, valid in _TOKENHUB_VALUES.items():
        value = None if name in ignored else body.get(name)
        if value is not None and not valid(value):
            yield Finding("B4", f"/{name}", name)
    choice = body.get("tool_choice")
    named = _type_of(choice) == "function"
    if choice is not None and not named and choice not in ("none", "auto", "required"):
        yield Finding("B7", "/tool_choice")


_TOKENHUB_PARAMETERS = frozenset(
    {
        "frequency_penalty",
        "max_tokens",
        "messages",
        "model",
        "parallel_tool_calls",
        "presence_penalty",
        "prompt_cache_key",
        "reasoning_effort",
        "response_format",
        "seed",
        "stop",
        "stream",
        "stream_options",
        "temperature",
        "thinking",
        "tool_choice",
        "tools",
        "top_k",
        "top_p",
    }
)


def varied(body: Json, variant: Variant) -> Iterator[Finding]:
    """What an endpoint refuses that differs from its documents."""
    differs, choice = variant.differs, body.get("tool_choice")
    if "unknown-refused" in differs:
        for name in body.keys() - _TOKENHUB_PARAMETERS:
            yield Finding("unknown", f"/{name}", name)
    if "cache-key-refused" in differs and "prompt_cache_key" in body:
        yield Finding("unknown", "/prompt_cache_key", "prompt_cache_key")
    if "effort-refused" in differs and body.get("reasoning_effort") is not None:
        yield Finding("B4", "/reasoning_effort", "reasoning_effort")
    if "named-choice-refused" in differs and _type_of(choice) == "function":
        yield Finding("B7", "/tool_choice: an object")
    if "required-choice-refused" in differs and choice == "required":
        yield Finding("B7", "/tool_choice: required")
    if "thinking-always" in differs and _type_of(body.get("thinking")) == "disabled":
        yield Finding("B4", "/thinking: disabled", "thinking")
    if "fixed-temperature" in differs and body.get("temperature") not in (None, 1):
        yield Finding("B3", "/temperature: not 1")
    if differs & {"mfjs-lite", "mfjs-strict"}:
        for index, tool in enumerate(_list(body.get("tools"))):
            schema = (tool.get("function") or {}).get("parameters")
            if (said := mfjs.problem(schema, strict="mfjs-strict" in differs)) is not None:
                yield Finding("schema", f"/tools/{index}/function/parameters", said)


_TOKENHUB_VALUES: dict[str, Callable[[Any], bool]] = {
    "frequency_penalty": lambda value: _number(value, -2, 2),
    "presence_penalty": lambda value: _number(value, -2, 2),
    "reasoning_effort": lambda value: value in _EFFORTS,
    "response_format": lambda value: _type_of(value) in _FORMATS,
    "seed": lambda value: _integer(value, 0),
    "stop": lambda value: isinstance(value, str) or (_strings(value) and len(value) <= 4),
    "thinking": lambda value: _type_of(value) in _THINKING,
    "top_k": lambda value: _integer(value, 0),
}


def _sampling(body: Json) -> Iterator[Finding]:
    temperature, top_p, limit = body.get("temperature"), body.get("top_p"), body.get("max_tokens")
    if temperature is not None and not _number(temperature, 0, 2):
        yield Finding("B3", "/temperature: not from 0 to 2")
    if top_p is not None and not _number(top_p, 0, 1):
        yield Finding("B4", "/top_p: not from 0 to 1", "top_p")
    if limit is not None and not _integer(limit, 1):
        yield Finding("B4", "/max_tokens: not a positive integer", "max_tokens")


def _stream_options(body: Json) -> Iterator[Finding]:
    options = body.get("stream_options")
    if options is None:
        return
    if not isinstance(options, dict) or not isinstance(options.get("include_usage"), bool | None):
        yield Finding("A6", "/stream_options")


def tools(body: Json, *, strict: bool) -> Iterator[Finding]:
    """B6: tools are functions with a name of [a-zA-Z0-9_-] and an object of parameters.

    Strict only: the list isn't empty and `parameters` isn't missing.
    """
    offered = body.get("tools")
    if offered is None:
        return
    if not isinstance(offered, list):
        yield Finding("A6", "/tools: not a list")
        return
    if strict and not offered:
        yield Finding("B6", "/tools: empty", "tools")
    for index, tool in enumerate(offered):
        yield from _tool(f"/tools/{index}", tool, strict=strict)


def _tool(at: str, tool: object, *, strict: bool) -> Iterator[Finding]:
    if not isinstance(tool, dict) or not isinstance(tool.get("function"), dict | None):
        yield Finding("A6", f"{at}: not an object with a function")
        return
    function = tool.get("function") or {}
    name, schema = function.get("name"), function.get("parameters")
    if tool.get("type") != "function":
        yield Finding("B6", f"{at}/type: {tool.get('type')}", "tools.type")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        yield Finding("B6", f"{at}/function/name: {name}", "tools.function.name")
    if not isinstance(schema, dict) and (strict or schema is not None):
        yield Finding("B6", f"{at}/function/parameters: not an object", "tools.function.parameters")
    if strict and isinstance(schema, dict):
        # Measured on strict endpoints: 14790897/MiqroForge-Desktop#1165, openai-php/client#262.
        if schema.get("type") != "object":
            yield Finding("B6", f"{at}/function/parameters/type: not object", "tools.function.parameters")
        if not isinstance(schema.get("properties", {}), dict):
            yield Finding("B6", f"{at}/function/parameters/properties: not an object", "tools.function.parameters")
    if not isinstance(function.get("description"), str | None):
        yield Finding("A6", f"{at}/function/description: not a string")


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
