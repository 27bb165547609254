"""The oracle of Anthropic Messages: does an endpoint accept this body, and if not, with what words does it refuse it?

Pure, and shared with nobody, as `checks` is for chat. What Anthropic's API documents is checked for every facade. A
`Facade` says which of the newer parts an endpoint takes: others are known to refuse them, and which of them TokenHub
refuses isn't documented, so that its strict facade refuses all (docs/facts/anthropic.md#facades).
"""

import base64
import binascii
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from . import models
from .rows import Finding, Json, ProfileName

HINTS = frozenset(
    {
        "betas",
        "cache_ttl",
        "context_management",
        "defer_loading",
        "files",
        "output_config",
        "server_tools",
        "system_messages",
        "thinking.adaptive",
        "thinking.display",
        "tool_hints",
    }
)
"""The parts of Messages that endpoints of other vendors are known to refuse."""

MAX_BREAKPOINTS = 4
MIN_BUDGET = 1024
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
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
_TOOL_FIELDS = frozenset({"cache_control", "description", "input_schema", "name", "type"})
_TOOL_HINTS = frozenset({"allowed_callers", "eager_input_streaming", "input_examples", "strict"})

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


@dataclass(frozen=True, slots=True)
class Facade:
    """An endpoint's Messages API: the profile whose models it has, the hints that it takes, the words it refuses with.

    `anthropic_words`: it refuses in the words of Anthropic's API, on some of which Claude Code leaves out what was
    refused. Else in its vendor's.
    """

    profile: ProfileName
    takes: frozenset[str] = frozenset()
    anthropic_words: bool = False


def problems(
    body: object,
    facade: Facade,
    headers: Mapping[str, str] | None = None,
    *,
    counting: bool = False,
    max_input: int = 0,
) -> Finding | None:
    """The first refusal of a Messages body with these headers (names in lower case), `None` if it is accepted.

    `counting`: the body of count_tokens. `max_input`: the tokens that may come in, 0 for the model's own.
    """
    return next(all_problems(body, facade, headers, counting=counting, max_input=max_input), None)


def all_problems(
    body: object,
    facade: Facade,
    headers: Mapping[str, str] | None = None,
    *,
    counting: bool = False,
    max_input: int = 0,
) -> Iterator[Finding]:
    """Every refusal, in the order of the checks; only those of its shape if that is wrong."""
    if headers is not None:
        yield from _headers(headers, facade)
    misshapen = False
    for finding in _shape(body, facade, counting=counting):
        misshapen = True
        yield finding
    if misshapen or not isinstance(body, dict):
        return
    yield from _model(body, facade, max_input=max_input)
    yield from _parameters(body, facade)
    yield from _tools(body, facade)
    yield from _order(body["messages"])
    yield from _pairing(body["messages"])
    yield from _thinking(body, facade)
    yield from _abilities(body, facade)
    if (found := sum(_breakpoints(body))) > MAX_BREAKPOINTS:
        text = f"A maximum of {MAX_BREAKPOINTS} blocks with cache_control may be provided. Found {found}."
        yield Finding("cache", text)


# What comes before the body


def _headers(headers: Mapping[str, str], facade: Facade) -> Iterator[Finding]:
    if not headers.get("anthropic-version"):
        yield Finding("version", "anthropic-version: header is required")
    betas = [beta.strip() for beta in headers.get("anthropic-beta", "").split(",") if beta.strip()]
    if betas and "betas" not in facade.takes:
        yield Finding("beta", f"Unexpected value(s) `{betas[0]}` for the `anthropic-beta` header.")


# Types, fields, blocks


def _shape(body: object, facade: Facade, *, counting: bool) -> Iterator[Finding]:
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
            yield _extra(name)
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


def _extra(at: str) -> Finding:
    return Finding("extra", f"{at}: Extra inputs are not permitted")


def _message(at: str, message: Any, facade: Facade) -> Iterator[Finding]:
    if not isinstance(message, dict):
        yield Finding("type", f"{at}: Input should be a valid dictionary")
        return
    for name in message.keys() - {"role", "content"}:
        yield _extra(f"{at}.{name}")
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
    yield from _cached(at, block.get("cache_control"), facade)


