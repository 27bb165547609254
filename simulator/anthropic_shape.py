"""The shape of a Messages body: types, fields, and which block may stand where."""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any

from .anthropic_facade import Facade
from .rows import THINKERS, Finding, Json

_ID = re.compile(r"[a-zA-Z0-9_-]+")
_IMAGES = ("image/gif", "image/jpeg", "image/png", "image/webp")


_COMMON = frozenset({"messages", "model", "system", "thinking", "tool_choice", "tools"})
_CREATE = _COMMON | {
    "max_tokens",
    "metadata",
    "service_tier",
    "stop_sequences",
    "stream",
    "temperature",
    "top_k",
    "top_p",
}
_HINTED = {  # a field of the body that belongs to a hint
    "betas": "betas",
    "cache_control": "cache_ttl",
    "container": "server_tools",
    "context_management": "context_management",
    "diagnostics": "betas",
    "mcp_servers": "server_tools",
    "output_config": "output_config",
    "output_format": "output_config",
    "speed": "betas",
}
# The fields of each block: those that must be there, with their type, and the others.
_BLOCKS: dict[str, tuple[dict[str, type], frozenset[str]]] = {
    "text": ({"text": str}, frozenset({"citations", "cache_control"})),
    "image": ({"source": dict}, frozenset({"cache_control"})),
    "document": ({"source": dict}, frozenset({"cache_control", "citations", "context", "title"})),
    "search_result": ({"content": list, "source": str, "title": str}, frozenset({"cache_control", "citations"})),
    "tool_use": ({"id": str, "input": dict, "name": str}, frozenset({"cache_control"})),
    "tool_result": ({"tool_use_id": str}, frozenset({"cache_control", "content", "is_error"})),
    "thinking": ({"signature": str, "thinking": str}, frozenset()),
    "redacted_thinking": ({"data": str}, frozenset()),
    "tool_reference": ({"tool_name": str}, frozenset({"cache_control"})),
}
_PLACES: dict[str, frozenset[str]] = {  # where which block may stand
    "user": frozenset({"document", "image", "search_result", "text", "tool_result"}),
    "assistant": frozenset({"redacted_thinking", "text", "thinking", "tool_use"}),
    "system": frozenset({"text"}),
    "tool_result": frozenset({"document", "image", "search_result", "text", "tool_reference"}),
}
_BLOCK_HINTS = {"tool_reference": "defer_loading", "container_upload": "files"}
_SERVER_BLOCK = re.compile(r"server_tool_use|mcp_tool_use|\w+_tool_result|compaction|tool_addition|tool_removal")


def shape(body: object, facade: Facade, *, counting: bool) -> Iterator[Finding]:
    """What is wrong with types, fields and blocks. The other checks rely on this one finding nothing."""
    if not isinstance(body, dict):
        yield Finding("type", "body: Input should be a valid dictionary")
        return
    yield from _fields(body, facade, counting=counting)
    messages = body.get("messages")
    if isinstance(messages, list):
        if not messages:
            yield Finding("missing", "messages: at least one message is required")
        for index, message in enumerate(messages):
            yield from _message(f"messages.{index}", message, facade)
    elif messages is not None:
        yield Finding("type", "messages: Input should be a valid list")
    yield from _content("system", body.get("system", "-"), "system", facade)


def _fields(body: Json, facade: Facade, *, counting: bool) -> Iterator[Finding]:
    known = _COMMON if counting else _CREATE
    for name in body:
        if name not in known and _HINTED.get(name, "") not in facade.takes:
            yield extra(name)
    for name in ("model", "messages") if counting else ("model", "messages", "max_tokens"):
        if body.get(name) is None:
            yield Finding("missing", f"{name}: Field required")
    if not isinstance(body.get("model"), str | None):
        yield Finding("type", "model: Input should be a valid string")
    for name in ("tools", "stop_sequences"):
        if not isinstance(body.get(name, []), list):
            yield Finding("type", f"{name}: Input should be a valid list")
    for name in ("metadata", "thinking", "tool_choice"):
        if not isinstance(body.get(name, {}), dict):
            yield Finding("type", f"{name}: Input should be a valid dictionary")


def extra(at: str) -> Finding:
    """A field that isn't known."""
    return Finding("extra", f"{at}: Extra inputs are not permitted")


def _message(at: str, message: Any, facade: Facade) -> Iterator[Finding]:
    if not isinstance(message, dict):
        yield Finding("type", f"{at}: Input should be a valid dictionary")
        return
    for name in message.keys() - {"role", "content"}:
        yield extra(f"{at}.{name}")
    role = str(message.get("role"))
    if role not in ("user", "assistant", *(("system",) if "system_messages" in facade.takes else ())):
        yield Finding("role", f"{at}.role: Input should be 'user' or 'assistant'")
    elif "content" not in message:
        yield Finding("missing", f"{at}.content: Field required")
    else:
        yield from _content(f"{at}.content", message["content"], role, facade)


