"""The oracle of OpenAI's Responses API: does an endpoint accept this body, and if not, with what is it refused?

Pure, and shared with nobody, as `checks` is for chat. What OpenAI's API refuses is refused by every facade. A `Facade`
says which of the newer parts an endpoint takes; what TokenHub's refuses, and how that is known, is in
docs/facts/tokenhub.md#responses.
"""

import base64
import binascii
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from . import models
from .openai_shapes import body_findings
from .rows import Finding, Json, ProfileName

NOTHING: Mapping[str, Json] = {}
MIN_OUTPUT = 16
MAX_METADATA = 16
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_URL = re.compile(r"https?://\S|data:image/(?:gif|jpeg|png|webp);base64,", re.IGNORECASE)

_PREFIXES = {  # of the ids of items
    "code_interpreter_call": "ci",
    "compaction": "cmp",
    "computer_call": "cu",
    "custom_tool_call": "ctc",
    "file_search_call": "fs",
    "function_call": "fc",
    "image_generation_call": "ig",
    "mcp_call": "mcp",
    "message": "msg",
    "reasoning": "rs",
    "web_search_call": "ws",
}
_OUTPUTS = {  # which item answers which
    "apply_patch_call_output": "apply_patch_call",
    "computer_call_output": "computer_call",
    "custom_tool_call_output": "custom_tool_call",
    "function_call_output": "function_call",
    "local_shell_call_output": "local_shell_call",
    "shell_call_output": "shell_call",
    "tool_search_output": "tool_search_call",
}
_SERVER_TOOLS = (
    "code_interpreter",
    "computer",
    "computer_use_preview",
    "file_search",
    "image_generation",
    "mcp",
    "programmatic_tool_calling",
    "web_search",
    "web_search_2025_08_26",
    "web_search_preview",
    "web_search_preview_2025_03_11",
)
_LOCAL_TOOLS = ("apply_patch", "local_shell", "shell")
_TOOL_HINTS = {
    "custom": "custom_tools",
    "namespace": "namespaces",
    "tool_search": "tool_search",
    **dict.fromkeys(_LOCAL_TOOLS, "local_tools"),
    **dict.fromkeys(_SERVER_TOOLS, "server_tools"),
}
_ITEM_HINTS = {
    "additional_tools": "additional_tools",
    "compaction": "compaction",
    "compaction_trigger": "compaction",
    "custom_tool_call": "custom_tools",
    "custom_tool_call_output": "custom_tools",
    "item_reference": "storage",
    "tool_search_call": "tool_search",
    "tool_search_output": "tool_search",
    **dict.fromkeys(("apply_patch_call", "local_shell_call", "shell_call"), "local_tools"),
    **dict.fromkeys(("apply_patch_call_output", "local_shell_call_output", "shell_call_output"), "local_tools"),
    **dict.fromkeys(
        (
            "code_interpreter_call",
            "computer_call",
            "computer_call_output",
            "file_search_call",
            "image_generation_call",
            "mcp_approval_request",
            "mcp_approval_response",
            "mcp_call",
            "mcp_list_tools",
            "program",
            "program_output",
            "web_search_call",
        ),
        "server_tools",
    ),
}
_STORED = ("background", "conversation", "previous_response_id", "prompt", "store")

HINTS = frozenset({*_TOOL_HINTS.values(), *_ITEM_HINTS.values(), "files", "models", "outputs_alone"})
"""The parts of Responses that endpoints of other vendors refuse. `models`: every model of the endpoint speaks it, else
only those that the catalogue says do; `outputs_alone`: the output of a function that no call of the input asked for."""


@dataclass(frozen=True, slots=True)
class Facade:
    """An endpoint's Responses API: the profile whose models it has, the hints that it takes, the words it refuses with.

    `openai_words`: it refuses in the words of OpenAI's API, else in its vendor's.
    """

    profile: ProfileName
    takes: frozenset[str] = frozenset()
    openai_words: bool = False


