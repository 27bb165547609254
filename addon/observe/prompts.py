"""Prompts as digests: what a request's prompt consists of, and what has changed in it since the turn before. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

from ..exchange import JsonObject
from ..wire import json_body

_SIZE: Final = 8
"""Bytes of a digest."""
MOST_MESSAGES: Final = 2000
"""Entries of one section that are looked at."""
_FEW: Final = 64
"""How far away a message is looked for that may have moved."""

_SETTINGS: Final = (
    "thinking",
    "enable_thinking",
    "reasoning",
    "reasoning_effort",
    "response_format",
    "output_config",
    "text",
    "chat_template_kwargs",
)
"""Parameters that endpoints write into the prompt."""
_REASONING: Final = ("reasoning_content", "reasoning", "reasoning_details")
_THINKING: Final = ("thinking", "redacted_thinking")
_LOOKED_AT: Final = frozenset(["cache_control", *_REASONING])


@dataclass(frozen=True, slots=True)
class Section:
    """One list of a prompt. `full`: the digests of its entries, one after the other; `bare`: without reasoning."""

    pointer: str
    full: bytes
    bare: bytes
    is_list: bool = True

    def __len__(self) -> int:
        """How many entries it has."""
        return len(self.full) // _SIZE

    def at(self, number: int) -> str:
        """The JSON Pointer of an entry."""
        return f"{self.pointer}/{number}" if self.is_list else self.pointer


@dataclass(frozen=True, slots=True)
class Prompt:
    """The digests of a request's body."""

    model: bytes
    sections: tuple[Section, ...]
    """Tools, system texts, messages: in the order in which they are in the prompt."""
    settings: Mapping[str, bytes]

    @property
    def messages(self) -> Section:
        """The last section."""
        return self.sections[-1]

    @property
    def size(self) -> int:
        """How many entries all sections have."""
        return sum(map(len, self.sections))


def prompt_of(body: JsonObject) -> Prompt | None:
    """The digests of a request in any format; `None` for one without messages."""
    name = "messages" if isinstance(body.get("messages"), list) else "input"
    if not body.get(name):
        return None
    system = "system" if "system" in body else "instructions"
    sections = (
        _section("/tools", body.get("tools")),
        _section(f"/{system}", body.get(system)),
        _section(f"/{name}", body[name]),
    )
    settings = {key: _digest(body[key]) for key in _SETTINGS if body.get(key) is not None}
    return Prompt(_digest(body.get("model")), sections, settings)


def _section(pointer: str, given: object) -> Section:
    if given is None:
        return Section(pointer, b"", b"")
    full, bare = bytearray(), bytearray()
    for entry in islice(given, MOST_MESSAGES) if isinstance(given, list) else [given]:
        if not isinstance(entry, dict) or (_LOOKED_AT.isdisjoint(entry) and not isinstance(entry.get("content"), list)):
            digest = _digest(entry)  # as of most
            full += digest
            bare += digest
            continue
        plain = _unmarked(entry)
        digest, spoken = _digest(plain), _without_reasoning(plain)
        full += digest
        bare += digest if spoken is plain else _digest(spoken)
    return Section(pointer, bytes(full), bytes(bare), is_list=isinstance(given, list))


def _digest(value: object) -> bytes:
    """The digest of a JSON value.

    Python's own hash of bytes is SipHash with a key of this process: no other digest is as fast, and none is needed.
    """
    return hash(json_body.serialise(value)).to_bytes(_SIZE, "little", signed=True)


def _unmarked(entry: JsonObject) -> JsonObject:
    """`entry` without marks of where to cache, which move from turn to turn; a single text is a string."""
    if "cache_control" in entry:
        entry = {key: value for key, value in entry.items() if key != "cache_control"}
    content = entry.get("content")
    if not isinstance(content, list):
        return entry
    parts = [_unmarked(part) if isinstance(part, dict) else part for part in content]
    text = parts[0] if len(parts) == 1 else None
    if isinstance(text, dict) and text.keys() == {"type", "text"} and text["type"] == "text":
        return {**entry, "content": text["text"]}
    return {**entry, "content": parts}