def _content(at: str, content: Any, place: str, facade: Facade) -> Iterator[Finding]:
    """A text, or a list of the blocks that may stand in `place`."""
    if isinstance(content, list):
        for index, block in enumerate(content):
            yield from _block(f"{at}.{index}", block, place, facade)
    elif not isinstance(content, str):
        yield Finding("type", f"{at}: Input should be a valid string or list")


def _block(at: str, block: Any, place: str, facade: Facade) -> Iterator[Finding]:
    if not isinstance(block, dict) or not isinstance(block.get("type"), str):
        yield Finding("type", f"{at}.type: Field required")
        return
    kind = block["type"]
    hint = _BLOCK_HINTS.get(kind, "")
    if kind == "tool_reference" and facade.profile in THINKERS and hint not in facade.takes:
        yield Finding("tool_reference", f"{at}: tool_reference", kind)
        return
    if kind not in _PLACES[place] or (hint and hint not in facade.takes):
        hint = hint or ("server_tools" if _SERVER_BLOCK.fullmatch(kind) else "")
        if not hint or hint not in facade.takes:
            expected = ", ".join(f"'{name}'" for name in sorted(_PLACES[place]))
            yield Finding("block", f"{at}: Input tag '{kind}' found using 'type' does not match any of: {expected}")
        return  # the inside of a server tool's block is its vendor's own
    misshapen = False
    for finding in _block_fields(f"{at}.{kind}", block, facade):
        misshapen = True
        yield finding
    if misshapen:
        return
    if kind == "text" and not block["text"]:
        yield Finding("empty", f"{at}.text: text content blocks must be non-empty")
    elif kind in ("image", "document"):
        yield from _source(f"{at}.{kind}.source", kind, block["source"], facade)
    elif kind == "tool_result" and "content" in block:
        yield from _content(f"{at}.content", block["content"], "tool_result", facade)
    elif kind == "search_result":
        yield from _content(f"{at}.content", block["content"], "system", facade)
    yield from cached(at, block.get("cache_control"), facade)


def _block_fields(at: str, block: Json, facade: Facade) -> Iterator[Finding]:
    required, optional = _BLOCKS[block["type"]]
    lax = facade.profile in THINKERS
    if lax and block["type"] == "thinking":  # Kimi signs nothing
        required, optional = {"thinking": str}, frozenset({"signature"})
    for name in block.keys() - required.keys() - optional - {"type"}:
        if not (name in ("caller", "toolset_name") and "tool_hints" in facade.takes):
            yield extra(f"{at}.{name}")
    for name, type_ in required.items():
        if name not in block:
            yield Finding("missing", f"{at}.{name}: Field required")
        elif not isinstance(block[name], type_):
            yield Finding("type", f"{at}.{name}: Input should be a valid {type_.__name__}")
        elif name in ("id", "tool_use_id") and not lax and not _ID.fullmatch(block[name]):
            yield Finding("id", f"{at}.{name}: String should match pattern '^[a-zA-Z0-9_-]+$'")


def cached(at: str, mark: Any, facade: Facade) -> Iterator[Finding]:
    """What is wrong with a `cache_control`."""
    if mark is None:
        return
    if not isinstance(mark, dict) or mark.get("type") != "ephemeral":
        yield Finding("cache", f"{at}.cache_control.type: Input should be 'ephemeral'")
        return
    for name in mark.keys() - {"type"}:
        if "cache_ttl" not in facade.takes:
            yield extra(f"{at}.cache_control.{name}")


def _source(at: str, kind: str, source: Json, facade: Facade) -> Iterator[Finding]:
    """Where an image or a document comes from."""
    given = source.get("type")
    match kind, given:
        case (_, "url"):
            if not str(source.get("url", "")).startswith(("https://", "http://")):
                yield Finding("source", f"{at}.url: Input should be a valid URL")
        case (_, "base64"):
            types = _IMAGES if kind == "image" else ("application/pdf",)
            if source.get("media_type") not in types:
                yield Finding("source", f"{at}.media_type: Input should be {' or '.join(map(repr, types))}")
            if not _decodes(source.get("data")):
                yield Finding("source", f"{at}.data: Invalid base64 data")
        case ("document", "text"):
            if not isinstance(source.get("data"), str) or source.get("media_type") != "text/plain":
                yield Finding("source", f"{at}.data: Input should be a valid string")
        case ("document", "content"):
            yield from _content(f"{at}.content", source.get("content"), "tool_result", facade)
        case (_, "file") if "files" in facade.takes:
            return
        case _:
            yield Finding(
                "source", f"{at}: Input tag {given!r} found using 'type' does not match any of the expected tags"
            )


def _decodes(data: Any) -> bool:
    try:
        return isinstance(data, str) and bool(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError):
        return False