def takes(names: Collection[str]) -> frozenset[str]:
    """The hints of these names, `all` for every one. Raises ValueError for one that there isn't."""
    if unknown := set(names) - HINTS - {"all"}:
        raise ValueError(f"unknown hint {sorted(unknown)[0]!r}; known: all, {', '.join(sorted(HINTS))}")
    return HINTS if "all" in names else frozenset(names)


def speaks(model_id: object, facade: Facade) -> bool:
    """Whether the endpoint answers Responses for this model at all, be it with a refusal."""
    model = models.find(facade.profile, model_id)
    return model is None or model.responses or "models" in facade.takes


def problems(
    body: object, facade: Facade, *, known: Mapping[str, Json] = NOTHING, max_input: int = 0
) -> Finding | None:
    """The first refusal of a Responses body, `None` if it is accepted.

    `known`: what the endpoint keeps, responses and items by their ids. `max_input`: the tokens that may come in, 0
    for the model's own.
    """
    return next(all_problems(body, facade, known=known, max_input=max_input), None)


def all_problems(
    body: object, facade: Facade, *, known: Mapping[str, Json] = NOTHING, max_input: int = 0
) -> Iterator[Finding]:
    """Every refusal, in the order of the checks; only those of its shape if that is wrong."""
    misshapen = False
    for finding in body_findings(body):
        misshapen = True
        yield finding
    if misshapen or not isinstance(body, dict):
        return
    yield from _model(body, facade, max_input=max_input)
    yield from _ranges(body)
    yield from _stored(body, facade, known)
    yield from _tools(body, facade)
    yield from _choice(body)
    yield from _items(body, facade, known)
    yield from _pairing(body, facade, known)
    yield from _parts(body, facade)


# Model and parameters


def _model(body: Json, facade: Facade, *, max_input: int) -> Iterator[Finding]:
    if "model" not in body:
        yield Finding("missing", "Missing required parameter: 'model'.", "model")
        return
    model = models.find(facade.profile, body["model"])
    if model is None or model.dimensions:
        yield Finding("model", f"The requested model '{body['model']}' does not exist.", "model")
        return
    limit, asked = body.get("max_output_tokens"), input_tokens(body)
    if limit is not None and limit > model.max_output:
        text = f"max_output_tokens is too large: {limit}. This model supports at most {model.max_output} output tokens."
        yield Finding("range", text, "max_output_tokens")
    if asked > (most := max_input or model.max_input):
        text = "Your input exceeds the context window of this model. Please adjust your input and try again."
        yield Finding("overflow", f"{text} ({asked} tokens, limit {most})", "input")


def _ranges(body: Json) -> Iterator[Finding]:
    for name, low, high in (("temperature", 0, 2), ("top_p", 0, 1), ("top_logprobs", 0, 20)):
        value = body.get(name)
        if value is not None and not low <= value <= high:
            yield Finding("range", f"Invalid '{name}': expected a value from {low} to {high}, got {value}.", name)
    for name, least in (("max_output_tokens", MIN_OUTPUT), ("max_tool_calls", 1)):
        value = body.get(name)
        if value is not None and value < least:
            text = (
                f"Invalid '{name}': integer below minimum value. Expected a value >= {least}, but got {value} instead."
            )
            yield Finding("range", text, name)
    if len(body.get("metadata") or {}) > MAX_METADATA:
        yield Finding("range", f"Invalid 'metadata': too many properties. Expected at most {MAX_METADATA}.", "metadata")
    if body.get("stream_options") is not None and body.get("stream") is not True:
        yield Finding("stream_options", "The 'stream_options' parameter is only allowed when 'stream' is enabled.")
    text_format = (body.get("text") or {}).get("format") or {}
    if text_format.get("type") == "json_schema" and not _NAME.fullmatch(text_format["name"]):
        yield _unmatched("text.format.name")