def _block_fields(at: str, block: Json, facade: Facade) -> Iterator[Finding]:
    required, optional = _BLOCKS[block["type"]]
    for name in block.keys() - required.keys() - optional - {"type"}:
        if not (name in ("caller", "toolset_name") and "tool_hints" in facade.takes):
            yield _extra(f"{at}.{name}")
    for name, type_ in required.items():
        if name not in block:
            yield Finding("missing", f"{at}.{name}: Field required")
        elif not isinstance(block[name], type_):
            yield Finding("type", f"{at}.{name}: Input should be a valid {type_.__name__}")
        elif name in ("id", "tool_use_id") and not _ID.fullmatch(block[name]):
            yield Finding("id", f"{at}.{name}: String should match pattern '^[a-zA-Z0-9_-]+$'")


def _cached(at: str, mark: Any, facade: Facade) -> Iterator[Finding]:
    if mark is None:
        return
    if not isinstance(mark, dict) or mark.get("type") != "ephemeral":
        yield Finding("cache", f"{at}.cache_control.type: Input should be 'ephemeral'")
        return
    for name in mark.keys() - {"type"}:
        if "cache_ttl" not in facade.takes:
            yield _extra(f"{at}.cache_control.{name}")


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


# Model and parameters


def _model(body: Json, facade: Facade, *, max_input: int) -> Iterator[Finding]:
    model = models.find(facade.profile, body["model"])
    if model is None or model.dimensions:
        yield Finding("model", f"model: {body['model']}")
        return
    limit, asked = body.get("max_tokens"), input_tokens(body)
    if isinstance(limit, int) and limit > model.max_output:
        text = f"max_tokens: {limit} > {model.max_output}, which is the maximum allowed number of output tokens"
        yield Finding("max_tokens", f"{text} for {model.id}")
    if asked > (most := max_input or model.max_input):
        yield Finding("overflow", f"prompt is too long: {asked} tokens > {most} maximum")


def _parameters(body: Json, facade: Facade) -> Iterator[Finding]:
    limit = body.get("max_tokens", 1)
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        yield Finding("range", "max_tokens: Input should be greater than or equal to 1")
    for name in ("temperature", "top_p"):
        value = body.get(name, 1)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            yield Finding("range", f"{name}: Input should be between 0 and 1")
    top_k = body.get("top_k", 0)
    if not isinstance(top_k, int) or isinstance(top_k, bool) or top_k < 0:
        yield Finding("range", "top_k: Input should be greater than or equal to 0")
    if not isinstance(body.get("stream", False), bool):
        yield Finding("type", "stream: Input should be a valid boolean")
    for index, text in enumerate(body.get("stop_sequences", [])):
        if not isinstance(text, str) or not text.strip():
            yield Finding("range", f"stop_sequences: each stop sequence must contain non-whitespace ({index})")
    for name in body.get("metadata", {}).keys() - {"user_id"}:
        yield _extra(f"metadata.{name}")
    output = body.get("output_config")
    if isinstance(output, dict):
        for name in output.keys() - {"effort", "format", "task_budget"}:
            yield _extra(f"output_config.{name}")
    if "system" in body and body["system"] == []:
        yield Finding("empty", "system: at least one block is required")
    yield from _cached("body", body.get("cache_control"), facade)


# Tools


def _tools(body: Json, facade: Facade) -> Iterator[Finding]:
    names: list[str] = []
    for index, tool in enumerate(body.get("tools", [])):
        at = f"tools.{index}"
        if not isinstance(tool, dict):
            yield Finding("type", f"{at}: Input should be a valid dictionary")
            continue
        if tool.get("type", "custom") not in ("custom", None):
            if "server_tools" not in facade.takes:
                yield Finding("tool", f"{at}: Input tag '{tool['type']}' does not match any of the expected tags")
            continue
        yield from _tool(at, tool, facade)
        names.append(str(tool.get("name")))
    if len(set(names)) < len(names):
        yield Finding("tool", "tools: Tool names must be unique.")
    choice = body.get("tool_choice")
    if choice is None:
        return
    kind = choice.get("type")
    if kind not in ("any", "auto", "none", "tool"):
        yield Finding("choice", f"tool_choice: Input tag {kind!r} does not match any of: 'any', 'auto', 'none', 'tool'")
    for name in choice.keys() - {"disable_parallel_tool_use", "name", "type"}:
        yield _extra(f"tool_choice.{name}")
    if not body.get("tools") and kind != "none":
        yield Finding("choice", "tool_choice: may only be specified while providing `tools`")
    elif kind == "tool" and choice.get("name") not in names:
        yield Finding("choice", f"Tool '{choice.get('name')}' not found in provided tools")


