"""The contract of Moonshot's chat endpoint, as findings (docs/facts/kimi.md#reasoning).

Everything here relies on `shape.body_shape` having found nothing. The rows are those of `kimi_rows`.
"""

import re
from collections.abc import Iterator, Sequence, Set
from typing import Any

from . import mfjs
from .codec import decode, encode
from .kimi_models import Thinker, thinks
from .prompt_cache import tokens
from .rows import Finding, Json
from .variant import Variant

MAX_BYTES = 4_194_304
MAX_STOPS = 5
MAX_STOP_BYTES = 32
WEB_SEARCH = "$web_search"
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_-]{0,255}")
_ROLES = ("system", "user", "assistant", "tool")
_EFFORTS = ("low", "high", "max")


def findings(body: Json, model: Thinker, variant: Variant, *, max_input: int = 0) -> Iterator[Finding]:
    """Every refusal of a chat body, in the order of the checks. `max_input` are tokens, 0 for the model's own."""
    messages, thinking = body["messages"], thinks(body, model)
    if model.at_moonshot and (size := len(encode(messages))) > MAX_BYTES:
        yield Finding("bytes", f"/messages: {size} bytes", str(size))
    yield from thinking_object(body, model, differs=variant.differs)
    yield from _sampling(body, model, thinking=thinking)
    yield from _parameters(body, model, variant)
    yield from _choice(body, model, thinking=thinking)
    yield from _tools(body, model, variant, thinking=thinking)
    yield from _roles(messages, variant)
    yield from _empty(messages)
    yield from _pairing(messages)
    if thinking and model.replay != "none" and "reasoning-needless" not in variant.differs:
        yield from _reasoning(body, model, variant)
    yield from _sight(messages, model)
    asked, most = tokens([body.get("tools"), messages]), max_input or model.context
    asked += limit if isinstance(limit := _limit(body), int) and not max_input else 0
    if asked > most:
        yield Finding("overflow", f": {asked} tokens of {most}", f"{most} (requested: {asked})")


def _limit(body: Json) -> Any:
    """What may be written: the newer name wins."""
    return body.get("max_completion_tokens") or body.get("max_tokens")


# Parameters


def thinking_object(
    body: Json, model: Thinker, *, budget: bool = False, differs: Set[str] = frozenset()
) -> Iterator[Finding]:
    """The parameter `thinking`: its type, and no field that it doesn't know. `budget`: it may have a budget.

    Models that don't think ignore it, for all that is known.
    """
    given = body.get("thinking")
    if given is None or model.control == "none":
        return
    if not isinstance(given, dict):
        yield Finding("thinking", "/thinking: not an object", "must be an object")
        return
    kind = given.get("type")
    kinds = ("enabled", "disabled", *(("adaptive",) if budget else ()))
    if kind not in kinds:
        yield Finding("thinking", f"/thinking/type: {kind}", "type must be enabled or disabled")
    elif kind == "disabled" and (model.control != "thinking" or "thinking-always" in differs):
        text = "only type=enabled is allowed for this model"
        yield Finding("thinking", "/thinking/type: disabled", text)
    known = {"type", *(("keep",) if model.keep else ()), *(("budget_tokens", "display") if budget else ())}
    for name in given:
        if name not in known:
            yield Finding("thinking", f"/thinking/{name}", f"additional property '{name}' is not allowed")
    if given.get("keep") not in (None, "all"):
        yield Finding("thinking", "/thinking/keep", "keep must be null or all")


