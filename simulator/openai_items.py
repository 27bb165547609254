"""The rules for the input of a Responses body: its items, calls and their outputs, images and files."""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any

from . import models
from .openai_facade import ITEM_HINTS, Facade
from .rows import Finding, Json

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
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


def unmatched(at: str) -> Finding:
    """A name that isn't written as names must be."""
    text = "string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
    return Finding("name", f"Invalid '{at}': {text}", at)


def is_reference(item: Json) -> bool:
    """Whether an item stands for one that the endpoint keeps."""
    return item.get("type", "item_reference" if "role" not in item else "message") in ("item_reference", None)


def listed(body: Json) -> list[Json]:
    """The items of the input, none where it is a text."""
    given = body.get("input")
    return given if isinstance(given, list) else []


def items(body: Json, facade: Facade, known: Mapping[str, Json]) -> Iterator[Finding]:
    """Kinds that the endpoint doesn't take, ids, names, references."""
    if not body.get("input") and not any(body.get(name) for name in ("conversation", "previous_response_id", "prompt")):
        text = 'One of "input" or "previous_response_id" or "prompt" or "conversation" must be provided.'
        yield Finding("missing", text, "input")
    for index, item in enumerate(listed(body)):
        kind = "item_reference" if is_reference(item) else item.get("type", "message")
        at = f"input[{index}]"
        if (hint := ITEM_HINTS.get(kind, "")) and hint not in facade.takes:
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
        if "name" in item and kind in ("function_call", "custom_tool_call") and not NAME.fullmatch(item["name"]):
            yield unmatched(f"{at}.name")
        if item.get("call_id") == "":
            text = f"Invalid '{at}.call_id': empty string. Expected a string with minimum length 1, but got an empty"
            yield Finding("id", f"{text} string instead.", f"{at}.call_id")


def pairing(body: Json, facade: Facade, known: Mapping[str, Json]) -> Iterator[Finding]:
    """Each call has its output behind it, and each output the call that it answers before it."""
    # The other half of a pair may be in what the endpoint keeps.
    goes_on = any(body.get(name) is not None for name in ("conversation", "previous_response_id"))
    calls: dict[tuple[str, str], tuple[str, str]] = {}  # all so far, also by the id that outputs of a local shell name
    unanswered: set[tuple[str, str]] = set()
    for index, given in enumerate(listed(body)):
        item = known.get(given.get("id", ""), given) if is_reference(given) else given
        kind, call_id = item.get("type", ""), item.get("call_id")
        if kind in _OUTPUTS.values() and call_id is not None:
            calls[kind, call_id] = (kind, call_id)
            if kind == "local_shell_call":
                calls[kind, item["id"]] = (kind, call_id)
            unanswered.add((kind, call_id))
        elif kind in _OUTPUTS:
            named = item["id"] if kind == "local_shell_call_output" else call_id
            call = calls.get((_OUTPUTS[kind], str(named)))
            unanswered.discard(call or ("", ""))
            if named is None and kind == "function_call_output" and "outputs_alone" not in facade.takes:
                at = f"input[{index}].call_id"
                yield Finding("missing", f"Missing required parameter: '{at}'.", at)
            elif named is not None and call is None and not goes_on:
                text = f"No tool call found for {kind.replace('_', ' ')} with call_id {named}."
                yield Finding("pairing", text, "input")
    for kind, call_id in sorted(unanswered):
        if kind != "tool_search_call":
            yield Finding("pairing", f"No tool output found for {kind.replace('_', ' ')} {call_id}.", "input")


def _parts(body: Json) -> Iterator[tuple[str, Json]]:
    """Every content part of the input with its place: those of messages, and those of outputs."""
    for index, item in enumerate(listed(body)):
        for name in ("content", "output"):
            content = item.get(name)
            for number, part in enumerate(content if isinstance(content, list) else ()):
                if isinstance(part, dict) and "type" in part:
                    yield f"input[{index}].{name}[{number}]", part


def parts(body: Json, facade: Facade) -> Iterator[Finding]:
    """Images and files that the endpoint, or the model, can't read."""
    model = models.find(facade.profile, body.get("model"))
    for at, part in _parts(body):
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
