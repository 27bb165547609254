"""The oracle of Anthropic Messages: does an endpoint accept this body, and if not, with what words does it refuse it?

Pure, and used by no repair, as `checks` is for chat. What Anthropic's API documents is checked for every facade. A
`Facade` says which of the newer parts an endpoint takes: others are known to refuse them, and which of them TokenHub
refuses isn't documented, so that its strict facade refuses all (docs/facts/anthropic.md#facades).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from . import kimi_messages, models
from .anthropic_facade import Facade
from .anthropic_shape import cached, extra, shape
from .rows import THINKERS, Finding, Json
from .variant import DOCUMENTED, Variant

MAX_BREAKPOINTS = 4
MIN_BUDGET = 1024
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_TOOL_FIELDS = frozenset({"cache_control", "description", "input_schema", "name", "type"})
_TOOL_HINTS = frozenset({"allowed_callers", "eager_input_streaming", "input_examples", "strict"})


def problems(
    body: object,
    facade: Facade,
    headers: Mapping[str, str] | None = None,
    *,
    counting: bool = False,
    max_input: int = 0,
    variant: Variant = DOCUMENTED,
) -> Finding | None:
    """The first refusal of a Messages body with these headers (names in lower case), `None` if it is accepted.

    `counting`: the body of count_tokens. `max_input`: the tokens that may come in, 0 for the model's own. `variant`:
    what this endpoint does otherwise.
    """
    return next(all_problems(body, facade, headers, counting=counting, max_input=max_input, variant=variant), None)


def all_problems(
    body: object,
    facade: Facade,
    headers: Mapping[str, str] | None = None,
    *,
    counting: bool = False,
    max_input: int = 0,
    variant: Variant = DOCUMENTED,
) -> Iterator[Finding]:
    """Every refusal, in the order of the checks; only those of its shape if that is wrong."""
    thinker = facade.profile in THINKERS
    if headers is not None and not thinker:
        yield from _headers(headers, facade)
    misshapen = False
    for finding in shape(body, facade, counting=counting):
        misshapen = True
        yield finding
    if misshapen or not isinstance(body, dict):
        return
    yield from _model(body, facade, max_input=max_input)
    yield from _parameters(body, facade)
    yield from _tools(body, facade)
    yield from _order(body["messages"])
    yield from _pairing(body["messages"], repeating=thinker)
    if thinker:
        yield from kimi_messages.findings(body, facade.profile, variant)
    else:
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


# Model and parameters


def _model(body: Json, facade: Facade, *, max_input: int) -> Iterator[Finding]:
    model = models.find(facade.profile, body["model"])
    if model is None or model.dimensions:
        yield Finding("model", f"model: {body['model']}", body["model"])
        return
    limit, asked = body.get("max_tokens"), input_tokens(body)
    if isinstance(limit, int) and limit > model.max_output:
        text = f"max_tokens: {limit} > {model.max_output}, which is the maximum allowed number of output tokens"
        yield Finding("max_tokens", f"{text} for {model.id}")
    if asked > (most := max_input or model.max_input):
        told = f"{most} (requested: {asked})"
        yield Finding("overflow", f"prompt is too long: {asked} tokens > {most} maximum", told)


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
        yield extra(f"metadata.{name}")
    output = body.get("output_config")
    if isinstance(output, dict):
        for name in output.keys() - {"effort", "format", "task_budget"}:
            yield extra(f"output_config.{name}")
    if "system" in body and body["system"] == []:
        yield Finding("empty", "system: at least one block is required")
    yield from cached("body", body.get("cache_control"), facade)


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
        yield extra(f"tool_choice.{name}")
    if not body.get("tools") and kind != "none":
        yield Finding("choice", "tool_choice: may only be specified while providing `tools`")
    elif kind == "tool" and choice.get("name") not in names:
        yield Finding("choice", f"Tool '{choice.get('name')}' not found in provided tools")


def _tool(at: str, tool: Json, facade: Facade) -> Iterator[Finding]:
    for name in tool.keys() - _TOOL_FIELDS:
        hint = "defer_loading" if name == "defer_loading" else "tool_hints" if name in _TOOL_HINTS else ""
        if not hint or hint not in facade.takes:
            yield extra(f"{at}.custom.{name}")
    if not isinstance(tool.get("name"), str) or not _TOOL_NAME.fullmatch(tool["name"]):
        yield Finding("tool", f"{at}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
    if not isinstance(tool.get("description", ""), str):
        yield Finding("type", f"{at}.custom.description: Input should be a valid string")
    schema = tool.get("input_schema")
    if not isinstance(schema, dict):
        yield Finding("missing", f"{at}.custom.input_schema: Field required")
    elif schema.get("type") != "object":
        yield Finding("tool", f"{at}.custom.input_schema.type: Input should be 'object'")
    yield from cached(at, tool.get("cache_control"), facade)


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


def _pairing(messages: list[Json], *, repeating: bool) -> Iterator[Finding]:
    """Each call is answered once, at the start of the next turn; ids are used once in the whole conversation.

    `repeating`: only within a turn.
    """
    pending: list[str] = []
    seen: set[str] = set()
    for at, role, blocks in _turns(messages):
        if role == "assistant":
            pending = [block["id"] for block in blocks if block["type"] == "tool_use"]
            if repeated := [one for one in pending if (one in seen and not repeating) or pending.count(one) > 1]:
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
        yield extra(f"thinking.{kind}.{name}")
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