def _tool(at: str, tool: Json, facade: Facade) -> Iterator[Finding]:
    for name in tool.keys() - _TOOL_FIELDS:
        hint = "defer_loading" if name == "defer_loading" else "tool_hints" if name in _TOOL_HINTS else ""
        if not hint or hint not in facade.takes:
            yield _extra(f"{at}.custom.{name}")
    if not isinstance(tool.get("name"), str) or not _TOOL_NAME.fullmatch(tool["name"]):
        yield Finding("tool", f"{at}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
    if not isinstance(tool.get("description", ""), str):
        yield Finding("type", f"{at}.custom.description: Input should be a valid string")
    schema = tool.get("input_schema")
    if not isinstance(schema, dict):
        yield Finding("missing", f"{at}.custom.input_schema: Field required")
    elif schema.get("type") != "object":
        yield Finding("tool", f"{at}.custom.input_schema.type: Input should be 'object'")
    yield from _cached(at, tool.get("cache_control"), facade)


# Order of messages, calls and their results


def _order(messages: list[Json]) -> Iterator[Finding]:
    """It begins with the user, and only the last message of the assistant may be empty."""
    if messages[0]["role"] != "user":
        yield Finding("order", 'messages: first message must use the "user" role')
    last = len(messages) - 1
    for index, message in enumerate(messages):
        content = message["content"]
        if not content and not (index == last and message["role"] == "assistant"):
            yield Finding("empty", f"messages.{index}: all messages must have non-empty content")
    ending = messages[-1]
    if ending["role"] == "assistant":
        blocks = _blocks(ending)
        text = str(blocks[-1].get("text", "")) if blocks else ""
        if text != text.rstrip():
            yield Finding("order", "messages: final assistant content cannot end with trailing whitespace")


def _blocks(message: Json) -> list[Json]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _turns(messages: list[Json]) -> Iterator[tuple[int, str, list[Json]]]:
    """Neighbours of one role as one turn, with the index of its last message; system messages are left out."""
    role, blocks, at = "", list[Json](), 0
    for index, message in enumerate(messages):
        if message["role"] == "system":
            continue
        if message["role"] != role:
            if role:
                yield at, role, blocks
            role, blocks = message["role"], []
        blocks, at = [*blocks, *_blocks(message)], index
    if role:
        yield at, role, blocks


def _pairing(messages: list[Json]) -> Iterator[Finding]:
    """Each call is answered once, at the start of the next turn; ids are used once in the whole conversation."""
    pending: list[str] = []
    seen: set[str] = set()
    for at, role, blocks in _turns(messages):
        if role == "assistant":
            pending = [block["id"] for block in blocks if block["type"] == "tool_use"]
            if repeated := [one for one in pending if one in seen or pending.count(one) > 1]:
                yield Finding("pairing", f"messages.{at}: `tool_use` ids must be unique: {repeated[0]}")
            seen.update(pending)
            continue
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        if stray := [one for one in results if one not in pending]:
            text = f"messages.{at}: unexpected `tool_use_id` found in `tool_result` blocks: {stray[0]}. Each"
            rest = "`tool_result` block must have a corresponding `tool_use` block in the previous message."
            yield Finding("pairing", f"{text} {rest}")
        elif len(set(results)) < len(results):
            yield Finding("pairing", f"messages.{at}: each tool_use must have a single result. Found multiple")
        if missing := [one for one in pending if one not in results]:
            text = "`tool_use` ids were found without `tool_result` blocks immediately after"
            yield Finding("pairing", f"messages.{at}: {text}: {', '.join(missing)}")
        kinds = [block["type"] for block in blocks]
        if "tool_result" in kinds[len(results) :]:
            yield Finding("pairing", f"messages.{at}: `tool_result` blocks must come first in the content")
        pending = []
    if pending:
        text = "`tool_use` ids were found without `tool_result` blocks immediately after"
        yield Finding("pairing", f"messages.{len(messages) - 1}: {text}: {', '.join(pending)}")


# Thinking


def _thinking(body: Json, facade: Facade) -> Iterator[Finding]:
    given = body.get("thinking") or {"type": "disabled"}
    kind = given.get("type")
    kinds = ("enabled", "disabled", *(("adaptive",) if "thinking.adaptive" in facade.takes else ()))
    if kind not in kinds:
        yield Finding("thinking", f"thinking.type: {kind} is not supported")
        return
    fields = {"type", "budget_tokens"} if kind == "enabled" else {"type"}
    for name in given.keys() - fields - ({"display"} if "thinking.display" in facade.takes else set()):
        yield _extra(f"thinking.{kind}.{name}")
    if kind != "enabled":
        return
    budget = given.get("budget_tokens")
    if not isinstance(budget, int) or isinstance(budget, bool) or budget < MIN_BUDGET:
        yield Finding("thinking", f"thinking.enabled.budget_tokens: Input should be at least {MIN_BUDGET}")
    elif isinstance(most := body.get("max_tokens"), int) and budget >= most:
        yield Finding("thinking", "`max_tokens` must be greater than `thinking.budget_tokens`")
    if body.get("temperature", 1) != 1:
        yield Finding("thinking", "`temperature` may only be set to 1 when thinking is enabled.")
    if "top_k" in body:
        yield Finding("thinking", "`top_k` must be unset when thinking is enabled.")
    if body.get("tool_choice", {}).get("type") in ("any", "tool"):
        yield Finding("thinking", "Thinking may not be enabled when tool_choice forces tool use.")


def _abilities(body: Json, facade: Facade) -> Iterator[Finding]:
    """Pictures and PDFs only to a model that sees."""
    model = models.find(facade.profile, body["model"])
    if model is None or model.images:
        return
    for block in inner_blocks(body):
        source = block.get("source")
        shown = block["type"] == "image" or (
            block["type"] == "document" and isinstance(source, dict) and source.get("type") in ("base64", "url", "file")
        )
        if shown:
            yield Finding("sight", f"the model {model.id} does not support {block['type']} input")


def inner_blocks(body: Json) -> Iterator[Json]:
    """Every block of the messages, those inside tool results and documents included."""
    waiting: list[Any] = [message["content"] for message in reversed(body["messages"])]
    while waiting:
        content = waiting.pop()
        if isinstance(content, list):
            waiting.extend(reversed(content))
        elif isinstance(content, dict):
            if isinstance(content.get("type"), str):
                yield content
            source = content.get("source")
            waiting.append(content.get("content"))
            waiting.append(source.get("content") if isinstance(source, dict) else None)


def _breakpoints(body: Json) -> Iterator[bool]:
    system = body.get("system")
    holders: list[Any] = [*body.get("tools", []), *(system if isinstance(system, list) else []), *inner_blocks(body)]
    yield from (isinstance(one, dict) and one.get("cache_control") is not None for one in holders)


# Counting

_CHARS_PER_TOKEN = 4
IMAGE_TOKENS = 1000
_BULK = frozenset({"data", "signature", "encrypted_content"})


def input_tokens(body: Json) -> int:
    """Tokens of everything that a model reads: texts, names, schemas, calls; a constant for an image or a PDF."""
    characters, pictures = 0, 0
    waiting: list[Any] = [body.get(name) for name in ("system", "messages", "tools")]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            characters += len(value)
        elif isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict):
            binary = value.get("type") == "base64"
            pictures += binary
            for name, inner in value.items():
                characters += len(name)
                if not (name in _BULK and (binary or name != "data")):
                    waiting.append(inner)
    return -(-characters // _CHARS_PER_TOKEN) + pictures * IMAGE_TOKENS


def takes(names: Collection[str]) -> frozenset[str]:
    """The hints of these names, `all` for every one. Raises ValueError for one that there isn't."""
    if unknown := set(names) - HINTS - {"all"}:
        raise ValueError(f"unknown hint {sorted(unknown)[0]!r}; known: all, {', '.join(sorted(HINTS))}")
    return HINTS if "all" in names else frozenset(names)