def _sampling(body: Json, model: Thinker, *, thinking: bool) -> Iterator[Finding]:
    """Fixed sampling: another value is refused; free sampling: a value out of range is."""
    if model.fixed is None:
        for name in ("temperature", "top_p"):
            value, most = body.get(name), 1.0 if model.kimi or name == "top_p" else 2.0
            if value is not None and not (_number(value) and 0 <= value <= most):
                yield Finding("value", f"/{name}", f"{name}: must be between 0 and {most:g}")
        return
    only = {"temperature": model.temperatures[0 if thinking else 1], **model.fixed}
    for name, wanted in only.items():
        if body.get(name) is not None and body[name] != wanted:
            yield Finding("fixed", f"/{name}: {body[name]}", f"{name}: only {wanted:g}")


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _parameters(body: Json, model: Thinker, variant: Variant) -> Iterator[Finding]:
    effort = body.get("reasoning_effort")
    if model.control == "effort" and effort is not None and effort not in _EFFORTS:
        yield Finding("effort", f"/reasoning_effort: {effort}")
    elif effort is not None and "effort-refused" in variant.differs:
        yield Finding("value", f"/reasoning_effort: {effort}", "reasoning_effort")
    if "cache-key-refused" in variant.differs and "prompt_cache_key" in body:
        yield Finding("unknown", "/prompt_cache_key", "prompt_cache_key")
    if not isinstance(body.get("stream"), bool | None):
        yield Finding("A6", "/stream: not a boolean", "stream must be a boolean")
    for name in ("max_tokens", "max_completion_tokens"):
        limit = body.get(name)
        if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
            yield Finding("value", f"/{name}", f"{name}: must be a positive integer")
    stop = body.get("stop")
    stops = [stop] if isinstance(stop, str) else [] if stop is None else stop
    if not isinstance(stops, list) or not all(isinstance(one, str) for one in stops):
        yield Finding("stop", "/stop: neither a string nor a list of strings", "must be a string or a list of strings")
    elif not model.at_moonshot:
        return
    elif len(stops) > MAX_STOPS:
        yield Finding("stop", f"/stop: {len(stops)} strings", f"must not have more than {MAX_STOPS} strings")
    elif any(len(one.encode("utf-8", "replace")) > MAX_STOP_BYTES for one in stops):
        yield Finding("stop", "/stop: too long", f"strings must not be longer than {MAX_STOP_BYTES} bytes")


def _choice(body: Json, model: Thinker, *, thinking: bool) -> Iterator[Finding]:
    """`tool_choice`: while a Kimi model thinks, only auto and none."""
    choice = body.get("tool_choice")
    if choice is None or choice in ("auto", "none"):
        return
    named = isinstance(choice, dict) and choice.get("type") == "function"
    if not named and choice != "required":
        yield Finding("value", "/tool_choice", "tool_choice")
    elif thinking and model.kimi:
        yield Finding("choice", "/tool_choice", "specified" if named else "required")


def _tools(body: Json, model: Thinker, variant: Variant, *, thinking: bool) -> Iterator[Finding]:
    offered = body.get("tools")
    if offered is None:
        return
    if not isinstance(offered, list):
        yield Finding("A6", "/tools: not a list", "tools must be a list")
        return
    for index, tool in enumerate(offered):
        at, function = f"/tools/{index}", tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(function, dict):
            yield Finding("A6", f"{at}: not an object with a function", "tools must be functions")
            continue
        if tool.get("type") == "builtin_function":
            if function.get("name") != WEB_SEARCH:
                yield Finding("tool", f"{at}/function/name: {function.get('name')}")
            elif thinking and model.control == "thinking":
                yield Finding("builtin", f"{at}/type: while it thinks")
            continue
        if tool.get("type") != "function":
            yield Finding("A6", f"{at}/type: {tool.get('type')}", f"unknown tool type {tool.get('type')}")
        name = function.get("name")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            yield Finding("tool", f"{at}/function/name: {name}")
        if function.get("parameters") is not None and function.get("strict") is not False:
            yield from schema(f"{at}/function/parameters", function["parameters"], model, variant)


def schema(at: str, given: Any, model: Thinker, variant: Variant) -> Iterator[Finding]:
    """The schema of a tool's arguments is moonshot flavored, where that is demanded."""
    if not model.at_moonshot and not variant.differs & {"mfjs-lite", "mfjs-strict"}:
        return
    said = mfjs.problem(given, strict="mfjs-strict" in variant.differs)
    if said is None and given.get("type", "object") != "object":
        said = f"<At path '{mfjs.ROOT}': type must be object>"
    if said is not None:
        yield Finding("schema", f"{at}: {said}", said)