def _stored(body: Json, facade: Facade, known: Mapping[str, Json]) -> Iterator[Finding]:
    """What needs an endpoint that keeps answers."""
    previous, conversation = body.get("previous_response_id"), body.get("conversation")
    if "storage" not in facade.takes:
        for name in _STORED:
            if body.get(name) not in (None, False):
                yield Finding("storage", f"'{name}' is not supported.", name)
        return
    if previous is not None and conversation is not None:
        text = "Mutually exclusive parameters: Ensure you are only providing one of: 'previous_response_id' or"
        yield Finding("storage", f"{text} 'conversation'.", "previous_response_id")
    elif previous is not None and previous not in known:
        yield Finding("previous", f"Previous response with id '{previous}' not found.", "previous_response_id")
    if body.get("background") and body.get("store") is False:
        yield Finding("storage", "Background mode requires 'store' to be true.", "background")


# Tools


def offered(body: Json) -> Iterator[tuple[str, Json]]:
    """Every tool of the body with its place: those of `additional_tools` and of searches, too."""
    for index, tool in enumerate(body.get("tools") or ()):
        yield f"tools[{index}]", tool
    items = body.get("input")
    for number, item in enumerate(items if isinstance(items, list) else ()):
        if item.get("type") in ("additional_tools", "tool_search_output"):
            for index, tool in enumerate(item["tools"]):
                yield f"input[{number}].tools[{index}]", tool


def _tools(body: Json, facade: Facade) -> Iterator[Finding]:
    seen: set[tuple[str, str]] = set()
    for at, tool in offered(body):
        kind = tool["type"]
        hint = _TOOL_HINTS.get(kind, "")
        if hint and hint not in facade.takes:
            yield Finding("tool", f"{at}: tools of type '{kind}' are not supported.", f"{at}.type")
            continue
        space = tool["name"] if kind == "namespace" else ""
        inside = tool["tools"] if kind == "namespace" else [tool]
        if space and not _NAME.fullmatch(space):
            yield _unmatched(f"{at}.name")
        for index, one in enumerate(inside):
            place = f"{at}.tools[{index}]" if space else at
            yield from _tool(place, one, facade)
            if at.startswith("tools") and "name" in one:
                if (space, one["name"]) in seen:
                    yield Finding("tool", f"Duplicate tool name: '{one['name']}'.", f"{place}.name")
                seen.add((space, one["name"]))


def _tool(at: str, tool: Json, facade: Facade) -> Iterator[Finding]:
    if "name" in tool and not _NAME.fullmatch(tool["name"]):
        yield _unmatched(f"{at}.name")
    if tool["type"] == "custom" and "custom_tools" not in facade.takes:
        yield Finding("tool", f"{at}: tools of type 'custom' are not supported.", f"{at}.type")
    if tool.get("defer_loading") and "tool_search" not in facade.takes:
        yield Finding("tool", f"'{at}.defer_loading' is not supported.", f"{at}.defer_loading")
    schema = tool.get("parameters")
    if tool["type"] != "function" or schema is None:
        return
    start = f"Invalid schema for function '{tool['name']}':"
    if not isinstance(schema, dict) or schema.get("type") != "object":
        got = schema.get("type") if isinstance(schema, dict) else schema
        text = f"{start} schema must be a JSON Schema of 'type: \"object\"', got 'type: {got!r}'."
        yield Finding("schema", text, f"{at}.parameters")
    elif tool.get("strict") is True and (why := _not_strict(schema)):
        yield Finding("schema", f"{start} In context=(), {why}.", f"{at}.parameters")


def _not_strict(schema: Json) -> str:
    """Why the schema of a strict function is refused, `""` if it isn't: its outermost object is looked at."""
    if schema.get("additionalProperties") is not False:
        return "'additionalProperties' is required to be supplied and to be false"
    properties, required = schema.get("properties", {}), schema.get("required", [])
    if missing := [name for name in properties if name not in required]:
        return f"'required' is required to be an array including every key in properties. Missing '{missing[0]}'"
    return ""


