"""What is said in words where chat has nothing for it: what a model can read stays, what only a vendor reads goes."""

from __future__ import annotations

from typing import Any, Final

from ..exchange import JsonObject
from ..rules import files
from ..wire import json_body

_OPAQUE: Final = frozenset(
    ["cache_control", "signature", "encrypted_content", "encrypted_index", "encrypted_stdout", "citations", "caller"]
)
"""Fields of a block or an item that say nothing to a model: marks for the vendor, and data that only it can read."""
_REMINDER: Final = ("<system-reminder>\n", "\n</system-reminder>")
"""What Claude Code 2.1.332 puts around such a text (docs/facts/anthropic.md#system-messages-in-the-list)."""
_DEPTH: Final = 64
"""How deep a block is looked through for those; what is below stays as it is."""


def available(name: str) -> str:
    """What a `tool_reference` says: the schema of the tool `name` is sent from now on."""
    return f"Tool {name} is available now."


def gone(name: str) -> str:
    """What a `tool_removal` says."""
    return f"Tool {name} is no longer available."


def missing(what: str) -> str:
    """What the system text says of a tool that its vendor would run, such as `web_search`."""
    return f"{what} is not available here. Go on without it, and don't claim to have used it."


def reminder(text: str) -> str:
    """The text of a system message inside the list, marked as Claude Code itself marks it in a user message."""
    before, after = _REMINDER
    return text if not text or text.lstrip().startswith(before.strip()) else before + text + after


def enclosed(tag: str, attributes: dict[str, object], text: str) -> str:
    """`text` between tags, so that a model sees where a document begins and ends."""
    before, after = tags(tag, attributes)
    return f"{before}\n{text}\n{after}"


def tags(tag: str, attributes: dict[str, object]) -> tuple[str, str]:
    """What stands before and after what is `enclosed`. Attributes that are no text are left out."""
    named = "".join(f' {key}="{value}"' for key, value in attributes.items() if isinstance(value, str) and value)
    return f"<{tag}{named}>", f"</{tag}>"


def unknown(block: JsonObject) -> str:
    """Any other block: its own text where that is all it says, else its type and what else is in it."""
    said = {key: value for key, value in block.items() if key not in _OPAQUE and key != "type" and value is not None}
    for key in ("text", "content"):
        if set(said) == {key} and isinstance(said[key], str):
            return str(said[key])
    return f"[{block.get('type')}: {as_json(said)}]"


def as_json(value: object) -> str:
    """`value` as compact JSON, without file data and without what only a vendor can read."""
    return without_data(_readable(value))


def without_data(value: object) -> str:
    """`value` as compact JSON, without file data."""
    return json_body.serialise(files.short(value) if files.holds_data(value) else value).decode()


def _readable(value: Any, depth: int = 0) -> Any:
    if depth == _DEPTH:
        return value
    if isinstance(value, dict):
        return {key: _readable(item, depth + 1) for key, item in value.items() if key not in _OPAQUE}
    if isinstance(value, list):
        return [_readable(item, depth + 1) for item in value]
    return value