# Messages


def _roles(messages: Sequence[Json], variant: Variant) -> Iterator[Finding]:
    for index, message in enumerate(messages):
        role = message["role"]
        if role not in _ROLES and not (role == "developer" and "developer-taken" in variant.differs):
            yield Finding("role", f"/messages/{index}/role: {role}", role)


def _empty(messages: Sequence[Json]) -> Iterator[Finding]:
    """No message is empty but one with tool calls, the start of an answer, and one that only brings tools."""
    for index, message in enumerate(messages):
        if message.get("content") or message.get("tool_calls") or message.get("partial"):
            continue
        if message["role"] == "system" and message.get("tools"):
            continue
        yield Finding("empty", f"/messages/{index}/content", f"{index} with role '{message['role']}'")


def _pairing(messages: Sequence[Json]) -> Iterator[Finding]:
    """Each call is answered by the tool messages directly after it; a search by the arguments of its call."""
    pending: list[Json] = []
    for index, message in enumerate([*messages, {"role": "end"}]):
        if message["role"] == "tool":
            call = next((one for one in pending if one.get("id") == message.get("tool_call_id")), None)
            if call is None:
                yield Finding("stray", f"/messages/{index}/tool_call_id", str(message.get("tool_call_id")))
                continue
            pending.remove(call)
            if call["function"].get("name") == WEB_SEARCH and not _echoes(message, call["function"]["arguments"]):
                yield Finding("echo", f"/messages/{index}")
            continue
        if pending:
            missing = ", ".join(str(call.get("id")) for call in pending)
            yield Finding("pairing", f"/messages/{index}: {missing}", missing)
        pending = list(message.get("tool_calls") or []) if message["role"] == "assistant" else []


def _echoes(message: Json, arguments: str) -> bool:
    if message.get("name") != WEB_SEARCH or not isinstance(message.get("content"), str):
        return False
    try:
        return bool(decode(message["content"].encode()) == decode(arguments.encode()))
    except ValueError:
        return bool(message["content"] == arguments)


def _reasoning(body: Json, model: Thinker, variant: Variant) -> Iterator[Finding]:
    """Of a model that thinks, what it thought comes back in the messages that its contract names."""
    given = body.get("thinking")
    kept = isinstance(given, dict) and given.get("keep") == "all"
    every = model.replay == "all" or kept
    empty_counts = model.empty_counts and "empty-reasoning-refused" not in variant.differs
    for index, message in enumerate(body["messages"]):
        calls = bool(message.get("tool_calls"))
        if message["role"] != "assistant" or message.get("partial") or not (calls or every):
            continue
        thought = message.get(variant.reasoning_field)
        if not isinstance(thought, str) or not (thought or empty_counts):
            yield missing(index, model, variant, calls=calls)


def missing(index: int, model: Thinker, variant: Variant, *, calls: bool) -> Finding:
    """The finding for a message of the assistant whose reasoning is missing."""
    row = "reasoning-deepseek" if variant.deepseek_words or not model.kimi else "reasoning"
    kind = "tool call message" if calls else "message"
    return Finding(row, f"/messages/{index}: no reasoning", f"{kind} at index {index}")


def _sight(messages: Sequence[Json], model: Thinker) -> Iterator[Finding]:
    for index, message in enumerate(messages):
        content = message.get("content")
        for part in content if isinstance(content, list) else []:
            if part["type"] not in ("text", "image_url", "video_url"):
                yield Finding("A6", f"/messages/{index}: {part['type']}", f"unsupported content type {part['type']}")
            elif part["type"] != "text" and not model.images:
                yield Finding("sight", f"/messages/{index}: {part['type']}", model.id)