def _without_reasoning(message: JsonObject) -> JsonObject:
    """`message` without what the model thought; itself if it has nothing of that."""
    if any(name in message for name in _REASONING):
        message = {key: value for key, value in message.items() if key not in _REASONING}
    content = message.get("content")
    if not isinstance(content, list):
        return message
    said = [part for part in content if not (isinstance(part, dict) and part.get("type") in _THINKING)]
    if len(said) == len(content):
        return message
    text = said[0] if len(said) == 1 else None
    if isinstance(text, dict) and text.keys() == {"type", "text"} and text["type"] == "text":
        return {**message, "content": text["text"]}
    return {**message, "content": said}


@dataclass(frozen=True, slots=True)
class Difference:
    """The first part of a prompt that isn't that of the turn before. `place`: section and entry, to compare by."""

    pointer: str
    what: str
    place: tuple[int, int]


def difference(before: Prompt, now: Prompt) -> Difference | None:
    """What changed first; `None` where one prompt begins with the other."""
    if before.model != now.model:
        return Difference("/model", "another model", (-1, 0))
    for number, (old, new) in enumerate(zip(before.sections, now.sections, strict=True)):
        is_last = number == len(now.sections) - 1
        if old.full == new.full or (is_last and (new.full.startswith(old.full) or old.full.startswith(new.full))):
            continue
        place = _first_difference(old.full, new.full)
        what = _what_of_messages(old, new, place) if is_last else _what_of(old, new)
        return Difference(new.at(place), what, (number, place))
    for name in sorted(before.settings.keys() | now.settings.keys()):
        if before.settings.get(name) != now.settings.get(name):
            return Difference(f"/{name}", "parameter changed", (len(now.sections), 0))
    return None


def _first_difference(one: bytes, other: bytes) -> int:
    """The number of the first entry that two sections don't share."""
    low, high = 0, min(len(one), len(other)) // _SIZE
    while low < high:
        middle = (low + high + 1) // 2
        if one[: middle * _SIZE] == other[: middle * _SIZE]:
            low = middle
        else:
            high = middle - 1
    return low


def _what_of(old: Section, new: Section) -> str:
    kind = "tools" if new.pointer == "/tools" else "system text"
    if len(old) == len(new) and sorted(split(old.full)) == sorted(split(new.full)):
        return f"{kind} in another order"
    more = len(new) - len(old)
    return f"{kind} changed" if not more else f"{kind} {'added' if more > 0 else 'removed'}"


def _what_of_messages(old: Section, new: Section, place: int) -> str:
    """What happened at `place`, where both sections have an entry."""
    full, then = split(new.full), split(old.full)
    bare, bare_then = split(new.bare), split(old.bare)
    if bare[place] == bare_then[place]:
        lacks, lacked = full[place] == bare[place], then[place] == bare_then[place]
        return "reasoning dropped" if lacks else "reasoning put back" if lacked else "reasoning changed"
    if len(full) < len(then) and len(set(bare) & set(bare_then)) * 2 < len(bare_then):
        return COMPACTED
    after, after_then = full[place : place + _FEW], then[place : place + _FEW]
    if sorted(full[place : len(then)]) == sorted(then[place:]):
        return "messages in another order"
    if after_then[0] in after:
        return _counted(after.index(after_then[0]), "inserted")
    if after[0] in after_then:
        return _counted(after_then.index(after[0]), "removed")
    return "content edited"


COMPACTED: Final = "history compacted"


def _counted(number: int, what: str) -> str:
    return f"{number} message{'' if number == 1 else 's'} {what}"


def split(digests: bytes) -> list[bytes]:
    """The digests of a section's entries."""
    return [digests[place : place + _SIZE] for place in range(0, len(digests), _SIZE)]