def _unmatched(at: str) -> Finding:
    text = "string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
    return Finding("name", f"Invalid '{at}': {text}", at)


def _choice(body: Json) -> Iterator[Finding]:
    choice = body.get("tool_choice")
    if choice is None or choice in ("auto", "none"):
        return
    given = [tool for _, tool in offered(body)]
    if not given and "previous_response_id" not in body:
        yield Finding("choice", "Tool choice 'required' must be specified with 'tools' parameter.", "tool_choice")
    if not isinstance(choice, dict):
        return
    wanted = choice["tools"] if choice["type"] == "allowed_tools" else [choice]
    for one in wanted:
        if not any(_is_meant(tool, one) for tool in given):
            named = one.get("name") or one.get("server_label") or one.get("type")
            yield Finding("choice", f"Tool choice '{named}' not found in 'tools' parameter.", "tool_choice")


def _is_meant(tool: Json, wanted: Json) -> bool:
    if tool["type"] == "namespace":
        return any(_is_meant(one, wanted) for one in tool["tools"])
    kinds = {"computer_use": ("computer", "computer_use_preview")}.get(str(wanted.get("type")), (wanted.get("type"),))
    names = {"function": "name", "custom": "name", "mcp": "server_label"}
    field = names.get(tool["type"])
    return tool["type"] in kinds and (field is None or tool[field] == wanted.get(field))


# The items of the input


def is_reference(item: Json) -> bool:
    """Whether an item stands for one that the endpoint keeps."""
    return item.get("type", "item_reference" if "role" not in item else "message") in ("item_reference", None)


def _listed(body: Json) -> list[Json]:
    given = body.get("input")
    return given if isinstance(given, list) else []


def _items(body: Json, facade: Facade, known: Mapping[str, Json]) -> Iterator[Finding]:
    if not body.get("input") and not any(body.get(name) for name in ("conversation", "previous_response_id", "prompt")):
        text = 'One of "input" or "previous_response_id" or "prompt" or "conversation" must be provided.'
        yield Finding("missing", text, "input")
    for index, item in enumerate(_listed(body)):
        kind = "item_reference" if is_reference(item) else item.get("type", "message")
        at = f"input[{index}]"
        if (hint := _ITEM_HINTS.get(kind, "")) and hint not in facade.takes:
            yield Finding("item", f"{at}: items of type '{kind}' are not supported.", f"{at}.type")
            continue
        if item.get("namespace") is not None and "namespaces" not in facade.takes:
            yield Finding("item", f"'{at}.namespace' is not supported.", f"{at}.namespace")
        prefix, given = _PREFIXES.get(kind, ""), item.get("id")
        if kind == "item_reference":
            if given not in known:
                yield Finding("previous", f"Item with id '{given}' not found.", "input")
        elif prefix and given is not None and not given.startswith(prefix):
            text = f"Invalid '{at}.id': '{given}'. Expected an ID that begins with '{prefix}'."
            yield Finding("id", text, f"{at}.id")
        if "name" in item and kind in ("function_call", "custom_tool_call") and not _NAME.fullmatch(item["name"]):
            yield _unmatched(f"{at}.name")
        if item.get("call_id") == "":
            text = f"Invalid '{at}.call_id': empty string. Expected a string with minimum length 1, but got an empty"
            yield Finding("id", f"{text} string instead.", f"{at}.call_id")


def _pairing(body: Json, facade: Facade, known: Mapping[str, Json]) -> Iterator[Finding]:
    """Each call has its output behind it, and each output the call that it answers before it."""
    # The other half of a pair may be in what the endpoint keeps.
    goes_on = any(body.get(name) is not None for name in ("conversation", "previous_response_id"))
    open_calls: dict[tuple[str, str], str] = {}
    made: set[tuple[str, str]] = set()
    for index, given in enumerate(_listed(body)):
        item = known.get(given.get("id", ""), given) if is_reference(given) else given
        kind = item.get("type", "")
        if kind in _OUTPUTS.values() and (call_id := item.get("call_id")) is not None:
            open_calls[kind, call_id] = call_id
            made.add((kind, call_id))
            if kind == "local_shell_call":
                made.add((kind, item["id"]))
        elif kind in _OUTPUTS:
            call_id = item.get("call_id", item.get("id") if kind == "local_shell_call_output" else None)
            key = (_OUTPUTS[kind], str(call_id))
            open_calls.pop(key, None)
            if call_id is None and kind == "function_call_output" and "outputs_alone" not in facade.takes:
                at = f"input[{index}].call_id"
                yield Finding("missing", f"Missing required parameter: '{at}'.", at)
            elif call_id is not None and key not in made and not goes_on:
                text = f"No tool call found for {kind.replace('_', ' ')} with call_id {call_id}."
                yield Finding("pairing", text, "input")
    if any(item.get("type") == "local_shell_call_output" for item in _listed(body)):
        open_calls = {key: call_id for key, call_id in open_calls.items() if key[0] != "local_shell_call"}
    for (kind, _), call_id in open_calls.items():
        if kind != "tool_search_call":
            text = f"No tool output found for {kind.replace('_', ' ')} {call_id}."
            yield Finding("pairing", text, "input")


def parts(body: Json) -> Iterator[tuple[str, Json]]:
    """Every content part of the input with its place: those of messages, and those of outputs."""
    for index, item in enumerate(_listed(body)):
        for name in ("content", "output"):
            content = item.get(name)
            for number, part in enumerate(content if isinstance(content, list) else ()):
                if isinstance(part, dict) and "type" in part:
                    yield f"input[{index}].{name}[{number}]", part


def _parts(body: Json, facade: Facade) -> Iterator[Finding]:
    model = models.find(facade.profile, body.get("model"))
    for at, part in parts(body):
        kind = part["type"]
        if kind not in ("input_image", "input_file"):
            continue
        if (kind == "input_file" or part.get("file_id") is not None) and "files" not in facade.takes:
            yield Finding("file", f"{at}: files are not supported.", at)
        elif kind == "input_image" and model is not None and not model.images:
            yield Finding("sight", f"The model {model.id} does not support image input.", at)
        elif kind == "input_image":
            yield from _image(at, part)
        elif not any(part.get(name) is not None for name in ("file_data", "file_id", "file_url")):
            yield Finding("missing", f"Missing required parameter: '{at}.file_id'.", f"{at}.file_id")


def _image(at: str, part: Json) -> Iterator[Finding]:
    url = part.get("image_url")
    if url is None and part.get("file_id") is None:
        yield Finding("missing", f"Missing required parameter: '{at}.image_url'.", f"{at}.image_url")
    elif url is not None and (not _URL.match(url) or (url.startswith("data:") and not _decodes(url))):
        text = f"Invalid '{at}.image_url'. Expected a valid URL, but got a value with an invalid format."
        yield Finding("image_url", text, f"{at}.image_url")


def _decodes(url: str) -> bool:
    try:
        return bool(base64.b64decode(url.partition(",")[2], validate=True))
    except (binascii.Error, ValueError):
        return False


# Counting

_CHARS_PER_TOKEN = 4
IMAGE_TOKENS = 1000
_BULK = frozenset({"encrypted_content", "file_data", "image_url"})


def input_tokens(body: Mapping[str, Any]) -> int:
    """Tokens of everything that a model reads: texts, names, schemas, calls; a constant for an image or a file."""
    characters, pictures = 0, 0
    waiting: list[Any] = [body.get(name) for name in ("instructions", "input", "tools")]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            characters += len(value)
        elif isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict):
            for name, inner in value.items():
                characters += len(name)
                if name in _BULK:
                    pictures += inner is not None and name != "encrypted_content"
                else:
                    waiting.append(inner)
    return -(-characters // _CHARS_PER_TOKEN) + pictures * IMAGE_TOKENS
